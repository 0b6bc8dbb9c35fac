"""Writing a text token by token with torch, greedily."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from transformers.modeling_outputs import BaseModelOutput

from autoft.errors import TrialError
from autoft.interfaces.encoder import EncoderSpec
from autoft.interfaces.source import Source
from autoft_plugins.models.transformer.encoding import GENERATION_FILE

ROWS_AT_ONCE = 32
"""Rows that are written at a time, where there are as many: a step reads all weights of the decoder, be it for one row or for many."""


@dataclass(frozen=True)
class Generation:
    """The id a decoder starts from, those that end a text, what fills up short rows, and the most tokens of a text, its end included."""

    start: int
    ends: tuple[int, ...]
    pad: int
    most: int

    @classmethod
    def of_source(cls, source: Source, most: int) -> Generation:
        """As the source's own files say. Raises TrialError where they do not."""
        facts: dict[str, Any] = {}
        for name in ("config.json", GENERATION_FILE):
            path = source.folder / name
            said = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
            facts |= {key: value for key, value in said.items() if value is not None}
        if not facts.get("is_encoder_decoder"):
            what = f"source {source.name!r} ({facts.get('model_type')}) has no decoder, and cannot write texts"
            raise TrialError(what, hint="choose another one, a T5 for instance: autoft models")
        return cls._of({**facts, "max_new_tokens": most}, source.name)

    @classmethod
    def of_encoder(cls, encoder: EncoderSpec) -> Generation:
        """As a bundle's generation_config.json says."""
        return cls._of(json.loads(encoder.files[GENERATION_FILE]), encoder.name)

    @classmethod
    def _of(cls, facts: Mapping[str, Any], where: str) -> Generation:
        absent = [name for name in ("decoder_start_token_id", "eos_token_id", "pad_token_id") if facts.get(name) is None]
        if absent:
            raise TrialError(f"{where!r} does not say how it generates: {absent[0]} is in neither config.json nor {GENERATION_FILE}")
        end = facts["eos_token_id"]
        ends = tuple(map(int, end)) if isinstance(end, list) else (int(end),)
        return cls(int(facts["decoder_start_token_id"]), ends, int(facts["pad_token_id"]), int(facts["max_new_tokens"]))

    def content(self) -> bytes:
        """generation_config.json, in the words of transformers, which transformers.js reads too."""
        end = self.ends[0] if len(self.ends) == 1 else list(self.ends)
        facts = {"decoder_start_token_id": self.start, "eos_token_id": end, "pad_token_id": self.pad, "max_new_tokens": self.most}
        return (json.dumps({**facts, "do_sample": False, "num_beams": 1}, indent=2) + "\n").encode()


def greedy(model: Any, inputs: Mapping[str, Tensor], settings: Generation) -> dict[str, Tensor]:
    """The likeliest next token, until each row has its end: `sequences` (rows, tokens) int64 without the start, and `scores` (rows,
    tokens), the log-probability of each, and `runner_up` that of the second likeliest; zeros behind the end."""
    mask = inputs["attention_mask"]
    states = BaseModelOutput(last_hidden_state=model.get_encoder()(**inputs).last_hidden_state)
    going = torch.ones(len(mask), dtype=torch.bool, device=mask.device)
    ends = torch.tensor(settings.ends, device=mask.device)
    last = torch.full((len(mask), 1), settings.start, device=mask.device)
    sequences: list[Tensor] = []
    likely: list[Tensor] = []
    past = None
    while len(sequences) < settings.most and bool(going.any()):
        made = model(encoder_outputs=states, attention_mask=mask, decoder_input_ids=last, past_key_values=past, use_cache=True)
        past, logits = made.past_key_values, made.logits[:, -1].float()
        best = logits.argmax(dim=-1)
        sequences.append(best.where(going, 0))
        likely.append(torch.log_softmax(logits, dim=-1).topk(2).values.where(going[:, None], 0.0))
        going = going & ~torch.isin(best, ends)
        last = best.where(going, settings.pad)[:, None]
    scores, runner_up = torch.stack(likely, dim=1).unbind(dim=-1)
    return {"sequences": torch.stack(sequences, dim=1), "scores": scores, "runner_up": runner_up}
