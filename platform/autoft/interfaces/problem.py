"""A problem: a task on this data. It is JSON both ways and travels into the bundle."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class Frozen(BaseModel):
    """Base of the values that are written to disk and read back."""

    model_config = ConfigDict(frozen=True, extra="ignore", ser_json_inf_nan="strings")


class Head(Frozen):
    """The shape of a model's answer. `kind` uses transformers' words for `problem_type` where it has them."""

    kind: str = Field(description="single_label_classification, regression, ... or a plugin's own word")
    outputs: int = Field(ge=1, description="width of `logits`")


class Metric(Frozen):
    """The figure that decides."""

    name: str
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
    fields: dict[str, tuple[str, ...]] = Field(description="role -> names of the columns of the user's file")
    inputs: tuple[str, ...] = Field(description="the roles that a prediction needs, e.g. ('text',)")
    labels: tuple[str, ...] = ()
    head: Head
    metric: Metric
    max_length: int | None = Field(default=None, description="in the encoder's own unit; None where length has no meaning")
    seed: int = 0
    data_sha256: str = ""
    language: str | None = Field(default=None, description="ISO 639-1 code, where the task can tell")
    extra: dict[str, object] = Field(default_factory=dict, description="a task plugin's own facts, JSON")
