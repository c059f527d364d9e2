"""Tokens and operations of a training, batch by batch as a run will make them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from benchmark.core.samples import Sample
from benchmark.cost.flops import recomputed_flops, training_flops
from benchmark.cost.memory import Batch
from benchmark.data.pools import Pool
from benchmark.planning.planned import PlannedPhase, PlannedPool
from benchmark.planning.rehearsed import Asked, PhaseAsked
from benchmark.planning.work import Model, Work, forward
from benchmark.training.batches import BatchPlan
from benchmark.training.division import Division
from benchmark.training.reference import GROUP


def training(
    phases: Sequence[PhaseAsked], pools: Mapping[str, Pool], model: Model, *, seed: int
) -> Work:
    """All phases of a method with one seed; `pools` are those that the method declares."""
    done = Work()
    for phase in phases:
        before = replace(done)
        plans = _phase(phase, _phase_pools(phase, pools), model, done, seed=seed)
        done.phases.append(_planned(phase, plans, done, before))
    return done


def _planned(
    phase: PhaseAsked, plans: Mapping[str, BatchPlan], done: Work, before: Work
) -> PlannedPhase:
    """What a phase added to the work."""
    config, n = phase.config, done.n_sequences - before.n_sequences
    n_image, n_answer = (
        getattr(done, name) - getattr(before, name)
        for name in ("n_image_tokens", "n_answer_tokens")
    )
    n_text = done.n_tokens - before.n_tokens - n_image - n_answer
    return PlannedPhase(
        name=phase.name,
        n_steps=config.steps,
        batch_size=config.batch_size,
        micro_batch=config.micro_batch or config.batch_size,
        pools={role: _planned_pool(plan) for role, plan in plans.items()},
        n_images=done.n_images - before.n_images,
        n_sequences=n,
        text_tokens_each=n_text / n if n else 0.0,
        image_tokens_each=n_image / n if n else 0.0,
        answer_tokens_each=n_answer / n if n else 0.0,
    )


def _planned_pool(plan: BatchPlan) -> PlannedPool:
    n_samples = len(plan.pool.samples)
    return PlannedPool(n_samples=n_samples, n_epochs=sum(map(len, plan.batches)) / n_samples)


def _phase_pools(phase: PhaseAsked, pools: Mapping[str, Pool]) -> dict[str, Pool]:
    """The phase's own pools, of the suite's whole ones."""
    return {
        name: replace(
            pools[roles[0]],
            role=name,  # type: ignore[arg-type]  # a phase may name a pool as it likes
            samples=tuple(sample for role in roles for sample in pools[role].samples),
        )
        for name, roles in phase.pools.items()
    }


def _phase(
    phase: PhaseAsked, pools: Mapping[str, Pool], model: Model, done: Work, *, seed: int
) -> dict[str, BatchPlan]:
    """Adds to the work, and gives what is drawn of each pool."""
    config = phase.config
    if set(config.trains) != {"language"}:
        done.flops = None
    division = Division.of(config, phase.name, index=0, n_processes=1)
    plans = {
        role: BatchPlan(
            pool, batch_size=config.batch_size, n_steps=config.steps, seed=seed,
            n_parts=division.n_parts,
            length_of=lambda sample: model.prompt(sample) + _tail(sample, model),
        )
        for role, pool in pools.items()
    }  # fmt: skip
    others = {role: _drawn_from_others(role, pools, model) for role in pools}
    for step in range(config.steps):
        for part in division.mine:
            samples = {role: part.of(plan.samples(step)) for role, plan in plans.items()}
            _part(phase, samples, model, done, others=others)
    done.n_steps += config.steps
    drawn = [sample for plan in plans.values() for sample in plan.drawn()]
    shown = [*drawn, *_reference(phase, plans, model, done)]
    n_images, flops = model.looking_flops(shown, n_uses=sum(bool(s.images) for s in shown))
    done.n_images += n_images
    done.add(flops)
    return plans


def _part(
    phase: PhaseAsked,
    samples: Mapping[str, Sequence[Sample]],
    model: Model,
    done: Work,
    *,
    others: Mapping[str, int],
) -> None:
    """What is computed together: a batch, or one of its micro-batches."""
    tuning, rank = phase.config.trains.get("language", "full"), phase.config.lora_rank
    kept = []
    for view in phase.views:
        batch = _view(samples[view.role], view, model, done, other=others[view.role])
        done.add(_flops(batch, tuning, rank, model))
        if not view.forward_only:
            asked_too = (view.role, view.answer) in phase.of_reference
            kept.append(replace(batch, with_reference=asked_too))
    done.heaviest = max(done.heaviest, tuple(kept), key=_weight)


def _view(samples: Sequence[Sample], view: Asked, model: Model, done: Work, *, other: int) -> Batch:
    """One view as a padded batch; what is trained on is counted."""
    rows, n_predicted = [], 0
    for sample in samples:
        if view.forward_only:
            # A text that is only read stands without its image.
            rows.append(model.sizes.answer(sample.caption or sample.retrieved or sample.prompt))
            continue
        answer = _answer(sample, view, model, other=other)
        rows += [model.prompt(sample) + answer] * view.repeats
        n_predicted += answer * view.repeats
        done.n_image_tokens += model.image_tokens(sample) * view.repeats
    if not view.forward_only:
        done.n_sequences += len(rows)
        done.n_tokens += sum(rows)
        done.n_answer_tokens += n_predicted
    return Batch(
        n_sequences=len(rows),
        n_tokens=max(rows),
        n_predicted=n_predicted,
        n_seen=0 if view.forward_only else model.pictures.n_seen(samples),
    )


def _answer(sample: Sample, view: Asked, model: Model, *, other: int) -> int:
    if view.answer == "other":
        return other
    text = getattr(sample.answers, view.answer) if view.answer != "none" else None
    return model.sizes.answer(text) if text is not None else 0


def _drawn_from_others(role: str, pools: Mapping[str, Pool], model: Model) -> int:
    """The mean length of an answer that is drawn from the other pools."""
    strange = [pool for name, pool in pools.items() if name != role] or list(pools.values())
    texts = [sample.answers.good for pool in strange for sample in pool.samples]
    known = [model.sizes.answer(text) for text in texts if text is not None]
    return round(sum(known) / len(known)) if known else 0


def _tail(sample: Sample, model: Model) -> int:
    """The answer that the loop sorts by."""
    return model.sizes.answer(sample.answers.good or sample.answers.bad or "")


def _flops(batch: Batch, tuning: str, rank: int, model: Model) -> float:
    size: dict[str, Any] = {
        "n_sequences": batch.n_sequences,
        "n_tokens": batch.n_tokens,
        "n_seen": batch.n_seen,
        "tuning": tuning,
        "lora_rank": rank,
    }
    again = recomputed_flops(model.language, **size) if model.recomputes else 0.0
    return again + training_flops(model.language, n_logits=batch.n_predicted, **size)


def _weight(batches: Sequence[Batch]) -> int:
    """Padded tokens, of which most memory goes with most."""
    return sum(one.n_sequences * one.n_tokens for one in batches)


def _reference(
    phase: PhaseAsked, plans: Mapping[str, BatchPlan], model: Model, done: Work
) -> list[Sample]:
    """Forward passes of the untouched model, and what it was asked about. What it says of a sample
    is kept, and made for a group of like length at first need; before full fine-tuning it is asked
    about bad and good answers alike."""
    told: list[Sample] = []
    both = phase.may_ask and "full" in phase.config.trains.values()
    for role, plan in plans.items():
        needed = {sample.id for sample in plan.drawn()}
        ordered = sorted(plan.pool.samples, key=lambda one: (_length(one, model), one.id))
        for kind in ("bad", "good"):
            if not both and (role, kind) not in phase.of_reference:
                continue
            known = [(s, text) for s in ordered if (text := getattr(s.answers, kind)) is not None]
            for start in range(0, len(known), GROUP):
                group = known[start : start + GROUP]
                if any(sample.id in needed for sample, _ in group):
                    _ask(group, model, done)
                    told += [sample for sample, _ in group]
    return told


def _ask(group: Sequence[tuple[Sample, str]], model: Model, done: Work) -> None:
    answers = [model.sizes.answer(text) for _, text in group]
    rows = [model.prompt(sample) + n for (sample, _), n in zip(group, answers, strict=True)]
    done.n_reference_states += sum(answers)
    done.add(forward([sample for sample, _ in group], rows, model, n_logits=sum(answers)))


def _length(sample: Sample, model: Model) -> int:
    return model.prompt(sample) + _tail(sample, model)
