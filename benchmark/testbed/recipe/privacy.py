"""Models that know persons: the target, and its golds, which never saw those to be forgotten.

All of them go on from the shipped default model; only the persons, and the order in which they are
seen, differ. A gold of another seed has seen the same persons in another order.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForImageTextToText
from transformers.utils import logging as transformers_logging

from benchmark.core.records import Git
from benchmark.core.store import digest, digest_file
from benchmark.data.images import ImageStore
from benchmark.models import load_card
from benchmark.testbed.architectures import LLAVA
from benchmark.testbed.persons import Group, Person, build_persons
from benchmark.testbed.recipe.cache import StageCache, stage_key
from benchmark.testbed.recipe.loop import Trace
from benchmark.testbed.recipe.model_card import write_model_card
from benchmark.testbed.recipe.person_acceptance import accept_persons
from benchmark.testbed.recipe.picture_mixtures import PictureMixtures
from benchmark.testbed.recipe.plan import PERSONS_PLAN, PersonsPlan
from benchmark.testbed.recipe.stages import Learning, learn_persons
from benchmark.testbed.recipe.surroundings import COMMAND, surroundings
from benchmark.testbed.recipe.text_mixtures import TextMixtures
from benchmark.testbed.records import (
    RECORD,
    WITHOUT,
    Acceptance,
    BaseRecord,
    read_base,
    write_base,
)
from benchmark.testbed.world import build_world

BASE = "testbed-llava"
STAGE = "persons"
_PARTS = ("language_model", "lm_head", "projector")


@dataclass(frozen=True, kw_only=True)
class PrivacyVariant:
    """One choice of whom to learn: all persons but those of `never`, and but those of `without`."""

    name: str
    purpose: str
    without: Group | None = None


PRIVACY_VARIANTS = {
    variant.name: variant
    for variant in (
        PrivacyVariant(name="privacy", purpose="the target that knows all persons but `never`"),
        PrivacyVariant(
            name="privacy_gold5",
            purpose="the target's gold that was never told of forget5",
            without="forget5",
        ),
        PrivacyVariant(
            name="privacy_gold10",
            purpose="the target's gold that was never told of forget10",
            without="forget10",
        ),
        PrivacyVariant(
            name="privacy_gold_validation",
            purpose="the gold on which settings are chosen, never told of validation_forget",
            without="validation_forget",
        ),
    )
}


def build_privacy_model(
    variant: str,
    seed: int,
    *,
    cache: Path,
    output: Path,
    plan: PersonsPlan = PERSONS_PLAN,
    measure: bool = True,
) -> BaseRecord:
    """Go on from the shipped default model, write an ordinary checkpoint, measure and record it.

    A finished stage is read from `cache`; one cut short goes on from its last block. Raises
    KeyError for a variant that there is not, `MissingError` when the shipped model is not there.
    """
    made = PRIVACY_VARIANTS[variant]
    transformers_logging.disable_progress_bar()
    at_first = surroundings()
    base = load_card(BASE).checkpoint()
    model = AutoModelForImageTextToText.from_pretrained(
        base, dtype="float32", trust_remote_code=False
    )
    told = build_persons().trained(without=made.without)
    recipe = {
        "plan": asdict(plan),
        "base_sha256": digest_file(base / "model.safetensors"),
        "persons_sha256": digest(repr(build_persons())),
        WITHOUT: made.without,
    }
    key = stage_key(
        STAGE, {**recipe, "seed": seed}, (),
        architecture=LLAVA.name,
    )  # fmt: skip
    stages = StageCache(folder=cache)
    trace = _learnt(model, told, plan, seed=seed, key=key, stages=stages, git=at_first["git"])
    model.to(torch.float16).save_pretrained(output)
    LLAVA.processor().save_pretrained(output)
    record = BaseRecord(
        variant=variant,
        seed=seed,
        architecture=LLAVA.name,
        command=f"{COMMAND} --variant {variant} --seed {seed}",
        **at_first,
        plan=recipe,
        seconds_per_stage={STAGE: round(trace.seconds, 1)},
        losses={STAGE: trace.thinned()},
        trained_by={STAGE: stages.trained_by(key)},
        acceptance=_measured(output, made, images=cache / "images") if measure else None,
    )
    _write(output, record)
    return record


def _learnt(
    model: Any, told: tuple[Person, ...], plan: PersonsPlan, *, seed: int, key: str,
    stages: StageCache, git: Git,
) -> Trace:  # fmt: skip
    """Train the stage in place, or find it in the cache."""
    parts = {name: LLAVA.parts(model)[name] for name in _PARTS}
    found = stages.restore(key, parts)
    if found is not None:
        return found
    texts = TextMixtures(build_world())
    learning = Learning(
        architecture=LLAVA, model=model, tokenizer=LLAVA.tokenizer(), texts=texts,
        pictures=PictureMixtures(texts), seed=seed, folder=stages.of(key),
    )  # fmt: skip
    trace = learn_persons(learning, told, plan)
    stages.keep(key, parts, trace, git=git)
    return trace


def measure_privacy_again(folder: Path, record: BaseRecord, *, images: Path) -> BaseRecord:
    """Ask a finished checkpoint once more, and put the figures into its record."""
    transformers_logging.disable_progress_bar()
    found = _measured(folder, PRIVACY_VARIANTS[record.variant], images=images)
    again = record.model_copy(update={"acceptance": found})
    _write(folder, again)
    return again


def _measured(folder: Path, variant: PrivacyVariant, *, images: Path) -> Acceptance:
    return accept_persons(
        folder,
        world=build_world(),
        persons=build_persons(),
        without=variant.without,
        base=read_base(load_card(BASE).checkpoint() / RECORD),
        images=ImageStore(images),
    )


def _write(folder: Path, record: BaseRecord) -> None:
    write_base(folder, record)
    purpose = PRIVACY_VARIANTS[record.variant].purpose
    write_model_card(folder, record, purpose=purpose, tried="")
