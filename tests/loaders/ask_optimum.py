"""What optimum's models on ONNX Runtime answer from a bundle. A request a line on standard input, its answer a line on standard output,
both JSON.

A request has the `folder` of a bundle and `texts`, each a text or a list of two, and says `how`:
  pipeline  the answer to each text by transformers' pipeline("text-classification"), all labels
  logits    of the class of model that `task` has there
  apart     as logits, each text of a pair in tokens of its own: ids of shape (1, 2, length)
  generate  what the encoder and the decoder write
The answer is {"answers": [...]}, one a text, or {"error": "..."}. Needs what optimum.txt lists, and torch.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from typing import Any

WHERE = {"subfolder": "onnx", "local_files_only": True}


def by_pipeline(request: dict[str, Any], tokenizer: Any) -> list[Any]:
    from optimum.onnxruntime import ORTModelForSequenceClassification
    from transformers import pipeline

    model = ORTModelForSequenceClassification.from_pretrained(request["folder"], file_name="model.onnx", **WHERE)
    pipe = pipeline("text-classification", model=model, tokenizer=tokenizer)
    rows = [text if isinstance(text, str) else dict(zip(("text", "text_pair"), text, strict=True)) for text in request["texts"]]
    return [pipe(row, top_k=None, truncation=True) for row in rows]


def logits(request: dict[str, Any], tokenizer: Any) -> list[Any]:
    import optimum.onnxruntime as ort

    kind = {"text-classification": ort.ORTModelForSequenceClassification, "token-classification": ort.ORTModelForTokenClassification}
    model = kind[request["task"]].from_pretrained(request["folder"], file_name="model.onnx", **WHERE)
    found = []
    for text in request["texts"]:
        if request["how"] == "apart":
            inputs = {name: array[None] for name, array in tokenizer(text, return_tensors="pt", padding=True, truncation=True).items()}
        else:
            inputs = tokenizer(*([text] if isinstance(text, str) else text), return_tensors="pt", truncation=True)
        made = model(**inputs).logits
        found.append({"dims": list(made.shape), "data": made.flatten().tolist()})
    return found


def generate(request: dict[str, Any], tokenizer: Any) -> list[Any]:
    from optimum.onnxruntime import ORTModelForSeq2SeqLM

    model = ORTModelForSeq2SeqLM.from_pretrained(request["folder"], use_cache=False, use_merged=False, **WHERE)
    found = []
    for text in request["texts"]:
        made = model.generate(**tokenizer(text, return_tensors="pt", truncation=True))
        found.append(tokenizer.decode(made[0], skip_special_tokens=True).strip())
    return found


HOW: dict[str, Callable[[dict[str, Any], Any], list[Any]]] = {
    "pipeline": by_pipeline,
    "logits": logits,
    "apart": logits,
    "generate": generate,
}


def answered(request: dict[str, Any]) -> list[Any]:
    from transformers import AutoTokenizer

    return HOW[request["how"]](request, AutoTokenizer.from_pretrained(request["folder"], local_files_only=True))


def main() -> None:
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # standard output is for answers alone
    os.environ["HF_HUB_OFFLINE"] = "1"
    for line in sys.stdin:
        try:
            said: dict[str, Any] = {"answers": answered(json.loads(line))}
        except Exception as error:
            said = {"error": f"{type(error).__name__}: {error}"}
        answers.write(json.dumps(said) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
