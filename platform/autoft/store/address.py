"""Where the database is, and how its address may be shown."""

from __future__ import annotations

import os
import re

VARIABLE = "AUTOFT_DATABASE"

_USER = re.compile(r"^(?P<head>[A-Za-z][\w+.-]*://)(?P<user>[^/@:]*):(?P<password>.*)@(?P<tail>[^@]*)$", re.S)
_QUERY = re.compile(r"(?i)([?&](?:[\w-]*(?:password|passwd|passfile|secret|token|sslkey)[\w-]*|pwd)=)[^&#]*")


def default_url() -> str:
    """The environment's database, or SQLite in the user's data folder."""
    given = os.environ.get(VARIABLE, "").strip()
    if given:
        return given
    from platformdirs import user_data_path

    return f"sqlite:///{(user_data_path('autoft', appauthor=False) / 'autoft.db').as_posix()}"


def masked(url: str) -> str:
    """`url` without its passwords, wherever in it they stand, and whether or not it is well formed."""
    return _QUERY.sub(r"\1***", _USER.sub(r"\g<head>\g<user>:***@\g<tail>", url))
