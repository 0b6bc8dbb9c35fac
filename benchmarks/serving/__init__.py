"""`autoft serve` under load, beside the bare runtime and the usual snippet: see __main__.py."""
