"""For plugin authors: checks that hold a plugin to its interface, and what they are tried on. Fixtures are in `autoft.testing.fixtures`.

A check returns nothing where the contract is kept and raises `ContractBroken`, an AssertionError, at the first rule that is not. Nothing
here needs pytest, and none of it is imported by a run.
"""

from autoft.testing.contract import ContractBroken
from autoft.testing.encoders import check_encoder
from autoft.testing.exporters import check_exporter
from autoft.testing.hooks import check_hooks
from autoft.testing.models import check_model
from autoft.testing.readers import check_reader
from autoft.testing.samples import entities, grades, numbers, pairs, ratings, reviews, tags
from autoft.testing.source import make_source
from autoft.testing.tasks import check_task
from autoft.testing.trackers import check_tracker
from autoft.testing.tuners import check_tuner

__all__ = [
    "ContractBroken",
    "check_encoder",
    "check_exporter",
    "check_hooks",
    "check_model",
    "check_reader",
    "check_task",
    "check_tracker",
    "check_tuner",
    "entities",
    "grades",
    "make_source",
    "numbers",
    "pairs",
    "ratings",
    "reviews",
    "tags",
]
