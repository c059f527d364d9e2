"""Checks of what a method leaves behind: an artifact, hooks, and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch

from benchmark.api import Hook, RewriteRequest, RewriteVisualTokens
from benchmark.checks.declared import forbidden_imports
from benchmark.checks.outcome import Blocked, CheckFailed, NotApplicable
from benchmark.checks.subject import Ran, Subject
from benchmark.core.errors import RunFailed, UserError
from benchmark.core.samples import Answers, Sample
from benchmark.engines.engine import LOCAL
from benchmark.engines.local import LocalEngine
from benchmark.stages.attempt import check_roles, declared_roles
from benchmark.stages.surroundings import restored


def artifact(subject: Subject) -> None:
    """Reloaded on a fresh model it answers as in memory; on another base it is refused."""
    ran = subject.first()
    weights = ran.left.weights
    _check_comparable(ran)
    requests = subject.bench.requests
    reloaded = subject.engine(subject.reloaded(ran)).first_logits(requests)
    if weights is None or weights.has_tensors or weights.checkpoint is None:
        here = subject.engine(ran.model).first_logits(requests)
        apart = (here - reloaded).abs().max().item()
        if apart:
            raise CheckFailed(
                expected="the saved artifact gives the trained model's logits to the last bit",
                seen=f"they differ by up to {apart:.3g}",
                remedy="return Unlearned(weights=job.model.weights_delta()) after the last change",
            )
    if weights is None or not weights.has_tensors:
        return
    try:
        subject.other_model().apply(weights)
    except UserError as error:
        if "\n" not in str(error):
            return
    raise CheckFailed(
        expected="a model with other weights refuses the artifact in one line",
        seen="it was put over them",
        remedy="let job.model.weights_delta() make it: it knows its base",
    )


def _check_comparable(ran: Ran) -> None:
    """What other checks complain of would show here too."""
    if ran.model.n_hooks != ran.before.n_hooks:
        raise Blocked("clean")
    try:
        check_roles(
            ran.before.fingerprints, ran.model.fingerprints(), declared=declared_roles(ran.method)
        )
    except RunFailed:
        raise Blocked("roles") from None


def clean(subject: Subject) -> None:
    """No hooks, switches of torch, training mode or other number format left behind."""
    ran = subject.first()
    left = list(ran.left_behind)
    modules = [("the model", ran.model.hf)]
    modules += [
        (name, module) for phase in ran.loop.asked for name, module in phase.modules.items()
    ]
    left += [f"{name} is in training mode" for name, module in modules if module.training]
    model = subject.reloaded(ran)
    formats = {parameter.dtype for parameter in model.hf.parameters()}
    n_hooks = model.n_hooks
    with restored() as before:
        subject.engine(model, _hooks_of(ran)).answer(subject.bench.requests)
        left += [f"after answering: {change}" for change in before.changes()]
    if model.n_hooks != n_hooks:
        left.append(f"{model.n_hooks - n_hooks} hooks on the model after answering")
    after = {parameter.dtype for parameter in model.hf.parameters()}
    left += [f"parameters in {dtype} after answering" for dtype in after - formats]
    if left:
        raise CheckFailed(
            expected="model and process as they were",
            seen="; ".join(left),
            remedy="take hooks away and put switches back in a `finally`; model.trace() reads "
            "hidden states and attention without any",
        )


def served(subject: Subject) -> None:
    """Hooks say who serves them and answer alike from fresh and from reloaded state."""
    ran = subject.first()
    hooks = _hooks_of(ran)
    if not hooks:
        raise NotApplicable("it has no hooks")
    _check_served_by(hooks)
    _check_ids(hooks, subject.bench.requests)
    requests = subject.bench.requests
    model = subject.reloaded(ran)
    try:
        reloaded = subject.reloaded_hooks(ran)
        answers = _answers(subject.engine(model, reloaded), requests)
    except Exception as error:
        raise _unlike(f"{type(error).__name__}: {error}") from None
    fresh = _answers(subject.engine(model, hooks), requests)
    again = _answers(subject.engine(model, hooks), requests)
    if not fresh == again == answers:
        raise _unlike("the same requests get other answers")
    if all(isinstance(hook, RewriteVisualTokens) for hook in hooks):
        _check_text_untouched(subject.engine(model, hooks), subject.engine(model), requests)


def _unlike(seen: str) -> CheckFailed:
    return CheckFailed(
        expected="hooks that a new process builds from the saved state answer as the first did",
        seen=seen,
        remedy="put all that hooks need into Unlearned.state or the settings, nothing into `self`, "
        "and let them remember no request",
    )


def _check_served_by(hooks: Sequence[Hook]) -> None:
    for hook in hooks:
        if LOCAL not in hook.served_by or not isinstance(hook.differentiable, bool):
            raise CheckFailed(
                expected=f"`served_by` names the engines that can ask it, '{LOCAL}' among them",
                seen=f"{type(hook).__name__}.served_by = {hook.served_by!r}",
                remedy=f'write served_by = ("{LOCAL}",), or leave it out',
            )


def _check_ids(hooks: Sequence[Hook], requests: Sequence[Sample]) -> None:
    rewriters = [hook for hook in hooks if isinstance(hook, RewriteRequest)]
    for hook in rewriters:
        for request in requests:
            once, twice = hook.rewrite_request(request), hook.rewrite_request(request)
            if once != twice or once.id != request.id:
                raise CheckFailed(
                    expected="a request is rewritten the same way every time and keeps its id",
                    seen=f"{type(hook).__name__} gives '{once.id}' and '{twice.id}' for "
                    f"'{request.id}', {'alike' if once == twice else 'not alike'}",
                    remedy="return dataclasses.replace(request, ...) and draw nothing",
                )


def _check_text_untouched(
    hooked: LocalEngine, plain: LocalEngine, requests: Sequence[Sample]
) -> None:
    words = [request for request in requests if not request.images]
    if not torch.equal(hooked.first_logits(words), plain.first_logits(words)):
        raise CheckFailed(
            expected="a request without a picture is answered as if there were no hook",
            seen="its logits change",
            remedy="change nothing but the visual tokens that are handed over",
        )


def blind(subject: Subject) -> None:
    """Only the declared training pools are there; hooks cannot tell what a request is for."""
    subject.first()
    seen = forbidden_imports(subject.sources, own=subject.entry.module)
    if seen:
        raise CheckFailed(
            expected="a method imports the contract, the shared losses and the model's types",
            seen="; ".join(seen),
            remedy="take training data from job.pools, and nothing else of this package",
        )
    _check_pools(subject.first())
    hooks = _hooks_of(subject.first())
    if not hooks or subject.method().oracle:
        return
    model = subject.reloaded(subject.first())
    requests = subject.bench.requests
    told = _answers(subject.engine(model, hooks), [_told(request) for request in requests])
    if told != _answers(subject.engine(model, hooks), requests):
        raise CheckFailed(
            expected="the same words and pictures get the same answer, whatever they are for",
            seen="answers change with purpose, behaviour or the answers on file",
            remedy="go by what is asked; only an `oracle` may know more, and it is never ranked",
        )


def _check_pools(ran: Ran) -> None:
    known = {sample.behaviour for pool in ran.loop.pools.values() for sample in pool.samples}
    for phase in ran.loop.asked:
        strange = [
            sample.id
            for pool in phase.pools.values()
            for sample in pool.samples
            if sample.behaviour not in known or sample.purpose != "training"
        ]
        if strange:
            raise CheckFailed(
                expected="what is trained on comes from the pools that the method declares",
                seen=f"phase '{phase.name}' trains on '{strange[0]}'",
                remedy="make other pools of the samples in job.pools",
            )


def _told(request: Sample) -> Sample:
    """The same request with everything else about it changed."""
    return replace(
        request,
        behaviour="another",
        purpose="attack",
        scope="held_out",
        subject="another",
        category="another",
        attack="another",
        answers=Answers(bad="another", good="another"),
    )


def _hooks_of(ran: Ran) -> tuple[Hook, ...]:
    return tuple(ran.method.hooks(ran.left.state))


def _answers(engine: LocalEngine, requests: Sequence[Sample]) -> list[tuple[str | None, bytes]]:
    """What is said, and the logits to the last bit: a random model says little."""
    logits_BV = engine.first_logits(requests)
    return [
        (response.text, row_V.numpy().tobytes())
        for response, row_V in zip(engine.answer(requests), logits_BV, strict=True)
    ]
