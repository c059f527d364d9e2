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


def import_all(
    names: Sequence[str], models: Sequence[str], seeds: Sequence[int], *, reporter: Reporter
) -> set[tuple[str, str]]:
    """Import all that a run needs, which takes seconds. Returns which methods on which models have
    one outcome whatever the seed, and says so where there are others."""
    with reporter.timeline.doing("import"), nothing_to_collect():
        # It complains at import that an optional kernel is not installed.
        logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
        import benchmark.runner  # noqa: F401 (what it brings with it is what takes long)

        once = _found(names, models)
    _say(once, seeds)
    return once


def _say(once: set[tuple[str, str]], seeds: Sequence[int]) -> None:
    if once and seeds != (0,):
        names = sorted({method for method, _ in once})
        say(f"seed 0 alone, since it is the same with any: {', '.join(names)}")


def _found(names: Sequence[str], models: Sequence[str]) -> set[tuple[str, str]]:
    """Those methods whose outcome does not depend on the seed, with the models on which it does
    not; what cannot be imported or read says so when it is run."""
    from benchmark.api import Method
    from benchmark.core import registry
    from benchmark.core.errors import RunFailed
    from benchmark.core.rows import split_row
    from benchmark.models import load_card

    found = set()
    for name in names:
        try:
            method = registry.load("method", split_row(name)[0])
        except (UserError, RunFailed):
            continue
        if not (isinstance(method, type) and issubclass(method, Method)):
            continue
        for model in models:
            try:
                n_golds = len(load_card(model).golds)
            except UserError:
                continue
            if method.has_one_outcome(n_golds=n_golds):
                found.add((name, model))
    return found
