"""Images are projected once, alone, and every stage is charged as if it had done it itself."""

import random
from pathlib import Path

import pytest
import torch

from benchmark.core.records import StageCost
from benchmark.core.samples import ImageFile
from benchmark.data.images import ImageStore
from benchmark.engines.priming import prime_images
from benchmark.testbed.images import blank
from benchmark.vlm.artifacts import WeightsDelta
from benchmark.vlm.loading import load_model
from benchmark.vlm.model import VisionLanguageModel
from benchmark.vlm.perception import ImageFeatures, Perceptions
from tests.live_models import sample, untrained, untrained_checkpoint

FOUR_BYTES = torch.ones(1)


@pytest.fixture
def pictures(tmp_path: Path) -> list[ImageFile]:
    store = ImageStore(tmp_path)
    return [store.put(blank(random.Random(seed)).pixels_HWC) for seed in range(5)]


def test_a_stage_is_charged_for_what_it_found_and_not_for_what_it_made():
    features = ImageFeatures()
    features.keep({"a": FOUR_BYTES, "b": FOUR_BYTES}, wall_s=2.0, device_s=6.0)
    with features.lending() as loan:
        features.get("a")
        features.get("a")
        features.keep({"c": FOUR_BYTES}, wall_s=1.0, device_s=3.0)
        features.get("c")
    assert (loan.n_images, loan.wall_s, loan.device_s) == (1, 1.0, 3.0)
    cost = loan.added_to(StageCost(wall_s=10, device_s=20, wasted_s=0))
    assert (cost.wall_s, cost.device_s) == (11, 23)


def test_the_next_stage_pays_for_the_same_image_again():
    features = ImageFeatures()
    features.keep({"a": FOUR_BYTES}, wall_s=1.0, device_s=2.0)
    for _ in range(2):
        with features.lending() as loan:
            features.get("a")
        assert loan.device_s == 2.0


def test_a_stage_that_sees_nothing_pays_nothing():
    with ImageFeatures().lending() as loan:
        pass
    assert (loan.n_images, loan.device_s) == (0, 0.0)


def test_what_does_not_fit_is_not_kept():
    features = ImageFeatures(max_bytes=4)
    features.keep({"a": FOUR_BYTES, "b": FOUR_BYTES}, wall_s=0.0, device_s=0.0)
    assert features.get("a") is not None
    assert features.get("b") is None


def test_features_do_not_depend_on_what_else_was_asked_for(pictures):
    requests = [sample(f"s{i}", images=(picture,)) for i, picture in enumerate(pictures)]
    together, apart, primed = untrained(), untrained(), untrained()
    whole = together.image_features(requests)
    single = torch.cat([apart.image_features([request]) for request in reversed(requests)])
    prime_images(primed, requests)
    assert torch.equal(whole, single.flip(0))
    assert torch.equal(whole, primed.image_features(requests))


def test_models_of_the_same_weights_share_what_they_saw(pictures):
    shared = Perceptions()
    first, second = _load(shared), _load(shared)
    assert second.encoder is first.encoder
    first.image_features([sample("a", images=(pictures[0],))])
    assert second.features.get(pictures[0].sha256) is not None


def test_a_changed_projector_sees_for_itself(pictures):
    shared = Perceptions()
    base, changed = _load(shared), _load(shared)
    request = sample("a", images=(pictures[0],))
    before = base.image_features([request])
    name, weight = next(iter(base.roles.parameters(base.hf, "projector")))
    changed.apply(
        WeightsDelta(base_sha256=base.sha256, precision="fp32", full={name: weight + 1.0})
    )
    assert not torch.equal(changed.image_features([request]), before)
    assert torch.equal(base.image_features([request]), before)


def test_a_projector_in_training_is_asked_anew_and_with_a_gradient(pictures):
    model = untrained()
    model.prepare({"projector": "full"}, rank=1, alpha=1.0, dropout=0.0)
    assert model.image_features([sample("a", images=(pictures[0],))]).requires_grad
    assert model.features.get(pictures[0].sha256) is None


def test_what_was_seen_while_answering_serves_a_training(pictures):
    model = untrained()
    request = sample("a", images=(pictures[0],))
    with torch.inference_mode():
        model.image_features([request])
    model.prepare({"language": "lora"}, rank=2, alpha=2.0, dropout=0.0)
    model.hidden(model.view([request])).sum().backward()
    assert any(parameter.grad is not None for parameter in model.trainable().values())


def _load(shared: Perceptions) -> VisionLanguageModel:
    return load_model(untrained_checkpoint(), name="untrained", perceptions=shared)
