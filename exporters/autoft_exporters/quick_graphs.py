"""What makes a traced graph quick: the forms of attention and of GELU that runtimes know again, written in ONNX's own operators."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import onnx_ir


@contextlib.contextmanager
def plain_attention(module: Any) -> Iterator[None]:
    """Within: the models in `module` attend by two products and a softmax. Traced, torch's fused attention turns the keys twice and asks
    for a row without tokens at every layer: of MiniLM-L6 one text of 64 tokens took 1.07 times as long, eight 1.10 times."""
    from transformers import PreTrainedModel

    before = [(one, one.config._attn_implementation) for one in module.modules() if isinstance(one, PreTrainedModel)]
    try:
        for model, _ in before:
            model.set_attn_implementation("eager")
        yield
    finally:
        for model, own in before:
            model.set_attn_implementation(own)


def with_known_gelu(model: onnx_ir.Model) -> onnx_ir.Model:
    """The graph with x (1 + erf) 1/2 in place of x (1/2 (1 + erf)), which onnxruntime does not know for a GELU: now it makes one operator
    of five. In 8 bits eight texts of 64 tokens took 0.88 times as long, in full precision 0.95 (MiniLM-L6)."""
    from onnxscript.rewriter import rewrite
    from onnxscript.rewriter.pattern import RewriteRule

    def inner(op: Any, value: Any, root: Any, one: Any) -> Any:
        return op.Add(op.Erf(op.Div(value, root)), one)

    def traced(op: Any, value: Any, root: Any, one: Any, half: Any) -> Any:
        return op.Mul(value, op.Mul(half, inner(op, value, root, one)))

    def known(op: Any, value: Any, root: Any, one: Any, half: Any) -> Any:
        return op.Mul(op.Mul(value, inner(op, value, root, one)), half)

    made: onnx_ir.Model = rewrite(model, [RewriteRule(traced, known)])
    return made
