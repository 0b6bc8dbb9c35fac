"""Multi-label classification: one text in, any number of labels out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from autoft.data.columns import is_missing
from autoft.data.names import listed
from autoft.data.table import Table
from autoft.errors import DataError
from autoft.interfaces.encoder import Arrays
from autoft.interfaces.problem import Problem
from autoft.interfaces.task import Decoder, Link, Match
from autoft_plugins.tasks.classes import in_order, unknown_label
from autoft_plugins.tasks.fields import column_names, shown, where
from autoft_plugins.tasks.label_lists import flag_in, labels_in, list_in, separator_of, ticked
from autoft_plugins.tasks.matching import match_multi_label
from autoft_plugins.tasks.metrics import accuracy, f1, label_counts, sigmoid
from autoft_plugins.tasks.text_task import TextTask
from autoft_plugins.tasks.thresholds import tuned_cuts

FEWEST_ROWS_A_LABEL = 2


class MultiLabel(TextTask):
    """Roles: `text` and `label`: one column that holds a row's labels, or a column of 0 and 1 for each label.

    Targets are 0 and 1, (n, labels) int8; outputs `logits` (n, labels). `Problem.extra` keeps `separator`, where strings are parted, and
    `dropped`, the labels that too few rows have.
    """

    name = "multi-label"
    summary = "one text, any number of labels"
    also = ("multilabel", "multi-label-classification", "tagging")
    kind = "multi_label_classification"
    metrics = ("f1_macro", "f1_micro")
    link: Link = "sigmoid"

    def match(self, table: Table, given: Mapping[str, tuple[str, ...]]) -> Match | None:
        return match_multi_label(table, given)

    def form(self, draft: Problem, table: Table) -> dict[str, object]:
        names = column_names(draft, table, "label")
        separator = separator_of(table[names[0]]) if len(names) == 1 else None
        return {"separator": separator} if separator else {}

    def labelled(self, problem: Problem, table: Table) -> npt.NDArray[np.bool_]:
        """An empty cell among parted strings is a row without labels, which counts; anywhere else the labels are missing."""
        if "separator" in problem.extra:
            return np.ones(len(table), np.bool_)
        found = np.ones(len(table), np.bool_)
        names = column_names(problem, table, "label")
        for name in names:
            if len(names) > 1 and ticked(table[name]):
                continue
            found &= np.fromiter((not is_missing(value) for value in table[name]), np.bool_, len(table))
        return found

    def learned(self, draft: Problem, rows: Table) -> Problem:
        found = _labels(draft, rows)
        counts = Counter(name for names in found for name in names)
        _check_labels(draft, rows, counts)
        several = len(draft.fields["label"]) > 1
        known = draft.fields["label"] if several else in_order(counts)
        labels = tuple(name for name in known if counts[name] >= FEWEST_ROWS_A_LABEL)
        if len(labels) < 2:
            what = f"of {len(counts)} labels {len(labels)} stand in {FEWEST_ROWS_A_LABEL} rows or more; two such labels are needed"
            raise DataError(
                f"{rows.origin}: {what}", hint="add rows with other labels; for one class a row there is --task text-classification"
            )
        dropped = [name for name in known if name not in labels]
        remarks = _remarks(draft, dropped, sum(not names for names in found), len(rows))
        extra = {**draft.extra, "class_counts": [counts[name] for name in labels], "dropped": dropped, "remarks": remarks}
        fields = {**draft.fields, "label": labels} if several else draft.fields
        head = draft.head.model_copy(update={"outputs": len(labels)})
        return draft.model_copy(update={"labels": labels, "head": head, "fields": fields, "extra": extra})

    def targets(self, problem: Problem, table: Table) -> npt.NDArray[Any]:
        """Raises DataError at a label that the problem does not know; those it dropped are passed over."""
        codes = {label: code for code, label in enumerate(problem.labels)}
        dropped = problem.extra.get("dropped")
        known = {*codes, *(dropped if isinstance(dropped, list) else ())}
        found = np.zeros((len(table), len(codes)), np.int8)
        for row, names in enumerate(_labels(problem, table)):
            for name in names:
                if name not in known:
                    raise unknown_label(where(table, row, column_names(problem, table, "label")[0]), name, problem.labels)
            found[row, [codes[name] for name in names if name in codes]] = 1
        return found

    def strata(self, problem: Problem, targets: npt.NDArray[Any]) -> npt.NDArray[Any] | None:  # noqa: ARG002
        """The rarest label of each row; one stratum more for rows without: so the scarce ones are dealt evenly first, as in Sechidis,
        Tsoumakas and Vlahavas (On the stratification of multi-label data, ECML 2011)."""
        rarity = np.where(targets == 1, targets.sum(axis=0, dtype=np.int64), np.iinfo(np.int64).max)
        codes: npt.NDArray[np.int64] = np.where(targets.any(axis=1), rarity.argmin(axis=1), targets.shape[1])
        return codes

    def constant(self, problem: Problem, targets: npt.NDArray[Any], rows: int) -> Arrays:
        """The labels that all rows are best given: each of them for macro-F1, as many of the commonest as make it greatest for micro-F1.
        Logits are the labels' log odds, less those of the rarest that is given; none or all of the rows count as half a row off."""
        count = max(len(targets), 1)
        shares = np.clip(targets.sum(axis=0) / count, 0.5 / count, 1 - 0.5 / count)
        odds = np.log(shares / (1 - shares))
        falling = np.sort(shares)[::-1]
        micro = 2 * np.cumsum(falling) / (np.arange(1, len(shares) + 1) + shares.sum())
        rarest = int(np.argmax(micro)) if problem.metric.name == "f1_micro" else len(shares) - 1
        return {"logits": np.tile((odds - np.sort(odds)[::-1][rarest]).astype(np.float32), (rows, 1))}

    def fit_decoder(self, problem: Problem, outputs: Arrays, targets: npt.NDArray[Any]) -> Decoder:
        """`cuts` (labels,), see `tuned_cuts`: one a label where macro-F1 decides, a common one where micro-F1 does."""
        return Decoder({"function": "sigmoid"}, {"cuts": tuned_cuts(outputs["logits"], targets, each=problem.metric.name == "f1_macro")})

    def rescaled(self, decoder: Decoder, scale: npt.NDArray[np.float64], shift: npt.NDArray[np.float64]) -> Decoder:
        """Each cut where its logit went: a label is given to the rows that had it before."""
        return Decoder(decoder.config, {**decoder.arrays, "cuts": decoder.arrays.get("cuts", 0.0) * scale + shift})

    def decide(self, problem: Problem, decoder: Decoder, outputs: Arrays) -> npt.NDArray[Any]:  # noqa: ARG002
        """1 where the logit reaches the label's cut, 0 where none was fitted; -1 where a logit is not a number."""
        logits = outputs["logits"]
        given = (logits >= decoder.arrays.get("cuts", 0.0)).astype(np.int8)
        given[np.isnan(logits)] = -1
        return given

    def score(self, problem: Problem, targets: npt.NDArray[Any], decisions: npt.NDArray[Any]) -> dict[str, float]:  # noqa: ARG002
        """Beside macro- and micro-F1 the share of rows of which all labels are right, as `accuracy`."""
        counts = label_counts(targets, decisions)
        micro = f1(*(np.asarray(count.sum()) for count in counts))
        return {"f1_macro": float(f1(*counts).mean()), "f1_micro": float(micro), "accuracy": accuracy(targets, decisions)}

    def decode(self, problem: Problem, decoder: Decoder, outputs: Arrays, inputs: Table) -> list[dict[str, Any]]:  # noqa: ARG002
        """`{"labels": [label], "scores": {label: probability}}` a row, unrounded; the likeliest label first."""
        answers: list[dict[str, Any]] = []
        for given, row in zip(self.decide(problem, decoder, outputs), sigmoid(outputs["logits"]).tolist(), strict=True):
            best = sorted(np.flatnonzero(given == 1).tolist(), key=lambda code: -row[code])
            answers.append({"labels": [problem.labels[code] for code in best], "scores": dict(zip(problem.labels, row, strict=True))})
        return answers


def _labels(problem: Problem, table: Table) -> list[list[str]]:
    """The labels of each row. Raises DataError naming the row and column of a cell that holds none."""
    names = column_names(problem, table, "label")
    if len(names) > 1:
        return _flagged(table, names)
    separator = problem.extra.get("separator")
    found: list[list[str]] = []
    for row, value in enumerate(table[names[0]]):
        if is_missing(value):
            found.append([])
            continue
        try:
            found.append(labels_in(value, separator if isinstance(separator, str) else None))
        except ValueError as error:
            what = f"{where(table, row, names[0])}: {shown(value)} is not a list of labels: {error}"
            raise DataError(what, hint="name another column: --label NAME") from None
    return found


def _flagged(table: Table, names: Sequence[str]) -> list[list[str]]:
    found: list[list[str]] = [[] for _ in range(len(table))]
    for name in names:
        for row, value in enumerate(table[name]):
            try:
                if not is_missing(value) and flag_in(value):
                    found[row].append(name)
            except ValueError as error:
                what = f"{where(table, row, name)}: {error}"
                raise DataError(what, hint="write 1 where the row has the label and 0 where it has not") from None
    return found


def _check_labels(problem: Problem, table: Table, counts: Mapping[str, int]) -> None:
    """Refuse a column of lists that are not labels: nearly all items different, or 0 and 1 in a fixed order."""
    (name, *further) = column_names(problem, table, "label")
    if further:
        return
    single = sum(count < FEWEST_ROWS_A_LABEL for count in counts.values())
    if single > len(counts) / 2 and len(counts) > len(table) / 2:
        what = f"{table.origin}: the column {name!r} holds {len(counts)} different items in {len(table)} rows, so they are hardly labels"
        raise DataError(what, hint="name another: --label NAME")
    if set(counts) == {"0", "1"}:
        sizes = {len(list_in(value) or ()) for value in table[name] if not is_missing(value)}
        if len(sizes) == 1 and sizes.pop() > 2:
            what = f"{table.origin}: the column {name!r} holds lists of 0 and 1, which do not say what the labels are called"
            raise DataError(what, hint='write the names, e.g. ["sport", "politics"], or a column of 0 and 1 for each label')


def _remarks(problem: Problem, dropped: Sequence[str], without: int, rows: int) -> list[str]:
    said = []
    if "separator" in problem.extra:
        said.append(f"labels are parted by {problem.extra['separator']!r}")
    if dropped:
        them = "a label that fewer than 2 rows have is" if len(dropped) == 1 else f"{len(dropped)} labels that fewer than 2 rows have are"
        said.append(f"{them} left out: {listed(dropped)}")
    if without:
        said.append(f"{without} of {rows} rows have no label: they count as rows that none of the labels fits")
    return said
