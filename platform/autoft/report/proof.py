"""The proof of the export."""

from __future__ import annotations

from autoft.report.data import ProofTable
from autoft.report.markup import Markup, tag


def proof_section(proof: ProofTable | None) -> Markup | None:
    """None where nothing was exported."""
    if proof is None:
        return None
    badge = tag("span", "proved" if proof.passed else "refused", cls="badge " + ("good" if proof.passed else "bad"))
    words = f"largest difference {proof.max_difference:.1e}"
    words += f", {proof.tolerance:g} allowed" if proof.tolerance is not None and proof.rounding is None else ""
    said = f"{proof.changed_labels} changed answers on {proof.rows} rows; {words}."
    reasons = tag("ul", *[tag("li", reason) for reason in proof.reasons]) if proof.reasons else None
    table = None
    if proof.combinations:
        head = tag("tr", *[tag("th", name, cls="right-align") for name in ("rows at once", "length", "padding", "largest difference")])
        body = [
            tag("tr", *[tag("td", _cell(cell), cls="num right-align") for cell in (c.batch, c.length, c.padding, f"{c.difference:.1e}")])
            for c in proof.combinations
        ]
        inside = tag("div", tag("table", tag("thead", head), tag("tbody", *body)), cls="scroll")
        table = tag("details", tag("summary", f"{len(body)} combinations of batch, length and padding"), inside)
    lead = "The exported model was fed the same inputs as the trained one, and had to give the same answers."
    if proof.rounding is not None:
        lead = f"The exported model rounds ({proof.rounding}). It was fed the same inputs as the trained one, and had to decide alike."
    return tag("section", tag("h2", "Proof of the export ", badge), tag("p", lead, cls="lead"), tag("p", said), reasons, table)


def _cell(value: object) -> str:
    return "-" if value is None else ("yes" if value else "no") if isinstance(value, bool) else str(value)
