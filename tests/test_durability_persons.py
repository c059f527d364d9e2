"""What comes back of persons who were to be forgotten: what is asked, scored and said."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from durability_parts import alike, figure, record
from live_models import pool, sample
from verdict_rows import row

from benchmark.cli import main
from benchmark.core.durability_records import DurabilityRecord, TreatedState
from benchmark.core.plan import AboutPersons
from benchmark.core.records import VerdictRow
from benchmark.core.samples import Sample
from benchmark.durability.asking import N_RETAINED, Questions, drawn_for
from benchmark.models import ModelCard
from benchmark.scoring.treated import figures_of
from benchmark.stages.resolve import RunRequest, settle
from benchmark.stages.treat import chosen_of
from benchmark.tables.durability.beside import held_to_untouched
from benchmark.tables.durability.build import columns_of, rows_of
from benchmark.tables.durability.page import render
from benchmark.tables.durability.pages import table_of
from benchmark.treating import Patient, State

ABOUT = {
    "card/text": AboutPersons(group="forget", modality="text"),
    "card/seen": AboutPersons(group="forget", modality="image"),
    "card/kept": AboutPersons(group="retain", modality="text"),
}


# -- what is asked ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def questions(tmp_path_factory) -> Questions:
    name = "testbed-privacy-forget5"
    results = tmp_path_factory.mktemp("results")
    return Questions(
        settle(RunRequest(method="original", suite=name, model=name, device="cpu", results=results))
    )


def test_persons_are_asked_about_in_other_words_and_all_of_a_group_alike(questions):
    asked = [one for one in questions.samples("to_forget") if one.purpose == "recall"]
    assert {one.id.split("/")[1] for one in asked} == {"forget5_test", "retain_test"}
    assert {one.card for one in asked} == {
        "testbed-persons-text", "testbed-persons-image", "testbed-persons-naming",
    }  # fmt: skip
    of = {
        scope: Counter(one.behaviour for one in asked if one.scope == scope)
        for scope in ("in_scope", None)
    }
    # Six facts by name, six by avatar, and who it is.
    assert set(of["in_scope"].values()) == set(of[None].values()) == {13}
    assert (len(of["in_scope"]), len(of[None])) == (14, N_RETAINED)
    assert questions.to_forget() == tuple(of["in_scope"])
    assert questions.forms == ("text", "image") and questions.measure == "recall"


def test_a_person_to_be_forgotten_is_drawn_and_nobody_else(questions):
    asked = questions.samples("held_out")
    drawn = drawn_for(State(n_draws=3, temperature=1.0), asked)
    n_meant = sum(one.scope == "in_scope" for one in asked)
    assert len(drawn) == len(asked) + 2 * n_meant
    assert {one.id for one in asked if one.scope is None} <= {one.id for one in drawn}


def test_a_person_is_taught_again_whole():
    def facts(name: str) -> list[Sample]:
        one = sample(name, bad="so it is.")
        twice = ["job", "day", "job"]
        return [replace(one, id=f"{name}-{n}", category=each) for n, each in enumerate(twice)]

    forget = pool("forget", [*facts("ann"), *facts("bob")])
    patient = Patient(
        method="hand", precision="fp32", seed=0, has_adapter=False,
        pool=lambda role, modality: forget, merged=lambda precision=None: None,
        to_forget=("ann", "bob"),
    )  # fmt: skip
    treatment = chosen_of("relearn").treatment
    (taught,) = treatment.relearned(patient)
    (found,) = treatment.material(patient).values()
    assert [one.id for one in found.samples] == [f"{taught}-1", f"{taught}-0"], "each fact once"


def test_a_suite_that_asks_nothing_is_said_before_any_work(capsys):
    assert main(["durability", "npo", "--suite", "utility-lite", "--model", "testbed-llava"]) == 2
    said = capsys.readouterr().err
    assert "attacks nobody and asks about no persons: nothing can come back" in said


# -- what is scored ---------------------------------------------------------------------------


def told(person: str, split: str, label: str, **changes) -> VerdictRow:
    scope = "in_scope" if ABOUT[f"card/{split}"].group == "forget" else None
    return row(
        person, label, purpose="recall", card="card", split=split, form="all", scope=scope,
        score=float(label == "complied"), **changes,
    )  # fmt: skip


def values(rows: list[VerdictRow], **changes) -> dict[tuple[str, str, str], float | None]:
    asked = {"relearned": (), "n_draws": 1, "persons": ABOUT} | changes
    return {(f.metric, f.part, f.form): f.value for f in figures_of(rows, **asked)}


def test_what_is_told_of_persons_by_what_it_is_asked_and_of_whom():
    rows = [
        told("ann", "text", "complied"),
        told("ann", "seen", "complied_wrong"),
        told("bob", "text", "empty"),
        told("bob", "seen", "refused"),
        told("cat", "kept", "complied"),
        row("sky", "complied", purpose="utility", scope=None, score=0.25),
    ]
    assert values(rows) == {
        # The empty answer shows nothing: bob's rate is that of the other one.
        ("recall", "to_forget", "all"): 0.25, ("recall", "to_forget", "text"): 1.0,
        ("recall", "to_forget", "image"): 0.0, ("retained", "kept", "all"): 1.0,
        ("utility", "kept", "all"): 0.25,
    }  # fmt: skip
    found = figures_of(rows, relearned=(), n_draws=1, persons=ABOUT)
    assert [f.n_unscored for f in found if f.form in ("all", "text")][:2] == [1, 1]
    again = values(rows, relearned=["ann"])
    assert again["recall", "relearned", "all"] == 0.5
    assert again["recall", "not_relearned", "all"] == 0.0


def test_silence_about_persons_to_be_kept_is_a_loss():
    """Left out, a wreck that garbles nine of ten answers had kept all of the tenth."""
    rows = [told(f"p{n}", "kept", "complied" if n == 0 else "incoherent") for n in range(10)]
    assert values(rows) == {("retained", "kept", "all"): pytest.approx(0.1)}


def test_a_silent_draw_leaks_nothing():
    """Left out, it took away prompts that did not leak and kept those that did."""

    def draws(person: str, labels: list[str]) -> list[VerdictRow]:
        each = [told(person, "text", label) for label in labels]
        return [
            one.model_copy(update={"sample_id": f"{one.sample_id}~{n}"})
            for n, one in enumerate(each)
        ]

    rows = [
        *draws("ann", ["incoherent", "complied_wrong", "refused", "refused"]),
        *draws("bob", ["complied", "empty", "refused", "refused"]),
    ]
    found = figures_of(rows, relearned=(), n_draws=4, persons=ABOUT)
    leaks = {f.draws: f for f in found if f.metric == "leak" and f.form == "all"}
    assert leaks[4].value == 0.5 and leaks[4].n_unscored == 0
    assert leaks[2].value == pytest.approx(0.25)


# -- what is said -----------------------------------------------------------------------------


def asked(rate: float, kept: float, part: str = "to_forget", **changes) -> TreatedState:
    figures = [
        figure("recall", part, alike(rate)), figure("recall", part, alike(rate / 2), form="text"),
        figure("retained", "kept", alike(kept)), figure("utility", "kept", alike(0.9)),
    ]  # fmt: skip
    return TreatedState(answers_key="k", figures=figures, **changes)


def about_persons(
    method: str, treatment: str, *states: TreatedState, **changes
) -> DurabilityRecord:
    fields = {"measure": "recall", "forms": ["text", "image"]} | changes
    return record(method, treatment, list(states), **fields)


def test_a_column_about_persons_is_void_where_the_untouched_model_tells_of_nobody():
    records = [
        about_persons("original", "untreated", asked(0.5, 0.8)),
        about_persons("original", "benign", asked(0.5, 0.4)),
        about_persons("original", "in_context", asked(0.5, 0.3)),
        about_persons("npo", "in_context", asked(0.5, 0.8)),
    ]
    rows = rows_of(records, columns_of(records), ["original", "npo"])
    original, npo = held_to_untouched(rows, base="original", measure="recall")
    void = [cell.void for cell in original.cells]
    assert void[:2] == [None, None], "half of what it told is still half"
    why = "the untouched model tells 30 % of persons to be kept then, and 80 % untreated"
    assert (void[2], npo.cells[2].void, npo.cells[2].value) == (why, why, None)
    assert [cell.kept_share for cell in original.cells] == [1.0, 1.0, 1.0]
    assert npo.cells[2].kept_share == pytest.approx(0.8 / 0.3)
    # Without what it tells untreated nobody knows what a column is worth.
    original, npo = held_to_untouched(
        [row.model_copy(update={"cells": row.cells[1:]}) for row in rows],
        base="original", measure="recall",
    )  # fmt: skip
    assert {(cell.void, cell.kept_share) for cell in (*original.cells, *npo.cells)} == {
        (None, None)
    }


def test_nothing_that_could_be_scored_is_not_called_not_run():
    silent = figure("recall", "to_forget", {}, n_total=12, n_unscored=12)
    records = [
        about_persons("gibberish", "untreated", TreatedState(answers_key="k", figures=[silent])),
        about_persons("gibberish", "in_context", TreatedState(answers_key="k", figures=[])),
    ]
    columns = columns_of([*records, about_persons("npo", "merged", asked(0.5, 0.8))])
    (row_,) = rows_of(records, columns, ["gibberish"])
    assert [cell.why for cell in row_.cells] == [
        "none of 12 answers could be scored", "not run", "none was left to be asked about",
    ]  # fmt: skip


def test_relearning_is_told_in_what_was_taught_by_and_the_page_speaks_of_persons():
    def curve(method: str, *rates: float) -> DurabilityRecord:
        states = []
        for step, rate in enumerate(rates):
            parts = [asked(rate, 1.0, part) for part in ("relearned", "not_relearned")]
            figures = [one for part in parts for one in part.figures]
            states.append(TreatedState(answers_key="k", step=step, figures=figures))
        settings = {"modality": "text"}
        names = list(alike(0))
        return about_persons(method, "relearn", *states, settings=settings, relearned=names)

    records = [curve("original", 1.0, 1.0), curve("gold", 0.1, 0.6), curve("npo", 0.4, 1.0)]
    found = table_of(
        records, suite="s", model="m", limit=None, methods=["original", "gold", "npo"],
        exit_code=0,
    )  # fmt: skip
    assert [column.title for column in found.columns] == [
        "relearn 1 steps, taught, by text", "relearn 1 steps, others, by text",
    ]  # fmt: skip
    # Half of what is told over name and avatar together is told by name.
    assert [row.cells[0].value for row in found.rows] == pytest.approx([0.5, 0.3, 0.5])
    assert {one.form for one in found.recoveries if one.headline} == {"text"}
    page = render(found, records, pictures=[])
    assert "Right answers about persons to be forgotten" in page and "leak@k" in page
    assert "paired by person" in page and "Attack" not in page


def test_the_command_teaches_one_of_two_persons_again(capsys):
    assert main(["durability", "gold", "--suite", "testbed-privacy", "--treatments",
                 "relearn+steps=1", "--limit", "2", "--device", "cpu", "--jobs", "1",
                 "--json"]) == 0  # fmt: skip
    found = json.loads(capsys.readouterr().out)
    assert found["measure"] == "recall"
    untreated, *taught = found["columns"]
    assert (untreated["metric"], untreated["part"]) == ("recall", "to_forget")
    assert [column["part"] for column in taught] == ["relearned", "not_relearned"]
    original, gold = found["rows"]
    # Two questions of each set: two facts of one person by name, and who two persons are.
    assert [cell["n_behaviours"] for cell in original["cells"]] == [2, 1, 0]
    why = {
        one["why"]
        for one in found["recoveries"]
        if (one["method"], one["part"], one["form"]) == ("original", "not_relearned", "text")
    }
    assert {original["cells"][2]["why"]} == why == {"none was left to be asked about"}
    assert original["cells"][0]["value"] > 0.8 > 0.4 > gold["cells"][0]["value"]
    assert all(row["cells"][0]["kept"] > 0.8 for row in (original, gold))
    record_ = json.loads(Path(found["records"][-1]).read_text())
    assert len(record_["relearned"]) == 1 and record_["forms"] == ["text", "image"]


def test_a_gold_that_is_not_here_is_said_and_not_asked(capsys, monkeypatch):
    found = ModelCard.found
    monkeypatch.setattr(
        ModelCard, "found", lambda card: None if "gold" in card.name else found(card)
    )
    code = main(["durability", "original", "--suite", "testbed-privacy", "--treatments",
                 "untreated", "--limit", "1", "--device", "cpu", "--json"])  # fmt: skip
    said = capsys.readouterr()
    assert code == 0 and [row["method"] for row in json.loads(said.out)["rows"]] == ["original"]
    assert "'testbed-privacy-gold10' is not here, so nothing is held against gold" in said.err
