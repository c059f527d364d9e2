"""What a run needs, imported while somebody is told, and which methods the seed does not move."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING

from benchmark.commands.output import say
from benchmark.core.errors import UserError
from benchmark.core.garbage import nothing_to_collect

if TYPE_CHECKING:
    from benchmark.progress import Reporter


def import_all(names: Sequence[str], seeds: Sequence[int], *, reporter: Reporter) -> set[str]:
    """Import all that a run needs, which takes seconds. Returns which of the methods have one
    outcome whatever the seed, and says so where there are others."""
    with reporter.timeline.doing("import"), nothing_to_collect():
        # It complains at import that an optional kernel is not installed.
        logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
        import benchmark.runner  # noqa: F401 (what it brings with it is what takes long)

        once = _found(names)
    _say(once, seeds)
    return once


def _say(once: set[str], seeds: Sequence[int]) -> None:
    if once and seeds != (0,):
        say(f"seed 0 alone, since it is the same with any: {', '.join(sorted(once))}")


def _found(names: Sequence[str]) -> set[str]:
    """Those of the methods whose outcome does not depend on the seed; one that cannot be imported
    says so when it is run."""
    from benchmark.core import registry
    from benchmark.core.errors import RunFailed
    from benchmark.core.rows import split_row

    found = set()
    for name in names:
        try:
            method = registry.load("method", split_row(name)[0])
        except (UserError, RunFailed):
            continue
        if getattr(method, "deterministic", False):
            found.add(name)
    return found
