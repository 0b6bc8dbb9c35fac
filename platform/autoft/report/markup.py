"""Building HTML by hand: whatever is not marked as markup is text, and is escaped."""

from __future__ import annotations

from html import escape
from typing import Any


class Markup(str):
    """A string that is HTML already."""

    __slots__ = ()


def text(value: Any) -> Markup:
    """`value` as it should be read, never as markup; characters that HTML forbids are replaced."""
    if isinstance(value, Markup):
        return value
    kept = "".join(
        c if c in "\t\n" or (ord(c) >= 32 and not 0x7F <= ord(c) < 0xA0 and not 0xD800 <= ord(c) < 0xE000) else "\ufffd" for c in str(value)
    )
    return Markup(escape(kept, quote=True))


def tag(name: str, *children: Any, **attributes: Any) -> Markup:
    """`tag("a", "text", href="...")`; `cls` is class, underscores are hyphens, an attribute that is None is left out."""
    shown = "".join(f' {_attribute(key)}="{text(value)}"' for key, value in attributes.items() if value is not None)
    inside = "".join(text(child) for child in children if child is not None)
    return Markup(f"<{name}{shown}>{inside}</{name}>")


def join(*parts: Any) -> Markup:
    """One after the other."""
    return Markup("".join(text(part) for part in parts if part is not None))


def section(title: str, lead: str, *children: Any) -> Markup:
    """A part of the page; `lead` is what is said below its title."""
    return tag("section", tag("h2", title), tag("p", lead, cls="lead") if lead else None, *children)


def _attribute(name: str) -> str:
    return "class" if name == "cls" else name.rstrip("_").replace("_", "-") if name != "viewBox" else name
