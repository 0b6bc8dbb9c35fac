"""What a graph gives through mlflow: saved by mlflow.onnx, loaded again, asked. A request a line on standard input, its answer a line on
standard output, both JSON.

A request has a `graph`, an ONNX file; `arrays`, an .npz of what it takes by name; `saved`, a folder that is to be made; and `outputs`, the
.npz to write. The answer is {} or {"error": "..."}. Needs what mlflow.txt lists.
"""

from __future__ import annotations

import json
import os
import sys


def answered(request: dict[str, str]) -> None:
    import mlflow.onnx
    import mlflow.pyfunc
    import numpy as np
    import onnx

    mlflow.onnx.save_model(onnx.load(request["graph"]), request["saved"], pip_requirements=["onnx", "onnxruntime"])
    with np.load(request["arrays"], allow_pickle=False) as arrays:
        outputs = mlflow.pyfunc.load_model(request["saved"]).predict(dict(arrays))
    np.savez(request["outputs"], **{name: np.asarray(array) for name, array in outputs.items()})


def main() -> None:
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # standard output is for answers alone
    for line in sys.stdin:
        said: dict[str, str] = {}
        try:
            answered(json.loads(line))
        except Exception as error:
            said["error"] = f"{type(error).__name__}: {error}"
        answers.write(json.dumps(said) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
