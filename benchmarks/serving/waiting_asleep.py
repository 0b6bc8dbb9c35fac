"""`python waiting_asleep.py ARGUMENTS`: the command autoft, with threads of onnxruntime that sleep while they wait, instead of spinning."""

from __future__ import annotations

import sys

import onnxruntime as ort

_Options = ort.SessionOptions


def options() -> ort.SessionOptions:
    """As onnxruntime makes them, but for that."""
    made = _Options()
    made.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return made


if __name__ == "__main__":
    ort.SessionOptions = options
    from autoft.cli.main import main

    sys.exit(main())
