"""Start-up: `autoft --help` against a bare click program, and `autoft predict` on one text, cold.

    python benchmarks/startup.py BUNDLE [--runs 15]

Pairs are run in turn in one go; medians and the ratio of medians are printed.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

BARE = "import click\n@click.command()\ndef main():\n    'Nothing.'\nmain()\n"


def seconds(command: list[str]) -> float:
    started = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle")
    parser.add_argument("--runs", type=int, default=15)
    options = parser.parse_args()
    autoft = str(Path(sys.executable).parent / "autoft")
    with tempfile.TemporaryDirectory() as scratch:
        bare = Path(scratch) / "bare.py"
        bare.write_text(BARE)
        commands = {
            "autoft --help": [autoft, "--help"],
            "bare click --help": [sys.executable, str(bare), "--help"],
            "autoft predict": [autoft, "predict", options.bundle, "it works very well"],
        }
        times: dict[str, list[float]] = {name: [] for name in commands}
        for turn in range(options.runs + 1):
            for name, command in commands.items():
                measured = seconds(command)
                if turn:
                    times[name].append(measured)
    for name, values in times.items():
        sys.stdout.write(f"{name}: median {median(values):.3f} s, {min(values):.3f} to {max(values):.3f}\n")
    sys.stdout.write(f"autoft --help / bare click: {median(times['autoft --help']) / median(times['bare click --help']):.2f}\n")


if __name__ == "__main__":
    main()
