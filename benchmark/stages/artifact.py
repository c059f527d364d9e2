"""What a method left behind, on disk: found again whole, of this method and this model, or not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError
from safetensors.torch import save_file
from torch import Tensor

from benchmark.api import Unlearned
from benchmark.core.config import error_lines
from benchmark.core.errors import UserError
from benchmark.core.records import StageCost, Stored, TrainingLog
from benchmark.core.store import digest_file, writing
from benchmark.stages.folder import StageFolder
from benchmark.vlm.artifacts import WeightsDelta, read_tensors

STATE = "state.safetensors"


class ArtifactInfo(Stored):
    """What is known of an artifact; `id` is by content, so that equal artifacts share answers."""

    id: str
    method: str
    model_sha256: str
    files: dict[str, str]
    has_weights: bool
    has_state: bool
    trained_roles: dict[str, str]
    trainable_params: int
    total_params: int
    hooks: list[str]
    served_by: list[str]
    training: TrainingLog | None
    cost: StageCost


@dataclass(frozen=True, kw_only=True)
class Artifact:
    """What a method left behind, on disk."""

    key: str
    folder: Path
    info: ArtifactInfo
    from_cache: bool

    def delta(self) -> WeightsDelta | None:
        """The changed weights, or None where the base's serve."""
        return WeightsDelta.load(self.folder) if self.info.has_weights else None

    def state(self) -> Mapping[str, Tensor]:
        """The tensors that the method's hooks are built from."""
        return read_state(self.folder) if self.info.has_state else {}


def save(folder: Path, left: Unlearned) -> None:
    """Write weights and state."""
    if left.weights is not None:
        left.weights.save(folder)
    if left.state:
        tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in left.state.items()}
        with writing(folder / STATE):
            save_file(tensors, folder / STATE)


def read_state(folder: Path) -> Mapping[str, Tensor]:
    """The state that `save` wrote. Raises `UserError` naming the file when it is damaged."""
    return read_tensors(folder / STATE)


def files_of(folder: Path) -> dict[str, str]:
    """Digests of the files that `save` wrote, by name."""
    names = {"*.safetensors", "delta.json", "adapter_config.json"}
    paths = sorted(path for name in names for path in folder.glob(name))
    return {path.name: digest_file(path) for path in paths}


def found(stage: StageFolder, *, method: str, model_sha256: str) -> Artifact:
    """The artifact of a finished stage.

    Raises `UserError` with the file and the remedy where it is not whole, or is another's.
    """
    manifest = stage.path / "manifest.json"
    remedy = f"delete {stage.path} and run again"
    try:
        info = ArtifactInfo.model_validate(stage.manifest())
    except ValidationError as error:
        problem = "; ".join(error_lines(error, ArtifactInfo))
        raise UserError(f"{manifest}: {problem}; {remedy}") from None
    if info.method != method:
        raise UserError(
            f"{manifest}: this artifact is of method '{info.method}', not of '{method}'; {remedy}"
        )
    if info.model_sha256 != model_sha256:
        raise UserError(
            f"{manifest}: this artifact was made for other weights ({info.model_sha256[:12]}) "
            f"than the model has ({model_sha256[:12]}); {remedy}"
        )
    there = files_of(stage.path)
    for name, sha256 in info.files.items():
        if there.get(name) != sha256:
            problem = "is damaged, it is not what was stored" if name in there else "is not there"
            raise UserError(f"artifact {stage.path / name} {problem}; {remedy}")
    return Artifact(key=stage.key, folder=stage.path, info=info, from_cache=True)
