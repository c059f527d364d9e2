"""`run`, and its stages one by one: `train`, `generate`, `judge`, `score`."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from benchmark.commands.boards import show_boards
from benchmark.commands.options import (
    DEFAULT_MODEL,
    DEFAULT_SUITE,
    ModelOption,
    ResultsOption,
    SuiteOption,
    read_methods,
    read_overrides,
    read_seeds,
    results_at,
)
from benchmark.core.errors import UserError
from benchmark.core.store import check_writable

if TYPE_CHECKING:
    from benchmark.core.records import RunRecord
    from benchmark.runner import RunRequest

FAILED, USER_ERROR, OVER_BUDGET = 1, 2, 4
Upto = Literal["train", "generate", "judge", "score"]

MethodOption = Annotated[
    str,
    typer.Option("--method", help="A name from `list methods`, several with commas, or `all`."),
]
SeedsOption = Annotated[
    str, typer.Option("--seeds", help="`3` for seeds 0, 1 and 2; `0,2` for these; `7,` for 7.")
]
LimitOption = Annotated[
    int | None,
    typer.Option("--limit", min=1, help="Ask only the first N of each set; never ranked."),
]
SetOption = Annotated[
    list[str],
    typer.Option("--set", help="key=value over the method's settings, such as steps=50."),
]
ConfigOption = Annotated[
    Path | None, typer.Option("--config", help="A YAML file of settings; --set goes above it.")
]
ForceOption = Annotated[bool, typer.Option("--force", help="Repeat stages that are done.")]
DefaultsOption = Annotated[
    bool, typer.Option("--defaults", help="The method's own defaults, not those chosen for it.")
]
CheckpointOption = Annotated[
    float,
    typer.Option("--checkpoint-every", min=0.0, help="Seconds between training checkpoints."),
]
DeviceOption = Annotated[str, typer.Option("--device", help="auto, cpu, cuda or cuda:N.")]


def add_to(app: typer.Typer) -> None:
    """Add `run` and its stages; they take the same options."""
    for name, upto, summary, example in COMMANDS:
        app.command(name, help=summary, epilog=f"Example: {name} {example}")(_command(upto))


COMMANDS: tuple[tuple[str, Upto, str, str], ...] = (
    (
        "run", "score",
        "Train, attack, answer, judge and score; ends with the row beside the published ones.",
        "--method textual_unlearning --seeds 3",
    ),
    (
        "train", "train", "Only unlearn, and keep what the method leaves behind.",
        "--method textual_unlearning --set steps=50",
    ),
    (
        "generate", "generate", "Answer the suite's prompts, after training if that is not done.",
        "--method original --limit 20",
    ),
    (
        "judge", "judge", "Judge the answers, after the stages before it that are not done.",
        "--method original",
    ),
    (
        "score", "score", "Score the verdicts and write the record, as `run` does.",
        "--method original,always_refuse",
    ),
)  # fmt: skip


def _command(upto: Upto) -> Callable[..., int]:
    def command(
        method: MethodOption,
        model: ModelOption = DEFAULT_MODEL,
        suite: SuiteOption = DEFAULT_SUITE,
        seeds: SeedsOption = "1",
        limit: LimitOption = None,
        settings: SetOption = [],  # noqa: B006 (typer reads the default, nobody changes it)
        config: ConfigOption = None,
        force: ForceOption = False,
        defaults: DefaultsOption = False,
        device: DeviceOption = "auto",
        checkpoint_every: CheckpointOption = 20.0,
        results: ResultsOption = None,
    ) -> int:
        # Names and settings are read before torch is imported: a typing error shows at once.
        names, numbers = read_methods(method), read_seeds(seeds)
        overrides = read_overrides(settings, config)
        _check_model(suite=suite, model=model)
        where = results_at(results)
        root = where.root
        check_writable(root)

        # It complains at import that an optional kernel is not installed.
        logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
        from benchmark.runner import RunRequest

        requests = [
            RunRequest(
                method=name, model=model, suite=suite, seed=seed, limit=limit, overrides=overrides,
                force=force, tuned=not defaults, device=device, results=root, upto=upto,
                checkpoint_every_s=checkpoint_every,
            )
            for name in names
            for seed in numbers
        ]  # fmt: skip
        records, code = _run_all(requests)
        if upto == "score":
            show_boards(records, where)
        return code

    return command


def _check_model(*, suite: str, model: str) -> None:
    from benchmark.models import load_card
    from benchmark.suites import check_fits, load_suite

    card = load_card(model)
    check_fits(load_suite(suite), card)
    card.checkpoint()


def _run_all(requests: Iterable[RunRequest]) -> tuple[list[RunRecord], int]:
    """Run each; one that fails is recorded, said, and does not stop the others.

    Returns the records there are, and the exit code of the worst that happened.
    """
    from benchmark import runner
    from benchmark.core.store import StorageError
    from benchmark.vlm.perception import Perceptions

    perceptions = Perceptions()
    records, codes = [], set()
    for request in requests:
        try:
            record = runner.run(request, perceptions=perceptions)
        except StorageError:
            # No other run could store anything either.
            raise
        except UserError as error:
            print(f"error: {error}", file=sys.stderr)
            codes.add(USER_ERROR)
            continue
        records.append(record)
        _say_failure(record)
        codes.add({"failed": FAILED, "over_budget": OVER_BUDGET}.get(record.status, 0))
    return records, next((code for code in (FAILED, USER_ERROR, OVER_BUDGET) if code in codes), 0)


def _say_failure(record: RunRecord) -> None:
    if record.status == "done":
        return
    where = f" while {record.failed_stage}" if record.failed_stage else ""
    name = f"{record.spec.method}, seed {record.spec.seed}"
    print(f"error: {name} {record.status}{where}: {record.error}", file=sys.stderr)
