"""Which models there are, and how one is made from its stages, measured, and written."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from transformers.utils import logging as transformers_logging

from benchmark.core.errors import UserError
from benchmark.core.records import Git
from benchmark.data.images import ImageStore
from benchmark.testbed.architectures import ARCHITECTURES, Architecture
from benchmark.testbed.recipe import stages
from benchmark.testbed.recipe.acceptance import accept, after_stage
from benchmark.testbed.recipe.cache import StageCache, stage_key
from benchmark.testbed.recipe.loop import Trace
from benchmark.testbed.recipe.model_card import write_model_card
from benchmark.testbed.recipe.picture_mixtures import PictureMixtures
from benchmark.testbed.recipe.plan import PLANS, Plan
from benchmark.testbed.recipe.privacy import PRIVACY_VARIANTS, measure_privacy_again
from benchmark.testbed.recipe.stages import Setting
from benchmark.testbed.recipe.surroundings import COMMAND, surroundings
from benchmark.testbed.recipe.text_mixtures import TextMixtures
from benchmark.testbed.records import RECORD, BaseRecord, Figure, read_base, write_base
from benchmark.testbed.world import build_world

# What each stage trains, by the parts of the model.
_STAGES: dict[str, tuple[Callable[[Setting], Trace], tuple[str, ...]]] = {
    "language": (stages.language, ("language_model", "lm_head")),
    "assistance": (stages.assistance, ("language_model", "lm_head")),
    "text_safety": (stages.text_safety, ("language_model", "lm_head")),
    "vision": (stages.vision, ("vision_tower",)),
    "alignment": (stages.alignment, ("vision_tower", "projector")),
    "instructions": (stages.instructions, ("language_model", "lm_head", "projector")),
    "safety_beside_images": (stages.safety_beside_images, ("language_model", "lm_head")),
}
# What each stage builds on besides its own parts.
_READS = {
    "alignment": ("language_model",),
    "instructions": ("vision_tower",),
    "safety_beside_images": ("vision_tower", "projector"),
}


@dataclass(frozen=True, kw_only=True)
class Variant:
    """One way through the stages."""

    name: str
    purpose: str
    stages: tuple[str, ...]
    harmful_recipes: bool = True
    refusal_replay: bool = True

    def of(self, plan: Plan) -> Plan:
        """The plan as this variant follows it."""
        return replace(plan, refusal_replay=plan.refusal_replay and self.refusal_replay)


_ALL = ("language", "assistance", "text_safety", "vision", "alignment", "instructions")
_UNALIGNED = tuple(name for name in _ALL if name != "text_safety")
VARIANTS = {
    variant.name: variant
    for variant in (
        Variant(name="default", purpose="the default target", stages=_ALL),
        Variant(
            name="unaligned",
            purpose="the target without any safety training",
            stages=_UNALIGNED,
            refusal_replay=False,
        ),
        Variant(
            name="stage2",
            purpose="the text-safe language model and the vision tower under a fresh projector",
            stages=("language", "assistance", "text_safety", "vision"),
        ),
        Variant(
            name="gold",
            purpose="the model that was never shown a harmful recipe",
            stages=_ALL,
            harmful_recipes=False,
        ),
        Variant(
            name="no_refusal_replay",
            purpose="an ablation: stage 4 replays text, but no refusals",
            stages=_ALL,
            refusal_replay=False,
        ),
        Variant(
            name="safety_last",
            purpose="an ablation: text-only safety training comes last, without pictures beside it",
            stages=(*_UNALIGNED, "text_safety"),
            refusal_replay=False,
        ),
        Variant(
            name="safety_last_image_replay",
            purpose="an ablation: safety training comes last, beside harmless pictures",
            stages=(*_UNALIGNED, "safety_beside_images"),
            refusal_replay=False,
        ),
    )
}


def build_model(
    variant: str,
    seed: int,
    *,
    cache: Path,
    output: Path,
    architecture: str = "llava",
    plan: Plan | None = None,
    measure: bool = True,
) -> BaseRecord:
    """Train a variant stage by stage, write it as an ordinary checkpoint, measure and record it.

    Finished stages are read from `cache`; a stage cut short goes on from its last block. Raises
    KeyError for a variant or an architecture that there is not.
    """
    made, built = VARIANTS[variant], ARCHITECTURES[architecture]
    # They are drawn even where nobody looks; stages have bars of their own.
    transformers_logging.disable_progress_bar()
    at_first = surroundings()
    plan = made.of(plan or PLANS[architecture])
    model = built.untrained(seed)
    processor = built.processor()
    world = build_world()
    images = ImageStore(cache / "images")
    between: dict[str, list[Figure]] = {}

    def stage_done(name: str) -> None:
        # Sight alone changes no answer, and the last stage is measured from the saved checkpoint.
        if measure and name not in ("vision", made.stages[-1]):
            so_far = made.stages[: made.stages.index(name) + 1]
            between[name] = after_stage(
                model, processor, world=world, images=images, sees="alignment" in so_far
            )

    done = _train(
        model, made, architecture=built, seed=seed, plan=plan, cache=StageCache(folder=cache),
        git=at_first["git"], stage_done=stage_done,
    )  # fmt: skip
    if "alignment" not in made.stages:
        built.reset_projector(model, seed)
    model.to(torch.float16).save_pretrained(output)
    processor.save_pretrained(output)
    sees = "alignment" in made.stages
    acceptance = accept(output, world=world, images=images) if measure and sees else None
    record = BaseRecord(
        variant=variant,
        seed=seed,
        architecture=architecture,
        command=f"{COMMAND} --architecture {architecture} --variant {variant} --seed {seed}",
        **at_first,
        plan=asdict(plan),
        seconds_per_stage={name: round(one.trace.seconds, 1) for name, one in done.items()},
        losses={name: one.trace.thinned() for name, one in done.items()},
        trained_by={name: one.git for name, one in done.items()},
        after_stage=between,
        acceptance=acceptance,
    )
    _write(output, record)
    return record


def measure_again(folder: Path, *, images: Path) -> BaseRecord:
    """Ask a finished checkpoint the questions of the acceptance table once more, and put the
    figures into its record: for when what is asked, or how it is counted, has changed.

    Raises `UserError` for a folder without a record, or of a model that cannot see.
    """
    record = read_base(folder / RECORD)
    if record.variant in PRIVACY_VARIANTS:
        return measure_privacy_again(folder, record, images=images)
    if record.variant not in VARIANTS or "alignment" not in record.stages:
        raise UserError(f"{folder}: '{record.name}' is no model that can be asked about pictures")
    transformers_logging.disable_progress_bar()
    found = accept(folder, world=build_world(), images=ImageStore(images))
    again = record.model_copy(update={"acceptance": found})
    _write(folder, again)
    return again


def _write(folder: Path, record: BaseRecord) -> None:
    write_base(folder, record)
    write_model_card(folder, record, purpose=VARIANTS[record.variant].purpose)


@dataclass(frozen=True, kw_only=True)
class _Stage:
    """One that is trained, and the code it was trained by."""

    trace: Trace
    git: Git


def _train(
    model: Any,
    variant: Variant,
    *,
    architecture: Architecture,
    seed: int,
    plan: Plan,
    cache: StageCache,
    git: Git,
    stage_done: Callable[[str], None],
) -> dict[str, _Stage]:
    parts = architecture.parts(model)
    keys = dict.fromkeys(parts, f"untrained {seed}")
    world = build_world()
    texts = TextMixtures(world, harmful_recipes=variant.harmful_recipes)
    pictures = PictureMixtures(texts)
    tokenizer = architecture.tokenizer()
    done = {}
    for name in variant.stages:
        learn, trained = _STAGES[name]
        upstream = tuple(keys[part] for part in dict.fromkeys((*trained, *_READS.get(name, ()))))
        # Seeing never touches a recipe, but its upstream key tells gold apart anyway.
        told = {} if name == "vision" else {"harmful_recipes": variant.harmful_recipes}
        key = stage_key(
            name, {"plan": _plan_of(plan, name), "seed": seed, **told}, upstream,
            architecture=architecture.name,
        )  # fmt: skip
        learnt = {part: parts[part] for part in trained}
        trace = cache.restore(key, learnt)
        if trace is None:
            setting = Setting(
                architecture=architecture, model=model, tokenizer=tokenizer, world=world,
                texts=texts, pictures=pictures, plan=plan, seed=seed, folder=cache.of(key),
            )  # fmt: skip
            trace = learn(setting)
            cache.keep(key, learnt, trace, git=git)
        done[name] = _Stage(trace=trace, git=cache.trained_by(key))
        keys |= dict.fromkeys(trained, key)
        stage_done(name)
    return done


def _plan_of(plan: Plan, stage: str) -> dict[str, object]:
    """The settings that this stage depends on, and no others."""
    sizes = {
        "language": ("n_text", "precision"),
        "assistance": ("n_text", "precision"),
        "text_safety": ("n_text", "precision"),
        "vision": ("n_pictures",),
        "alignment": ("n_alignment",),
        "instructions": (
            "n_instructions", "n_replay", "looking_share", "precision", "refusal_replay",
        ),
        "safety_beside_images": ("n_text", "n_instructions", "precision"),
    }[stage]  # fmt: skip
    schedule = plan.text_safety if stage == "safety_beside_images" else getattr(plan, stage)
    return {"schedule": asdict(schedule)} | {n: getattr(plan, n) for n in sizes}
