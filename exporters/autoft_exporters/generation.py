"""Greedy decoding around two graphs, an encoder and a decoder, in numpy."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from autoft.errors import BundleError
from autoft.interfaces.encoder import Arrays, joined
from autoft.interfaces.exporter import Placed, Session
from autoft.runtime.session import ON_PROCESSORS

SETTINGS = "generation_config.json"
"""As transformers and transformers.js read it."""
MOST_CELLS = 2**14
"""Rows times their tokens, or those they may get, that go through the decoder at once, so that the memory does not grow with the rows."""


@dataclass(frozen=True)
class Generation:
    """The id a decoder starts from, those that end a text, and the most tokens it writes."""

    start: int
    ends: tuple[int, ...]
    most: int

    @classmethod
    def of(cls, folder: Path) -> Generation:
        """From a bundle's generation_config.json. Raises BundleError."""
        path = folder / SETTINGS
        try:
            content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            end = content["eos_token_id"]
            ends = tuple(map(int, end)) if isinstance(end, list) else (int(end),)
            return cls(int(content["decoder_start_token_id"]), ends, int(content["max_new_tokens"]))
        except FileNotFoundError:
            raise BundleError(f"the bundle has no {SETTINGS}: {path} is absent", hint="copy the whole folder") from None
        except (ValueError, KeyError, TypeError) as error:
            raise BundleError(f"{path} does not say how to generate: {type(error).__name__}: {error}") from None


class GreedySession:
    """Runs the encoder once and the decoder a token at a time, for the rows that are not finished.

    Outputs: `sequences` (rows, tokens) int64, each row up to its end, then zeros; `scores` (rows, tokens) float32, the log-probability
    of each token, then zeros, and `runner_up` that of the second likeliest.
    """

    def __init__(self, encoder: Session, decoder: Session, settings: Generation) -> None:
        self._encoder, self._decoder, self._settings = encoder, decoder, settings
        self.provider = encoder.provider if isinstance(encoder, Placed) else ON_PROCESSORS

    def run(self, arrays: Arrays) -> Arrays:
        """Safe to call from several threads. Raises BundleError."""
        rows, width = arrays["attention_mask"].shape
        at_once = max(1, MOST_CELLS // max(width, self._settings.most))
        if rows <= at_once:
            return self._written(arrays)
        parts = [range(start, min(start + at_once, rows)) for start in range(0, rows, at_once)]
        return joined([(part, self._written({name: array[part] for name, array in arrays.items()})) for part in parts], rows)

    def _written(self, arrays: Arrays) -> Arrays:
        states, mask = self._encoder.run(arrays)["last_hidden_state"], arrays["attention_mask"]
        rows, most = len(mask), self._settings.most
        sequences, likely = np.zeros((rows, most), np.int64), np.zeros((rows, most, 2), np.float32)
        going, made = np.arange(rows), 0
        while len(going) and made < most:
            first = np.full((len(going), 1), self._settings.start, np.int64)
            inputs = {
                "input_ids": np.hstack([first, sequences[going, :made]]),
                "encoder_attention_mask": mask[going],
                "encoder_hidden_states": states[going],
            }
            logits = self._decoder.run(inputs)["logits"][:, -1]
            best = logits.argmax(axis=1)
            sequences[going, made], likely[going, made] = best, _log_probabilities(logits)
            going, made = going[~np.isin(best, self._settings.ends)], made + 1
        return {"sequences": sequences[:, :made], "scores": likely[:, :made, 0], "runner_up": likely[:, :made, 1]}


def _log_probabilities(logits: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """Of the two largest of each row, (rows, 2)."""
    shifted = logits.astype(np.float64)
    shifted -= shifted.max(axis=1, keepdims=True)
    largest = np.partition(shifted, -2, axis=1)[:, :-3:-1]
    found: npt.NDArray[np.float64] = largest - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return found
