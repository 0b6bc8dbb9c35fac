"""The libraries under the exporters print, warn and log as a matter of course; what matters comes as an exception."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator

_LOGGERS = ("torch", "torch.onnx", "torch.export", "torch._dynamo", "transformers", "onnxscript", "onnx_ir")


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Nothing of what they say."""
    disabled = logging.root.manager.disable
    levels = {name: logging.getLogger(name).level for name in _LOGGERS}
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        warnings.simplefilter("ignore")
        logging.disable(logging.ERROR)
        try:
            yield
        finally:
            logging.disable(disabled)
            for name, level in levels.items():
                logging.getLogger(name).setLevel(level)


def first_line(error: Exception) -> str:
    """What an exception says, or else its name."""
    return (str(error).splitlines() or [type(error).__name__])[0]
