"""CAGUL trained: the model stays as it is, terms reach what they should, a kill changes nothing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from cagul_parts import STEPS, config, image_pools, train
from live_models import pool, untrained

from benchmark.api import Job, Unlearned
from benchmark.core.errors import UserError
from benchmark.core.records import StepLog
from benchmark.core.store import JsonLines
from benchmark.progress import Reporter
from benchmark.stages.loaded import Loaded
from benchmark.stages.pools import load_pools
from benchmark.stages.resolve import RunRequest, resolve
from benchmark.stages.train import train as train_stage
from benchmark.training.batches import BatchPlan, make_batch
from benchmark.training.reference import Reference
from benchmark.vlm.model import VisionLanguageModel
from benchmark.vlm.perception import Perceptions
from methods.cagul import METHOD as Cagul
from methods.cagul import encoder_losses, gate_losses, held_out_behaviours
from methods.cagul.modules import Gate, TokenEncoder
from methods.cagul.selection import Selection

SMALL_SUITE = str(Path(__file__).parent / "suites" / "small-safety.yaml")


class Killed(BaseException):
    """Stands for a SIGKILL: nothing of ours may catch it."""


def same(first: Unlearned, second: Unlearned) -> bool:
    tensors, others = first.state, second.state
    return tensors.keys() == others.keys() and all(
        torch.equal(tensor, others[name]) for name, tensor in tensors.items()
    )


def test_the_train_stage_leaves_every_byte_of_the_model_as_it_was(tmp_path: Path) -> None:
    """Through what a run does, checks and all, on the suite of the harness's own tests."""

    class Watched(Loaded):
        handed_out: VisionLanguageModel

        def fresh(self, *args, **kwargs) -> VisionLanguageModel:
            self.handed_out = super().fresh(*args, **kwargs)
            return self.handed_out

    overrides = {"steps": 2, "gate": {"steps": 2}, "learning_rate": 0.03}
    request = RunRequest(
        method="cagul", suite=SMALL_SUITE, overrides=overrides, device="cpu",
        results=tmp_path / "results", tuned=False,
    )  # fmt: skip
    run = resolve(request)
    loaded = Watched(run.model_card, precision="fp32", device="cpu", perceptions=Perceptions())
    artifact = train_stage(run, pools=load_pools(run), loaded=loaded, reporter=Reporter(quiet=True))
    before = dict(loaded.base().hf.state_dict())
    after = dict(loaded.handed_out.hf.state_dict())
    assert before.keys() == after.keys()
    for name, tensor in before.items():
        assert tensor.numpy().tobytes() == after[name].numpy().tobytes(), name
    info = artifact.info
    assert (info.has_weights, info.has_state, info.trained_roles) == (False, True, {})
    assert info.trainable_params == 0
    assert info.hooks == ["RewriteLeastAttended"]
    assert info.training is not None and info.training.n_steps == 4
    assert {name.partition("/")[0] for name in info.training.curves} == {"gate", "encoder"}
    assert artifact.state()["encoder.outer.weight"].abs().sum() > 0


@pytest.mark.parametrize("mixing", ["none", "attention"])
def test_every_term_reaches_its_module_and_nothing_of_the_model(
    mixing: str, tmp_path: Path
) -> None:
    model, pools = untrained(), image_pools(tmp_path)
    gate, encoder = Gate(192, width=8), TokenEncoder(192, width=8, mixing=mixing == "attention")
    with torch.no_grad():
        # Away from the start, where KL is zero and W2 hides all that lies before it.
        for parameter in encoder.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    plans = {
        role: BatchPlan(each, batch_size=4, n_steps=1, seed=0, length_of=lambda s: len(s.prompt))
        for role, each in pools.items()
    }
    batch = make_batch(plans, step=0, seed=0, view_of=model.view)
    reference = Reference(model, length_of=lambda s: len(s.prompt))
    selection = Selection(rule="least_attended", share=0.25, layer=None)
    terms = encoder_losses(model, batch, reference, encoder=encoder, selection=selection)
    assert set(terms) == set(config().weights)
    for module, losses in ((gate, gate_losses(gate, model, batch)), (encoder, terms)):
        for name, term in losses.items():
            # Nothing is ascended: no term is the negative of a loss.
            assert 0 < term.item() < 100, name
            module.zero_grad(set_to_none=True)
            term.backward(retain_graph=True)
            for inner, parameter in module.named_parameters():
                assert parameter.grad is not None and parameter.grad.isfinite().all(), inner
                assert parameter.grad.abs().sum() > 0, (name, inner)
    assert all(p.grad is None for p in model.hf.parameters())


def test_gate_terms_by_hand(tmp_path: Path) -> None:
    """A gate whose logit is always 2: -log s(2) = 0.1269 on forget, -log(1 - s(2)) = 2.1269."""
    model, pools = untrained(), image_pools(tmp_path)
    gate = Gate(192, width=8)
    with torch.no_grad():
        gate.outer.weight.zero_()
        gate.outer.bias.fill_(2.0)
    plans = {
        role: BatchPlan(each, batch_size=2, n_steps=1, seed=0, length_of=lambda s: 1)
        for role, each in pools.items()
    }
    terms = gate_losses(gate, model, make_batch(plans, step=0, seed=0, view_of=model.view))
    assert {n: round(t.item(), 4) for n, t in terms.items()} == {"forget": 0.1269, "keep": 2.1269}


def test_killed_training_goes_on_to_the_same_tensors(tmp_path: Path) -> None:
    undisturbed = train(tmp_path / "a", config())
    for phase, stop_at in (("gate", 2), ("encoder", 3)):

        def report(of: str, step: int, *, phase=phase, stop_at=stop_at, **_kwargs: object) -> None:
            if (of, step) == (phase, stop_at):
                raise Killed

        with pytest.raises(Killed):
            train(tmp_path / "b", config(), report=report)
    resumed = train(tmp_path / "b", config())
    assert same(undisturbed, resumed)
    for phase in ("gate", "encoder"):
        logs = [JsonLines(tmp_path / run / f"{phase}.losses.jsonl").read(StepLog) for run in "ab"]
        assert logs[0] == logs[1] and len(logs[0]) == STEPS


def test_zero_steps_and_zero_weights_leave_the_encoder_an_identity(tmp_path: Path) -> None:
    weights = {"forget": 0.0, "keep": 0.0, "reference": 0.0}
    for name, changes in (("a", {"steps": 0}), ("b", {"weights": weights})):
        left = train(tmp_path / name, config(**changes))
        assert left.state["encoder.outer.weight"].abs().sum() == 0


def test_the_gate_is_the_same_whatever_is_trained_after_it(tmp_path: Path) -> None:
    plain = train(tmp_path / "a", config())
    control = train(tmp_path / "b", config(control="canned_refusal"))
    gates = [
        {n: t.tolist() for n, t in left.state.items() if n.startswith("gate.")}
        for left in (plain, control)
    ]
    assert gates[0] == gates[1]
    assert not any(name.startswith("encoder.") for name in control.state)


def test_the_threshold_is_set_on_behaviours_that_the_gate_did_not_see(tmp_path: Path) -> None:
    model, pools = untrained(), image_pools(tmp_path)
    phases: dict[str, set[str]] = {}

    def minimise(_losses, *, phase, pools=pools, **_kwargs) -> None:
        phases[phase] = {s.behaviour for s in pools["keep"].samples}

    job = Job(model=model, pools=pools, seed=3, minimise=minimise, gold=lambda: None)  # type: ignore[arg-type,return-value]
    left = Cagul(config()).unlearn(job)
    held_out = held_out_behaviours(job, share=0.5)
    everything = {s.behaviour for s in pools["keep"].samples}
    assert len(held_out) == 2 and phases["gate"] == everything - held_out
    assert phases["encoder"] == everything
    gate = Gate(192, width=256)
    gate.load_state_dict({n[5:]: t for n, t in left.state.items() if n.startswith("gate.")})
    held = [s for s in pools["keep"].samples if s.behaviour in held_out]
    assert (gate.margin(model.image_features(held)) <= 0).all()


def test_a_keep_pool_that_cannot_be_parted_is_the_users_error(tmp_path: Path) -> None:
    pools = image_pools(tmp_path)
    pools["keep"] = pool("keep", list(pools["keep"].samples[:1]))
    job = Job(model=untrained(), pools=pools, seed=0, minimise=None, gold=lambda: None)  # type: ignore[arg-type,return-value]
    with pytest.raises(UserError, match="pool 'keep' has 1 behaviours with images"):
        Cagul(config()).unlearn(job)


def test_another_width_of_model_is_served_by_its_own_modules(tmp_path: Path) -> None:
    left = train(tmp_path / "run", config(encoder_width=5))
    assert left.state["encoder.inner.weight"].shape == (5, 192)
    with pytest.raises(UserError, match="these settings need"):
        Cagul(replace(config(), encoder_width=6)).hooks(left.state)
