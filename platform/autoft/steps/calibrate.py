"""What is served with a model: its decoder, and what brings its probabilities in line, folded into the weights before the export."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from autoft.calibration import Scaling, calibrate
from autoft.data.table import Rows, Table
from autoft.errors import AutoftError
from autoft.interfaces.encoder import Arrays
from autoft.interfaces.model import Fitted, Rescales
from autoft.interfaces.result import Calibration
from autoft.interfaces.task import Calibrates, Decoder
from autoft.runtime.strangeness import OUT_OF_DOMAIN, measured
from autoft.steps.confirm import Bench

CALIBRATION = "calibration"
"""In the config of a decoder: what was measured and folded. Nobody applies it."""
ONE_CLASS = "single_label_classification"
"""The kind of head whose answers are one of several classes."""
_ASKED = 8
"""Rows by which a fold is checked."""
_WONDERED = 200
"""Rows by which a refitted model tells how strange rows are."""
_CLOSE = 1e-3


def served(bench: Bench, fitted: Fitted, rows: Rows, outputs: Arrays, *, anew: bool = False) -> tuple[Fitted, Decoder]:
    """The model and the decoder that are to be exported: `outputs` are what weights of the same recipe answered for `rows`, which they had
    never seen; with `anew` the model has learned since, from these rows as well.

    Where the task and the model allow it and rows that are held out agree, the model's logits come scaled and shifted from then on, by its
    weights. No decision changes: figures that were made without it stay true.
    """
    understood, problem = bench.understood, bench.understood.problem
    task, targets = understood.task, understood.targets[rows]
    decoder = task.fit_decoder(problem, outputs, targets).joined(fitted.extra())
    if not isinstance(task, Calibrates):
        return fitted, decoder
    scaling, found = calibrate(outputs["logits"], targets, task.link)
    if scaling is None:
        return fitted, _recorded(_measured(bench, decoder, fitted, rows, outputs["logits"], anew=anew), found)
    made, reason = _folded(bench, fitted, scaling, understood.rows.take(rows[:_ASKED]))
    if made is None:
        unchanged = Calibration(rows=found.rows, ece_before=found.ece_before, log_loss_before=found.log_loss_before, reason=reason)
        return fitted, _recorded(_measured(bench, decoder, fitted, rows, outputs["logits"], anew=anew), unchanged)
    decoder = task.rescaled(decoder, scaling.scale, scaling.shift)
    decoder = _measured(bench, decoder, made, rows, scaling.applied(outputs["logits"]), anew=anew)
    return made, _recorded(decoder, found.model_copy(update={"folded": True}), scaling)


def in_words(decoder: Decoder) -> str | None:
    """What was folded and what it brought, for the user; None where nothing was."""
    found = calibration_of(decoder)
    if found is None or not found.folded:
        return None
    how = f"temperature {found.temperature:.3g}" if found.method == "temperature" else "a scale and a shift a label"
    before, after = (100 * (value or 0) for value in (found.ece_before, found.ece_after))
    return (
        f"probabilities were calibrated ({how}): on {found.rows:,} validation rows they were off by {before:.1f} points on average before, "
        f"by {after:.1f} after"
    )


def calibration_of(decoder: Decoder) -> Calibration | None:
    """What the config of a decoder records."""
    record = decoder.config.get(CALIBRATION)
    return None if record is None else Calibration.model_validate(record)


def _measured(bench: Bench, decoder: Decoder, fitted: Fitted, rows: Rows, logits: npt.NDArray[Any], *, anew: bool) -> Decoder:
    """With how strange `rows` are, by the logits that will be served; for answers of one class alone.

    A model that has learned `anew` is asked itself: its logits are larger than those of the trial, by which no row would be strange any
    more. It has learned from these rows, so that new ones then look stranger than they are.
    """
    if bench.understood.problem.head.kind != ONE_CLASS:
        return decoder
    asked = rows[:_WONDERED]
    record = measured(fitted.outputs(bench.understood.rows.take(asked))["logits"] if anew else logits)
    return decoder if record is None else Decoder({**decoder.config, OUT_OF_DOMAIN: record}, decoder.arrays)


def _recorded(decoder: Decoder, found: Calibration, scaling: Scaling | None = None) -> Decoder:
    """With the scale of each label beside the figures, where labels have their own."""
    record: dict[str, Any] = found.model_dump()
    if scaling is not None and found.method == "platt":
        record |= {"scale": scaling.scale.tolist(), "shift": scaling.shift.tolist()}
    return Decoder({**decoder.config, CALIBRATION: record}, decoder.arrays)


def _folded(bench: Bench, fitted: Fitted, scaling: Scaling, sample: Table) -> tuple[Fitted | None, str]:
    """The rescaled model, or None and why there is none. It is asked whether it does answer so: the proof compares with it, and would
    miss a scale that went astray in graph and model alike."""
    if not isinstance(fitted, Rescales):
        return None, "the model has no last layer into which a scale could be folded"
    try:
        made = fitted.rescaled(scaling.scale, scaling.shift)
        if made is None:
            return None, "the architecture does not end in a layer into which a scale could be folded"
        expected, given = scaling.applied(fitted.outputs(sample)["logits"]), made.outputs(sample)["logits"]
    except Exception as error:  # whatever a model raises: it is still good as it was
        reason = error.message if isinstance(error, AutoftError) else f"{type(error).__name__}: {error}"
    else:
        if _same(expected, given):
            return made, ""
        reason = "its answers are not those that the scale should have given"
    bench.journal.say(f"the probabilities are not calibrated: the model could not be rescaled: {reason}", "warning")
    return None, reason


def _same(expected: npt.NDArray[np.float64], given: npt.NDArray[Any]) -> bool:
    size = max(1.0, float(np.abs(expected).max(initial=0.0)))
    return given.shape == expected.shape and bool(np.abs(given - expected).max(initial=0.0) <= _CLOSE * size)
