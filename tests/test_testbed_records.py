"""What the recipe keeps of a training: by which code, from which stages, measured how."""

from __future__ import annotations

import ast
from pathlib import Path

import torch

from benchmark import testbed
from benchmark.cli import main
from benchmark.core.records import Git
from benchmark.testbed.architectures import ARCHITECTURES
from benchmark.testbed.recipe.cache import SOURCES, StageCache, sources
from benchmark.testbed.recipe.ceilings import best_layer
from benchmark.testbed.recipe.loop import Trace

TESTBED = Path(testbed.__file__).parent
PACKAGE = "benchmark.testbed"


def test_a_stage_from_the_cache_keeps_the_code_it_was_trained_by(tmp_path):
    cache, model = StageCache(folder=tmp_path), torch.nn.Linear(1, 1)
    git = Git(commit="c0ffee", dirty=True)
    cache.keep("key", {"model": model}, Trace(losses=[1.0], seconds=2.0), git=git)
    assert cache.restore("key", {"model": model}) == Trace(losses=[1.0], seconds=2.0)
    assert cache.trained_by("key") == git


def test_a_stage_is_trained_anew_when_any_of_its_code_changes():
    covered = {path for stage in SOURCES for name in ARCHITECTURES for path in sources(stage, name)}
    reached = _imported(TESTBED / "recipe" / "stages.py")
    # Settings are in the key themselves, and the others say only what a package is.
    packages = {TESTBED / "__init__.py", TESTBED / "architectures" / "__init__.py"}
    assert reached - covered == {TESTBED / "recipe" / "plan.py", *packages}


def _imported(path: Path) -> set[Path]:
    """Files of the testbed that this one is made of, itself included."""
    found, waiting = set(), [path]
    while waiting:
        path = waiting.pop()
        if path in found:
            continue
        found.add(path)
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(PACKAGE):
                names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
                places = [TESTBED.joinpath(*name.split(".")[2:]) for name in names if name]
                files = [p for at in places for p in (at.with_suffix(".py"), at / "__init__.py")]
                waiting += [file for file in files if file.is_file()]
    return found


def test_the_layer_of_a_probe_is_chosen_by_validation_alone():
    # Layers 1 and 2 are as good there, whatever they do on the items that are reported.
    assert best_layer([0.5, 0.9, 0.9, 0.7]) == 1


def test_only_what_can_see_is_asked_about_pictures(capsys, tmp_path):
    assert main(["testbed", "--measure", str(TESTBED / "weights" / "testbed-llava-stage2")]) == 2
    assert "'stage2-0' is no model that can be asked about pictures" in capsys.readouterr().err
    assert main(["testbed", "--measure", str(tmp_path)]) == 2
    assert "there is no such training record" in capsys.readouterr().err
    assert main(["testbed", "--measure", str(tmp_path), "--retrieval"]) == 2
    assert "one of them at a time" in capsys.readouterr().err
