"""Why a worker is gone, in one line, and whether it was for want of memory."""

from __future__ import annotations

from pathlib import Path

from ray.tune.experiment import Trial

OUT_OF_MEMORY = "the worker was ended for want of memory"

_WORDS = ("want of memory", "out of memory", "allocate memory", "memoryerror", "outofmemory")
_DEATHS = ("actor died", "worker process has died", "ActorDiedError", "ActorUnavailableError")


def is_out_of_memory(reason: str) -> bool:
    """Whether a trial that failed for this reason ran out of memory, of the machine or of a GPU."""
    return any(word in reason.lower() for word in _WORDS)


class Deaths:
    """Tells a worker that the kernel ended for want of memory from one that died otherwise, by the kernel's own count."""

    def __init__(self) -> None:
        self._killed = killed_for_memory()

    def reason(self, trial: Trial) -> str:
        """Why Ray gave `trial` up."""
        text = _noted(trial)
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        if "creation task" in text or not lines:
            return lines[-1] if lines else "the worker could not run the trial"
        if "memory pressure" in text or "running low on memory" in text:
            return OUT_OF_MEMORY
        if any(word in text for word in _DEATHS):
            before, self._killed = self._killed, killed_for_memory()
            return OUT_OF_MEMORY if self._killed > before else "the worker process died: it was killed, or crashed"
        return lines[-1]


def _noted(trial: Trial) -> str:
    """What Ray wrote into the file in which it notes a trial's errors."""
    try:
        return Path(trial.error_file or "").read_text(encoding="utf-8")
    except OSError:
        return ""


def killed_for_memory() -> int:
    """How many processes the kernel has ended for want of memory, in this container where it counts by containers; 0 where it does not
    tell."""
    for path in (Path("/sys/fs/cgroup/memory.events"), Path("/proc/vmstat")):
        try:
            counts = dict(line.split() for line in path.read_text(encoding="ascii").splitlines())
            return int(counts["oom_kill"])
        except (OSError, ValueError, KeyError):
            continue
    return 0
