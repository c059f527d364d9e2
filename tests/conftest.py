"""Offline, repeatable, and never in the user's own results folder."""

from __future__ import annotations

import os
import sys
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from benchmark.core import store
from benchmark.core.garbage import nothing_to_collect

if TYPE_CHECKING:
    from faults.outcome import Undisturbed
    from faults.product import Product
    from faults.tally import Refuse, Take, Tally

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["HF_DATASETS_OFFLINE"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"

settings.register_profile("bench", derandomize=True, deadline=None, database=None)
settings.load_profile("bench")

# The files that take longest. They are begun first: at the end nobody waits for who began one last.
LONG = (
    "test_checks.py", "test_processes_commands.py", "test_faults_disk.py", "test_shards.py",
    "test_faults_killed.py", "test_claims.py", "test_several.py", "test_dataset_cards.py",
    "test_third_party.py", "test_new_method.py", "test_plan.py", "test_bad_inputs.py",
    "test_loop.py", "test_families.py", "test_gates_live.py",
)  # fmt: skip


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """What test files import stays to the end, as what a command imports does: else every look for
    garbage goes through all of torch, for an eighth of the time that tests take."""
    with nothing_to_collect():
        return (yield)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Order by file alone; within one its own order stays."""
    items.sort(key=lambda item: LONG.index(name) if (name := item.path.name) in LONG else len(LONG))


@pytest.fixture(scope="session", autouse=True)
def _copied_weights() -> Iterator[None]:
    """Some two thousand fresh models of a few checkpoints; none where no test file loads any."""
    if "benchmark.vlm.loading" not in sys.modules:
        yield
        return
    from copied_weights import copied_weights

    with copied_weights():
        yield


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


@pytest.fixture(scope="module")
def tally() -> Tally:
    """Of all tests in a file."""
    from faults.tally import Tally

    return Tally()


@pytest.fixture
def refused(capsys: pytest.CaptureFixture[str], tally: Tally) -> Refuse:
    """Run a command line that must be refused, and return the line that says why."""

    from benchmark.cli import main

    def check(kind: str, arguments: Sequence[str], *, names: str) -> str:
        capsys.readouterr()
        code = main(list(arguments))
        line = tally.check(kind, capsys.readouterr().err, begins="error: ", names=names)
        assert code == 2, arguments
        return line

    return check


@pytest.fixture
def taken(capsys: pytest.CaptureFixture[str]) -> Take:
    """The same command with an input that nobody damaged: what is refused is the damage."""

    from benchmark.cli import main

    def check(arguments: Sequence[str]) -> None:
        capsys.readouterr()
        code, said = main(list(arguments)), capsys.readouterr().err
        assert code == 0, said
        assert "error: " not in said and "warning: " not in said, said

    return check
