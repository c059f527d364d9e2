"""A plugin from another distribution, installed by pip into a folder of its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from live_models import untrained_checkpoint

from benchmark.cli import main
from benchmark.core import registry
from benchmark.core.config import build
from benchmark.core.errors import RunFailed, UserError
from benchmark.core.records import RunRecord

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    """Where pip installed the plugin."""
    source = tmp_path_factory.mktemp("source") / "polite-refusal"
    shutil.copytree(ROOT / "tests" / "third_party", source)
    folder = tmp_path_factory.mktemp("site")
    subprocess.run(
        [
            sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps",
            "--no-build-isolation", "--disable-pip-version-check", "--target", folder, source,
        ],
        check=True, capture_output=True,
    )  # fmt: skip
    return folder


def _benchmark(*arguments: str, site: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "benchmark", *arguments],
        capture_output=True, text=True, cwd=ROOT, env=os.environ | {"PYTHONPATH": str(site)},
    )  # fmt: skip


def test_it_is_listed_and_kept_in_its_place(site):
    done = _benchmark("list", "methods", "--json", site=site)
    assert done.returncode == 0, done.stderr
    found = {entry["name"]: entry for entry in json.loads(done.stdout)}
    mine = found["polite_refusal"]
    assert (mine["origin"], mine["summary"]) == ("polite-refusal", "Refuse every request politely.")
    assert mine["path"] == str(site / "polite_refusal" / "method.py")
    assert found["original"]["origin"] == "built-in"
    assert "also claimed by polite-refusal" in found["original"]["note"]
    assert [name for name, entry in found.items() if entry["problem"]] == []


def test_one_that_raises_is_named_and_stops_no_other(site, monkeypatch):
    monkeypatch.syspath_prepend(str(site))
    with pytest.raises(RunFailed) as caught:
        registry.load("method", "broken_refusal")
    assert str(caught.value) == (
        "method 'broken_refusal' cannot be imported: RuntimeError: no licence key "
        f"({site}/polite_refusal/broken.py:3)"
    )
    assert registry.load("method", "polite_refusal").__name__ == "PoliteRefusal"


def test_its_settings_are_checked_like_ours(site, monkeypatch):
    monkeypatch.syspath_prepend(str(site))
    method = registry.load("method", "polite_refusal")
    assert build(method.Config, {"words": "no ."}, where="x").words == "no ."
    with pytest.raises(UserError, match="unknown field 'word', did you mean 'words'"):
        build(method.Config, {"word": "no ."}, where="x")


MISBEHAVING = {
    "restless_refusal": (
        "base weights of vision changed, but the method declares nothing"
    ),
    "lingering_refusal": (
        "left behind by the method: 1 hooks on the model; gradients: False, was True; put it back "
        "as it was, and let model.trace() read the model's insides"
    ),
    "hungry_refusal": "out of memory: ",
    "hungry_refusal+refused_by=torch": "out of memory: CUDA out of memory. Tried to allocate",
    "hungry_refusal+refused_by=python": "out of memory: MemoryError",
}  # fmt: skip


def test_one_that_misbehaves_is_a_failed_record_and_the_others_go_on(site, results_folder):
    """In one process: the last two train and answer as if nobody had been there before."""
    well = ["polite_refusal", "textual_sft+steps=1"]
    done = _benchmark(
        "run", "--method", ",".join([*MISBEHAVING, *well]), "--model", str(untrained_checkpoint()),
        "--suite", str(ROOT / "tests" / "suites" / "small-safety.yaml"), "--device", "cpu",
        "--jobs", "1", site=site,
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    errors = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert len(errors) == len(MISBEHAVING)
    for name, reason in MISBEHAVING.items():
        (line,) = [line for line in errors if line.startswith(f"error: {name} on ")]
        assert f", seed 0 failed while train: {reason}" in line
    found = {
        record.spec.method: record
        for path in results_folder.glob("local/records/*/*/*/0*.json")
        for record in [RunRecord.model_validate_json(path.read_text())]
    }
    for name, reason in MISBEHAVING.items():
        assert found[name].status == "failed" and found[name].failed_stage == "train"
        assert (found[name].error or "").startswith(reason)
    assert {name: found[name].status for name in well} == dict.fromkeys(well, "done")


@pytest.fixture
def here(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Found by this process and by those that it starts."""
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.setenv("PYTHONPATH", str(site))


def test_it_can_be_checked_like_ours(here, capsys):
    names = ["polite_refusal", "restless_refusal", "lingering_refusal", "hungry_refusal"]
    assert main(["check", "method", ",".join([*names, "broken_refusal"]), "--json"]) == 1
    said = capsys.readouterr()
    assert "Traceback" not in said.err
    failed: dict[str, list[str]] = {name: [] for name in [*names, "broken_refusal"]}
    for outcome in json.loads(said.out):
        if outcome["status"] == "failed":
            failed[outcome["method"]].append(outcome["check"])
        if (outcome["method"], outcome["check"]) == ("broken_refusal", "imports"):
            assert "RuntimeError: no licence key" in outcome["seen"]
    assert failed == {
        "polite_refusal": [],
        "restless_refusal": ["roles"],
        "lingering_refusal": ["clean"],
        "hungry_refusal": ["runs"],
        # What cannot be imported is not tried; its text is read.
        "broken_refusal": ["imports", "source"],
    }
