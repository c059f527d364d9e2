"""Offline, repeatable, and never in the user's own results folder."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

from benchmark.core import store

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["HF_DATASETS_OFFLINE"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"

settings.register_profile("bench", derandomize=True, deadline=None, database=None)
settings.load_profile("bench")


@pytest.fixture(autouse=True)
def results_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty results folder of the test's own, for child processes too; nothing is published
    into the clone."""
    folder = tmp_path / "results"
    monkeypatch.setattr(store, "PUBLISHED_IN", tmp_path)
    monkeypatch.setenv("VLM_BENCH_RESULTS", str(folder))
    return folder
