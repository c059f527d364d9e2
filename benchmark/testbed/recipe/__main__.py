"""`python -m benchmark.testbed.recipe`: train one variant and print its acceptance table."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import torch
from rich.console import Console
from rich.markdown import Markdown

from benchmark.testbed.recipe.model_card import acceptance_table
from benchmark.testbed.recipe.variants import VARIANTS, Built, build_model
from benchmark.testbed.records import RECORD


def main(arguments: list[str] | None = None) -> int:
    """Parse, train, print; the exit code is 0 even when a bar is missed, which the table says."""
    parser = argparse.ArgumentParser(prog="python -m benchmark.testbed.recipe", description=__doc__)
    parser.add_argument("--variant", choices=sorted(VARIANTS), default="default")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, required=True, help="folder of the checkpoint")
    parser.add_argument("--cache", type=Path, help="finished stages (default: OUTPUT/.stages)")
    parser.add_argument("--threads", type=int, help="CPU threads (default: torch's choice)")
    chosen = parser.parse_args(arguments)
    if chosen.threads:
        torch.set_num_threads(chosen.threads)
    cache = chosen.cache or chosen.output / ".stages"
    print_table(build_model(chosen.variant, chosen.seed, cache=cache, output=chosen.output))
    return 0


def print_table(built: Built) -> None:
    """The acceptance table of what was built, and what each stage took."""
    record = json.loads((built.folder / RECORD).read_text())
    console = Console()
    console.print(Markdown(acceptance_table(record["acceptance"])))
    for stage, seconds in built.seconds.items():
        console.print(f"{stage}: {seconds:.0f} s")


if __name__ == "__main__":
    raise SystemExit(main())
