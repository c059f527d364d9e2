"""Tokens and operations of answering, batch by batch as a run will make them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from benchmark.core.samples import Sample
from benchmark.cost.flops import words_flops
from benchmark.cost.memory import Batch
from benchmark.engines.plan import halved, plan_batches
from benchmark.planning.work import Model, Work, forward


@dataclass(frozen=True, kw_only=True)
class Asking:
    """How a model is asked: `takes` are the bytes of a batch, beside which there is `room` enough
    for more (None where the device's memory is not known)."""

    batch_size: int
    max_new_tokens: int
    takes: Callable[[Batch], float]
    room: Callable[[float], bool] | None = None

    def batches(self, samples: Sequence[Sample], model: Model) -> tuple[list[list[Sample]], int]:
        """The engine's plan and the size of its last whole batches: from the first that does not
        fit on in halves, as often as it takes, as a stage goes on where memory runs out
        (`benchmark/stages/answers.py`). A single sample is asked anyhow."""
        plan = plan_batches(samples, batch_size=self.batch_size, length_of=model.prompt)
        size = self.batch_size
        while (after := self._first_too_large(plan, model)) is not None:
            plan, size = halved(plan, after=after), (size + 1) // 2
        return plan, size

    def limit(self, batch: Sequence[Sample]) -> int:
        """How long the answers of a batch may be, which are alike in that."""
        return batch[0].max_new_tokens or self.max_new_tokens

    def size(self, batch: Sequence[Sample], model: Model) -> Batch:
        """Padded to its longest, with all that is said."""
        n_new = self.limit(batch)
        return Batch(
            n_sequences=len(batch), n_tokens=max(map(model.prompt, batch)) + n_new,
            n_predicted=len(batch), n_unwritten=n_new,
        )  # fmt: skip

    def whole_bytes(self, samples: Sequence[Sample], model: Model) -> float:
        """Of the largest batch, were there room for any."""
        plan = plan_batches(samples, batch_size=self.batch_size, length_of=model.prompt)
        return max((self.takes(self.size(batch, model)) for batch in plan), default=0.0)

    def _first_too_large(self, plan: Sequence[Sequence[Sample]], model: Model) -> int | None:
        if self.room is None:
            return None
        for index, batch in enumerate(plan):
            if not self.room(self.takes(self.size(batch, model))):
                return index if len(batch) > 1 else None
        return None


def answering(samples: Sequence[Sample], model: Model, asking: Asking) -> Work:
    """Every sample asked once, each answer as long as the limit lets it be."""
    done = Work(n_samples=len(samples))
    plan, done.falls_back_to = asking.batches(samples, model)
    for batch in plan:
        rows, max_new_tokens = [model.prompt(sample) for sample in batch], asking.limit(batch)
        size = asking.size(batch, model)
        done.heaviest = max(done.heaviest, (size,), key=lambda some: sum(map(asking.takes, some)))
        done.batches[len(batch)] += 1
        done.n_steps += max_new_tokens
        done.n_tokens += sum(rows)
        done.n_image_tokens += sum(map(model.image_tokens, batch))
        done.n_answer_tokens += len(batch) * max_new_tokens
        # The prompt gives the first word, and nothing comes after the last.
        done.add(forward(batch, rows, model, n_logits=len(rows)))
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
    """Every sample with an answer of so many tokens, or as many as it may have itself, put through
    the model once, one after another: how likely the answer is."""
    done = Work(n_samples=len(samples))
    for sample in samples:
        _put_through(done, sample, model, n_answer=sample.max_new_tokens or n_answer)
    return done


def weighing(samples: Sequence[Sample], model: Model) -> Work:
    """Every answer that is given to a sample (the right one, its paraphrases, wrong ones), put
    through the model once behind the prompt: how likely each is. A sample without a right answer
    has none."""
    done = Work(n_samples=len(samples))
    for sample in samples:
        for n_answer in map(model.sizes.answer, given(sample)):
            _put_through(done, sample, model, n_answer=n_answer)
    done.n_images, flops = model.looking_flops(samples, n_uses=sum(bool(s.images) for s in samples))
    done.add(flops)
    return done


def _put_through(done: Work, sample: Sample, model: Model, *, n_answer: int) -> None:
    """One pass over a prompt and an answer of so many tokens, each of which is predicted."""
    n_prompt = model.prompt(sample)
    done.n_tokens += n_prompt
    done.n_image_tokens += model.image_tokens(sample)
    done.n_answer_tokens += n_answer
    done.add(forward([sample], [n_prompt + n_answer], model, n_logits=n_answer))


def given(sample: Sample) -> tuple[str, ...]:
    """The answers whose likelihood is measured."""
    answers = sample.answers
    right = answers.references[:1]
    return (*right, *answers.paraphrases, *answers.perturbed) if right else ()
