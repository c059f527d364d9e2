"""Checks of what a method says of itself: settings, source, imports, and what it may look at."""

from __future__ import annotations

import ast
import dataclasses
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmark.api import MethodConfig
from benchmark.checks.outcome import Blocked, CheckFailed
from benchmark.checks.subject import Subject
from benchmark.core.config import build, to_json
from benchmark.core.errors import UserError

NO_SUCH_SETTING = "no_such_setting"
SOURCE = re.compile(r"Source:|arXiv:|https?://|doi:", re.IGNORECASE)
DIFFERS = re.compile(r"Differs from the paper:\s*\w")
DOTTED = re.compile(r"(benchmark|methods)(\.\w+)+")
SEEN_BY_METHODS = (
    "benchmark.api", "benchmark.core", "benchmark.training.losses", "benchmark.vlm",
)  # fmt: skip


def config(subject: Subject) -> None:
    """Frozen, keyword-only, complete by default, the same after a round trip, strict."""
    config_type = subject.method_type.Config
    if not (isinstance(config_type, type) and issubclass(config_type, MethodConfig)):
        raise _unlike_a_config(f"{config_type!r} does not derive from MethodConfig")
    if "__dataclass_params__" not in vars(config_type):
        raise _unlike_a_config(f"{config_type.__name__} is not decorated")
    if not config_type.__dataclass_params__.frozen:  # type: ignore[attr-defined]
        raise _unlike_a_config(f"{config_type.__name__} can be changed")
    if not all(own.kw_only for own in dataclasses.fields(config_type)):
        raise _unlike_a_config(f"{config_type.__name__} takes settings by position")
    try:
        made = build(config_type, {}, where="the defaults")
    except (UserError, TypeError, AssertionError) as error:
        raise CheckFailed(
            expected="settings that are complete and valid as they are",
            seen=str(error),
            remedy="give every field a default of its own type and in its own range",
        ) from None
    if build(config_type, to_json(made), where="settings") != made:
        raise CheckFailed(
            expected="settings that are the same after they were written as JSON and read",
            seen=f"{to_json(made)} reads as something else",
            remedy="use numbers, text, tuples, mappings and frozen dataclasses of these",
        )
    try:
        build(config_type, {NO_SUCH_SETTING: 1}, where="settings")
    except UserError:
        return
    raise CheckFailed(
        expected="an unknown setting is an error",
        seen=f"'{NO_SUCH_SETTING}' was taken",
        remedy="let the settings be a plain dataclass",
    )


def _unlike_a_config(seen: str) -> CheckFailed:
    return CheckFailed(
        expected="a frozen keyword-only dataclass that derives from MethodConfig",
        seen=seen,
        remedy="write @dataclass(frozen=True, kw_only=True) above it, and MethodConfig or "
        "TrainingConfig behind its name",
    )


def source(subject: Subject) -> None:
    """Where the method comes from, and how this one differs."""
    text = " ".join(subject.docstring.split())
    missing = [
        what
        for what, pattern in (("a source", SOURCE), ("how it differs from it", DIFFERS))
        if not pattern.search(text)
    ]
    if missing:
        raise CheckFailed(
            expected="a docstring at the top that names the source and the differences",
            seen=f"{subject.entry.path} lacks {' and '.join(missing)}",
            remedy="write an arXiv id, a link or 'Source: none' and 'Differs from the paper: ...' "
            "('none known' is an answer)",
        )


def imports(subject: Subject) -> None:
    """Without GPU and optional packages, and nothing is done yet."""
    report = subject.bench.imports[subject.plugin]
    if report.problem:
        raise CheckFailed(
            expected="an import without a GPU and without optional packages",
            seen=report.problem,
            remedy="import an optional package inside the function that needs it",
        )
    if report.work:
        raise CheckFailed(
            expected="an import that only defines",
            seen="; ".join(report.work),
            remedy="do it in unlearn() or hooks(), when the method runs",
        )
    try:
        _ = subject.method_type
    except Blocked:
        raise CheckFailed(
            expected="METHOD is a class that derives from benchmark.api.Method",
            seen="something else",
            remedy="end the file with METHOD = YourMethod",
        ) from None


def forbidden_imports(paths: Sequence[Path], *, own: str) -> list[str]:
    """What of this package the files import that a method may not see: `file:line: module`."""
    return [
        f"{path.name}:{line}: {name}"
        for path in paths
        for line, name in _imported(ast.parse(path.read_bytes()))
        if _under(name, "benchmark") or (_under(name, "methods") and not _under(name, own))
        if name != "benchmark" and not any(_under(name, seen) for seen in SEEN_BY_METHODS)
    ]


def _imported(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Lines and full names of imports, but for those that only a type checker reads."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)
        elif isinstance(node, ast.Constant) and DOTTED.fullmatch(str(node.value)):
            # `import_module("benchmark.data.pools")`
            yield node.lineno, str(node.value)
        yield from _imported(node)


def _under(module: str, prefix: str) -> bool:
    return module == prefix or module.startswith(f"{prefix}.")
