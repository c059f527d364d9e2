"""vLLM for real, on the shipped miniature: text, pictures, an adapter, visual tokens of our own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from benchmark.api import Hook, RewriteVisualTokens
from benchmark.core.errors import MissingError, RunFailed
from benchmark.core.samples import Sample
from benchmark.engines.local import LocalEngine
from benchmark.engines.served import ServedWeights, with_former_names
from benchmark.engines.vllm_installed import installed_vllm, refusal
from benchmark.engines.vllm_offline import VllmEngine
from benchmark.runner import RunRequest, run
from benchmark.stages.resolve import resolve
from benchmark.stages.samples import evaluation_samples
from benchmark.testbed.architectures import LLAVA
from benchmark.vlm.artifacts import WeightsDelta
from benchmark.vlm.encoding import View
from benchmark.vlm.loading import load_model
from benchmark.vlm.model import VisionLanguageModel

SUITE = str(Path(__file__).parent / "suites" / "small-safety.yaml")
SHIPPED = Path(__file__).resolve().parents[1] / "benchmark" / "testbed" / "weights"


def why_not() -> str | None:
    try:
        installed_vllm()
    except MissingError as error:
        return str(error)
    return None


pytestmark = [
    pytest.mark.vllm,
    pytest.mark.skipif(why_not() is not None, reason=why_not() or "it is installed"),
]


class Dim(RewriteVisualTokens):
    """Every second visual token carries half of what it did."""

    def rewrite_visual_tokens(
        self, model: VisionLanguageModel, view: View, tokens_IND: torch.Tensor
    ) -> torch.Tensor:
        """The same shape."""
        dimmed_IND = tokens_IND.clone()
        dimmed_IND[:, ::2] /= 2
        return dimmed_IND


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> list[Sample]:
    """Requests of every kind, pictures among them."""
    request = RunRequest(method="original", results=tmp_path_factory.mktemp("results"))
    made = resolve(request)
    found = evaluation_samples(made.suite.evaluation, images=made.images, limit=2)
    assert {sample.modality for sample in found} == {"text", "image"}
    return found


def shipped() -> VisionLanguageModel:
    return load_model(SHIPPED / "testbed-llava", name="testbed-llava")


def engine_on(
    weights: ServedWeights, folder: Path, *hooks: Hook, model: VisionLanguageModel | None = None
) -> VllmEngine:
    return VllmEngine(
        model or shipped(), weights,
        vllm=installed_vllm(), folder=folder, n_images=1, max_new_tokens=24, hooks=hooks,
    )  # fmt: skip


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return with_former_names(SHIPPED / "testbed-llava", to=tmp_path_factory.mktemp("base"))


@pytest.fixture
def opened() -> Iterator[list[VllmEngine]]:
    engines: list[VllmEngine] = []
    yield engines
    for engine in engines:
        engine.close()


def in_all(engine: LocalEngine | VllmEngine, samples: Sequence[Sample]) -> dict[str, tuple]:
    plan = engine.plan(samples, batch_size=64)
    return {
        one.sample_id: (one.text, one.n_prompt_tokens, one.n_answer_tokens, one.truncated)
        for batch in engine.answers(plan)
        for one in batch
    }


def test_text_and_pictures_are_answered_as_by_transformers(
    samples: list[Sample], checkpoint: Path, opened: list[VllmEngine], tmp_path: Path
) -> None:
    engine = engine_on(ServedWeights(form="checkpoint", checkpoint=checkpoint), tmp_path)
    opened.append(engine)
    gone = replace(samples[-1], id="hand/test/gone", images=(_lost(tmp_path),))
    served = in_all(engine, [*samples, gone])
    assert served.pop("hand/test/gone") == (None, 0, 0, False)
    assert served == in_all(LocalEngine(shipped(), max_new_tokens=24), samples)


def _lost(folder: Path):
    from benchmark.core.samples import ImageFile

    return ImageFile(path=folder / "lost.png", sha256="0" * 64)


def test_an_adapter_and_rewritten_visual_tokens_are_served(
    samples: list[Sample], checkpoint: Path, opened: list[VllmEngine], tmp_path: Path
) -> None:
    model = shipped()
    model.prepare({"language": "lora"}, rank=4, alpha=8.0, dropout=0.0)
    torch.manual_seed(0)
    with torch.no_grad():
        for parameter in model.trainable().values():
            parameter.add_(0.05 * torch.randn_like(parameter))
    delta: WeightsDelta = model.weights_delta()
    delta.save(tmp_path / "adapter")
    weights = ServedWeights(
        form="adapter", checkpoint=checkpoint, adapter=tmp_path / "adapter", rank=4
    )
    engine = engine_on(weights, tmp_path, Dim(), model=model)
    opened.append(engine)
    assert engine.looks_itself
    served = in_all(engine, samples)
    plain = in_all(LocalEngine(model, max_new_tokens=24), samples)
    dimmed = in_all(LocalEngine(model, hooks=(Dim(),), max_new_tokens=24), samples)
    base = in_all(LocalEngine(shipped(), max_new_tokens=24), samples)
    assert served == dimmed
    assert sum(served[name] != plain[name] for name in served) > 3, "the hook acts"
    assert sum(plain[name] != base[name] for name in served) > 10, "the adapter acts"


def test_a_run_is_answered_by_it_and_says_so(tmp_path: Path) -> None:
    request = RunRequest(
        method="textual_unlearning", suite=SUITE, device="cpu", engine="vllm", results=tmp_path,
        overrides={"steps": 12, "batch_size": 4, "learning_rate": 3e-3},
    )  # fmt: skip
    record = run(request)
    assert (record.status, record.error) == ("done", None)
    assert record.spec.engine == "vllm"
    served = record.serving
    assert served is not None and served.probe is not None
    assert (served.engine, served.version, served.form) == ("vllm", "0.32.0", "merged")
    assert served.probe.n_agree == served.probe.n > 0
    assert served.probe.n_changed == record.canary.n_changed > 0
    local = run(replace(request, engine="local"))
    assert local.keys.train == record.keys.train and local.keys.generate != record.keys.generate
    assert [s.value for s in local.scores] == [s.value for s in record.scores]


def test_what_it_does_not_take_is_refused_in_its_own_words(tmp_path: Path) -> None:
    from transformers import BertConfig

    BertConfig(architectures=["NoSuchModel"], num_hidden_layers=1).save_pretrained(tmp_path)
    LLAVA.processor().save_pretrained(tmp_path)
    words = refusal(installed_vllm(), tmp_path, dtype="float32")
    assert words is not None and words.startswith("Model architectures ['NoSuchModel'] are not")


def test_an_adapter_that_it_cannot_load_ends_with_its_own_words(
    samples: list[Sample], checkpoint: Path, opened: list[VllmEngine], tmp_path: Path
) -> None:
    weights = ServedWeights(form="adapter", checkpoint=checkpoint, adapter=tmp_path, rank=4)
    engine = engine_on(weights, tmp_path)
    opened.append(engine)
    with pytest.raises(RunFailed, match=r"vLLM: .*No adapter found for .*vllm\.log"):
        engine.answer(samples[:2])
