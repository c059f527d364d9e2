"""A data set's card: datasets/NAME.yaml, what the data are, where they lie, how they are read."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, model_validator

from benchmark.core import registry
from benchmark.core.config import check_called, read_described
from benchmark.core.errors import unknown
from benchmark.core.store import REPOSITORY
from benchmark.data.card_sources import Sha256, Source, WebSource
from benchmark.data.place import card_folder, inside
from benchmark.data.shapes import Shape

Column = Literal[
    "key", "behaviour", "prompt", "subject", "image", "bad", "good", "answer",
    "paraphrases", "perturbed", "caption", "retrieved", "category", "target",
]  # fmt: skip
CardRole = Literal["forget", "keep", "captioned", "attack", "twin", "over_refusal", "utility"]
Metric = Literal[
    "recipe", "exact", "contains", "token_f1", "vqa_accuracy", "choice", "yes_no", "rouge_l",
    "judged",
]  # fmt: skip
Training = Literal["allowed", "research", "no", "unknown"]
Value = str | int | float | bool | None
Each = str | Annotated[dict[str, str], Field(min_length=1)]


class _Described(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Join(_Described):
    """Rows of another config of the same hub set, met where their `key` has the value of our `on`.

    Of the row that is met, the columns `take` stand below `joined`, and meeting none is an error.
    With nothing to take, it only says which rows are wanted, and those that meet none are left out.
    """

    config: str
    of: str
    on: str
    key: str
    take: tuple[str, ...] = ()


class Blocks(_Described):
    """Rows of a set that names nobody but has `size` of them about each one after the other: a
    column `_block` numbers whom a row is about, from `first`."""

    size: Annotated[int, Field(ge=1)]
    first: Annotated[int, Field(ge=0)] = 0


class Split(_Described):
    """One split: how many rows it must have, where they are, and what of the card's it changes.

    `file` is the file of a web or file source (for images: their folder), `part` the list in it of
    a JSON document that holds several, `of` the hub's own name where ours is another. `columns`,
    `fixed`, `only`, `without` and `filled` are laid over the card's, `each` and `join` are read
    instead of them.
    """

    expected: Annotated[int, Field(ge=1)] | None = None
    file: str | None = None
    part: str | None = None
    of: str | None = None
    configs: tuple[str, ...] | None = None
    sha256: Sha256 | None = None
    each: Each | None = None
    columns: dict[Column, str] = Field(default_factory=dict)
    fixed: dict[Column, str] = Field(default_factory=dict)
    only: dict[str, tuple[Value, ...]] = Field(default_factory=dict)
    without: dict[str, tuple[Value, ...]] = Field(default_factory=dict)
    filled: tuple[str, ...] = ()
    join: Join | None = None
    blocks: Blocks | None = None


class Card(_Described):
    """One data set.

    `columns` says where in a row each thing is: a name, or a path such as `task.0.question`.
    `fixed` are the same for every row; with `{name}` in it, filled from the row. `parsed` are
    columns whose text is JSON or a Python literal. `each` names a list or a mapping whose items
    become rows of their own, found under `each`, or several that go side by side (`question: qa.q`,
    `answer: qa.a`). `only` keeps rows that have one of these values, `without` those that have none
    of them, `filled` those that have any. `shape` makes values that no column holds
    (`benchmark/data/shapes.py`).

    `chance` is what guessing scores; `training` whether the licence lets weights be trained on it;
    `verified` what was checked by whom and when, or `false`.
    """

    name: str
    title: str
    roles: tuple[CardRole, ...] = Field(min_length=1)
    paper: str | None = None
    home: str | None = None
    licence: str
    training: Training = "unknown"
    gated: bool = False
    source: Source
    parsed: tuple[str, ...] = ()
    each: Each | None = None
    shape: Shape | None = None
    columns: dict[Column, str] = Field(default_factory=dict)
    fixed: dict[Column, str] = Field(default_factory=dict)
    only: dict[str, tuple[Value, ...]] = Field(default_factory=dict)
    without: dict[str, tuple[Value, ...]] = Field(default_factory=dict)
    filled: tuple[str, ...] = ()
    join: Join | None = None
    images: str | None = None
    """The folder that names of images are relative to; without it, that of the data file."""
    splits: dict[str, Split] = Field(min_length=1)
    metric: Metric | None = None
    chance: float = Field(default=0.0, ge=0, lt=1)
    content_warning: str | None = None
    rendered: bool = False
    """Are its pictures drawn pages of text? Two of them look alike by design."""
    verified: str | Literal[False] | None = None
    _path: Path = PrivateAttr(default=Path())

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        for name, split in self.splits.items():
            self._check_split(name, split)
        if "utility" in self.roles and self.metric is None:
            raise ValueError("metric: missing; a card with the role 'utility' needs one")
        for path in self._paths():
            inside(path)
        return self

    @property
    def path(self) -> Path:
        """The file that it was read from."""
        return self._path

    @property
    def natural(self) -> bool:
        """Is it of the real world, not of the miniature one?"""
        return self.source.kind != "testbed"

    @property
    def folder(self) -> Path:
        """Where its files lie: beside the card, or for a card of datasets/ in the data folder."""
        return card_folder(self.name, self._path)

    @property
    def fetch_command(self) -> str:
        """What brings it, as one types it: by its name, or its path where it is none of
        datasets/."""
        return self.fetch_with("")

    def fetch_with(self, option: str) -> str:
        """The same command with something added."""
        known = self.path.parent == REPOSITORY / "datasets"
        added = f" {option}" if option else ""
        return f"`python -m benchmark fetch --dataset {self.name if known else self.path}{added}`"

    @property
    def pinned(self) -> bool:
        """Is it certain that everybody who reads this card reads the same bytes? Files that come
        out of an archive are pinned by it."""
        if self.source.kind == "testbed":
            return True
        if self.source.kind == "hub":
            return self.source.revision is not None
        source = self.source
        if isinstance(source, WebSource) and source.loose and source.revision is None:
            return False
        files = [one.sha256 for one in self.splits.values() if not source.packs(str(one.file))]
        return None not in (*files, *(archive.sha256 for archive in source.archives))

    def split(self, name: str) -> Split:
        """A split by name with all that the card says laid under it, else a `UserError` with the
        nearest one."""
        if name not in self.splits:
            unknown(f"split of card '{self.name}'", name, self.splits)
        split = self.splits[name]
        return split.model_copy(
            update={
                "columns": self.columns | split.columns,
                "fixed": self.fixed | split.fixed,
                "only": self.only | split.only,
                "without": self.without | split.without,
                "each": split.each or self.each,
                "join": split.join or self.join,
                "filled": (*self.filled, *split.filled),
                "of": split.of or name,
            }
        )

    def split_file(self, name: str) -> Path:
        """Where the file of a split lies."""
        file = self.split(name).file
        assert file is not None, "only web and file sources are asked for their files"
        return self.folder / file

    def _check_split(self, name: str, split: Split) -> None:
        kind = self.source.kind
        if kind == "testbed":
            return
        if kind != "hub" and (split.join or self.join):
            raise ValueError(f"splits.{name}.join: only configs of a hub set can be joined")
        form = self.source.format if isinstance(self.source, WebSource) else kind
        if form != "json" and split.part is not None:
            raise ValueError(f"splits.{name}.part: only a JSON document has parts")
        if kind != "hub" and split.file is None:
            raise ValueError(f"splits.{name}.file: missing; name its {form}")
        if not any("prompt" in given for given in (self.columns, self.fixed, split.columns,
                                                   split.fixed)):  # fmt: skip
            raise ValueError("columns.prompt: missing; name the column that holds the prompt")

    def _paths(self) -> list[str]:
        files = [split.file for split in self.splits.values()]
        archives = getattr(self.source, "archives", ())
        unpacked = [name for archive in archives for name in (archive.file, archive.into)]
        return [path for path in (*files, *unpacked, self.images) if path is not None]


def load_card(name_or_path: str) -> Card:
    """The card behind a name or a YAML path; what is wrong in it is one `UserError` line."""
    found = registry.entry("dataset", name_or_path)
    return _read(found.path, found.source_sha256)


@cache
def _read(path: Path, _sha256: str) -> Card:
    """Once, until the file has another digest: a run asks for the same cards a hundred times."""
    card = read_described(path, Card)
    check_called(path, card.name)
    card._path = path
    return card
