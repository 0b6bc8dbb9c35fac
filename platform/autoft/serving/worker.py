"""`python -m autoft.serving.worker`: one of several processes that serve on one socket.

Standard input begins with a line of JSON, `{"options": ..., "listener": file descriptor}`; its end is that of the process, which so never
outlives the one that watches over it. Standard output gets one line, a `Started`, once requests are taken.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import threading

from autoft.errors import AutoftError


def main() -> int:
    """Serve until told to stop; returns the status to end with."""
    order = json.loads(_line())
    threading.Thread(target=_end_with_input, daemon=True).start()
    from autoft.serving.options import Options
    from autoft.serving.server import Started, serve

    def ready(started: Started) -> None:
        sys.stdout.write(started.model_dump_json() + "\n")
        sys.stdout.flush()

    try:
        serve(Options.model_validate(order["options"]), socket.socket(fileno=order["listener"]), ready)
    except AutoftError as error:
        from autoft.console import show_error

        show_error(error)
        return error.exit_code
    return 0


def _line() -> bytes:
    """Read byte by byte: nothing may stay in a buffer whose lock a thread holds when the process ends."""
    line = b""
    while not line.endswith(b"\n") and (byte := os.read(0, 1)):
        line += byte
    return line


def _end_with_input() -> None:
    while os.read(0, 4096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    sys.exit(main())
