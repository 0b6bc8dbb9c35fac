"""TensorBoard: event files, written without TensorFlow and without torch."""

from __future__ import annotations

import os
import shutil
import socket
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from autoft.interfaces.events import RunFailedEvent, TrialFinished, TrialReported, TrialStarted
from autoft_plugins.trackers.telling import Begun, Ended, Telling, best_figures, figures, plain, run_parameters

FOLDER = "tensorboard"


class TensorBoard(Telling):
    """`tensorboard/run` and `tensorboard/trial-K` in the run's folder: `tensorboard --logdir runs` shows them side by side."""

    name = "tensorboard"
    summary = f"TensorBoard event files, in the folder {FOLDER} of the run"
    library, extra = "tensorboard", "tensorboard"

    def open(self, run_id: str, folder: Path) -> None:
        super().open(run_id, folder)
        import tensorboard.plugins.hparams.metadata  # noqa: F401  what is missing shows at once

        self._writers: dict[str, _Writer] = {}

    def close(self) -> None:
        for writer in self._writers.values():
            writer.close()

    def run_begun(self, event: Begun) -> None:
        told = run_parameters(event, self.folder)
        text = "\n".join(["| parameter | value |", "|---|---|", *(f"| {name} | {value} |" for name, value in told.items())])
        self._of_run().text("parameters", text, event.time)

    def trial_begun(self, event: TrialStarted) -> None:
        name = _name(event.trial)
        self._end(name)
        shutil.rmtree(self.folder / FOLDER / name, ignore_errors=True)  # of one that begins anew, after its run was cut off
        writer = self._writer(name)
        writer.hyperparameters({"candidate": event.candidate, **event.hyperparameters}, name, event.time)

    def trial_reported(self, event: TrialReported) -> None:
        self._writer(_name(event.trial)).scalars({**event.metrics, **event.measures}, event.progress, event.time)

    def trial_ended(self, event: TrialFinished) -> None:
        name = _name(event.trial)
        known = name in self._writers
        writer = self._writer(name)
        if not known:
            writer.hyperparameters({"candidate": event.candidate, **event.hyperparameters}, name, event.time - event.seconds)
        writer.scalars(best_figures(event), event.progress, event.time)
        writer.text("status", f"{event.status} {event.reason}".strip(), event.time)
        writer.ended(event.status, event.time)
        self._end(name)
        if event.value is not None:
            self._of_run().scalars({"value": event.value}, event.trial, event.time)

    def run_ended(self, event: Ended) -> None:
        reason = event.reason if isinstance(event, RunFailedEvent) else str(event.result.get("verdict", ""))
        writer = self._of_run()
        writer.scalars(figures(event), 0, event.time)
        writer.text("verdict", f"{event.status}: {reason}", event.time)
        bundle = self.bundle(event)
        left = [*self.files(), *([bundle] if bundle else [])]
        writer.text("files", "\n".join(f"- {path}" for path in left), event.time)

    def _of_run(self) -> _Writer:
        return self._writer("run")

    def _writer(self, name: str) -> _Writer:
        if name not in self._writers:
            self._writers[name] = _Writer(self.folder / FOLDER / name, len(self._writers))
        return self._writers[name]

    def _end(self, name: str) -> None:
        writer = self._writers.pop(name, None)
        if writer is not None:
            writer.close()


def _name(trial: int) -> str:
    return f"trial-{trial}"


class _Writer:
    """One event file. TensorBoard's own writer would import TensorFlow where it is installed, which takes seconds."""

    def __init__(self, folder: Path, number: int) -> None:
        from tensorboard.compat.proto.event_pb2 import Event
        from tensorboard.summary.writer.record_writer import RecordWriter

        folder.mkdir(parents=True, exist_ok=True)
        # Files are read in the order of their names: those of a resumed run come behind.
        path = folder / f"events.out.tfevents.{time.time():.6f}.{socket.gethostname()}.{os.getpid()}.{number}"
        self._records = RecordWriter(path.open("xb"))
        self._write(Event(wall_time=time.time(), file_version="brain.Event:2"))

    def scalars(self, values: Mapping[str, float], step: int, when: float) -> None:
        from tensorboard.compat.proto.event_pb2 import Event
        from tensorboard.compat.proto.summary_pb2 import Summary

        told = [Summary.Value(tag=name, simple_value=value) for name, value in values.items()]
        self._write(Event(wall_time=when, step=step, summary=Summary(value=told)))

    def text(self, tag: str, text: str, when: float) -> None:
        from tensorboard.compat.proto.event_pb2 import Event
        from tensorboard.compat.proto.summary_pb2 import Summary, SummaryMetadata
        from tensorboard.compat.proto.tensor_pb2 import TensorProto
        from tensorboard.compat.proto.tensor_shape_pb2 import TensorShapeProto
        from tensorboard.compat.proto.types_pb2 import DT_STRING

        tensor = TensorProto(
            dtype=DT_STRING, string_val=[text.encode("utf-8", "replace")], tensor_shape=TensorShapeProto(dim=[TensorShapeProto.Dim(size=1)])
        )
        metadata = SummaryMetadata(plugin_data=SummaryMetadata.PluginData(plugin_name="text"))
        value = Summary.Value(tag=f"{tag}/text_summary", tensor=tensor, metadata=metadata)
        self._write(Event(wall_time=when, summary=Summary(value=[value])))

    def hyperparameters(self, values: Mapping[str, Any], group: str, when: float) -> None:
        from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData, SessionStartInfo

        info = SessionStartInfo(group_name=group, start_time_secs=when)
        for name, value in values.items():
            told = plain(value)
            if isinstance(told, bool):
                info.hparams[name].bool_value = told
            elif isinstance(told, str):
                info.hparams[name].string_value = told
            else:
                info.hparams[name].number_value = told
        self._hparams("SESSION_START_INFO_TAG", HParamsPluginData(session_start_info=info), when)

    def ended(self, status: str, when: float) -> None:
        from tensorboard.plugins.hparams.api_pb2 import STATUS_FAILURE, STATUS_SUCCESS
        from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData, SessionEndInfo

        outcome = STATUS_FAILURE if status == "failed" else STATUS_SUCCESS
        self._hparams("SESSION_END_INFO_TAG", HParamsPluginData(session_end_info=SessionEndInfo(status=outcome, end_time_secs=when)), when)

    def close(self) -> None:
        self._records.close()

    def _hparams(self, tag: str, data: Any, when: float) -> None:
        from tensorboard.compat.proto.event_pb2 import Event
        from tensorboard.compat.proto.summary_pb2 import Summary
        from tensorboard.plugins.hparams import metadata

        one = metadata.create_summary_metadata(data)
        value = Summary.Value(tag=getattr(metadata, tag), metadata=one, tensor=metadata.NULL_TENSOR)
        self._write(Event(wall_time=when, summary=Summary(value=[value])))

    def _write(self, event: Any) -> None:
        self._records.write(event.SerializeToString())
        self._records.flush()
