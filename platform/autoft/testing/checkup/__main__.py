"""`python -m autoft.testing.checkup REQUEST`: JSON lines of findings into the file that the request names; a plugin may print."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path

from autoft.errors import AutoftError
from autoft.testing.checkup import check_plugin


def main() -> None:
    """What `autoft plugins check` starts."""
    told = json.loads(sys.argv[1])
    with Path(told["output"]).open("w", encoding="utf-8") as output:
        try:
            path = {key: Path(told[key]) if told[key] else None for key in ("file", "data")}
            for finding in check_plugin(told["name"], path["file"], path["data"], ray=told["ray"]):
                output.write(json.dumps(asdict(finding)) + "\n")
                output.flush()
        except AutoftError as error:
            output.write(json.dumps({"error": error.message, "hint": error.hint}) + "\n")


if __name__ == "__main__":
    main()
