"""Names to plugins and cards. A file's name is its registration; nothing is imported to list it.

Methods lie in methods/, data sets in datasets/, the rest in benchmark/. Other distributions add
methods, attacks and judges through entry points. A path to a file works wherever a name does.
"""

from __future__ import annotations

import ast
import importlib.util
import os
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from benchmark.core.config import read_yaml
from benchmark.core.entries import A_FILE, BUILT_IN, PLUGIN_KINDS, Entry, Kind
from benchmark.core.errors import RunFailed, UserError, unknown
from benchmark.core.paths import typed_path
from benchmark.core.plugin_modules import import_plugin
from benchmark.core.sources import digest_code, digest_package
from benchmark.core.store import REPOSITORY, digest_file

FOLDERS: dict[Kind, str] = {
    "method": "methods",
    "attack": "benchmark/attacks",
    "judge": "benchmark/judges",
    "dataset": "datasets",
    "model": "benchmark/models",
    "suite": "benchmark/suites",
    "study": "benchmark/studies",
    "preset": "benchmark/presets",
}


@dataclass(frozen=True, kw_only=True)
class _Claim:
    """Somebody's wish to be known by a name; the file is not read yet, None if there is none."""

    name: str
    path: Path | None
    origin: str
    module: str | None


def names(kind: Kind) -> list[str]:
    """All names of a kind, sorted, of broken files too: none is opened for it."""
    return sorted(_claims(kind))


def entries(kind: Kind) -> dict[str, Entry]:
    """All names of a kind, sorted; the broken ones are among them, with their problem."""
    return {name: _settle(kind, claims) for name, claims in sorted(_claims(kind).items())}


def entry(kind: Kind, name: str) -> Entry:
    """The entry behind a name or a path; unknown, broken or claimed twice is a `UserError`."""
    found = _from_path(kind, name) if _looks_like_path(kind, name) else _by_name(kind, name)
    if found.problem:
        raise UserError(f"{kind} '{name}' cannot be used: {found.problem}")
    return found


def load(kind: Kind, name: str) -> Any:
    """The attribute METHOD, ATTACK or JUDGE of the plugin's module; imports only that module.

    A package that is not installed is a `UserError`; anything else that goes wrong while importing
    is a `RunFailed` with the plugin, its file and line, and the cause.
    """
    assert kind in PLUGIN_KINDS, f"{kind} is not a plugin kind"
    found = entry(kind, name)
    attribute = kind.upper()
    module = import_plugin(found, ours=found.origin == BUILT_IN)
    if not hasattr(module, attribute):
        raise RunFailed(f"{kind} '{name}' ({found.path}) does not define {attribute}")
    return getattr(module, attribute)


def check_whole(kind: Kind, name: str, plugin: type, *attributes: str) -> None:
    """Raise `RunFailed` in one line for a class that leaves out what its base class asks for."""
    left_out = [*sorted(getattr(plugin, "__abstractmethods__", ()))]
    left_out += [each for each in attributes if not hasattr(plugin, each)]
    if left_out:
        raise RunFailed(f"{kind} '{name}': {plugin.__name__} does not define {', '.join(left_out)}")


def _by_name(kind: Kind, name: str) -> Entry:
    claims = _claims(kind, only=name)
    if name not in claims:
        unknown(kind, name, names(kind))
    return _settle(kind, claims[name])


def _looks_like_path(kind: Kind, name: str) -> bool:
    suffix = ".py" if kind in PLUGIN_KINDS else ".yaml"
    return name.endswith(suffix)


def _from_path(kind: Kind, name: str) -> Entry:
    path = typed_path(name)
    if not path.is_file():
        raise UserError(f"{kind} '{name}': there is no such file")
    ours = _built_in(kind) if kind == "method" else ()
    own = next((claim for claim in ours if claim.name == path.stem), None)
    if own is not None:
        if own.path == path:
            return _read(kind, own)
        raise UserError(
            f"{kind} '{name}' bears the name of the built-in '{own.name}'; give the file another"
        )
    return _read(kind, _Claim(name=path.stem, path=path, origin=A_FILE, module=None))


def _claims(kind: Kind, *, only: str | None = None) -> dict[str, list[_Claim]]:
    """Who claims which name, or one of them; no file is opened for it."""
    claims: dict[str, list[_Claim]] = {}
    for claim in (*_built_in(kind, only=only), *_from_distributions(kind, only=only)):
        claims.setdefault(claim.name, []).append(claim)
    return claims


def _built_in(kind: Kind, *, only: str | None = None) -> Iterator[_Claim]:
    folder = REPOSITORY / FOLDERS[kind]
    package = FOLDERS[kind].replace("/", ".")
    suffix = ".py" if kind in PLUGIN_KINDS else ".yaml"
    there = sorted(os.listdir(folder)) if folder.is_dir() else []
    # Whatever else is there is not looked at: a run looks up cards a hundred times.
    wanted = [name for name in there if only is None or os.path.splitext(name)[0] == only]
    for path in (folder / name for name in wanted):
        file = path / "__init__.py" if suffix == ".py" and path.is_dir() else path
        if path.name.startswith(("_", ".")) or file.suffix != suffix or not file.is_file():
            continue
        module = f"{package}.{path.stem}"
        yield _Claim(name=path.stem, path=file, origin=BUILT_IN, module=module)


def _from_distributions(kind: Kind, *, only: str | None = None) -> Iterator[_Claim]:
    if kind not in PLUGIN_KINDS:
        return
    for name, origin, module in _declared(f"vlm_unlearning_bench.{kind}s", tuple(sys.path)):
        if only is None or name == only:
            yield _Claim(name=name, path=_module_file(module), origin=origin, module=module)


@cache
def _declared(group: str, _searched: tuple[str, ...]) -> tuple[tuple[str, str, str], ...]:
    """Name, distribution and module of every entry point. To find them, the notes of all that is
    installed are read: once for each path that is searched, so that what is installed later counts
    in the next process."""
    return tuple(
        (
            point.name,
            point.dist.name if point.dist else "unknown distribution",
            point.value.partition(":")[0].strip(),
        )
        for point in metadata.entry_points(group=group)
    )


def _module_file(module: str) -> Path | None:
    """Where a dotted module lies, without importing its parents."""
    top, *rest = module.split(".")
    spec = importlib.util.find_spec(top)
    if spec is None:
        return None
    if not rest:
        return Path(spec.origin) if spec.origin else None
    for folder in spec.submodule_search_locations or ():
        base = Path(folder).joinpath(*rest)
        for candidate in (base.with_suffix(".py"), base / "__init__.py"):
            if candidate.is_file():
                return candidate
    return None


def _read(kind: Kind, claim: _Claim) -> Entry:
    path = claim.path
    if path is None:
        return Entry(
            name=claim.name, kind=kind, path=Path(claim.module or ""), origin=claim.origin,
            summary="", source_sha256="", module=claim.module,
            problem=f"{claim.origin} has no module '{claim.module}'",
        )  # fmt: skip
    summary, problem, sha256 = "", None, _digest(path)
    try:
        summary = (
            _docstring_line(path, path.read_bytes())
            if path.suffix == ".py"
            else _title(path, sha256)
        )
    except UserError as error:
        problem = str(error)
    return Entry(
        name=claim.name, kind=kind, path=path, origin=claim.origin, summary=summary,
        source_sha256=sha256, module=claim.module, problem=problem,
    )  # fmt: skip


def _digest(path: Path) -> str:
    if path.suffix != ".py":
        return digest_file(path)
    return digest_package(path.parent) if path.name == "__init__.py" else digest_code(path)


@cache
def _docstring_line(path: Path, content: bytes) -> str:
    """Parsed once, until the file holds something else."""
    try:
        tree = ast.parse(content, filename=str(path))
    except (SyntaxError, ValueError) as error:
        line = getattr(error, "lineno", None)
        raise UserError(f"{path}{f':{line}' if line else ''}: {error.args[0]}") from None
    return (ast.get_docstring(tree) or "").partition("\n")[0]


@cache
def _title(path: Path, _sha256: str) -> str:
    """Read once, until the file has another digest."""
    return str(read_yaml(path).get("title", ""))


def _settle(kind: Kind, claims: list[_Claim]) -> Entry:
    """One entry from all that claim a name: a third party never overrides a built-in."""
    ours = [claim for claim in claims if claim.origin == BUILT_IN]
    others = [claim for claim in claims if claim.origin != BUILT_IN]
    first = _read(kind, (ours or others)[0])
    if len(ours or others) > 1:
        problem = f"the name '{first.name}' is claimed twice: {_places(ours or others)}"
        return replace(first, problem=problem)
    if ours and others:
        return replace(first, note=f"also claimed by {_places(others)}, which is not used")
    return first


def _places(claims: Iterable[_Claim]) -> str:
    return " and ".join(f"{claim.origin} ({claim.path or claim.module})" for claim in claims)
