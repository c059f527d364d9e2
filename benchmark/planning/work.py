"""Tokens and operations of a training and of answering, batch by batch as a run will make them."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from benchmark.core.samples import Sample
from benchmark.cost.flops import (
    forward_flops,
    image_flops,
    recomputed_flops,
    training_flops,
    words_flops,
)
from benchmark.cost.memory import Batch
from benchmark.cost.pictures import Pictures
from benchmark.data.pools import Pool
from benchmark.engines.plan import plan_batches
from benchmark.models.shape import LanguageShape
from benchmark.planning.rehearsed import Asked, PhaseAsked
from benchmark.planning.sizes import Sizes
from benchmark.training.batches import BatchPlan
from benchmark.training.reference import GROUP
from benchmark.vlm.encoding import asked
from benchmark.vlm.perception import MAX_BYTES


@dataclass(kw_only=True)
class Work:
    """Sums. `n_tokens` counts text, visual and answer tokens that are trained on or answered, and
    no padding; `flops` are of everything, None where they are not known."""

    n_steps: int = 0
    n_samples: int = 0
    n_tokens: int = 0
    n_image_tokens: int = 0
    n_answer_tokens: int = 0
    n_images: int = 0
    flops: float | None = 0.0
    heaviest: tuple[Batch, ...] = ()
    """Of all steps the views that take most memory; of answering the largest batch."""
    n_reference_states: int = 0

    def add(self, flops: float) -> None:
        """More operations, where any are known."""
        if self.flops is not None:
            self.flops += flops


@dataclass(frozen=True, kw_only=True)
class Model:
    """What is reckoned with: sizes of texts, and of pictures and the model that looks at them."""

    sizes: Sizes
    pictures: Pictures
    bytes_a_number: int
    recomputes: bool = False
    _lengths: dict[Hashable, int] = field(default_factory=dict)

    @property
    def language(self) -> LanguageShape:
        """Of the language model."""
        return self.pictures.shape.language

    def prompt(self, sample: Sample) -> int:
        """Tokens of a prompt, reckoned once: the same id may be asked in other words."""
        name = asked(sample)
        if name not in self._lengths:
            self._lengths[name] = self.sizes.prompt(sample)
        return self._lengths[name]

    def image_tokens(self, sample: Sample) -> int:
        """Of them, those of its images."""
        return self.pictures.n_tokens([sample])

    def looking_flops(self, samples: Iterable[Sample], *, n_uses: int) -> tuple[int, float]:
        """(images, operations) of projecting what `n_uses` looks at these samples need: each image
        once while there is room to keep its features, again at each look where there is none."""
        images = {image.sha256: image for sample in samples for image in sample.images}
        found = [self.pictures.seen(image) for image in images.values()]
        family, shape = self.pictures.family, self.pictures.shape
        flops = sum(image_flops(family, shape, one) for one in found)
        size = sum(one.visual for one in found) * self.language.hidden * self.bytes_a_number
        kept = min(1.0, MAX_BYTES / size) if size else 1.0
        looks = kept * len(found) + (1 - kept) * max(n_uses, len(found))
        return len(found), flops * looks / len(found) if found else 0.0


# -- training -----------------------------------------------------------------------------------


def training(
    phases: Sequence[PhaseAsked], pools: Mapping[str, Pool], model: Model, *, seed: int
) -> Work:
    """All phases of a method with one seed; `pools` are those that the method declares."""
    done = Work()
    for phase in phases:
        _phase(phase, _phase_pools(phase, pools), model, done, seed=seed)
    return done


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
) -> None:
    config = phase.config
    if set(config.trains) != {"language"}:
        done.flops = None
    plans = {
        role: BatchPlan(
            pool, batch_size=config.batch_size, n_steps=config.steps, seed=seed,
            length_of=lambda sample: model.prompt(sample) + _tail(sample, model),
        )
        for role, pool in pools.items()
    }  # fmt: skip
    others = {role: _drawn_from_others(role, pools, model) for role in pools}
    for step in range(config.steps):
        batches = []
        for view in phase.views:
            samples = plans[view.role].samples(step)
            batch = _view(samples, view, model, done, other=others[view.role])
            batches.append((view, batch))
            done.add(_flops(batch, config.trains.get("language", "full"), config.lora_rank, model))
        kept = tuple(
            replace(batch, with_reference=(view.role, view.answer) in phase.of_reference)
            for view, batch in batches
            if not view.forward_only
        )
        done.heaviest = max(done.heaviest, kept, key=_weight)
    done.n_steps += config.steps
    drawn = [sample for plan in plans.values() for sample in _drawn(plan)]
    shown = [*drawn, *_reference(phase, plans, model, done)]
    n_images, flops = model.looking_flops(shown, n_uses=sum(bool(s.images) for s in shown))
    done.n_images += n_images
    done.add(flops)


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
    size = {
        "n_sequences": batch.n_sequences,
        "n_tokens": batch.n_tokens,
        "n_seen": batch.n_seen,
        "lora_rank": rank if tuning != "full" else 0,
    }
    again = recomputed_flops(model.language, **size) if model.recomputes else 0.0
    return again + training_flops(model.language, n_logits=batch.n_predicted, tuning=tuning, **size)


def _weight(batches: Sequence[Batch]) -> int:
    return sum(one.n_sequences * one.n_tokens for one in batches)


def _drawn(plan: BatchPlan) -> list[Sample]:
    """Each sample that any step sees, once."""
    indices = {index for batch in plan.batches for index in batch}
    return [plan.pool.samples[index] for index in sorted(indices)]


def _reference(
    phase: PhaseAsked, plans: Mapping[str, BatchPlan], model: Model, done: Work
) -> list[Sample]:
    """Forward passes of the untouched model, and what it was asked about. What it says of a sample
    is kept, and made for a group of like length at first need; before full fine-tuning it is asked
    everything."""
    told: list[Sample] = []
    everything = phase.may_ask and "full" in phase.config.trains.values()
    for role, plan in plans.items():
        needed = {sample.id for sample in _drawn(plan)}
        ordered = sorted(plan.pool.samples, key=lambda one: (_length(one, model), one.id))
        for kind in ("bad", "good"):
            if not everything and (role, kind) not in phase.of_reference:
                continue
            known = [(s, text) for s in ordered if (text := getattr(s.answers, kind)) is not None]
            for start in range(0, len(known), GROUP):
                group = known[start : start + GROUP]
                if everything or any(sample.id in needed for sample, _ in group):
                    _ask(group, model, done)
                    told += [sample for sample, _ in group]
    return told


def _ask(group: Sequence[tuple[Sample, str]], model: Model, done: Work) -> None:
    answers = [model.sizes.answer(text) for _, text in group]
    rows = [model.prompt(sample) + n for (sample, _), n in zip(group, answers, strict=True)]
    done.n_reference_states += sum(answers)
    done.add(_forward([sample for sample, _ in group], rows, model, n_logits=sum(answers)))


def _forward(
    samples: Sequence[Sample], rows: Sequence[int], model: Model, *, n_logits: int
) -> float:
    """Operations of one pass over these samples, so long."""
    return forward_flops(
        model.language,
        n_sequences=len(rows),
        n_tokens=max(rows),
        n_logits=n_logits,
        n_seen=model.pictures.n_seen(samples),
    )


def _length(sample: Sample, model: Model) -> int:
    return model.prompt(sample) + _tail(sample, model)


# -- answering ----------------------------------------------------------------------------------


def answering(
    samples: Sequence[Sample], model: Model, *, batch_size: int, max_new_tokens: int
) -> Work:
    """Every sample asked once, each answer as long as the limit lets it be."""
    done = Work(n_samples=len(samples))
    for batch in plan_batches(samples, batch_size=batch_size, length_of=model.prompt):
        rows = [model.prompt(sample) for sample in batch]
        size = Batch(n_sequences=len(rows), n_tokens=max(rows) + max_new_tokens, n_predicted=0)
        done.heaviest = max(done.heaviest, (size,), key=_weight)
        done.n_steps += max_new_tokens
        done.n_tokens += sum(rows)
        done.n_image_tokens += sum(map(model.image_tokens, batch))
        done.n_answer_tokens += len(batch) * max_new_tokens
        # The prompt gives the first word, and nothing comes after the last.
        done.add(_forward(batch, rows, model, n_logits=len(rows)))
        done.add(
            words_flops(
                model.language, n_sequences=len(rows), n_before=max(rows),
                n_words=max_new_tokens - 1, n_seen=model.pictures.n_seen(batch),
            )
        )  # fmt: skip
    done.n_images, flops = model.looking_flops(samples, n_uses=sum(bool(s.images) for s in samples))
    done.add(flops)
    return done


def reading(samples: Sequence[Sample], model: Model, *, n_answer: int) -> Work:
    """Every sample with an answer of so many tokens put through the model once, one after another:
    how likely the answer is."""
    done = Work(n_samples=len(samples))
    for sample in samples:
        n_prompt = model.prompt(sample)
        done.n_tokens += n_prompt
        done.n_image_tokens += model.image_tokens(sample)
        done.n_answer_tokens += n_answer
        done.add(_forward([sample], [n_prompt + n_answer], model, n_logits=n_answer))
    return done
