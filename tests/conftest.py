"""Offline, repeatable, and never in the user's own results folder."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from benchmark.core import store

if TYPE_CHECKING:
    from faults.outcome import Undisturbed
    from faults.product import Product

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


@pytest.fixture(scope="session")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """The product's commands as processes, forked from one that has imported everything."""
    from faults.product import Product
    from live_models import untrained_checkpoint

    made = Product(checkpoint=untrained_checkpoint(), scratch=tmp_path_factory.mktemp("said"))
    yield made
    made.close()


@pytest.fixture(scope="session")
def undisturbed(product: Product, tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    """The small run, published, as it comes out without any fault."""
    from faults.outcome import Undisturbed, outcome_of
    from faults.small_run import publish, run

    folder = tmp_path_factory.mktemp("undisturbed")
    ran, published = (product.run(command, folder=folder) for command in (run(), publish()))
    assert ran.code == published.code == 0, ran.err + published.err
    return Undisturbed(
        folder=folder,
        outcome=outcome_of(folder),
        while_running=ran.operations,
        while_publishing=published.operations,
    )
