"""Other people's code, called so that it costs a command at most a line: within a time, and away from standard output."""

from __future__ import annotations

import contextlib
import inspect
import os
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

_T = TypeVar("_T")

TIMEOUT = 30.0
TIMEOUT_VARIABLE = "AUTOFT_PLUGIN_TIMEOUT"
"""Seconds that one call into a plugin, while it is loaded and asked for what it gives, may take."""

TRACE_VARIABLE = "AUTOFT_TRACE"
"""Set to anything but 0: standard error shows the calls into plugins."""
TRACE = "trace "
"""How such a line begins."""


class PluginHangs(Exception):  # noqa: N818  it is no fault of ours
    """A call did not return in time. It goes on in its thread; nobody waits for it any more."""


def time_limit() -> float:
    """What the variable says, in seconds; the default where it says nothing that is a time."""
    try:
        seconds = float(os.environ.get(TIMEOUT_VARIABLE, "") or TIMEOUT)
    except ValueError:
        return TIMEOUT
    return seconds if seconds > 0 else TIMEOUT


def guarded(call: Callable[[], _T], name: str) -> _T:
    """What `call` returns; it runs in a thread, and what it prints goes to standard error behind `name`.

    Raises what it raises, and PluginHangs after `time_limit()` seconds: Python has no way to end a thread, so the call stays where it
    hangs, what it prints later goes to standard error as well, and the end of the process does not wait for it.
    """
    outcome: list[tuple[Any, BaseException | None]] = []

    def work() -> None:
        try:
            outcome.append((call(), None))
        except BaseException as error:
            outcome.append((None, error))

    thread = threading.Thread(target=work, name=f"plugin {name}", daemon=True)
    limit = time_limit()
    with _diverted(name) as keep:
        thread.start()
        thread.join(limit)
        if not outcome:
            keep()
    if not outcome:
        raise PluginHangs(f"did not answer within {limit:g} s ({TIMEOUT_VARIABLE} gives it more)")
    value, error = outcome[0]
    if error is not None:
        raise error
    return value  # type: ignore[no-any-return]


@contextlib.contextmanager
def _diverted(name: str) -> Iterator[Callable[[], None]]:
    """Standard output is standard error for all threads but those that are there already; for children of this process, and for what
    writes past Python, too. `keep()` leaves it so for the threads that began meanwhile."""
    real = sys.stdout
    diversion: Any = _Diversion(real, name)
    kept: list[bool] = []
    sys.stdout = diversion
    with _descriptor_diverted(real):
        try:
            yield lambda: kept.append(True)
        finally:
            diversion.end_line()
    if not kept and sys.stdout is diversion:
        sys.stdout = real


@contextlib.contextmanager
def _descriptor_diverted(real: Any) -> Iterator[None]:
    saved = None
    with contextlib.suppress(OSError, ValueError, AttributeError):
        if real.fileno() == 1 and sys.stderr.fileno() == 2:
            real.flush()
            saved = os.dup(1)
            os.dup2(2, 1)
    try:
        yield
    finally:
        if saved is not None:
            with contextlib.suppress(OSError, ValueError):
                real.flush()
            os.dup2(saved, 1)
            os.close(saved)


class _Diversion:
    """In the place of a text stream: whoever was there before writes to it, all others to standard error, line by line behind a name."""

    def __init__(self, real: Any, name: str) -> None:
        self._real, self._name = real, name
        self._before = {thread.ident for thread in threading.enumerate()}
        self._line = ""

    def write(self, text: str) -> int:
        if threading.get_ident() in self._before:
            return int(self._real.write(text))
        *whole, self._line = (self._line + text).split("\n")
        for line in whole:
            self._say(line)
        return len(text)

    def flush(self) -> None:
        if threading.get_ident() in self._before:
            self._real.flush()

    def end_line(self) -> None:
        """What was printed without an end of line."""
        if self._line:
            self._say(self._line)
            self._line = ""

    def writelines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.write(line)

    def isatty(self) -> bool:
        return threading.get_ident() in self._before and bool(self._real.isatty())

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def _say(self, line: str) -> None:
        if line.strip():
            say(f"plugin {self._name}: {line}")


def say(line: str) -> None:
    """A line on standard error, as far as there is one."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        encoding = getattr(sys.stderr, "encoding", None) or "utf-8"
        sys.stderr.write(line.encode(encoding, "replace").decode(encoding, "replace") + "\n")
        sys.stderr.flush()


def tracing() -> bool:
    """Whether calls into plugins are shown."""
    return os.environ.get(TRACE_VARIABLE, "") not in ("", "0")


@contextlib.contextmanager
def traced(what: str, who: str) -> Iterator[None]:
    """Show when something was called, of which plugin, how long it took and what it raised."""
    if not tracing():
        yield
        return
    now, start = time.time(), time.perf_counter()
    begun = f"{time.strftime('%H:%M:%S', time.localtime(now))}.{int(now % 1 * 1000):03d}"
    ending = ""
    try:
        yield
    except BaseException as error:
        ending = f"  raised {type(error).__name__}"
        raise
    finally:
        say(f"{TRACE}{begun}  {what}  {who}  {(time.perf_counter() - start) * 1000:.1f} ms{ending}")


class _Shown:
    """A method of a plugin's object; each call of it is shown. A class, so that the object can still be pickled."""

    def __init__(self, method: Callable[..., Any], what: str, who: str) -> None:
        self._method, self._what, self._who = method, what, who
        self.__wrapped__ = method

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        with traced(self._what, self._who):
            return self._method(*arguments, **named)


def show_calls(one: object, interfaces: Iterable[type], who: str) -> None:
    """From now on calls of those methods of `one` that the `interfaces` have are shown, from the outside and from its own code; not of an
    object that takes no attributes (`__slots__`)."""
    for interface in interfaces:
        for name, value in vars(interface).items():
            method = getattr(one, name, None)
            if name.startswith("_") or not inspect.isfunction(value) or method is None or isinstance(method, _Shown):
                continue
            with contextlib.suppress(AttributeError, TypeError):
                object.__setattr__(one, name, _Shown(method, f"{interface.__name__}.{name}", who))
