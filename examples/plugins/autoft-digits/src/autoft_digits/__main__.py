"""`python -m autoft_digits FILE [ROWS]`: scikit-learn's digits as JSON lines."""

from __future__ import annotations

import json
import sys
from pathlib import Path


def write(path: Path, rows: int | None = None) -> None:
    """Of 1,797 images the first `rows`."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    lines = [
        json.dumps({"image": (image / 16).tolist(), "label": int(label)})
        for image, label in zip(digits.images[:rows], digits.target[:rows], strict=True)
    ]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else None)
