"""Model and encoder keep their contracts, agree with model2vec, and a run is won by the model and served without it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

import autoft_static
from autoft.data.table import Table
from autoft.interfaces.source import Source
from autoft.testing import check_encoder, check_model, reviews
from autoft_static.encoder import StaticTokens
from autoft_static.model import Static, embeddings, encoder_config

if TYPE_CHECKING:
    from autoft.testing.fixtures import Project

pytest_plugins = ["autoft.testing.fixtures"]


def test_it_keeps_the_contract_of_a_model(autoft_source: Source) -> None:
    check_model(Static(), reviews(), sources=[autoft_source], plugin=autoft_static)


def test_its_encoder_keeps_the_contract_of_an_encoder(autoft_source: Source) -> None:
    files = {"tokenizer.json": (autoft_source.folder / "tokenizer.json").read_bytes()}
    check_encoder(StaticTokens(), {"unknown": 1, "max_length": 8}, files)


def test_tokens_and_shares_give_the_means_of_model2vec(autoft_source: Source) -> None:
    static = embeddings(autoft_source.folder)
    texts = ["a great phone", "unheardof ☃ words", "", "the " * 900, "☃ the " * 900]
    encoding = StaticTokens().open(autoft_source.folder, encoder_config(static))
    arrays = encoding.encode(Table({"text": texts})).arrays
    means = np.einsum("bl,blw->bw", arrays["shares"], np.asarray(static.embedding)[arrays["ids"]])
    np.testing.assert_allclose(means, static.encode(texts), atol=1e-6)


def test_a_run_is_learned_and_served_without_model2vec(autoft_project: Project, autoft_source: Source) -> None:
    run = autoft_project.run(autoft_static, models=[f"static:{autoft_source.folder}"])
    assert any(row.candidate.startswith("static:") for row in run.leaderboard)
    assert run.result["verified"]["passed"]
    ask = "import sys, autoft; print(autoft.load(sys.argv[1]).predict(['a superb phone'])); print('model2vec' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", ask, str(run.bundle)], capture_output=True, text=True, timeout=100, cwd=Path.cwd())
    assert done.returncode == 0, done.stderr
    assert "'label': 'good'" in done.stdout
    assert done.stdout.strip().endswith("False")
