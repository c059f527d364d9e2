"""Images are projected once, alone, by what really sees them; prompts are encoded once."""

import random
from pathlib import Path

import pytest
import torch
from live_models import sample, untrained, untrained_checkpoint

from benchmark.core.samples import ImageFile
from benchmark.cost.lending import Lending
from benchmark.data.images import ImageStore
from benchmark.engines import priming
from benchmark.models import load_card
from benchmark.stages.loaded import Loaded
from benchmark.testbed.images import blank
from benchmark.vlm.artifacts import AdapterWeights, WeightsDelta
from benchmark.vlm.loading import load_model
from benchmark.vlm.model import VisionLanguageModel
from benchmark.vlm.perception import ImageFeatures, Perceptions

FOUR_BYTES = torch.ones(1)


@pytest.fixture
def pictures(tmp_path: Path) -> list[ImageFile]:
    store = ImageStore(tmp_path)
    return [store.put(blank(random.Random(seed)).pixels_HWC) for seed in range(5)]


def requests_of(pictures: list[ImageFile]):
    return [sample(f"s{i}", images=(picture,)) for i, picture in enumerate(pictures)]


def named(name: str) -> ImageFile:
    return ImageFile(path=Path(name), sha256=name)


def features(**options) -> ImageFeatures:
    return ImageFeatures(Lending("cpu"), **options)


def test_what_does_not_fit_is_not_kept():
    kept = features(max_bytes=4)
    assert kept.has_room
    kept.keep({"a": FOUR_BYTES, "b": FOUR_BYTES})
    assert kept.lend(named("a")) is not None
    assert kept.lend(named("b")) is None
    assert not kept.has_room


def test_what_is_over_another_keeps_to_itself_until_merged():
    below = features()
    below.keep({"a": FOUR_BYTES})
    over = below.over()
    over.keep({"b": FOUR_BYTES})
    assert over.lend(named("a")) is not None
    assert below.lend(named("b")) is None
    over.merge()
    assert below.lend(named("b")) is not None


def test_every_image_is_projected_in_a_batch_of_its_own(pictures, monkeypatch):
    """Last digits depend on the neighbours in a batch on some machines, not on all."""
    model = untrained()
    batches: list[int] = []
    look = model._sight._look
    monkeypatch.setattr(model._sight, "_look", lambda i: batches.append(len(i)) or look(i))
    found = model.image_features([*requests_of(pictures), sample("again", images=pictures[:1])])
    assert batches == [1] * 5
    assert found.shape[0] == 6
    assert torch.equal(found[0], found[5])


def test_priming_in_processes_makes_the_same_features(pictures, monkeypatch):
    monkeypatch.setattr(priming, "HANDED_OVER", 1)
    monkeypatch.setattr("benchmark.engines.workers.usable_cores", lambda: 2)
    lazy, primed = untrained(), untrained()
    requests = requests_of(pictures)
    priming.prime_images(primed, requests)
    assert primed.features.lending.n_needed == 5
    monkeypatch.setattr(primed, "project_apart", None)
    assert torch.equal(lazy.image_features(requests), primed.image_features(requests))


def test_features_cross_processes_at_any_precision():
    value = torch.tensor([1.5, -2.0]).bfloat16()
    assert torch.equal(priming._from_bytes(priming._to_bytes(value)), value)


def test_priming_stops_where_there_is_no_room(pictures, monkeypatch):
    monkeypatch.setattr(priming, "HANDED_OVER", 1)
    monkeypatch.setattr("benchmark.engines.workers.usable_cores", lambda: 1)
    model = untrained()
    one = model.image_features(requests_of(pictures[:1])).nbytes
    model.features = features(max_bytes=2 * one)
    priming.prime_images(model, requests_of(pictures))
    assert model.features.lending.n_needed == 2


def test_models_of_the_same_weights_share_what_they_read_and_saw(pictures):
    shared = Perceptions()
    first, second = _load(shared), _load(shared)
    assert second.encoder is first.encoder
    first.image_features(requests_of(pictures[:1]))
    assert second.features.lend(pictures[0]) is not None


@pytest.mark.parametrize("role", ["vision", "projector"])
def test_changed_eyes_see_for_themselves(pictures, role):
    shared = Perceptions()
    base, full, adapted = _load(shared), _load(shared), _load(shared)
    request = requests_of(pictures[:1])
    before = base.image_features(request)
    weights = {name: p + 1.0 for name, p in base.roles.parameters(base.hf, role)}
    full.apply(WeightsDelta(base_sha256=base.sha256, precision="fp32", full=weights))
    adapted.apply(_adapter(role))
    for changed in (full, adapted):
        assert not torch.equal(changed.image_features(request), before)
        assert torch.equal(base.image_features(request), before)


def test_what_a_method_sees_while_it_works_is_its_own(pictures):
    """It may have changed the projector, and only afterwards is it looked at whether it did."""
    card, shared = load_card("testbed-llava"), Perceptions()
    loaded = Loaded(card, precision="fp32", device="cpu", perceptions=shared)
    fresh = loaded.fresh()
    with torch.no_grad():
        for _, parameter in fresh.roles.parameters(fresh.hf, "projector"):
            parameter += 1.0
    wrong = fresh.image_features(requests_of(pictures[:1]))
    assert not torch.equal(loaded.base().image_features(requests_of(pictures[:1])), wrong)


def test_a_language_adapter_sees_with_the_base(pictures):
    shared = Perceptions()
    base, changed = _load(shared), _load(shared)
    changed.apply(_adapter("language"))
    assert changed.features is base.features


def test_a_projector_in_training_is_asked_anew_and_with_a_gradient(pictures):
    model = untrained()
    model.prepare({"projector": "full"}, rank=1, alpha=1.0, dropout=0.0)
    assert model.image_features(requests_of(pictures[:1])).requires_grad
    assert model.features.lend(pictures[0]) is None


def test_a_model_in_training_sees_without_dropout(pictures):
    calm, wild = untrained(), untrained()
    for module in wild.roles.vision.modules():
        if hasattr(module, "dropout") and isinstance(module.dropout, float):
            module.dropout = 0.5
    wild.hf.train()
    request = requests_of(pictures[:1])
    assert torch.equal(wild.image_features(request), calm.image_features(request))
    assert wild.roles.vision.training


def test_what_was_seen_while_answering_serves_a_training(pictures):
    model = untrained()
    request = requests_of(pictures[:1])
    with torch.inference_mode():
        model.image_features(request)
    model.prepare({"language": "lora"}, rank=2, alpha=2.0, dropout=0.0)
    model.hidden(model.view(request)).sum().backward()
    assert any(parameter.grad is not None for parameter in model.trainable().values())


def _load(shared: Perceptions) -> VisionLanguageModel:
    return load_model(untrained_checkpoint(), name="untrained", perceptions=shared)


def _adapter(role) -> WeightsDelta:
    model = untrained()
    model.prepare({role: "lora"}, rank=2, alpha=2.0, dropout=0.0)
    adapter = model.weights_delta().adapter
    assert adapter is not None
    changed = {name: torch.full_like(value, 0.1) for name, value in adapter.tensors.items()}
    return WeightsDelta(
        base_sha256=model.sha256,
        precision="fp32",
        adapter=AdapterWeights(config=adapter.config, tensors=changed),
    )
