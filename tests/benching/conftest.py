from __future__ import annotations

from pathlib import Path

import pytest

from small_bundle import make_bundle


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return make_bundle(tmp_path / "bundle")
