"""What each loader of other people gives for each kind of bundle: the one home of the table in docs/formats.md.

    python tests/loader_claims.py        # the table and its notes

The tests in tests/loaders hold every cell, those that are not possible, too: when one becomes possible its test fails, and the table has
to change.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass

ANSWERS, LOGITS, GRAPH, NOT = "same answers", "same logits", "same graph", "not possible"

LOADERS = ("transformers.js", "pipeline()", "optimum", "mlflow.onnx", "Triton")

NOTES = {
    "thresholds": "The score of every label is the same, too; which labels are given follows from thresholds, which only autoft reads "
    "(`cuts` in decoder.npz, on the logits).",
    "pairs": "`pipeline` of transformers.js takes no pairs: `tokenizer(text, {text_pair})`, then the model. Where tokenizer_config.json "
    "has no class of its own, `return_token_type_ids: true` is needed, too.",
    "apart": "The two texts are read apart: `tokenizer([text, text_pair])`, and an axis in front of what it gives.",
    "softmax": "`pipeline` of transformers.js applies a softmax, which makes 1 of every number: ask the model itself.",
    "entities": "A logit for each token. `pipeline()` in Python finds autoft's entities with `aggregation_strategy=\"first\"`, where the "
    "likeliest tag of each word may follow that of the one before, and spells `word` as its tokenizer does; that of transformers.js gives "
    "no places. Only autoft finds the best path of tags where they may not, and reads long texts in windows.",
    "crf": "A logit for each token. Only autoft adds the scores of the CRF (decoder.npz), which decide between tags.",
    "graphs": "The two graphs, opened one by one: `AutoModel` with `model_file_name` and the model type `custom`, and a loop over tokens. "
    "`pipeline` wants a decoder with a cache, `decoder_model_merged`.",
    "both graphs": "The two graphs, each by itself: the loop over the tokens is yours.",
    "generate": "transformers 5 has no pipeline for it; `AutoModelForSeq2SeqLM` and `generate` write the same text.",
    "no cache": "`ORTModelForSeq2SeqLM.from_pretrained(bundle, subfolder=\"onnx\", use_cache=False, use_merged=False)`.",
    "head": "`model/` holds the body in the library's layout, and autoft's head beside it: transformers would draw a head at random.",
    "n-grams": "There are no tokens, but n-grams, which only autoft's encoder counts.",
    "arrays": "From the arrays that autoft's encoder makes of a text.",
    "agrees": "Triton itself is not run by the tests: config.pbtxt is held against the graph, name by name, and its arrays are those of "
    "autoft's encoder.",
}  # fmt: skip


@dataclass(frozen=True)
class Row:
    """A kind of bundle. `cells`: loader -> what it gives and the key of a note, or none."""

    task: str
    model: str
    cells: dict[str, tuple[str, str | None]]

    @property
    def name(self) -> str:
        return f"{self.task}-{self.model}".replace(" ", "-")

    @property
    def crf(self) -> bool:
        return self.model.endswith("CRF")

    @property
    def plugin(self) -> str:
        """The model plugin."""
        return self.model.partition(" ")[0]

    @property
    def pairs(self) -> bool:
        return self.task.startswith("pair-")


def _row(task: str, model: str, js: tuple[str, str | None], pipeline: tuple[str, str | None], optimum: tuple[str, str | None]) -> Row:
    arrays = "both graphs" if task == "seq2seq" else "arrays"
    rest = ((LOGITS, arrays), (GRAPH, "agrees"))
    return Row(task, model, dict(zip(LOADERS, (js, pipeline, optimum, *rest), strict=True)))


_ANSWERS: tuple[str, str | None] = (ANSWERS, None)
_HEAD, _NGRAMS = (NOT, "head"), (NOT, "n-grams")
_THRESHOLDS, _APART = (LOGITS, "thresholds"), (LOGITS, "apart")

ROWS = (
    _row("text-classification", "full", _ANSWERS, _ANSWERS, _ANSWERS),
    _row("text-classification", "frozen", _ANSWERS, _HEAD, _ANSWERS),
    _row("text-classification", "contrastive", _ANSWERS, _HEAD, _ANSWERS),
    _row("text-classification", "linear", _NGRAMS, _NGRAMS, _NGRAMS),
    _row("multi-label", "full", _THRESHOLDS, _THRESHOLDS, _THRESHOLDS),
    _row("multi-label", "frozen", _THRESHOLDS, _HEAD, _THRESHOLDS),
    _row("multi-label", "linear", _NGRAMS, _NGRAMS, _NGRAMS),
    _row("pair-classification", "full", (LOGITS, "pairs"), _ANSWERS, _ANSWERS),
    _row("pair-classification", "frozen", _APART, _HEAD, _APART),
    _row("pair-classification", "linear", _NGRAMS, _NGRAMS, _NGRAMS),
    _row("pair-score", "full", (LOGITS, "pairs"), _ANSWERS, _ANSWERS),
    _row("pair-score", "frozen", _APART, _HEAD, _APART),
    _row("pair-score", "linear", _NGRAMS, _NGRAMS, _NGRAMS),
    _row("text-regression", "full", (LOGITS, "softmax"), _ANSWERS, _ANSWERS),
    _row("text-regression", "frozen", (LOGITS, "softmax"), _HEAD, _ANSWERS),
    _row("text-regression", "linear", _NGRAMS, _NGRAMS, _NGRAMS),
    _row("token-classification", "full", (LOGITS, "entities"), (LOGITS, "entities"), (LOGITS, "entities")),
    _row("token-classification", "full with a CRF", (LOGITS, "crf"), (LOGITS, "crf"), (LOGITS, "crf")),
    _row("token-classification", "linear", _NGRAMS, _NGRAMS, _NGRAMS),
    _row("seq2seq", "full", (LOGITS, "graphs"), (NOT, "generate"), (ANSWERS, "no cache")),
)


def table() -> str:
    """In Markdown, a number a note, in the order in which they come."""
    numbers: dict[str, int] = {}
    lines = [f"| task | model | {' | '.join(LOADERS)} |", "|---|---|" + "---|" * len(LOADERS)]
    for row in ROWS:
        cells = []
        for loader in LOADERS:
            given, note = row.cells[loader]
            number = f" ({numbers.setdefault(note, len(numbers) + 1)})" if note else ""
            cells.append(given + number)
        lines.append(f"| {row.task} | {row.model} | {' | '.join(cells)} |")
    return "\n".join([*lines, "", *(f"{number}. {NOTES[note]}" for note, number in numbers.items())]) + "\n"


if __name__ == "__main__":
    sys.stdout.write(table())
