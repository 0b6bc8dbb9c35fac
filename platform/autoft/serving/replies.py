"""What goes back: JSON, and what a failure may say of itself."""

from __future__ import annotations

import json
import logging
import traceback
from typing import Any

from starlette.responses import JSONResponse

from autoft.serving.requests import RequestError

LOG = logging.getLogger("autoft.serving")


class Json(JSONResponse):
    """As JSON has it: no NaN, and halves of surrogate pairs become question marks."""

    def render(self, content: Any) -> bytes:
        return json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode("utf-8", "replace")


def failure(error: Exception) -> RequestError:
    """Status 500. An error's message may quote what was asked: the log holds its kind, and where it arose."""
    where = traceback.extract_tb(error.__traceback__)[-1]
    LOG.error("failed: %s at %s:%s", type(error).__name__, where.filename, where.lineno)
    return RequestError(500, "the model could not answer; the server's log says where")
