"""A plugin from another distribution, installed by pip into a folder of its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from benchmark.core import registry
from benchmark.core.config import build
from benchmark.core.errors import RunFailed, UserError

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
