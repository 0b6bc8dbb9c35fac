"""A one-file plugin: a tuner that tries nothing, so that the baseline is the winner and a whole run takes seconds."""

from __future__ import annotations

import autoft


class NoSearch:
    name = "none"
    summary = "tries nothing"

    def search(self, request, on_event):
        return None


@autoft.hookimpl
def autoft_register_tuners():
    return [NoSearch()]
