"""Checks of a training: terms, roles, zero strength, seeds, a NaN, an interruption."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import torch

from benchmark.api import Losses, TrainingConfig
from benchmark.checks.outcome import Blocked, CheckFailed, NotApplicable
from benchmark.checks.rehearsal import Interruption, Killed, Phase, Rehearsal, short
from benchmark.checks.subject import Ran, Subject
from benchmark.core.errors import NonFiniteLoss, RunFailed
from benchmark.stages.artifact import files_of
from benchmark.stages.attempt import check_roles, declared_roles
from benchmark.training.draws import seed_all

OTHER_SEED = 1
DISTURBING_SEED = 10
"""Put into the generators between two runs: what a method draws must come from its own seed."""
NOTHING_TRAINED = "it trains nothing by the shared loop"


def runs(subject: Subject) -> None:
    """Raises whatever the method raises."""
    subject.run_first()


def roles(subject: Subject) -> None:
    """Base weights of other roles are the same to the last bit, in memory and in the artifact."""
    ran = subject.first()
    declared = declared_roles(ran.method)
    seen = []
    try:
        check_roles(ran.before.fingerprints, ran.model.fingerprints(), declared=declared)
    except RunFailed as error:
        seen.append(str(error))
    weights = ran.left.weights
    if weights is not None:
        adapted = weights.adapter.layers if weights.adapter is not None else set()
        for how, names in (("full", set(weights.full)), ("lora", adapted)):
            wrong = {
                role
                for role in map(ran.model.roles.of, names)
                if declared.get(role, "").removeprefix("q") != how
            }
            seen += [f"the artifact holds {how} weights of {role}" for role in sorted(wrong)]
    if seen:
        raise CheckFailed(
            expected=f"nothing changes but what `trains` names ({_stated(declared)})",
            seen="; ".join(seen),
            remedy="name the role in `trains`, or leave its weights alone",
        )


def _stated(declared: Mapping[str, str]) -> str:
    return ", ".join(f"{role}: {how}" for role, how in declared.items()) or "none"


def zero(subject: Subject) -> None:
    """No steps, or all weights at zero: the untouched model, hooks included."""
    _must_train(subject.first())
    plain = subject.loaded().fresh(subject.method_type.starts_from)
    requests = subject.bench.requests
    expected = subject.engine(plain).first_logits(requests)
    said = [response.text for response in subject.engine(plain).answer(requests)]
    for what, adapt in (("no steps", _no_steps), ("all weights at zero", _no_weights)):
        ran = subject.run(adapt=adapt)
        engine = subject.engine(subject.reloaded(ran), subject.reloaded_hooks(ran))
        apart = (engine.first_logits(requests) - expected).abs().max().item()
        answers = [response.text for response in engine.answer(requests)]
        n_other = sum(mine != theirs for mine, theirs in zip(answers, said, strict=True))
        if apart or n_other:
            raise CheckFailed(
                expected=f"with {what} the untouched model's logits to the last bit",
                seen=f"logits differ by up to {apart:.3g}, {n_other} of {len(said)} answers differ",
                remedy="let every change come from the weighted terms, and start modules of your "
                "own as the identity",
            )


def _no_steps(config: TrainingConfig) -> TrainingConfig:
    return replace(short(config), steps=0)


def _no_weights(config: TrainingConfig) -> TrainingConfig:
    # A decay that does not wait for a gradient would show.
    return replace(short(config), weights=dict.fromkeys(config.weights, 0.0), weight_decay=0.1)


def seeded(subject: Subject) -> None:
    """The same artifact whatever was drawn before; of a deterministic one for every seed."""
    first = subject.first()
    _disturb()
    others = {"the same seed": subject.run()}
    if subject.method_type.deterministic:
        others["another seed, and it says that it is deterministic"] = subject.run(seed=OTHER_SEED)
    for what, other in others.items():
        wrong = _unequal_files(first, other)
        if wrong:
            raise CheckFailed(
                expected="the same bytes from the same seed",
                seen=f"with {what}: {', '.join(wrong)} differ",
                remedy="draw from torch, numpy or random (the runner seeds them) or from job.seed, "
                "never from the clock, from hash() or from what an earlier run left",
            )


def _disturb() -> None:
    seed_all(DISTURBING_SEED)


def nan(subject: Subject) -> None:
    """A NaN in any term of any phase ends the training with that term's name."""
    asked = [
        (phase, term) for phase in _must_train(subject.first()) for term in phase.config.weights
    ]
    for phase, term in asked:
        wanted = (phase.name, term)

        def adapt(config: TrainingConfig, *, term: str = term) -> TrainingConfig:
            here = {term: 1.0} if term in config.weights else {}
            return replace(short(config), steps=1, weights={**config.weights, **here})

        def wrap(called: Phase, losses: Losses, *, wanted: tuple[str, str] = wanted) -> Losses:
            return _spoilt(losses, wanted[1]) if called.name == wanted[0] else losses

        seen = "the training went on"
        try:
            subject.run(adapt=adapt, wrap=wrap)
        except NonFiniteLoss as error:
            if error.term == term:
                continue
            seen = str(error)
        except Exception as error:
            seen = f"{type(error).__name__}: {error}"
        raise CheckFailed(
            expected=f"a NaN in term '{term}' of phase '{phase.name}' stops it with that name",
            seen=seen,
            remedy="let NonFiniteLoss through, and do not catch what minimise raises",
        )


def _spoilt(losses: Losses, term: str) -> Losses:
    def spoilt(model, batch, reference):
        terms = dict(losses(model, batch, reference))
        return terms | {term: terms[term] * torch.nan}

    return spoilt


def resumes(subject: Subject) -> None:
    """Killed in the middle and at the end of each phase, it ends in the same weights and state."""
    first = subject.first()
    kills = [
        kill
        for phase in _must_train(first)
        for kill in _kills(phase.name, n_steps=short(phase.config).steps)
    ]
    if not kills:
        raise NotApplicable("its phases have no steps")
    folder = subject.new_folder()
    for kill in kills:
        try:
            subject.run(folder=folder, interruption=kill)
        except Killed:
            continue
        raise CheckFailed(
            expected="an interruption ends the method at once",
            seen="it was caught, or the method took other steps the second time",
            remedy="do not catch BaseException, and call minimise the same way every time",
        )
    ended = subject.run(folder=folder)
    wrong = _unequal_files(first, ended)
    if wrong:
        if _unequal_files(first, subject.run()):
            raise Blocked("seeded")
        raise CheckFailed(
            expected="the same bytes as from a training that was never interrupted",
            seen=f"{', '.join(wrong)} differ after {len(kills)} interruptions",
            remedy="keep nothing between steps but in trained parameters: count by `batch`, draw "
            "from batch[role].rng, and make modules before minimise is called",
        )


def _kills(phase: str, *, n_steps: int) -> list[Interruption]:
    """After the first of several steps, and between this phase and what comes next."""
    middle = [Interruption(phase=phase, step=1, times=1)] if n_steps > 1 else []
    end = [Interruption(phase=phase, step=n_steps, times=2)] if n_steps else []
    return middle + end


def _must_train(ran: Ran) -> list[Phase]:
    loop: Rehearsal = ran.loop
    if not loop.asked:
        raise NotApplicable(NOTHING_TRAINED)
    return loop.asked


def _unequal_files(first: Ran, other: Ran) -> list[str]:
    mine, theirs = files_of(first.folder), files_of(other.folder)
    return [
        name
        for name in sorted(mine.keys() | theirs.keys())
        if name.endswith(".safetensors") and mine.get(name) != theirs.get(name)
    ]
