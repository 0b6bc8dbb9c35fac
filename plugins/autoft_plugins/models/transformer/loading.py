"""Pretrained weights into models, quietly, and from memory after the first time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import torch
import transformers
from safetensors.torch import load_file
from torch import Tensor, nn

from autoft.errors import TrialError
from autoft.interfaces.encoder import Arrays
from autoft.interfaces.source import Source
from autoft.sources.cache import weight_files

transformers.utils.logging.set_verbosity_error()  # type: ignore[no-untyped-call]
transformers.utils.logging.disable_progress_bar()  # type: ignore[no-untyped-call]

_KEPT_SOURCES = 3
_states: dict[str, dict[str, Tensor]] = {}


@dataclass(frozen=True)
class Loaded:
    """A model and the names of the parameters its source did not hold."""

    model: Any
    fresh: frozenset[str]


def state_of(source: Source) -> dict[str, Tensor]:
    """The weights of a source, read once a process; the last three sources are kept."""
    state = _states.pop(source.sha256, None)
    if state is None:
        state = {}
        for path in weight_files(source.folder):
            state |= {name: value.float() if value.is_floating_point() else value for name, value in load_file(path).items()}
    _states[source.sha256] = state
    while len(_states) > _KEPT_SOURCES:
        del _states[next(iter(_states))]
    return state


def forget(source: Source) -> None:
    """Let go of the weights of a source that this process will not need soon."""
    _states.pop(source.sha256, None)


def pretrained(source: Source, auto_class: str, facts: Mapping[str, Any], dropout: float, seed: int) -> Loaded:
    """The source as the class of transformers that `auto_class` picks, its config with `facts`; what is new is drawn from `seed`.

    Raises TrialError when the weights do not fit.
    """
    config = transformers.AutoConfig.from_pretrained(source.folder, trust_remote_code=False, local_files_only=True)
    for name, value in facts.items():
        setattr(config, name, value)
    set_dropout(config, dropout)
    torch.manual_seed(seed)
    return _instantiate(getattr(transformers, auto_class), source, config)


def body(source: Source) -> Any:
    """The source without a head, in evaluation mode."""
    config = transformers.AutoConfig.from_pretrained(source.folder, trust_remote_code=False, local_files_only=True)
    torch.manual_seed(0)
    return _instantiate(transformers.AutoModel, source, config).model.eval()


def _instantiate(auto: Any, source: Source, config: Any) -> Loaded:
    try:
        made = auto._model_mapping[type(config)]
    except KeyError:
        raise TrialError(f"source {source.name!r}: {config.model_type} has no {auto.__name__}") from None
    made = made[0] if isinstance(made, list | tuple) else made
    model, facts = made.from_pretrained(
        None,
        config=config,
        # Loading may keep the very tensors it is given, and training would change them.
        state_dict={name: value.clone() for name, value in state_of(source).items()},
        dtype=torch.float32,
        ignore_mismatched_sizes=True,
        output_loading_info=True,
        attn_implementation=_attention(made),
    )
    fresh = frozenset(facts["missing_keys"]) | frozenset(key for key, *_ in facts["mismatched_keys"])
    drawn = _drawn(model, fresh)
    if drawn:
        raise TrialError(
            f"source {source.name!r}: {len(drawn)} weights of the body of {type(model).__name__} are not in its files, or of another shape"
            f" than its config.json says; the first is {drawn[0]}",
            hint="copy or fetch the source again, or choose another one: autoft models",
        )
    return Loaded(model, fresh)


def _drawn(model: Any, fresh: frozenset[str]) -> list[str]:
    """Weights of the body that are drawn at random because the source lacks them. A pooler may be: many sources are published without,
    and it belongs to the head that is learned."""
    body_weights = set(map(id, model.base_model.parameters()))
    return [
        name for name, value in model.named_parameters() if name in fresh and id(value) in body_weights and "pooler" not in name.split(".")
    ]


def _attention(made: Any) -> str:
    return "sdpa" if getattr(made, "_supports_sdpa", False) else "eager"


def set_dropout(config: Any, dropout: float) -> None:
    """Set each dropout the architecture names; none on attention weights, where it would keep torch from its fused attention."""
    for name, value in vars(config).items():
        if "dropout" in name and (value is None or isinstance(value, int | float)) and not isinstance(value, bool):
            setattr(config, name, 0.0 if "att" in name else dropout)


def reload(folder: Path, auto_class: str) -> Any:
    """A model that `save_pretrained` wrote, in evaluation mode."""
    model = getattr(transformers, auto_class).from_pretrained(folder, trust_remote_code=False, local_files_only=True)
    return model.float().eval()


Vocabulary: TypeAlias = Callable[[Arrays], Arrays]
"""A model's inputs with the ids as its look-up table has them."""


def untranslated(inputs: Arrays) -> Arrays:
    """For a model with its whole table."""
    return inputs


class WholeEmbedding:
    """A model's look-up table left as it is: for models that use it for their output too."""

    def translated(self, inputs: Arrays) -> Arrays:
        return inputs

    @contextmanager
    def whole(self) -> Iterator[None]:
        yield

    def close(self) -> None:
        pass


class CompactEmbedding:
    """While open, a model's look-up table holds only the rows that the data uses.

    A token that never comes gets no gradient, and tables are not decayed, so what is learned is the same; the optimiser is
    spared passes over a table that is often larger than the rest of the model. The model's inputs must go through `translated`.
    """

    def __init__(self, model: Any, used: npt.NDArray[np.int64]) -> None:
        self._model = model
        self._table: nn.Embedding = model.get_input_embeddings()
        pad = self._table.padding_idx
        # Architectures that count positions from the padding id need it where it is.
        kept = torch.arange(min(self._table.num_embeddings, (pad or 0) + 1 if (pad or 0) < 1000 else 1))
        extra = torch.tensor([pad]) if pad is not None else torch.zeros(0, dtype=torch.int64)
        self._rows = torch.unique(torch.cat([kept, extra, torch.from_numpy(used)]))
        self._places = np.zeros(self._table.num_embeddings, np.int64)
        self._places[self._rows.numpy()] = np.arange(len(self._rows))
        place = None if pad is None else int(self._places[pad])
        self._small = nn.Embedding(len(self._rows), self._table.embedding_dim, padding_idx=place, _weight=self._take())
        model.set_input_embeddings(self._small)

    def _take(self) -> Tensor:
        return self._table.weight.detach()[self._rows].clone()

    def translated(self, inputs: Arrays) -> Arrays:
        """With `input_ids` as the small table has them."""
        return {**inputs, "input_ids": self._places[inputs["input_ids"]]}

    def merge(self) -> nn.Embedding:
        """The whole table with what was learned; the model keeps the small one."""
        with torch.no_grad():
            self._table.weight[self._rows.to(self._table.weight.device)] = self._small.weight.to(self._table.weight.device)
        return self._table

    @contextmanager
    def whole(self) -> Iterator[None]:
        """Within: the model has its whole table, up to date."""
        self._model.set_input_embeddings(self.merge())
        try:
            yield
        finally:
            self._model.set_input_embeddings(self._small)

    def close(self) -> None:
        """Give the model its whole table back."""
        self._model.set_input_embeddings(self.merge())
