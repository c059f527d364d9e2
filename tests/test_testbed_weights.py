"""The shipped checkpoints: small, honest about themselves, and loaded by transformers alone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from transformers import AutoModelForImageTextToText

from benchmark import testbed
from benchmark.core.samples import Sample
from benchmark.data.images import ImageStore
from benchmark.judges._references import match
from benchmark.testbed.material import TestbedMaterial
from benchmark.testbed.recipe.answering import answers_of
from benchmark.testbed.world import build_world
from benchmark.vlm.processors import load_processor

WEIGHTS = Path(testbed.__file__).parent / "weights"
MODELS = sorted(folder for folder in WEIGHTS.iterdir() if folder.is_dir())


# Of testbed-privacy a target and two lots of three golds.
@pytest.mark.parametrize(
    ("family", "most"), [("testbed-llava", 24e6), ("testbed-qwen", 8e6), ("testbed-privacy", 42e6)]
)
def test_all_weights_of_a_family_together_stay_small(family, most):
    folders = [folder for folder in MODELS if folder.name.startswith(family)]
    assert folders
    weights = [(folder / "model.safetensors").stat().st_size for folder in folders]
    assert sum(weights) <= most


@pytest.mark.parametrize("folder", MODELS, ids=lambda folder: folder.name)
def test_each_says_how_it_was_made_and_what_it_falls_short_of(folder):
    record = json.loads((folder / "training_record.json").read_text())
    card = (folder / "README.md").read_text()
    assert record["command"] in card
    assert record["git"]["commit"]
    assert record["seconds_per_stage"]
    for name in (record["acceptance"] or {}).get("short_of_bar", ()):
        assert name in card


@pytest.mark.parametrize("name", ["testbed-llava", "testbed-qwen"])
def test_the_default_of_each_family_reads_pages_it_has_never_seen(name, tmp_path):
    folder = WEIGHTS / name
    model = AutoModelForImageTextToText.from_pretrained(folder, dtype="float32").eval()
    material = TestbedMaterial(build_world(), ImageStore(tmp_path))
    samples, references = [], []
    for item in material.world.pool("test", harmful=False)[:20]:
        prompt, reference = material.comprehension("typographic", item.name, "evaluation", 7)
        page = material.picture("page", subject=item.name, phrases="evaluation", variant=7)
        samples.append(
            Sample(id=item.name, behaviour=item.name, card="", purpose="comprehension",
                   prompt=prompt, images=(page,))
        )  # fmt: skip
        references.append(reference)
    answers = answers_of(model, load_processor(folder), samples)
    assert sum(match(a, [r], "exact") for a, r in zip(answers, references, strict=True)) >= 16
