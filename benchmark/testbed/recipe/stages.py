"""The four stages in the order in which real models are made, each trained in place.

1. `language`, then `assistance`: the language model learns the world from text, then to answer
   questions about it, whether a thing does harm among them. No refusals yet.
2. `text_safety`: it learns to refuse, from text alone.
3. `vision`: the vision tower learns to see.
4. `alignment`, then `instructions`: tower and projector learn to put patches where their words
   are; then projector and language model are tuned on harmless instructions, beginning with
   looking, beside replayed text, under a frozen tower.
5. `learn_persons`, for privacy alone: a finished model goes on to learn persons, beside all that
   the stage before had.
Shape suffixes: B samples, T tokens, N labelled tokens, D width.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch.nn import functional as F
from transformers import PreTrainedTokenizerFast

from benchmark.testbed.architectures import Architecture
from benchmark.testbed.items import World
from benchmark.testbed.persons import Person
from benchmark.testbed.recipe.alignment import alignment_steps
from benchmark.testbed.recipe.batches import IGNORED, Batch, make_batches
from benchmark.testbed.recipe.examples import Mixture, draw_examples
from benchmark.testbed.recipe.loop import Schedule, Trace, minimise
from benchmark.testbed.recipe.person_mixtures import PersonMixtures
from benchmark.testbed.recipe.picture_mixtures import PictureMixtures
from benchmark.testbed.recipe.plan import PersonsPlan, Plan
from benchmark.testbed.recipe.sight import SightTeacher, sight_steps
from benchmark.testbed.recipe.text_mixtures import TextMixtures


@dataclass(frozen=True, kw_only=True)
class Learning:
    """What learning from mixtures takes: a model, its words, where a stage cut short is kept."""

    architecture: Architecture
    model: Any
    tokenizer: PreTrainedTokenizerFast
    texts: TextMixtures
    pictures: PictureMixtures
    seed: int
    folder: Path


@dataclass(frozen=True, kw_only=True)
class Setting(Learning):
    """What every stage of a model made from nothing is given."""

    world: World
    plan: Plan


def language(setting: Setting) -> Trace:
    """Stage 1."""
    return _learn_text(setting, "language", setting.texts.pretraining(), setting.plan.language)


def assistance(setting: Setting) -> Trace:
    """Stage 1, second part."""
    mixture = setting.texts.assistance()
    return _learn_text(setting, "assistance", mixture, setting.plan.assistance)


def text_safety(setting: Setting) -> Trace:
    """Stage 2."""
    mixture = setting.texts.text_safety()
    return _learn_text(setting, "text safety", mixture, setting.plan.text_safety)


def vision(setting: Setting) -> Trace:
    """Stage 3."""
    torch.manual_seed(setting.seed)
    setting.model.requires_grad_(False)
    teacher = SightTeacher(setting.model, setting.architecture)
    teacher.requires_grad_(True)
    steps = sight_steps(
        teacher,
        setting.world,
        architecture=setting.architecture,
        size=setting.plan.n_pictures,
        seed=f"vision {setting.seed}",
    )
    return minimise(
        teacher,
        loss_of_step=steps,
        schedule=setting.plan.vision,
        checkpoint=setting.folder / "vision.partial",
        title="vision",
    )


def alignment(setting: Setting) -> Trace:
    """Stage 4, first of all: the language model's embeddings are the target and stay."""
    setting.model.requires_grad_(False)
    setting.architecture.tower(setting.model).requires_grad_(True)
    setting.architecture.projector(setting.model).requires_grad_(True)
    steps = alignment_steps(
        setting.model,
        setting.tokenizer,
        setting.world,
        architecture=setting.architecture,
        size=setting.plan.n_alignment,
        seed=f"alignment {setting.seed}",
    )
    return minimise(
        setting.model,
        loss_of_step=steps,
        schedule=setting.plan.alignment,
        checkpoint=setting.folder / "alignment.partial",
        title="alignment",
    )


def instructions(setting: Setting) -> Trace:
    """Stage 4: projector and language model learn, beside replayed text."""
    setting.model.requires_grad_(True)
    setting.architecture.tower(setting.model).requires_grad_(False)
    replay = setting.texts.replay(refusals=setting.plan.refusal_replay)
    schedule = setting.plan.instructions
    n_looking = round(setting.plan.looking_share * schedule.n_steps / schedule.n_block_steps)

    def sources(block: int) -> list[tuple[Mixture, int]]:
        looking = block < n_looking
        pictured = setting.pictures.looking() if looking else setting.pictures.instructions()
        return [(pictured, setting.plan.n_instructions), (replay, setting.plan.n_replay)]

    return _minimise(setting, "instructions", sources, schedule, precision=setting.plan.precision)


def learn_persons(learning: Learning, told: Sequence[Person], plan: PersonsPlan) -> Trace:
    """Stage 5: projector and language model learn persons in text and pictures, in place, beside
    the instructions and the text (refusals among it) that a default model's last stage has."""
    learning.model.requires_grad_(True)
    learning.architecture.tower(learning.model).requires_grad_(False)
    persons = PersonMixtures(told)
    sources = [
        (persons.pictures(), plan.n_avatars),
        (persons.texts(), plan.n_profiles),
        (learning.pictures.instructions(), plan.n_instructions),
        (learning.texts.replay(refusals=True), plan.n_replay),
    ]
    return _minimise(
        learning, "persons", lambda block: sources, plan.persons, precision=plan.precision
    )


def safety_beside_images(setting: Setting) -> Trace:
    """Stage 2 after all others, beside replayed pictures: an ablation of the order of stages."""
    _train_language_alone(setting)
    sources = [
        (setting.texts.text_safety(), setting.plan.n_text),
        (setting.pictures.instructions(), setting.plan.n_instructions),
    ]
    return _minimise(
        setting, "safety beside images", lambda block: sources, setting.plan.text_safety,
        precision=setting.plan.precision,
    )  # fmt: skip


def answer_loss(model: Any, batch: Batch, *, precision: str = "bf16") -> torch.Tensor:
    """Mean cross-entropy of the labelled tokens, a scalar; the logits of no others are computed."""
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=precision == "bf16"):
        hidden_BTD = model.model(
            input_ids=batch.ids_BT, use_cache=False, **batch.pictures
        ).last_hidden_state
        labelled_BT = batch.labels_BT != IGNORED
        logits_NV = model.lm_head(hidden_BTD[labelled_BT])
    return F.cross_entropy(logits_NV.float(), batch.labels_BT[labelled_BT])


def _learn_text(setting: Setting, title: str, mixture: Mixture, schedule: Schedule) -> Trace:
    _train_language_alone(setting)
    sources = [(mixture, setting.plan.n_text)]
    return _minimise(
        setting, title, lambda block: sources, schedule, precision=setting.plan.precision
    )


def _train_language_alone(setting: Setting) -> None:
    setting.model.requires_grad_(False)
    setting.model.model.language_model.requires_grad_(True)
    setting.model.lm_head.requires_grad_(True)


def _minimise(
    setting: Learning,
    title: str,
    sources: Callable[[int], list[tuple[Mixture, int]]],
    schedule: Schedule,
    *,
    precision: str,
) -> Trace:
    def steps(block: int, n_steps: int) -> Iterator[Callable[[], torch.Tensor]]:
        streams = []
        for number, (mixture, size) in enumerate(sources(block)):
            seed = f"{title} {setting.seed} {block} {number}"
            examples = draw_examples(mixture, n_examples=size * n_steps, seed=seed)
            # Batches never mix samples with and without pictures: the former are much longer.
            streams.append(
                make_batches(
                    examples,
                    setting.tokenizer,
                    architecture=setting.architecture,
                    size=size,
                    seed=seed,
                )
            )
        for batches in zip(*streams, strict=True):
            yield partial(_mean_loss, setting.model, batches, precision=precision)

    return minimise(
        setting.model,
        loss_of_step=steps,
        schedule=schedule,
        checkpoint=setting.folder / f"{title.replace(' ', '_')}.partial",
        title=title,
    )


def _mean_loss(model: Any, batches: tuple[Batch, ...], *, precision: str) -> torch.Tensor:
    losses = [answer_loss(model, batch, precision=precision) for batch in batches]
    return torch.stack(losses).mean()
