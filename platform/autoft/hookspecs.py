"""Every hook. A plugin is a module or an object with some of these functions, marked with `autoft.hookimpl`.

Each docstring has five parts: when it is called, in which process, its parameters, what it returns, and the smallest example.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    from collections.abc import Sequence

    from autoft.interfaces.encoder import Encoder
    from autoft.interfaces.events import RunFailedEvent, RunFinished, RunResumed, RunStarted, TrialFinished, TrialReported, TrialStarted
    from autoft.interfaces.exporter import Exporter
    from autoft.interfaces.model import Model
    from autoft.interfaces.packager import Packager
    from autoft.interfaces.reader import Reader
    from autoft.interfaces.source import SourceCard
    from autoft.interfaces.task import Task
    from autoft.interfaces.tracker import Tracker
    from autoft.interfaces.tuner import Tuner

PROJECT = "autoft"
"""The name of the pluggy project and of the entry-point group."""

INTERFACE = 1
"""The version of all that a plugin meets: these hooks and `autoft.interfaces`. It grows when a plugin that was right would no longer be."""

OLDEST_INTERFACE = 1
"""The oldest that still works here."""

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


class Hooks:
    """The hooks by name. Registration hooks run once a process, event hooks once an event, in one thread a plugin beside the run's own."""

    @hookspec
    def autoft_register_tasks(self) -> Sequence[Task]:  # type: ignore[empty-body]
        """Give tasks.

        When: once, as the catalog is built, before the data is read.
        Process: every one that needs plugins: the command, each Ray worker, the server.
        Parameters: none.
        Returns: objects with the methods of `autoft.interfaces.task.Task`; names must be new. Which of all tasks takes a file is decided by
            the scores of their `match`: [the rule](../../finding-the-task.md).
        Example:
            @autoft.hookimpl
            def autoft_register_tasks():
                return [MyTask()]
        """

    @hookspec
    def autoft_register_models(self) -> Sequence[Model]:  # type: ignore[empty-body]
        """Give models: ways to learn.

        When: once, as the catalog is built.
        Process: every one that needs plugins; keep torch and transformers out of the import.
        Parameters: none.
        Returns: objects with the methods of `autoft.interfaces.model.Model`; names must be new.
        Example:
            @autoft.hookimpl
            def autoft_register_models():
                return [MyModel()]
        """

    @hookspec
    def autoft_register_sources(self) -> Sequence[SourceCard]:  # type: ignore[empty-body]
        """Give cards of pretrained weights that `autoft models` lists and `--models` knows by name.

        When: once, as the catalog is built.
        Process: every one that needs plugins.
        Parameters: none.
        Returns: `autoft.interfaces.source.SourceCard`s; names must be new.
        Example:
            @autoft.hookimpl
            def autoft_register_sources():
                return [SourceCard("my-bert", "me/my-bert", "Apache-2.0", ("en",), 110_000_000)]
        """

    @hookspec
    def autoft_register_tuners(self) -> Sequence[Tuner]:  # type: ignore[empty-body]
        """Give tuners: ways to search.

        When: once, as the catalog is built.
        Process: every one that needs plugins; `search` runs in the driver.
        Parameters: none.
        Returns: objects with the methods of `autoft.interfaces.tuner.Tuner`; names must be new.
        Example:
            @autoft.hookimpl
            def autoft_register_tuners():
                return [MyTuner()]
        """

    @hookspec
    def autoft_register_exporters(self) -> Sequence[Exporter]:  # type: ignore[empty-body]
        """Give exporters: formats a bundle can hold.

        When: once, as the catalog is built.
        Process: every one that needs plugins; `open` runs in the server.
        Parameters: none.
        Returns: objects with the methods of `autoft.interfaces.exporter.Exporter`; names must be new.
        Example:
            @autoft.hookimpl
            def autoft_register_exporters():
                return [MyExporter()]
        """

    @hookspec
    def autoft_register_packagers(self) -> Sequence[Packager]:  # type: ignore[empty-body]
        """Give packagers: places that a finished bundle can be arranged for, chosen by `autoft export RUN --to NAME`.

        When: once, as the catalog is built.
        Process: the command.
        Parameters: none.
        Returns: objects with the methods of `autoft.interfaces.packager.Packager`; names must be new.
        Example:
            @autoft.hookimpl
            def autoft_register_packagers():
                return [MyPackager()]
        """

    @hookspec
    def autoft_register_encoders(self) -> Sequence[Encoder]:  # type: ignore[empty-body]
        """Give encoders: rows to arrays. One takes part by the model whose program names it.

        When: once, as the catalog is built.
        Process: every one that needs plugins, the server above all: numpy and nothing heavier.
        Parameters: none.
        Returns: objects with the methods of `autoft.interfaces.encoder.Encoder`; names must be new. None takes part by itself: a
            [model](autoft_register_models.md) names it by the `EncoderSpec` of its `Program`. `autoft plugins new NAME --kind model`
            writes one with its encoder.
        Example:
            @autoft.hookimpl
            def autoft_register_encoders():
                return [MyEncoder()]
        """

    @hookspec
    def autoft_register_readers(self) -> Sequence[Reader]:  # type: ignore[empty-body]
        """Give readers: files to tables.

        When: once, as the catalog is built.
        Process: the command.
        Parameters: none.
        Returns: objects with the methods of `autoft.interfaces.reader.Reader`; names must be new.
        Example:
            @autoft.hookimpl
            def autoft_register_readers():
                return [MyReader()]
        """

    @hookspec
    def autoft_register_trackers(self) -> Sequence[Tracker]:  # type: ignore[empty-body]
        """Give trackers, chosen by `--tracker NAME`.

        When: once, as the catalog is built.
        Process: the command; a tracker hears events in the driver only, in a thread of its own.
        Parameters: none.
        Returns: objects with the methods of `autoft.interfaces.tracker.Tracker`; names must be new. One may have `check(self) -> None`,
            too, which is called before the run begins and raises `autoft.errors.SettingsError` where the tracker cannot work.
        Example:
            @autoft.hookimpl
            def autoft_register_trackers():
                return [MyTracker()]
        """

    @hookspec
    def autoft_run_started(self, event: RunStarted) -> None:
        """A run has understood its data and is about to search.

        When: after run.json is written.
        Process: the driver.
        Parameters: `event`: run id, folder, task, candidates, budget, metric.
        Returns: nothing.
        Example:
            @autoft.hookimpl
            def autoft_run_started(event):
                print(event.run_id)
        """

    @hookspec
    def autoft_run_resumed(self, event: RunResumed) -> None:
        """A run that was cut off goes on; trials that had ended are not told of again, and stand in events.jsonl of its folder.

        When: before anything else that it tells.
        Process: the driver, another one than before.
        Parameters: `event`: as for `autoft_run_started`, when this session began, and the seconds that the run was alive before.
        Returns: nothing.
        Example:
            @autoft.hookimpl
            def autoft_run_resumed(event):
                print(event.run_id, event.spent)
        """

    @hookspec
    def autoft_trial_started(self, event: TrialStarted) -> None:
        """A trial begins.

        When: as its worker is handed the hyperparameters.
        Process: the driver.
        Parameters: `event`: number, candidate, hyperparameters, stage.
        Returns: nothing.
        Example:
            @autoft.hookimpl
            def autoft_trial_started(event):
                print(event.candidate, event.hyperparameters)
        """

    @hookspec
    def autoft_trial_reported(self, event: TrialReported) -> None:
        """A trial was evaluated.

        When: at each evaluation on the validation rows; in a cross-validated trial after each fold, by all that was held out so far.
        Process: the driver.
        Parameters: `event`: number, progress in percent, metrics, further measures.
        Returns: nothing.
        Example:
            @autoft.hookimpl
            def autoft_trial_reported(event):
                print(event.trial, event.metrics)
        """

    @hookspec
    def autoft_trial_finished(self, event: TrialFinished) -> None:
        """A trial is done, stopped or failed.

        When: as it ends.
        Process: the driver.
        Parameters: `event`: number, status, metrics and the value that counts, seconds, reason.
        Returns: nothing.
        Example:
            @autoft.hookimpl
            def autoft_trial_finished(event):
                print(event.trial, event.status, event.value)
        """

    @hookspec
    def autoft_run_finished(self, event: RunFinished) -> None:
        """A run has left its bundle and its result.

        When: after result.json is written.
        Process: the driver.
        Parameters: `event`: run id, status, the content of result.json.
        Returns: nothing.
        Example:
            @autoft.hookimpl
            def autoft_run_finished(event):
                print(event.result["verdict"])
        """

    @hookspec
    def autoft_run_failed(self, event: RunFailedEvent) -> None:
        """A run ended without a result.

        When: as it fails or is aborted.
        Process: the driver.
        Parameters: `event`: run id, status, the reason.
        Returns: nothing.
        Example:
            @autoft.hookimpl
            def autoft_run_failed(event):
                print(event.reason)
        """
