"""The part of a study's page that holds what rows cost beside what they reach."""

from __future__ import annotations

from benchmark.scoring.attacked import family_name
from benchmark.tables.cells import (
    MISSING,
    borne,
    markdown_table,
    mebibytes,
    number,
    percent_interval,
)
from benchmark.tables.compute import training_words, unit_name
from benchmark.tables.studies.build import StudyBoard
from benchmark.tables.studies.row_figures import attack_score, marked, names_of, out_of_scope


def costs_section(found: StudyBoard) -> str:
    """Every declared row, also one without figures: why it has none stands in its own column."""
    unit, families = unit_name(found.board), list(found.board.families)
    header = ["method", "row", *(f"{borne(family)} success" for family in families)]
    header += ["utility kept", f"training, {unit}-seconds", f"answers, {unit}-seconds"]
    header += ["peak MiB", "device", "why without figures"]
    rows = []
    for declared, row in found.shown:
        cells = [*names_of(declared)]
        for form in map(family_name, families):
            words = out_of_scope(found, declared, form)
            value = percent_interval(attack_score(found, row, form))
            cells.append(words or marked(found, row, value, "asr"))
        kept = found.board.judge_for("utility_retained")
        score = row.score("utility_retained", judge=kept, card="all") if row else None
        cost = row.cost if row else None
        cells += [percent_interval(score)]
        cells += [training_words(cost)]
        cells += [number(cost.stages_s.get("generate")) if cost else MISSING]
        cells += [mebibytes(cost.peak_memory_bytes) if cost else MISSING]
        cells += [cost.device_name if cost else MISSING]
        why = "" if row else found.stopped.get(declared.name if declared else "", "not run")
        rows.append([*cells, why])
    caption = (
        f"{unit}-seconds of one run, caches included and charged as if cold, the mean over seeds; "
        "peak memory is the whole process's on a CPU, the device's on a GPU. Devices are never "
        "compared: rows of another device stand here for their attack success and utility alone."
    )
    return f"{caption}\n\n{markdown_table(header, rows)}"
