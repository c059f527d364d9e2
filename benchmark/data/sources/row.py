"""One row of a table, read by the card's names for its columns, with its place for error lines."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from benchmark.core.errors import MissingError, UserError, nearest
from benchmark.core.samples import ImageFile
from benchmark.core.store import digest_file
from benchmark.data.cards import Card, Column


@dataclass(frozen=True, kw_only=True)
class Row:
    """Values by column name. `where` is what an error line begins with."""

    values: Mapping[str, Any]
    columns: Mapping[Column, str]
    number: int
    where: str
    folder: Path

    def text(self, column: Column) -> str | None:
        """The column as text, `None` when the card does not name it or it is empty here."""
        value = self._value(column)
        if value is None or value == "":
            return None
        if not isinstance(value, str | int | float) or isinstance(value, bool):
            raise UserError(f"{self.where}: column '{self.columns[column]}' is not text")
        return self._written(str(value), column)

    def texts(self, column: Column) -> tuple[str, ...]:
        """The column as a tuple: of its items when it is a list, of itself when it is text."""
        value = self._value(column)
        if isinstance(value, list | tuple):
            if not all(isinstance(item, str) for item in value):
                raise UserError(f"{self.where}: column '{self.columns[column]}' is not all text")
            return tuple(self._written(item, column) for item in value)
        single = self.text(column)
        return () if single is None else (single,)

    def image(self) -> ImageFile | None:
        """The picture, opened and decoded to its last pixel to know that it is whole."""
        name = self.text("image")
        if name is None:
            return None
        path = self.folder / name
        try:
            with Image.open(path) as picture:
                picture.load()
        except FileNotFoundError:
            raise MissingError(f"{self.where}: image {path} is missing") from None
        except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
            raise UserError(f"{self.where}: image {path} cannot be read: {error}") from None
        return ImageFile(path=path, sha256=digest_file(path))

    def _written(self, text: str, column: Column) -> str:
        """The text, unless it holds half a character (`\\ud800`), which no file can."""
        if any("\ud800" <= letter <= "\udfff" for letter in text):
            raise UserError(f"{self.where}: column '{self.columns[column]}' is not valid Unicode")
        return text

    def _value(self, column: Column) -> Any:
        if column not in self.columns:
            return None
        return self.values.get(self.columns[column])


def check_columns(card: Card, found: Mapping[str, Any] | list[str], *, where: str) -> None:
    """Raise the line for columns that the card names and the file does not have."""
    for name, column in card.columns.items():
        if column not in found:
            raise UserError(
                f"{where}: card '{card.name}' reads its {name} from a column '{column}' that is "
                f"not there, {nearest(column, found)}"
            )


def checked_file(card: Card, split: str) -> Path:
    """The file of a split, there and with the card's checksum."""
    path = card.split_file(split)
    if not path.is_file():
        raise MissingError(f"card '{card.name}', split '{split}': {path} is missing")
    expected = card.split(split).sha256
    found = digest_file(path)
    if expected is not None and found != expected:
        raise UserError(
            f"card '{card.name}', split '{split}': {path} has SHA-256 {found}, not {expected}; "
            "get the file again or correct the card"
        )
    return path
