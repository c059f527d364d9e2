"""`new-method`: a file to start from, which keeps the contract and changes nothing."""

from __future__ import annotations

import keyword
import re
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Annotated

import typer

from benchmark.commands.output import JsonOption, report
from benchmark.core import registry
from benchmark.core.errors import UserError
from benchmark.core.paths import typed_path
from benchmark.core.store import REPOSITORY, write_atomic

if TYPE_CHECKING:
    from benchmark.core.found import NewMethod

TEMPLATE = Path(__file__).with_name("new_method.txt")
# `--method all` is every method.
RESERVED = {"all"}


def add_to(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command("new-method", epilog="Example: new-method unlikelihood")(new_method)


def new_method(
    name: Annotated[str, typer.Argument(help="Of the method and its file: lower_case_words.")],
    to: Annotated[
        Path | None, typer.Option("--to", help="Another folder than the clone's methods/.")
    ] = None,
    as_json: JsonOption = False,
) -> int:
    """Write the file of a new method: complete, checked, and without any effect yet."""
    from benchmark.core.found import NewMethod

    _check_name(name)
    folder = REPOSITORY / registry.FOLDERS["method"] if to is None else typed_path(to)
    if not folder.is_dir():
        raise UserError(f"--to {folder}: there is no such folder")
    path = folder / f"{name}.py"
    if path.exists():
        raise UserError(f"{path} is there already; choose another name, or edit it")
    text = TEMPLATE.read_text()
    title = name.replace("_", " ").strip().capitalize()
    words = Template(text).substitute(title=title, cls=_class_name(name, text))
    write_atomic(path, words)
    asked = name if to is None else str(path)
    found = NewMethod(
        path=str(path), next=[f"make check METHOD={asked}", f"make bench METHOD={asked}"]
    )
    report("new-method", found, _words, as_json=as_json)
    return 0


def _words(found: NewMethod) -> str:
    return "\n  ".join([f"{found.path}\nnext: edit it, then", *found.next])


def _class_name(name: str, text: str) -> str:
    """In capitals, and no word of Python's nor one that the file imports: `tensor` becomes
    `TensorMethod`, `none` `NoneMethod`."""
    cls = "".join(word.capitalize() for word in name.split("_"))
    taken = set(re.findall(r"\w+", text))
    cannot = keyword.iskeyword(cls) or {cls, f"{cls}Config"} & taken
    return f"{cls}Method" if cannot else cls


def _check_name(name: str) -> None:
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or keyword.iskeyword(name):
        raise UserError(
            f"'{name}' cannot name a method: lower-case letters, digits and _, a letter first, "
            "and no word of Python's own"
        )
    if name in RESERVED:
        raise UserError(f"'{name}' cannot name a method: `--method {name}` means every method")
    claimed = registry.entries("method").get(name)
    if claimed is not None:
        raise UserError(f"the name '{name}' is taken by {claimed.origin} ({claimed.path})")
