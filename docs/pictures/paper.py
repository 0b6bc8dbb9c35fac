"""What the pictures of the docs have in common: SVG that is legible on a phone, in light and in dark, with no font of its own."""

from __future__ import annotations

from autoft.report.markup import Markup, tag

WIDTH = 420
"""Units, of which a phone shows about 360 pixels: text of 13 units is read there as text of 11."""

_LIGHT = {"page": "#ffffff", "ink": "#1d2129", "soft": "#555d69", "line": "#d9dbd8", "none": "#e4e6e4"}
_LIGHT |= {"learn": "#2456c7", "judge": "#d1600e", "test": "#8b3fc4", "early": "#a9bbe8", "good": "#11784f"}
_DARK = {"page": "#1d2026", "ink": "#e7e9ed", "soft": "#a5adb9", "line": "#3b4048", "none": "#343942"}
_DARK |= {"learn": "#7ba4ff", "judge": "#f79b56", "test": "#c493f2", "early": "#46588a", "good": "#55c795"}


def _rules(colours: dict[str, str]) -> str:
    return "".join(f".{name}{{fill:{colour}}}.{name}-line{{stroke:{colour};fill:none}}" for name, colour in colours.items())


_STYLE = Markup(
    "text{font-family:system-ui,-apple-system,'Segoe UI',Roboto,'Noto Sans',sans-serif;font-size:13px}"
    f".title{{font-weight:600;font-size:15px}}.name{{font-weight:600;font-size:14px}}.middle{{text-anchor:middle}}.end{{text-anchor:end}}{_rules(_LIGHT)}"
    f"@media (prefers-color-scheme:dark){{{_rules(_DARK)}}}"
)


def picture(height: float, said: str, *parts: Markup) -> str:
    """A whole file; `said` is what a reader hears who cannot see it. It has a page of its own colour, whatever it stands on."""
    page = tag("rect", width=WIDTH, height=height, rx=10, cls="page")
    size = {"width": WIDTH, "height": height, "viewBox": f"0 0 {WIDTH} {height}"}
    return tag("svg", tag("style", _STYLE), page, *parts, xmlns="http://www.w3.org/2000/svg", **size, role="img", aria_label=said) + "\n"


def words(x: float, y: float, text: str, cls: str = "ink") -> Markup:
    """A line of text."""
    return tag("text", text, x=x, y=y, cls=cls)


def box(x: float, y: float, width: float, height: float, cls: str, round_: float = 2) -> Markup:
    """A rectangle."""
    return tag("rect", x=round(x, 1), y=round(y, 1), width=round(width, 1), height=height, rx=round_, cls=cls)
