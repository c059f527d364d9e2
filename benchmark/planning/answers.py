"""Tokens and operations of answering, batch by batch as a run will make them."""

from __future__ import annotations

from collections.abc import Sequence

from benchmark.core.samples import Sample
from benchmark.cost.flops import words_flops
from benchmark.cost.memory import Batch
from benchmark.engines.plan import plan_batches
from benchmark.planning.work import Model, Work, forward, weight


def answering(
    samples: Sequence[Sample], model: Model, *, batch_size: int, max_new_tokens: int
) -> Work:
    """Every sample asked once, each answer as long as the limit lets it be."""
    done = Work(n_samples=len(samples))
    for batch in plan_batches(samples, batch_size=batch_size, length_of=model.prompt):
        rows = [model.prompt(sample) for sample in batch]
        size = Batch(n_sequences=len(rows), n_tokens=max(rows) + max_new_tokens, n_predicted=0)
        done.heaviest = max(done.heaviest, (size,), key=weight)
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
    """Every sample with an answer of so many tokens put through the model once, one after another:
    how likely the answer is."""
    done = Work(n_samples=len(samples))
    for sample in samples:
        n_prompt = model.prompt(sample)
        done.n_tokens += n_prompt
        done.n_image_tokens += model.image_tokens(sample)
        done.n_answer_tokens += n_answer
        done.add(forward([sample], [n_prompt + n_answer], model, n_logits=n_answer))
    return done
