"""Where the parts of an encoder's layers are, in the architectures whose layers are alike, each with weights of its own and a norm behind
each of its two sums, and whose classifiers of texts read the first token of the last layer."""

from __future__ import annotations

from typing import Any, NamedTuple


class Structure(NamedTuple):
    """Names of modules: the layers below the body, and in each what projects the attention's values and the norm behind it."""

    layers: str
    projection: str
    norm: str

    def layers_of(self, model: Any) -> list[Any]:
        """The layers of a model, the lowest first."""
        return list(model.base_model.get_submodule(self.layers))

    def put_layers(self, model: Any, layers: list[Any]) -> None:
        """In place of those that a model has."""
        above, _, name = self.layers.rpartition(".")
        held = model.base_model.get_submodule(above)
        setattr(held, name, type(getattr(held, name))(layers))

    def is_in_layer(self, key: str, number: int) -> bool:
        """Whether a weight of that name in a source's files is one of that layer."""
        return f"{self.layers}.{number}." in key

    def is_read_once(self, key: str, last: int) -> bool:
        """Whether such a weight multiplies the first token of a text and no other; `last` is the number of the last layer."""
        rest = key.partition(f"{self.layers}.{last}.")[2]
        return "pooler" in key.split(".") or rest.startswith(self.projection) or (bool(rest) and not rest.startswith("attention"))


def lowest(share: float, layers: int) -> int:
    """How many of so many layers a share of them is: whoever speaks of the lowest ones has to mean the same."""
    return round(share * layers)


def below_layers(model: Any) -> list[tuple[str, Any]]:
    """What the body of a model has below its layers, by name, the lowest first."""
    names = ("embeddings", "embeddings_project")  # the second of an electra whose table is narrower than its layers
    return [(name, module) for name in names if (module := getattr(model.base_model, name, None)) is not None]


_BERT = Structure("encoder.layer", "attention.output.dense", "attention.output.LayerNorm")
STRUCTURES = {
    **dict.fromkeys(("bert", "roberta", "xlm-roberta", "camembert", "electra", "deberta-v2"), _BERT),
    "mpnet": Structure("encoder.layer", "attention.attn.o", "attention.LayerNorm"),
    "distilbert": Structure("transformer.layer", "attention.out_lin", "sa_layer_norm"),
}
"""By `model_type`."""
