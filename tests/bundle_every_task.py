"""A bundle for each task, from the worked example of its page, and what it is asked there with the answers of this environment.

    python tests/bundle_every_task.py FOLDER

leaves FOLDER/TASK/out/bundle; FOLDER/TASK/predict/N/ with `texts`, one a line, for `autoft predict --json`; FOLDER/TASK/post/N/ with `path`
and `body` for the server; each N with its `answer`. Needs the development environment.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from conftest import make_source
from worked_examples import PAGES, WRITER, read, settings, stand_in


def bundle(page: Path, folder: Path) -> None:
    example = read(page)
    home = folder / example.task
    home.mkdir(parents=True)
    os.chdir(home)
    os.environ.update(settings(home))
    if example.task == "seq2seq":
        stand_in(make_source(home / "weights", "t5").folder, WRITER)
    example.write_data()
    for number, command in enumerate(example.commands, 1):
        answer = command.run()
        if command.asked:
            keep(home / "predict" / str(number), texts="".join(f"{text}\n" for text in command.asked), answer=answer)
        elif command.request:
            path, body = command.request
            keep(home / "post" / str(number), path=path, body=body, answer=answer)


def keep(folder: Path, **files: str) -> None:
    folder.mkdir(parents=True)
    for name, content in files.items():
        (folder / name).write_text(content, encoding="utf-8")


if __name__ == "__main__":
    for path in PAGES:
        bundle(path, Path(sys.argv[1]).absolute())
