"""A checkpoint's processor, for text and images alone: nobody shows it a film.

Processors of families that take films want torchvision, which has no wheel for every machine.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from transformers import AutoConfig, AutoProcessor
from transformers.models.auto.processing_auto import PROCESSOR_MAPPING

from benchmark.core.errors import UserError
from benchmark.cost.lending import Lending
from benchmark.vlm.encoding import Encoder, Types

FILMS = "video_processor"
PROCESSOR_FILES = ("processor_config.json", "preprocessor_config.json")
# Families that let a prompt attend to itself in both directions and mark the answer instead.
PREFIX_FAMILIES = {"paligemma"}


def encoder_of(hf: Any, folder: Path, *, device: str, own_code: bool = False) -> Encoder:
    """What encodes for a loaded model. Raises `UserError` where its folder has no processor."""
    return Encoder(
        load_processor(folder, own_code=own_code),
        image_token_id=hf.config.image_token_id,
        lending=Lending(device),
        types=token_types_of(hf),
    )


def load_processor(folder: Path, *, own_code: bool = False) -> Any:
    """The processor of a checkpoint's family, or the one that its own code names, which then runs.
    Raises `UserError` where the folder has none."""
    if not any((folder / name).is_file() for name in PROCESSOR_FILES):
        raise UserError(
            f"it has no processor: {PROCESSOR_FILES[0]} or {PROCESSOR_FILES[1]} is missing; "
            "copy it from the checkpoint that this one was made of"
        )
    if own_code:
        return AutoProcessor.from_pretrained(folder, local_files_only=True, trust_remote_code=True)
    config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    family = PROCESSOR_MAPPING[type(config)]
    return for_images(family).from_pretrained(
        folder, local_files_only=True, trust_remote_code=False
    )


def for_images(family: Any) -> Any:
    """The same class of processor without the part that takes films apart, for which it is given
    None; what it saves bears the family's name."""
    if FILMS not in family.get_attributes():
        return family
    *kept, films = family.get_attributes()
    assert films == FILMS, "the last that a processor is given"

    class ForImages(family):
        @classmethod
        def get_attributes(cls) -> list[str]:
            return kept

        @classmethod
        def from_args_and_dict(cls, args: Sequence[Any], *more: Any, **settings: Any) -> Any:
            return super().from_args_and_dict([*args, None], *more, **settings)

    ForImages.__name__ = family.__name__
    return ForImages


def token_types_of(hf: Any) -> dict[str, Types]:
    """What a model wants its tokens marked by, under the name that its forward pass gives it."""
    wanted = inspect.signature(type(hf).forward).parameters.keys()
    types: dict[str, Types] = {}
    if "mm_token_type_ids" in wanted:
        types["mm_token_type_ids"] = "images"
    if "token_type_ids" in wanted:
        prefix = hf.config.model_type in PREFIX_FAMILIES
        types["token_type_ids"] = "answers" if prefix else "images"
    return types
