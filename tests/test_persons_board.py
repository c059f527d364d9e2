"""The board about persons to forget: golds, words, ranks, and what each rendering says."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from pathlib import Path

import pytest
from forgetting_parts import likely, question, with_matches, with_ratios
from rich.console import Console
from run_records import MODEL, TOKENS, record
from verdict_rows import model_rows

from benchmark.core.records import DataUse
from benchmark.scoring.forgetting.kept import kept
from benchmark.scoring.forgetting.measures import Told
from benchmark.scoring.plan import Plan
from benchmark.scoring.run import score_run
from benchmark.tables import long_table, markdown
from benchmark.tables.board import Board
from benchmark.tables.boards import as_json
from benchmark.tables.build import BoardOf, build_board
from benchmark.tables.compute import stage_table
from benchmark.tables.forgetting.board import ALL
from benchmark.tables.runs import LoadedRun
from benchmark.tables.terminal import print_rows

OF = BoardOf(
    suite="persons", suite_title="Persons", model=MODEL, notices=["Model organism."],
    plan=Plan(max_new_tokens=TOKENS, families={}),
)  # fmt: skip
PERSONS = [f"p{n}" for n in range(12)]
VERDICTS = [
    row
    for row in model_rows()
    if row.purpose in ("utility", "coherence") or row.judge == "coherence"
]


def rows(*, ratio: float, right: int, shift: float = 0.0, kept: int = 8, garbled: bool = False):
    """Likelihoods and matches: so many of 12 persons are told rightly."""
    likelihoods = with_ratios(
        {p: [ratio * (1 + 0.3 * n) + shift, ratio * (2 + 0.3 * n)] for n, p in enumerate(PERSONS)}
    ) + [
        likely(question(f"{group}{n}", group=group), right=(probability,))
        for group, probability in (("retain", 0.9), ("never_trained", 0.2))
        for n in range(4)
    ]
    told = {p: [None if garbled else float(n < right)] for n, p in enumerate(PERSONS)}
    matches = with_matches(told) + with_matches(
        {f"r{n}": [float(n < kept)] for n in range(40)}, group="retain"
    )
    return likelihoods, matches


def run(method: str, seed: int, said, *, reference: bool = False, **changes) -> LoadedRun:
    likelihoods, matches = said
    data = [DataUse(card="facts", split="test", role="utility", n=20, sha256="2" * 64)]
    made = record(method, VERDICTS, seed=seed, reference=reference, data=data, **changes)
    return LoadedRun(
        record=made, rows=VERDICTS, source="local", path=Path(f"{method}/{seed}.json"),
        likelihoods=likelihoods, matches=matches,
    )  # fmt: skip


def golds(n: int = 3) -> list[LoadedRun]:
    return [
        run("gold", seed, rows(ratio=2.0, right=1 + seed % 2, shift=0.05 * seed), reference=True)
        for seed in range(n)
    ]


KNOWING = rows(ratio=0.01, right=12, kept=40)
ORIGINAL = run("original", 0, KNOWING, reference=True)


def seeds(method: str, said, **changes) -> list[LoadedRun]:
    return [run(method, seed, said, **changes) for seed in range(3)]


def board(*groups: list[LoadedRun], n_golds: int = 3) -> Board:
    return build_board([ORIGINAL, *golds(n_golds), *(r for g in groups for r in g)], OF)


NEAR = seeds("near", rows(ratio=2.0, right=1, shift=0.02, kept=40))
FAR = seeds("far", rows(ratio=0.01, right=12, kept=40))
WRECK = seeds("wreck", rows(ratio=2.0, right=1, kept=2))


@pytest.fixture(scope="module")
def full() -> Board:
    unscored = [
        likely(question(row.person, row.fact), unscored="hook_responds")
        for row in KNOWING[0]
        if row.group == "forget"
    ]
    hooked = seeds("hooked", (unscored, rows(ratio=1.0, right=1, kept=40)[1]))
    gibberish = run("gibberish", 0, rows(ratio=2.0, right=1, garbled=True, kept=0), reference=True)
    return board(NEAR, FAR, WRECK, hooked, [gibberish])


def word(found: Board, name: str) -> str:
    assert found.persons is not None
    row = found.persons.row(name)
    assert row is not None
    return row.word


def test_near_is_as_gold_and_the_untouched_model_far_from_it(full):
    assert word(full, "near") == "as gold"
    assert word(full, "original") == word(full, "far") == "not as gold"
    original = full.persons.row("original")
    assert original.distances[ALL].value == 1.0
    assert any("exact_match knows more than gold" in reason for reason in original.reasons)


def test_what_is_too_little_scored_is_no_side_of_gold():
    """Of 12 answers 6 are silent and the others all wrong: it is not known what it knows."""
    likelihoods, _ = rows(ratio=2.0, right=1, shift=0.02, kept=40)
    matches = with_matches({p: [None if n < 6 else 0.0] for n, p in enumerate(PERSONS)})
    many = [
        run("gold", s, rows(ratio=2.0, right=8 + s % 2, shift=0.05 * s), reference=True)
        for s in range(3)
    ]
    found = build_board([ORIGINAL, *many, *seeds("hushed", (likelihoods, matches))], OF)
    row = found.persons.row("hushed")
    assert row.against("exact_match").as_gold is None and row.off == []
    assert row.word == "not known"
    line = next(one for one in markdown.render(found).splitlines() if "| hushed " in one)
    assert "knows less" not in line and "knows more" not in line
    against = markdown.render(found).split("## Every measure against gold")[1]
    line = next(one for one in against.splitlines() if "| hushed " in one)
    assert line.count("not known") == 3 and "outside" not in line


def test_seeds_to_either_side_of_gold_do_not_make_up_for_each_other():
    """Golds tell 1 or 2 of 12, so that up to 4 is as gold: 0, 0 and 6 are 2 on average."""
    said = [rows(ratio=2.0, right=right, shift=0.02, kept=40) for right in (0, 0, 6)]
    row = board([run("torn", n, one) for n, one in enumerate(said)]).persons.row("torn")
    found = row.against("exact_match")
    assert found.figure == pytest.approx(2 / 12)
    assert found.gold_low <= found.figure <= found.gold_high
    assert found.as_gold is False and found.off == {2: "more"}
    assert row.word == "not as gold"
    assert "exact_match knows more than gold (seed 2)" in row.reasons


def test_golds_that_were_not_asked_as_the_untouched_model_was_are_left_out_and_said():
    many = golds(4)
    spec = many[3].record.spec.model_copy(update={"precision": "bfloat16"})
    odd = replace(many[3], record=many[3].record.model_copy(update={"spec": spec}))
    found = build_board([ORIGINAL, *many[:3], odd, *NEAR], OF)
    assert found.persons.gold_seeds == [0, 1, 2]
    why = "gold, seed 3: precision bfloat16, the run of 'original' float32"
    assert found.persons.left_out == [why]
    assert f"Nothing is held against others: {why}." in markdown.render(found)
    every = [
        replace(
            one,
            record=one.record.model_copy(
                update={"spec": one.record.spec.model_copy(update={"precision": "bfloat16"})}
            ),
        )
        for one in many
    ]
    none = build_board([ORIGINAL, *every, *NEAR], OF)
    assert none.persons.gold_seeds == [] and word(none, "near") == "not known"
    assert "0 golds (seeds none). Nothing is held" in markdown.render(none)


def test_golds_are_held_to_all_that_methods_are():
    """Three tell 4 or 5 of 12 rightly, and the fourth none: by that it would not be as gold."""
    many = [
        run("gold", s, rows(ratio=2.0, right=right, shift=0.05 * s), reference=True)
        for s, right in enumerate((4, 5, 4, 0))
    ]
    row = build_board([ORIGINAL, *many], OF).persons.row("gold")
    whole, odd = row.reasons[-2:]
    assert whole == "3 of 4 golds lie in the others' range by all 6"
    assert odd.startswith("seed 3: ") and "exact_match knows less than gold" in odd
    assert board(n_golds=3).persons.row("gold").reasons == [
        "it takes 4 golds to hold one against 3 others"
    ]


def test_golds_coherence_is_the_bar_and_on_the_page():
    def scored(made: LoadedRun, coherence: str) -> LoadedRun:
        said = [r.model_copy(update={"label": coherence}) if r.judge == "coherence" else r
                for r in VERDICTS]  # fmt: skip
        scores = score_run(said, base_rows=VERDICTS, plan=OF.plan)
        return replace(made, record=made.record.model_copy(update={"scores": scores}))

    first, *others = golds()
    many = [scored(first, "incoherent"), *(scored(one, "complied") for one in others)]
    found = build_board([ORIGINAL, *many], OF)
    assert found.persons.row("gold").gold_coherence == pytest.approx(2 / 3)
    assert "golds have 66.7 on average" in markdown.render(found)


def test_to_know_less_than_gold_is_not_as_gold():
    """Golds tell 4 or 5 of 12 rightly and this model none: it shows that something was there."""
    many = [
        run("gold", s, rows(ratio=2.0, right=4 + s % 2, shift=0.05 * s), reference=True)
        for s in range(3)
    ]
    less = seeds("less", rows(ratio=2.0, right=0, kept=40))
    found = build_board([ORIGINAL, *many, *less], OF)
    assert word(found, "less") == "not as gold"
    assert "exact_match knows less than gold" in found.persons.row("less").reasons


def test_gibberish_is_never_as_gold(full):
    """Its truth ratios are gold's own, and none of its answers can be scored."""
    row = full.persons.row("gibberish")
    assert row.distances[ALL].as_gold is True
    assert row.word == "not known"
    assert row.reasons[0] == "12 of 12 answers unscored (empty_answer 12)"


def test_without_likelihoods_nothing_is_known_and_nothing_ranked(full):
    row = full.persons.row("hooked")
    assert row.word == "not known" and row.distances[ALL].value is None
    assert (row.distances[ALL].bound_low, row.distances[ALL].bound_high) == (0.0, 1.0)
    assert "72 of 72 likelihoods unscored (hook_responds 72)" in row.reasons
    placed = full.row("hooked")
    assert placed.place == "below"
    assert any(reason.startswith("D to gold was not measured: ") for reason in placed.reasons)


def test_three_golds_are_the_yardstick_and_a_fourth_can_be_held_against_them(full):
    assert word(full, "gold") == "yardstick"
    assert word(board(n_golds=4), "gold") == "as gold"


def test_fewer_than_three_golds_are_said_and_decide_nothing():
    found = board(NEAR, FAR, n_golds=2)
    assert {word(found, name) for name in ("near", "far", "gold")} == {"not known"}
    assert "**2 golds (seeds 0, 1). Fewer than 3 do not say" in markdown.render(found)
    assert "0 golds (seeds none)" in markdown.render(board(NEAR, n_golds=0))


def test_rows_are_ranked_by_their_distance_and_below_the_line_where_little_is_kept(full):
    """near lies at gold, far at D = 1; wreck tells 2 of the 40 that the untouched model tells."""
    places = {row.name: (row.place, row.rank) for row in full.rows}
    assert places["near"] == ("ranked", (1, 1))
    assert places["far"] == ("ranked", (2, 2))
    assert places["wreck"] == ("below", None)
    kept = full.persons.row("wreck").recall_kept
    assert kept.value == pytest.approx(2 / 40)
    assert any(
        reason.startswith("keeps 5.0 % of what 'original'") for reason in full.row("wreck").reasons
    )
    assert places["original"] == ("reference", None)


def test_rows_that_cannot_be_told_apart_share_ranks():
    found = board(NEAR, seeds("also", rows(ratio=2.0, right=1, shift=0.03, kept=40)))
    assert [row.rank for row in found.rows[:2]] == [(1, 2), (1, 2)]


def test_the_distance_of_several_seeds_is_their_mean():
    mixed = [NEAR[0], *FAR[1:]]
    runs = [run("mixed", n, (one.likelihoods, one.matches)) for n, one in enumerate(mixed)]
    rows = board(NEAR, FAR, runs).persons.row
    near, far, found = (rows(name).distances[ALL] for name in ("near", "far", "mixed"))
    assert found.value == pytest.approx((near.value + 2 * far.value) / 3)
    assert found.low == pytest.approx((near.low + 2 * far.low) / 3)
    assert found.by_seed == pytest.approx({0: near.value, 1: 1.0, 2: 1.0})
    assert found.as_gold is False


def test_leaks_are_said_of_methods_trained_in_one_modality():
    """Trained by picture, where it tells none any more, and by name all as before: +1."""

    def asked(by_name: float, by_picture: float):
        both = (("text", by_name), ("image", by_picture))
        return [row for m, v in both for row in with_matches({p: [v] for p in PERSONS}, modality=m)]

    def of(method, config, matches, **facts):
        made = record(method, VERDICTS, **facts)
        spec = made.spec.model_copy(update={"config": config})
        changed = made.model_copy(update={"spec": spec})
        return LoadedRun(
            record=changed, rows=VERDICTS, source="local", path=Path("x.json"), matches=matches
        )

    base = of("original", {}, asked(1.0, 1.0), reference=True)
    found = build_board(
        [
            base,
            of("pictured", {"modality": "image"}, asked(1.0, 0.0)),
            of("both", {"modality": "both"}, asked(1.0, 0.0)),
        ],
        OF,
    )
    # From pictures into text alone: among them are some with a name beside them.
    (only,) = found.persons.row("pictured").leaks
    assert (only.trained, only.asked, only.value) == ("image", "text", 1.0)
    assert found.persons.row("both").leaks == []
    page = markdown.render(found)
    assert "| pictured | by picture | +100.0 [" in page
    idle = build_board([base, of("idle", {"modality": "text"}, asked(1.0, 1.0))], OF)
    leaking = [line for line in markdown.render(idle).splitlines() if line.startswith("| idle ")]
    assert sum("nothing lowered" in line for line in leaking) == 1, "by both nobody was asked"
    lines = {row["form"]: row for row in csv.DictReader(io.StringIO(long_table.render(idle)))
             if row["metric"] == "modality_leak"}  # fmt: skip
    assert lines["text>image"]["value"] == ""


def test_metrics_are_asked_whether_they_tell_the_models_apart(full):
    found = {one.metric: one for one in full.persons.telling}
    assert found["exact_match"].verdict == found["ks_distance"].verdict == "tells them apart"
    same = build_board([run("original", 0, rows(ratio=2.0, right=1), reference=True), *golds()], OF)
    chance = {one.metric: one.verdict for one in same.persons.telling}
    assert chance["exact_match"] == "at chance, as far as these persons say"
    assert chance["exact_match"] in markdown.render(same)


def test_the_page_is_about_persons_and_not_about_attacks(full):
    page = markdown.render(full)
    assert "## Who is as if never taught" in page and "Attack success" not in page
    assert "hook_responds 72" in page
    assert "forgotten" not in page.replace("have forgotten", "")
    assert page == markdown.render(Board.model_validate_json(full.model_dump_json()))


def test_boards_without_persons_say_nothing_of_them():
    plain = record("original", VERDICTS, reference=True)
    one = LoadedRun(record=plain, rows=VERDICTS, source="local", path=Path("x.json"))
    found = build_board([one], OF)
    assert found.persons is None and "persons" not in as_json(found).replace('"persons",', "")
    assert "D to gold" not in long_table.render(found)


def test_the_long_table_and_the_terminal_show_what_persons_are_known(full):
    lines = list(csv.DictReader(io.StringIO(long_table.render(full))))
    found = {(line["method"], line["metric_id"]): line for line in lines}
    assert found["far", "ks_distance@persons/forget/all"]["value"] == "1.0"
    assert found["wreck", "kept.exact_match@persons/retain/all"]["value"] == "0.05"
    assert found["hooked", "ks_distance@persons/forget/all"]["value"] == ""
    console = Console(width=80, record=True, file=io.StringIO())
    print_rows(console, full, titles=["near", "hooked"])
    said = console.export_text()
    assert max(map(len, said.splitlines())) <= 80
    near = next(line for line in said.splitlines() if line.startswith("near"))
    assert near.split()[-2:] == ["as", "gold"] and "100.0" in near
    assert "golds: 3" in said and "hooked is not ranked:" in said


def test_names_have_room_in_a_terminal_where_nothing_was_scored(full):
    """Cells that counted the unscored left one letter a line for the method."""
    told = io.StringIO()
    print_rows(Console(file=told, width=80), full, titles=["gibberish"])
    assert "\ngibberish  " in told.getvalue()


def test_a_row_that_says_nothing_of_whom_to_forget_is_not_ranked():
    """D may be gold's where every answer is empty; that is no forgetting."""
    mute = seeds("mute", rows(ratio=2.0, right=1, shift=0.02, kept=40, garbled=True))
    found = board(NEAR, mute)
    row = found.row("mute")
    assert (row.place, row.rank, word(found, "mute")) == ("below", None, "not known")
    assert any("36 of 36 answers unscored" in reason for reason in row.reasons)
    assert found.row("near").place == "ranked"


def test_silence_about_whom_to_keep_keeps_nothing():
    """17 of each person's 18 questions are answered by nothing: one in 18 is kept."""
    told = with_matches({f"r{n}": [1.0, *[None] * 17] for n in range(28)}, group="retain")
    base = with_matches({f"r{n}": [1.0] * 18 for n in range(28)}, group="retain")
    found = kept(
        Told(name="mute", matches=told), Told(name="original", matches=base), "exact_match"
    )
    assert found.value == pytest.approx(1 / 18) and found.n_unscored == 28 * 17


def test_what_likelihoods_took_has_a_column():
    """The table of stages left out what it did not know by name."""
    found = board(NEAR)
    row = found.row("near")
    cost = row.cost.model_copy(update={"stages_s": {**row.cost.stages_s, "likelihood": 30.5}})
    shown = found.model_copy(update={"rows": [row.model_copy(update={"cost": cost})]})
    assert "| likelihood |" in stage_table(shown) and "30.5" in stage_table(shown)
    assert "likelihood" not in stage_table(found)
