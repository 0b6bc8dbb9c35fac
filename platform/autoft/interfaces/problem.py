"""A problem: a task on this data. It is JSON both ways and travels into the bundle."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class Frozen(BaseModel):
    """Base of the values that are written to disk and read back."""

    model_config = ConfigDict(frozen=True, extra="ignore", ser_json_inf_nan="strings")


class Head(Frozen):
    """The shape of a model's answer, by which models tell whether they fit, and what `logits` (n, outputs) mean. `kind` uses transformers'
    words for `problem_type` where it has them. The built-in ones:

    - `single_label_classification`: a class is the greatest of `outputs` logits (softmax); targets are codes (n,).
    - `multi_label_classification`: each of `outputs` labels by itself (sigmoid); targets are 0 and 1 (n, outputs).
    - `regression`: `outputs` numbers in the user's unit; targets are numbers (n,).
    - `token_classification`: logits (n, words, outputs), a tag a word; targets are codes (n, words), -1 where a row has no more words.
    - `seq2seq`: `sequences` of ids in place of logits; targets are texts (n,).

    A task with a kind of its own needs a model that knows it.
    """

    kind: str = Field(description="one of these, or a plugin's own word")
    outputs: int = Field(ge=1, description="width of `logits`")


class Metric(Frozen):
    """The figure that decides."""

    name: str = Field(description="one of those that `Task.score` gives")
    greater_is_better: bool = True
    meaning: str = Field(default="", description="what it measures, in half a sentence that goes on from its name and `is`")

    def key(self, value: float) -> float:
        """`value` turned so that greater is better; not-a-number is the worst there is."""
        if value != value:
            return float("-inf")
        return value if self.greater_is_better else -value


class Problem(Frozen):
    """What is to be learned: the task, the roles of the columns, the classes, the metric."""

    task: str
    fields: dict[str, tuple[str, ...]] = Field(
        description="role -> names of the columns of the user's file, those of the target too; from `Match.columns`"
    )
    inputs: tuple[str, ...] = Field(description="the roles that a prediction needs, e.g. ('text',)")
    labels: tuple[str, ...] = Field(default=(), description="names of the classes, labels or tags in the order of their codes")
    head: Head
    metric: Metric
    max_length: int | None = Field(default=None, description="in the encoder's own unit; None where length has no meaning")
    seed: int = 0
    data_sha256: str = ""
    language: str | None = Field(default=None, description="ISO 639-1 code, where the task can tell")
    extra: dict[str, object] = Field(
        default_factory=dict,
        description="a task plugin's own facts, JSON; the core reads `remarks` and `validation_rows` (see `Task.problem`), "
        "models of classes `class_counts`: rows a class, a list in the order of `labels` or by label",
    )
