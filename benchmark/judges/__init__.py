"""Judges give answers verdicts, one file each; `measure` says how well on cases made by hand."""

from benchmark.core import registry
from benchmark.core.store import REPOSITORY, digest_file, digest_folder
from benchmark.judges._gold import gold_file, measure

__all__ = ["gold_file", "measure", "source_of"]


def source_of(name: str) -> tuple[str, str, str]:
    """What a judge's verdicts and its measured errors depend on, beside its identity: its file,
    its gold cases, and what judges share."""
    shared = digest_folder(REPOSITORY / "benchmark/judges", pattern="_*.py")
    return registry.entry("judge", name).source_sha256, digest_file(gold_file(name)), shared
