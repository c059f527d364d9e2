"""The other side: the same step as unlearning trainers usually write it, kept plain on purpose.

It stands for open-unlearning (github.com/locuslab/open-unlearning, commit d3d7cf9:
`src/trainer/utils.py`, `src/trainer/unlearn/grad_diff.py` and `npo.py`, `src/data/collators.py`)
and for the many trainers like it. The reference is a deep copy of the model. Every pass makes
logits for all positions, padding included, and is handed the labels, so that a loss is computed
whether it is used or not. The retain term runs the student once before the KL runs it again.
Batches are drawn at random and padded to their longest sample.

Differs from theirs, always to its advantage: KL is taken over answer tokens alone, so that both
sides compute the same figure, where theirs goes on over all positions; there is no Trainer, no
dataloader and no logging around the step; the second copy is made before the clock starts. Weights
are loaded by transformers alone, so that the C library deals with memory as it does for everybody.
"""

from __future__ import annotations

import copy
import random
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import AutoModelForImageTextToText
from transformers.utils import logging as transformers_logging

from benchmark.core.samples import Sample
from benchmark.speed.subject import draw_pools, lengths_of
from benchmark.speed.task import (
    BETA,
    LEARNING_RATE,
    LORA_ALPHA,
    LORA_RANK,
    MAX_GRADIENT_NORM,
    SEED,
    Clock,
    Task,
    Term,
    Work,
)
from benchmark.training.draws import seed_all
from benchmark.vlm.loading import DTYPES, is_small
from benchmark.vlm.model import VisionLanguageModel
from benchmark.vlm.perception import Perceptions
from benchmark.vlm.processors import encoder_of

NO_LABEL = -100
KEEPS_REFERENCE = False
Inputs = dict[str, Tensor]


def load(task: Task, perceptions: Perceptions) -> VisionLanguageModel:
    """The model as transformers loads it, on as many threads as ours."""
    transformers_logging.disable_progress_bar()
    hf = AutoModelForImageTextToText.from_pretrained(
        task.checkpoint,
        local_files_only=True,
        trust_remote_code=False,
        device_map={"": task.device},
        dtype=DTYPES[task.precision],
    )
    hf.eval().requires_grad_(False)
    if task.device == "cpu" and is_small(hf):
        torch.set_num_threads(1)
    perception = perceptions.of("", precision=task.precision, device=task.device)
    if perception.encoder is None:
        perception.encoder = encoder_of(hf, task.checkpoint, device=task.device)
    return VisionLanguageModel(
        hf,
        perception.encoder,
        features=perception.features,
        name=task.checkpoint.name,
        sha256="",
        precision=task.precision,
    )


def keeps_freed_memory(_model: VisionLanguageModel, _task: Task) -> bool:
    """Nobody tells the C library to."""
    return False


def train(model: VisionLanguageModel, task: Task, clock: Clock) -> Work:
    """Take the task's steps. The clock runs over batches and steps."""
    pools = draw_pools(model, n_samples=task.n_samples, seed=SEED, length_spread=task.length_spread)
    reference = copy.deepcopy(model.hf).eval()
    student = make_student(model, task)
    parameters = list(model.trainable().values())
    optimiser = torch.optim.AdamW(parameters, lr=LEARNING_RATE, weight_decay=0.0)
    forgotten = _batches(pools["forget"].samples, task.batch_size, random.Random("forget"))
    kept = _batches(pools["keep"].samples, task.batch_size, random.Random("keep"))
    n_tokens = n_answer_tokens = n_positions = 0
    clock.begin()
    for _ in range(task.steps):
        forget = collate(model, next(forgotten), answer="bad")
        keep = collate(model, next(kept), answer="good")
        loss = sum(losses(task.term, student, reference, forget=forget, keep=keep).values())
        assert isinstance(loss, Tensor)
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, MAX_GRADIENT_NORM)
        optimiser.step()
        for inputs in (forget, keep):
            n_positions += inputs["attention_mask"].numel()
            n_tokens += int(inputs["attention_mask"].sum())
            n_answer_tokens += int((inputs["labels"] != NO_LABEL).sum())
        clock.step()
    return Work(
        n_samples=2 * task.batch_size * task.steps,
        n_tokens=n_tokens,
        n_answer_tokens=n_answer_tokens,
        lengths=lengths_of(model, pools),
        n_positions=n_positions,
    )


def make_student(model: VisionLanguageModel, task: Task) -> Any:
    """The model in training mode, what is trained in it seeded as on our side."""
    seed_all(SEED)
    model.prepare({"language": task.tuning}, rank=LORA_RANK, alpha=LORA_ALPHA, dropout=0.0)
    return model.hf.train()


def losses(
    term: Term, student: Any, reference: Any, *, forget: Inputs, keep: Inputs
) -> dict[str, Tensor]:
    """The two terms of the step, unweighted: gradient difference kept by KL, or NPO."""
    if term == "kl":
        # The second is of no use to a KL, and stays alive while the KL makes its own.
        outputs = student(**forget), student(**keep)
        return {
            "forget": -outputs[0].loss,
            "keep": kl_divergence(student, reference, keep),
        }
    ratio_B = reference_nll(reference, forget) - batch_nll(student, forget)
    return {
        "forget": -2 / BETA * F.logsigmoid(-BETA * ratio_B).mean(),
        "keep": student(**keep).loss,
    }


def kl_divergence(student: Any, reference: Any, inputs: Inputs) -> Tensor:
    """KL(reference || student), averaged over answer tokens."""
    with torch.no_grad():
        reference_logits_BTV = reference(**inputs).logits
    reference_logprob_BTV = F.log_softmax(reference_logits_BTV, dim=-1)
    logprob_BTV = F.log_softmax(student(**inputs).logits, dim=-1)
    predicts_BT = F.pad(inputs["labels"][:, 1:], (0, 1), value=NO_LABEL) != NO_LABEL
    return F.kl_div(
        logprob_BTV[predicts_BT],
        reference_logprob_BTV[predicts_BT],
        reduction="batchmean",
        log_target=True,
    )


def batch_nll(model: Any, inputs: Inputs) -> Tensor:
    """`[B]`: negated log-probability of each whole answer."""
    logits_BTV = model(**inputs).logits[..., :-1, :].contiguous()
    labels_BT = inputs["labels"][..., 1:].contiguous()
    nll_BT = F.cross_entropy(
        logits_BTV.transpose(-1, -2), labels_BT, ignore_index=NO_LABEL, reduction="none"
    )
    return nll_BT.sum(dim=-1)


@torch.no_grad()
def reference_nll(reference: Any, inputs: Inputs) -> Tensor:
    """The same of the copy, without gradient."""
    return batch_nll(reference, inputs)


def collate(model: VisionLanguageModel, samples: Sequence[Sample], *, answer: str) -> Inputs:
    """Token ids, mask and labels, padded on the right to the longest; prompts have no labels."""
    encoder = model.encoder
    prompts = [list(one.prompt_ids) for one in encoder.prompts(samples)]
    answers = [list(encoder.answer(getattr(sample.answers, answer))) for sample in samples]
    both = list(zip(prompts, answers, strict=True))
    ids = [torch.tensor(prompt + said) for prompt, said in both]
    labels = [torch.tensor([NO_LABEL] * len(prompt) + said) for prompt, said in both]
    padded = {
        "input_ids": _padded(ids, model.tokenizer.pad_token_id),
        "attention_mask": _padded([torch.ones_like(row) for row in ids], 0),
        "labels": _padded(labels, NO_LABEL),
    }
    return {name: tensor.to(model.device) for name, tensor in padded.items()}


def _padded(rows: list[Tensor], value: int) -> Tensor:
    return nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=value)


def _batches(
    samples: Sequence[Sample], batch_size: int, rng: random.Random
) -> Iterator[list[Sample]]:
    """Endless batches in random order; every epoch sees each sample once."""
    while True:
        order = rng.sample(samples, len(samples))
        for start in range(0, len(order), batch_size):
            yield order[start : start + batch_size]
