"""A one-file plugin: a tuner that tries the defaults of what has pretrained weights, in this process. What has none is the baseline, and
wins where nothing else was named: a whole run then takes seconds."""

from __future__ import annotations

import autoft
from autoft.catalog import Catalog
from autoft.interfaces.events import TrialFinished, TrialReported, TrialStarted
from autoft.interfaces.model import TrialSpec
from autoft.trial import run_trial, trial_seed


class DefaultsOnly:
    name = "defaults-only"
    summary = "tries the defaults of each source once"

    def search(self, request, on_event):
        catalog = Catalog.build(request.plugin_files)
        task = catalog.task(request.data.problem.task)
        for number, candidate in enumerate((one for one in request.candidates if one.source), request.first_number):
            chosen = request.spaces[candidate.name].default
            about = {"trial": number, "candidate": candidate.name, "hyperparameters": chosen}
            on_event(TrialStarted(**about))

            def listen(event: TrialReported) -> str:
                on_event(event)
                return "go"

            spec = TrialSpec(number, candidate, chosen, trial_seed(request.seed, number))
            folder = request.folder / "trials" / str(number)
            outcome = run_trial(spec, request.data, catalog.model(candidate.model), task, folder, listen=listen)
            told = {name: getattr(outcome, name) for name in ("status", "progress", "metrics", "value", "seconds", "reason")}
            on_event(TrialFinished(**about, **told))


@autoft.hookimpl
def autoft_register_tuners():
    return [DefaultsOnly()]
