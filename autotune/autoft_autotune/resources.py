"""How many trials run side by side, and what each of them gets."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from autoft.interfaces.model import Candidate

TRIALS_PER_GPU = 4
"""More small trials than this on one GPU contend for its memory bandwidth and for the processors that feed it."""

MEMORY_SHARE = 0.9
"""Of the free memory; the rest is for the driver and for Ray."""


@dataclass(frozen=True)
class Machine:
    """What there is: processors, GPUs, bytes of free memory, bytes of memory of the smallest GPU (0 where unknown)."""

    cores: int
    gpus: int
    memory: int
    gpu_memory: int = 0


@dataclass(frozen=True)
class Plan:
    """`concurrency` trials side by side, each with `threads` threads and `gpus` of a GPU."""

    concurrency: int
    threads: int
    gpus: float = 0.0


def make_plan(machine: Machine, candidates: Sequence[Candidate], concurrency: int | None, trials: int | None) -> Plan:
    """One plan for all trials, so that workers can be used again.

    On processors a trial gets one thread, since a single thread wastes none of it on synchronisation; with fewer trials than processors,
    or a given `concurrency`, the processors are shared out. On GPUs as many trials share one as its memory holds. Never more trials
    than the free memory holds of the largest candidate.
    """
    largest = max((candidate.memory for candidate in candidates), default=0)
    per_gpu = _trials_per_gpu(machine, largest, concurrency) if machine.gpus else 0
    slots = concurrency or (machine.gpus * per_gpu if machine.gpus else machine.cores)
    if machine.gpus:
        slots = min(slots, machine.gpus * per_gpu)
    if largest:
        slots = min(slots, int(machine.memory * MEMORY_SHARE // largest))
    slots = max(1, min(slots, trials or slots))
    threads = max(1, machine.cores // slots)
    return Plan(slots, threads, _floor(1 / per_gpu) if per_gpu else 0.0)


def fitting(nodes: Mapping[str, Machine], candidates: Sequence[Candidate]) -> dict[str, Machine]:
    """The nodes of a cluster, by their id, that run trials: where any has GPUs those that have, and of these the ones that can hold the
    largest candidate, or else the one with the most memory."""
    largest = max((candidate.memory for candidate in candidates), default=0)
    found = {name: node for name, node in nodes.items() if node.gpus} or dict(nodes)
    roomiest = max(found, key=lambda name: found[name].memory)
    return {name: node for name, node in found.items() if node.memory * MEMORY_SHARE >= largest} or {roomiest: found[roomiest]}


def cluster_plan(nodes: Sequence[Machine], candidates: Sequence[Candidate], concurrency: int | None, trials: int | None) -> Plan:
    """As `make_plan`, for all `nodes` together; a trial runs on one of them."""
    alone = [make_plan(node, candidates, concurrency, None) for node in nodes]
    gpus, total = max(plan.gpus for plan in alone), sum(node.gpus for node in nodes)
    slots = sum(plan.concurrency for plan in alone)
    if gpus and concurrency:
        gpus = _floor(1 / -(-concurrency // total))
    if gpus:
        slots = min(slots, total * int(1 / gpus))
    slots = min(slots, concurrency or slots, trials or slots)
    most = max(node.cores for node in nodes)
    threads = max((n for n in range(1, most + 1) if sum(node.cores // n for node in nodes) >= slots), default=1)
    return Plan(slots, threads, gpus)


def _trials_per_gpu(machine: Machine, largest: int, concurrency: int | None) -> int:
    if concurrency:
        return -(-concurrency // machine.gpus)
    if not largest or not machine.gpu_memory:
        return 1
    fit = int(machine.gpu_memory * MEMORY_SHARE // largest)
    return max(1, min(fit, TRIALS_PER_GPU, machine.cores // machine.gpus))


def processors(plan: Plan, available: float) -> float:
    """Ray's logical CPUs a trial, given those of a cluster that may have fewer than the plan wants."""
    return min(float(plan.threads), _floor(available / plan.concurrency))


def _floor(share: float) -> float:
    # Ray counts resources in ten-thousandths; rounding up would leave no room for the last trial.
    return int(share * 10_000 + 1e-6) / 10_000


def gpu_memory() -> int:
    """Bytes of memory of the smallest GPU; 0 where the driver's tool is absent or silent."""
    command = ["nvidia-smi", "--query-gpu=memory.total", "--format=csv,noheader,nounits"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True).stdout
        return min(int(line) for line in answer.split()) * 2**20
    except (OSError, ValueError, subprocess.SubprocessError):
        return 0
