"""Code that a checkpoint brings along: which class of it transformers would have to run."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, JsonValue, ValidationError

# Under which names a config says where its model's class is, the nearest to what is loaded first.
_MAPPED = (
    "AutoModelForImageTextToText", "AutoModelForVision2Seq", "AutoModelForCausalLM", "AutoModel",
)  # fmt: skip


class _Config(BaseModel):
    auto_map: dict[str, JsonValue] = {}


def own_class(folder: Path) -> str | None:
    """`file.Class` of the model's class in a checkpoint's own code, as its config.json names it;
    None where transformers has a class of that name, or none is named."""
    import transformers

    try:
        mapped = _Config.model_validate_json((folder / "config.json").read_bytes()).auto_map
    # What is wrong with the file is said where all of it is read.
    except (OSError, ValidationError):
        return None
    places = [place for name in _MAPPED if isinstance(place := mapped.get(name), str)]
    if not places or places[0].rpartition(".")[2] in dir(transformers):
        return None
    return places[0]
