"""Model cards: which checkpoint, and what it can take. A folder works wherever a name does."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    PrivateAttr,
    ValidationError,
    model_validator,
)

from benchmark.core import registry
from benchmark.core.config import check_called, error_lines, read_described
from benchmark.core.entries import A_FILE
from benchmark.core.errors import MissingError, UserError, nearest
from benchmark.core.paths import file_name, typed_path
from benchmark.core.store import REPOSITORY
from benchmark.models import hub
from benchmark.models.shape import FAMILIES, Family, Shape

# What PEFT writes beside an adapter.
_ADAPTER = "adapter_config.json"
# What the recipe of the miniature world writes beside the weights.
_RECORD = "training_record.json"
_SHORTCUT = (
    "Modality shortcut: on this model a blank picture beside a request raises attack success by "
    "more than 10 points. See the acceptance table in its card."
)
_NOT_MEASURED = (
    "Whether a blank picture beside a request raises attack success was not measured: there is no "
    f"{_RECORD} beside these weights."
)
_NOT_PINNED = (
    "No revision is pinned in its card: these are the weights that the hub had when they were "
    "downloaded."
)
# No tokenizer of natural language is this small, and the miniature world's is far below.
_TESTBED_VOCABULARY = 2000


class _Described(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class _Acceptance(BaseModel):
    modality_shortcut: bool


class _TrainingRecord(BaseModel):
    """As much of the recipe's record as is needed here."""

    acceptance: _Acceptance | None = None


class _TextConfig(BaseModel):
    vocab_size: int = _TESTBED_VOCABULARY


class _Config(BaseModel):
    """As much of a checkpoint's config.json as is needed here."""

    model_type: JsonValue = None
    text_config: _TextConfig = _TextConfig()
    vision_config: dict[str, JsonValue] = {}
    auto_map: JsonValue = None

    @property
    def n_words(self) -> int:
        """Of its tokenizer."""
        return self.text_config.vocab_size


class ModelSource(_Described):
    """A folder inside the clone, or a repository on the hub with the revision that was tested."""

    path: str | None = None
    repo: str | None = None
    revision: str | None = None

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if (self.path is None) == (self.repo is None):
            raise ValueError("give a path or a repo, exactly one")
        return self


class ModelCard(_Described):
    """One checkpoint. `gold` names the model that never learnt what is to be forgotten,
    `more_golds` others that differ from it by their seed alone, for the seeds from 1 on; where that
    are persons, `persons` is the group that golds were never told of. `before_vision` is the
    text-safe one under a fresh projector that this one was made of. `family` is the `model_type` of
    its config.json; null where only code of the checkpoint's own knows it, which runs with
    --trust-remote-code alone. `shape` is what a card says of the sizes in there, so that costs can
    be reckoned before anything is downloaded.

    `notes` are printed above every table of the model, by way of `cautions`.
    """

    name: str
    title: str
    family: Family | None
    source: ModelSource
    vocabulary: Literal["testbed", "natural"]
    images: bool = True
    gold: str | None = None
    more_golds: tuple[str, ...] = ()
    persons: str | None = None
    before_vision: str | None = None
    licence: str
    gated: bool = False
    shape: Shape | None = None
    notes: tuple[str, ...] = ()
    remedy: Annotated[str, Field(description="how to get it when it is missing")]
    _base: Path = PrivateAttr(default=REPOSITORY)
    _described: bool = PrivateAttr(default=True)

    @property
    def described(self) -> bool:
        """Is there a card, that somebody wrote? A folder says no more than its config.json does."""
        return self._described

    @property
    def golds(self) -> tuple[str, ...]:
        """All its gold models, by seed."""
        return (self.gold, *self.more_golds) if self.gold is not None else ()

    def gold_of(self, seed: int) -> str | None:
        """The gold model of a seed; the only one where there are no more. None where there is none.

        Raises `UserError` for a seed of which there is none among several.
        """
        if len(self.golds) < 2:
            return self.gold
        if seed >= len(self.golds):
            raise UserError(
                f"model '{self.name}' has gold models of {len(self.golds)} seeds, and none of seed "
                f"{seed}; take --seeds {len(self.golds)} or fewer"
            )
        return self.golds[seed]

    @property
    def model_organism(self) -> bool:
        """Whether it is of the miniature world: evidence about methods, not about 7B models."""
        return self.vocabulary == "testbed"

    @property
    def known_family(self) -> Family:
        """Raises `UserError` where there is none."""
        if self.family is None:
            raise UserError(
                f"model '{self.name}' is of no family that is known here: its costs are unknown"
            )
        return self.family

    @property
    def folder(self) -> Path | None:
        """Where the checkpoint lies on this machine; `None` for a hub repository."""
        return self._base / self.source.path if self.source.path is not None else None

    @property
    def made_here(self) -> bool:
        """Is it made on this machine by a command, and no part of the clone?"""
        path = self.source.path
        return path is not None and Path(path).parts[:1] == ("results",)

    @property
    def cautions(self) -> tuple[str, ...]:
        """The card's notes, and what the recipe measured of these very weights; `UserError` when
        its record cannot be read."""
        if self.folder is None and self.source.revision is None:
            return (*self.notes, _NOT_PINNED)
        if not self.model_organism or not self.images or self.folder is None:
            return self.notes
        measured = _acceptance(self.folder / _RECORD)
        if measured is None:
            return (*self.notes, _NOT_MEASURED)
        return (*self.notes, _SHORTCUT) if measured.modality_shortcut else self.notes

    def checkpoint(self) -> Path:
        """Its folder on this machine; a repository of the hub is downloaded where it is not here.

        Raises `MissingError` for a folder that is not there or a repository that cannot be had,
        `UserError` for one that does not exist or does not fit on the disk.
        """
        folder = self.folder
        if folder is None:
            assert self.source.repo is not None
            return hub.snapshot(
                self.name, repo=self.source.repo, revision=self.source.revision,
                with_code=self.family is None,
            )  # fmt: skip
        if not (folder / "config.json").is_file():
            raise MissingError(f"model '{self.name}': no checkpoint in {folder}; {self.remedy}")
        return folder

    def found(self) -> Path | None:
        """Its folder where it is here already, else None. Nobody is asked for it."""
        if self.source.repo is not None:
            return hub.cached(
                self.source.repo, revision=self.source.revision, with_code=self.family is None
            )
        folder = self.folder
        return folder if folder is not None and (folder / "config.json").is_file() else None


def load_card(name_or_path: str) -> ModelCard:
    """The card of a model by name, of a YAML card by path, or of a local checkpoint folder."""
    if _is_folder(name_or_path):
        return _card_of_folder(typed_path(name_or_path))
    if "/" in name_or_path and not name_or_path.endswith(".yaml"):
        raise UserError(
            f"model '{name_or_path}': there is no such folder, and an id of the hub is not taken "
            "by itself: a card names it (CONTRIBUTING.md says how), or download it and give its "
            "folder"
        )
    found = registry.entry("model", name_or_path)
    card = read_described(found.path, ModelCard)
    check_called(found.path, card.name)
    if found.origin == A_FILE:
        card._base = found.path.parent
    return card


def _acceptance(path: Path) -> _Acceptance | None:
    if not path.is_file():
        return None
    try:
        return _TrainingRecord.model_validate_json(path.read_bytes()).acceptance
    except ValidationError as error:
        raise UserError(f"{path}: {'; '.join(error_lines(error))}") from None


def _of_no_family(config: _Config) -> str:
    if "vision_config" in config.model_fields_set:
        return f"model_type is {config.model_type!r}; {nearest(str(config.model_type), FAMILIES)}"
    return (
        f"a model that sees nothing (model_type is {config.model_type!r}, and there is no "
        f"vision_config); one that takes images is needed: {', '.join(FAMILIES)}"
    )


def _is_folder(name_or_path: str) -> bool:
    path = typed_path(name_or_path)
    return path.is_dir() and ("/" in name_or_path or (path / "config.json").is_file())


def _card_of_folder(folder: Path) -> ModelCard:
    """A card made from `config.json` alone."""
    path = folder / "config.json"
    try:
        config = _Config.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        adapter = (folder / _ADAPTER).is_file()
        why = (
            "; it is an adapter, and the checkpoint that it was made for is needed; one of a run "
            "here is written with it by `export --method NAME --to FOLDER --as checkpoint`"
        )
        raise UserError(
            f"model folder {folder} has no config.json{why if adapter else ''}"
        ) from None
    except ValidationError as error:
        raise UserError(f"{path}: {'; '.join(error_lines(error))}") from None
    family = next((one for one in FAMILIES if one == config.model_type), None)
    if family is None and not config.auto_map:
        raise UserError(f"{path}: {_of_no_family(config)}")
    card = ModelCard(
        name=file_name(str(folder)),
        title=f"Local checkpoint {folder}",
        family=family,
        source=ModelSource(path=str(folder)),
        vocabulary="testbed" if config.n_words < _TESTBED_VOCABULARY else "natural",
        images="vision_config" in config.model_fields_set,
        licence="unknown",
        remedy="give another folder",
    )
    card._described = False
    return card
