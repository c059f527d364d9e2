"""The shared loop on the testbed's real architecture with random weights."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from live_models import pools, untrained

from benchmark.api import Job, LossMethod, TrainingConfig
from benchmark.core.errors import NonFiniteLoss, RunFailed, UserError
from benchmark.core.records import StepLog
from benchmark.core.store import JsonLines
from benchmark.stages.train import check_roles
from benchmark.training.batches import BatchPlan, make_batch
from benchmark.training.loop import Loop
from benchmark.training.reference import Reference
from benchmark.training.step import rate_at, weigh
from benchmark.vlm.model import VisionLanguageModel
from methods.textual_sft import METHOD as TextualSft
from methods.textual_unlearning import METHOD as TextualUnlearning

STEPS = 6
METHODS = (TextualUnlearning, TextualSft)


class Killed(BaseException):
    """Stands for a SIGKILL: nothing of ours may catch it."""


def config_of(method: type[LossMethod], **settings: object) -> TrainingConfig:
    return method.Config(
        steps=STEPS, batch_size=4, learning_rate=1e-2, lora_rank=4, warmup_share=0.0, **settings
    )  # type: ignore[return-value]


def train(
    method: type[LossMethod],
    folder: Path,
    config: TrainingConfig,
    *,
    images: bool = False,
    precision: str = "fp32",
    stop_at: int | None = None,
) -> VisionLanguageModel:
    model = untrained(precision)
    folder.mkdir(exist_ok=True)

    def report(step: int, _n: int, _loss: float) -> None:
        if step == stop_at:
            raise Killed

    loop = Loop(
        model=model,
        pools=pools(folder.parent / "images", images=images),
        seed=7,
        folder=folder,
        report=report,
        checkpointed=lambda: None,
        checkpoint_every_s=0.0,
    )
    job = Job(model=model, pools=loop.pools, seed=7, minimise=loop, gold=lambda: None)  # type: ignore[arg-type,return-value]
    method(config).unlearn(job)
    return model


def weights(model: VisionLanguageModel) -> dict[str, torch.Tensor]:
    return {name: p.detach().clone() for name, p in model.hf.named_parameters()}


def same(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> bool:
    return first.keys() == second.keys() and all(torch.equal(first[n], second[n]) for n in first)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("tuning", ["lora", "full"])
def test_every_term_reaches_the_declared_parameters_and_only_them(
    method: type[LossMethod], tuning: str, tmp_path: Path
) -> None:
    model = untrained()
    config = config_of(method, trains={"language": tuning})
    given = pools(tmp_path)
    model.prepare({"language": tuning}, rank=4, alpha=8.0, dropout=0.0)  # type: ignore[dict-item]
    reference = Reference(model, length_of=lambda s: len(s.prompt))
    for pool in given.values():
        reference.expect(pool.samples, [s.answers.good or "" for s in pool.samples])
    reference.fill()
    with torch.no_grad():
        # Away from the start, where KL is zero and LoRA's A has no gradient yet.
        for parameter in model.trainable().values():
            parameter.add_(0.02)
    plans = {
        role: BatchPlan(pool, batch_size=4, n_steps=1, seed=0, length_of=lambda s: len(s.prompt))
        for role, pool in given.items()
    }
    batch = make_batch(plans, step=0, seed=0, view_of=model.view)
    for name, term in method(config).losses(model, batch, reference).items():
        model.hf.zero_grad(set_to_none=True)
        term.backward()
        reached = {n for n, p in model.hf.named_parameters() if p.grad is not None}
        assert reached, name
        assert all(model.roles.of(n) == "language" for n in reached), name
        assert reached <= set(model.trainable()), name
        moved = [p.grad.abs().sum() for p in model.hf.parameters() if p.grad is not None]
        assert all(math.isfinite(g) for g in moved) and sum(g > 0 for g in moved) > 20, name


def test_only_the_language_role_changes_and_vision_does_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = untrained().fingerprints()
    ran: list[str] = []
    original = VisionLanguageModel._project
    monkeypatch.setattr(
        VisionLanguageModel, "_project", lambda *a: ran.append("vision") or original(*a)
    )
    config = config_of(TextualUnlearning, trains={"language": "full"})
    model = train(TextualUnlearning, tmp_path / "run", config)
    after = model.fingerprints()
    assert after["language"] != before["language"]
    assert (after["vision"], after["projector"]) == (before["vision"], before["projector"])
    assert ran == []


def test_lora_leaves_every_base_weight_alone_and_is_one_switch_away(tmp_path: Path) -> None:
    base = untrained()
    view = base.view(pools(tmp_path)["forget"].samples[:4], ["first count cloth."] * 4)
    untouched = base.answer_logits(view)
    model = train(TextualUnlearning, tmp_path / "run", config_of(TextualUnlearning))
    assert model.fingerprints() == base.fingerprints()
    assert not torch.equal(model.answer_logits(view), untouched)
    with model.adapter_off():
        assert torch.equal(model.answer_logits(view), untouched)


def test_undeclared_change_is_an_error() -> None:
    before = {"vision": 1, "projector": 2, "language": 3}
    with pytest.raises(RunFailed, match="base weights of vision changed"):
        check_roles(before, before | {"vision": 9}, declared={"language": "full"})
    with pytest.raises(RunFailed, match="language"):
        check_roles(before, before | {"language": 9}, declared={"language": "lora"})
    check_roles(before, before | {"language": 9}, declared={"language": "full"})


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("tuning", ["lora", "full"])
def test_killed_training_goes_on_to_the_same_weights(
    method: type[LossMethod], tuning: str, tmp_path: Path
) -> None:
    config = config_of(method, trains={"language": tuning}, lora_dropout=0.1)
    undisturbed = train(method, tmp_path / "a", config, images=True)
    for stop_at in (2, 5):
        with pytest.raises(Killed):
            train(method, tmp_path / "b", config, images=True, stop_at=stop_at)
    resumed = train(method, tmp_path / "b", config, images=True)
    assert same(weights(undisturbed), weights(resumed))
    logs = [JsonLines(tmp_path / run / "train.losses.jsonl").read(StepLog) for run in "ab"]
    assert logs[0] == logs[1] and [line.step for line in logs[0]] == list(range(STEPS))


def test_same_seed_same_weights_and_zero_steps_change_nothing(tmp_path: Path) -> None:
    config = config_of(TextualSft)
    first = train(TextualSft, tmp_path / "a", config)
    second = train(TextualSft, tmp_path / "b", config)
    assert same(weights(first), weights(second))
    idle = train(TextualSft, tmp_path / "c", replace(config, steps=0))
    view = idle.view(pools(tmp_path)["forget"].samples, None)
    assert torch.equal(idle.hidden(view), untrained().hidden(view))


def test_all_weights_zero_changes_nothing(tmp_path: Path) -> None:
    config = config_of(TextualSft, weights={"helpful": 0.0, "keep": 0.0}, weight_decay=0.1)
    model = train(TextualSft, tmp_path / "a", config)
    view = model.view(pools(tmp_path)["keep"].samples, None)
    assert torch.equal(model.hidden(view), untrained().hidden(view))


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_non_finite_term_stops_with_its_name_and_step(value: float, tmp_path: Path) -> None:
    class Broken(TextualSft):
        def losses(self, model, batch, reference):
            terms = super().losses(model, batch, reference)
            return terms | {"keep": terms["keep"] * value}

    with pytest.raises(NonFiniteLoss, match=r"loss term 'keep' became (nan|inf) at step 0"):
        train(Broken, tmp_path / "run", config_of(Broken))


def test_terms_must_be_the_declared_ones() -> None:
    term = torch.ones((), requires_grad=True)
    with pytest.raises(RunFailed, match="'kep' has no weight: did you mean 'keep'"):
        weigh({"kep": term}, {"keep": 1.0}, step=0, n_steps=1)
    with pytest.raises(RunFailed, match="declared loss term 'forget' was not returned"):
        weigh({"keep": term}, {"keep": 1.0, "forget": 1.0}, step=0, n_steps=1)


def test_a_loss_without_gradient_is_refused(tmp_path: Path) -> None:
    class Constant(TextualSft):
        def losses(self, model, batch, reference):
            return {"helpful": torch.tensor(1.0), "keep": torch.tensor(1.0)}

    with pytest.raises(RunFailed, match="carries no gradient"):
        train(Constant, tmp_path / "run", config_of(Constant))


def test_schedule_by_hand() -> None:
    config = TrainingConfig(steps=10, warmup_share=0.2, schedule="linear")
    assert [rate_at(step, config) for step in (0, 1, 2, 6)] == [0.5, 1.0, 1.0, 0.5]
    assert rate_at(6, replace(config, schedule="cosine")) == pytest.approx(0.5)
    assert rate_at(9, replace(config, schedule="constant")) == 1.0


def test_plan_visits_every_sample_once_per_epoch(tmp_path: Path) -> None:
    pool = pools(tmp_path)["forget"]
    plan = BatchPlan(pool, batch_size=4, n_steps=4, seed=1, length_of=lambda s: len(s.prompt))
    first, second = plan.batches[:2], plan.batches[2:]
    assert sorted(first[0] + first[1]) == sorted(second[0] + second[1]) == list(range(8))
    again = BatchPlan(pool, batch_size=4, n_steps=4, seed=1, length_of=lambda s: len(s.prompt))
    other = BatchPlan(pool, batch_size=4, n_steps=4, seed=2, length_of=lambda s: len(s.prompt))
    assert plan.batches == again.batches != other.batches


def test_empty_pool_is_the_users_error(tmp_path: Path) -> None:
    empty = replace(pools(tmp_path)["forget"], samples=())
    with pytest.raises(UserError, match="pool 'forget' is empty"):
        BatchPlan(empty, batch_size=4, n_steps=4, seed=1, length_of=lambda s: 1)


def test_qlora_trains_and_leaves_the_quantised_base(tmp_path: Path) -> None:
    config = config_of(TextualUnlearning, trains={"language": "qlora"})
    model = train(TextualUnlearning, tmp_path / "run", config, precision="nf4")
    base = untrained("nf4")
    assert model.fingerprints() == base.fingerprints()
    view = base.view(pools(tmp_path)["forget"].samples[:4], ["first count cloth."] * 4)
    assert not torch.equal(model.answer_logits(view), base.answer_logits(view))


@pytest.mark.filterwarnings("error:.*autograd kernel was not registered:UserWarning")
def test_qlora_gradients_pass_the_quantised_layers(tmp_path: Path) -> None:
    """Asking the reference between steps must not leave weights behind that stop gradients."""
    model = untrained("nf4")
    model.prepare({"language": "qlora"}, rank=4, alpha=8.0, dropout=0.0)
    model.hf.train()
    view = model.view(pools(tmp_path)["keep"].samples, ["first count cloth."] * 4)
    reference = Reference(model, length_of=lambda s: 1)
    with torch.no_grad():
        for parameter in model.trainable().values():
            parameter.add_(0.02)
    reference.kl(model, view).backward()
    first_layer = [p for n, p in model.trainable().items() if ".layers.0.self_attn.q_proj" in n]
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in first_layer)


def test_qlora_needs_a_quantised_model() -> None:
    with pytest.raises(UserError, match="qlora needs nf4"):
        untrained().prepare({"language": "qlora"}, rank=4, alpha=8.0, dropout=0.0)
