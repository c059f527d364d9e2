"""Checks of what a method says of itself: settings, source, imports, and what it may look at."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmark.checks.outcome import Blocked, CheckFailed
from benchmark.checks.settings import check_settings
from benchmark.checks.subject import Subject

SOURCE = re.compile(
    r"Source: *\w|arXiv:|https?://|doi:|\w+ (et al\.|and \w+),? \(?\d{4}", re.IGNORECASE
)
DIFFERS = re.compile(r"Differs from the paper:\s*\w")
DOTTED = re.compile(r"(benchmark|methods)(\.\w+)+")
SEEN_BY_METHODS = (
    "benchmark.api",
    "benchmark.core",
    "benchmark.training.guidance",
    "benchmark.training.losses",
    "benchmark.training.unlearning",
    "benchmark.vlm",
)


def config(subject: Subject) -> None:
    """Frozen, keyword-only, complete by default, the same after a round trip, strict."""
    check_settings(subject.method_type.Config)


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
            remedy="write 'Name et al. 2024', an arXiv id, a link or 'Source: none', and "
            "'Differs from the paper: ...' ('none known' is an answer)",
        )


def imports(subject: Subject) -> None:
    """Without GPU and optional packages, and nothing is done yet."""
    report = subject.bench.imported(subject.plugin)
    if report.problem:
        raise CheckFailed(
            expected="an import without a GPU and without optional packages",
            seen=report.problem,
            remedy=report.remedy or "do less while the file is imported",
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


def forbidden_imports(paths: Sequence[Path], *, own: str | None) -> list[str]:
    """What of this package the files import that a method may not see, another method among it:
    `file:line: module`. `own` is the method's module, None for a file that is run by its path."""
    return [
        f"{path.name}:{line}: {name}"
        for path in paths
        for line, name in _imported(ast.parse(path.read_bytes()))
        if _under(name, "benchmark")
        or (_under(name, "methods") and not (own and _under(name, own)))
        # Out of the method's own folder, where other methods lie.
        or (name.startswith("..") and (own is None or _under(own, "methods")))
        if name != "benchmark" and not any(_under(name, seen) for seen in SEEN_BY_METHODS)
    ]


def _imported(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Lines and full names of imports, but for those that only a type checker reads."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            origin = f"{'.' * node.level}{node.module or ''}"
            yield from ((node.lineno, f"{origin}.{alias.name}") for alias in node.names)
        elif isinstance(node, ast.Constant) and DOTTED.fullmatch(str(node.value)):
            # `import_module("benchmark.data.pools")`
            yield node.lineno, str(node.value)
        yield from _imported(node)


def _under(module: str, prefix: str) -> bool:
    return module == prefix or module.startswith(f"{prefix}.")
