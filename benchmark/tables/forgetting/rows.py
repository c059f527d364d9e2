"""Tables beside a record: the likelihoods of given answers, and how the model's own match."""

from __future__ import annotations

from pathlib import Path

from benchmark.core.forgetting import LikelihoodRow, MatchRow
from benchmark.tables.row_files import RowFile

LIKELIHOODS = RowFile(
    name="likelihood table", row=LikelihoodRow, packed=("right", "paraphrases", "wrong")
)
MATCHES = RowFile(name="table of matches", row=MatchRow)


def likelihoods_path(record: Path) -> Path:
    """The likelihood table beside a record's file."""
    return record.with_suffix(".likelihoods.csv.gz")


def matches_path(record: Path) -> Path:
    """The table of matches beside a record's file."""
    return record.with_suffix(".matches.csv.gz")
