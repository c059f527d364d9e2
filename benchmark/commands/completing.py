"""What the shell offers while a name is being typed; nothing is imported to find it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from benchmark.core import registry
from benchmark.core.entries import Kind

Completion = Callable[[str], list[str]]


def one_of(kind: Kind) -> Completion:
    """Names of a kind."""

    def complete(incomplete: str) -> list[str]:
        return list(_beginning(registry.names(kind), incomplete))

    return complete


def several_of(kind: Kind) -> Completion:
    """Names of a kind, several with commas, or `all`: the last one is completed."""

    def complete(incomplete: str) -> list[str]:
        before, comma, last = incomplete.rpartition(",")
        names = [*registry.names(kind), *([] if comma else ["all"])]
        return [f"{before}{comma}{name}" for name in _beginning(names, last)]

    return complete


def among(names: Iterable[str]) -> Completion:
    """Names that are known beforehand."""

    def complete(incomplete: str) -> list[str]:
        return list(_beginning(names, incomplete))

    return complete


def _beginning(names: Iterable[str], incomplete: str) -> Iterator[str]:
    return (name for name in names if name.startswith(incomplete))
