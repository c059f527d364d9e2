"""The page of a board about persons to be forgotten, for somebody new to the project."""

from __future__ import annotations

from benchmark.scoring.compare import N_EXACT, N_FLIPS
from benchmark.scoring.forgetting.measures import measure_named
from benchmark.scoring.forgetting.membership import ATTACKS
from benchmark.tables.board import Board, BoardRow
from benchmark.tables.cells import MISSING, markdown_table, percent_interval, points, probability
from benchmark.tables.forgetting import cells
from benchmark.tables.forgetting.board import (
    ALL,
    MODALITIES,
    SHOWN,
    PersonsBoard,
    PersonsRow,
)
from benchmark.tables.forgetting.telling import telling_table
from benchmark.tables.forgetting.told import GOLD
from benchmark.tables.forgetting.verdict import sides_off
from benchmark.tables.standing import stands

INTRODUCTION = """\
Every method starts from the same model, which knows fictitious persons, and is to make it as if
some of them had never been learnt. **Gold** is what that means: the same recipe trained without
these persons, once for each of several seeds. A model that knows more than gold still remembers;
one that knows less gives away that something was there, and has mostly lost more than it should:
both sides count alike, and answers that are empty, garbled or given in place of the model's are
unscored and never a success. **D** is the largest distance between the distributions of a model's
truth ratios and gold's (0 the same, 1 wholly apart), where a truth ratio says how much likelier
wrong answers about a person are than right ones. Golds of other seeds are some D apart themselves:
`as gold` is no further than that, with every other measure in gold's range too. In brackets are
95 % intervals over persons. `n/a` means not measured, `*` that some rows are unscored; neither is
a zero."""
NAMES = {"text": "by name", "image": "by picture", "image_text": "by both", ALL: "all"}


def sections(board: Board, persons: PersonsBoard, *, below: str) -> list[str]:
    """Everything of the page that is about persons, in order; `below` says what keeps rows from
    being ranked."""
    rows = [(row, found) for row in board.rows if (found := persons.row(row.name)) is not None]
    return [
        INTRODUCTION,
        "## Who is as if never taught",
        _golds(persons),
        _ranking(board, persons),
        below,
        "## Every measure against gold",
        _against(rows),
        "## Can one tell that a person was there? Membership",
        _membership(persons, rows),
        "## What is kept",
        _kept(board, persons, rows),
        "## What leaks into another modality",
        _leaks(rows),
        "## What could not be scored",
        _unscored(rows),
        "## Does each metric measure forgetting?",
        telling_table(persons.telling)
        or "Not known: it takes a run of `original`, which knows the persons, and one of `gold`.",
    ]


def _golds(persons: PersonsBoard) -> str:
    n = len(persons.gold_seeds)
    seeds = ", ".join(map(str, persons.gold_seeds)) or "none"
    said = f"{n} golds (seeds {seeds})." if n != 1 else f"1 gold (seed {seeds})."
    if persons.left_out:
        said += f" Nothing is held against others: {'; '.join(persons.left_out)}."
    if not persons.calibrated:
        return (
            f"**{said} Fewer than {persons.n_golds_needed} do not say how far golds are apart: no "
            "row can be called as gold, nor not as gold.**"
        )
    apart = "; ".join(
        f"{NAMES.get(modality, modality)} {cells.spread_range(spread)}"
        for modality, spread in persons.spread.items()
    )
    return f"{said} D of one gold to another, and where one more pair's would lie: {apart}."


def _ranking(board: Board, persons: PersonsBoard) -> str:
    modalities = [name for name in persons.spread if name != ALL]
    header = ["rank", "method", "D to gold", "p", *(f"D {NAMES[name]}" for name in modalities)]
    header += ["verdict", "why"]
    lines = []
    for row in board.rows:
        found = persons.row(row.name)
        if found is None:
            lines.append([stands(row), row.name, *[MISSING] * (len(header) - 3), "no run"])
            continue
        lines.append([stands(row), row.name, *_distances(found, modalities), *_words(found)])
    caption = (
        "Ordered by D to gold, over all that persons to forget were asked; rows of which the "
        "intervals of D overlap share ranks, and rows below the line are in no order. p: persons' "
        f"answers exchanged between model and gold {N_FLIPS:,} times (in all ways of up to "
        f"{N_EXACT} persons), the smallest over seeds and golds, times their number, below which "
        "no row can come; a small one says that they differ, a large one does not say that they "
        "are alike. The interval of D is lopsided near 0 and 1, which it cannot leave. `as gold` "
        f"asks {1 + len(SHOWN)} things of every seed, each to lie where 95 % of golds would, "
        "whatever unscored rows are worth: a true gold may well miss one of so many by chance, and "
        "of few golds that is a wide range. Gold's own word rests on D; beside it stands how many "
        "golds pass all of them, each held against the others. To be ranked is to be held against "
        "the others, not to have forgotten: a row may share the rank of one that is as far from "
        "gold as the untouched model."
    )
    if all(row.place != "ranked" for row in board.rows):
        caption += " **No row on this board can be ranked yet; the reasons are below.**"
    return f"{caption}\n\n{markdown_table(header, lines)}"


def _distances(found: PersonsRow, modalities: list[str]) -> list[str]:
    whole = found.distances.get(ALL)
    p = MISSING if whole is None or whole.p is None else probability(whole.p)
    parts = [cells.estimate(found.distances.get(modality)) for modality in modalities]
    return [cells.estimate(whole), p, *parts]


def _words(found: PersonsRow) -> list[str]:
    """The word, and why: measures together that are off to one side, for they are many."""
    word = f"**{found.word}**" if found.word == "as gold" else found.word
    by_side: dict[str, list[str]] = {}
    off = sides_off(found)
    for metric, to in off:
        by_side.setdefault(to, []).append(metric)
    said = [f"{to} ({', '.join(metrics)})" for to, metrics in by_side.items()]
    told = {f"{metric} {to}" for metric, to in off}
    return [word, "; ".join([*said, *(reason for reason in found.reasons if reason not in told)])]


def _against(rows: list[tuple[BoardRow, PersonsRow]]) -> str:
    header = ["method", *(f"{name}, to gold" for name in SHOWN)]
    lines = []
    for row, found in rows:
        line = [row.name]
        for name in SHOWN:
            own = cells.rate(found.figure(name, group="forget"))
            to = found.against(name)
            if to is None:
                line.append(own)
                continue
            inside = {True: "inside", False: "outside", None: "not known"}[to.as_gold]
            line.append(f"{own}; {cells.difference(to, is_rate=is_rate(name))}, {inside}")
        lines.append(line)
    caption = (
        "Persons to forget: the figure (per cent; `truth_ratio` is the mean of its logarithm), the "
        "signed difference to gold paired by person, in points (of `truth_ratio` in nats), and "
        "whether the figure of every seed lies inside the range in which another gold's would, "
        "whatever unscored answers are worth; `not known` where that rests on them."
    )
    return f"{caption}\n\n{_ranges(rows)}{markdown_table(header, lines)}\n\n{_by_modality(rows)}"


def _ranges(rows: list[tuple[BoardRow, PersonsRow]]) -> str:
    """Where another gold's figure would lie: of the first row that is held against whole golds."""
    first = next((found for row, found in rows if found.to_gold and row.limit is None), None)
    if first is None:
        return ""
    ranges = [
        f"{to.metric} {cells.gold_range(to.gold_low, to.gold_high, is_rate=is_rate(to.metric))}"
        for to in first.to_gold
    ]
    return f"Another gold's figures would lie at: {'; '.join(ranges)}.\n\n"


def _by_modality(rows: list[tuple[BoardRow, PersonsRow]]) -> str:
    header = ["method", *(f"{NAMES[m]}, {g}" for g in ("forget", "retain") for m in MODALITIES)]
    lines = [
        [
            row.name,
            *(
                cells.rate(found.figure("exact_match", group=group, modality=modality))
                for group in ("forget", "retain")
                for modality in MODALITIES
            ),
        ]
        for row, found in rows
    ]
    table = markdown_table(header, lines)
    return f"Whole answers that are right (`exact_match`), per cent:\n\n{table}"


def _membership(persons: PersonsBoard, rows: list[tuple[BoardRow, PersonsRow]]) -> str:
    header = ["method", *(f"{attack}, {what}" for attack in ATTACKS for what in ("AUC", "TPR"))]
    lines = []
    for row, found in rows:
        by_attack = {one.attack: one for one in found.membership}
        lines.append(
            [row.name]
            + [
                cells.estimate(part)
                for attack in ATTACKS
                for part in (by_attack[attack].auc, by_attack[attack].tpr)
            ]
        )
    ranges = [
        f"{attack} " + (MISSING if ends is None else f"{ends[0]:.2f} to {ends[1]:.2f}")
        for attack, ends in persons.gold_membership.items()
    ]
    caption = (
        f"Persons to forget against persons never trained on{_asked_about(rows)}. AUC 0.5 and a "
        "true positive rate of 0.01 (at 1 % false positives) are chance; below chance gives away "
        f"as much. AUC of another gold would lie at: {'; '.join(ranges)}."
    )
    return f"{caption}\n\n{markdown_table(header, lines)}"


def _asked_about(rows: list[tuple[BoardRow, PersonsRow]]) -> str:
    """` (28 and 140)`; of 140 one in a hundred is one person."""
    areas = [found.membership[0].auc for row, found in rows if row.limit is None]
    counts = {(area.n_positive, area.n_negative) for area in areas if area.value is not None}
    return " and ".join(f" ({n} and {m} persons)" for n, m in sorted(counts))


def _kept(board: Board, persons: PersonsBoard, rows: list[tuple[BoardRow, PersonsRow]]) -> str:
    header = ["method", "exact_match kept", "rouge_l kept", "utility kept", "coherence"]
    lines = []
    for row, found in rows:
        by_name = {one.metric: one for one in found.kept}
        judge = board.judge_for("utility_retained")
        utility = row.score("utility_retained", judge=judge, card="all")
        coherence = row.score("coherence", judge=board.coherence_judge)
        line = [row.name, *(cells.share(by_name.get(name)) for name in ("exact_match", "rouge_l"))]
        lines.append([*line, percent_interval(utility), percent_interval(coherence)])
    caption = (
        "What is left about persons to retain, and of harmless work, per cent of what the "
        "untouched model has. A row is ranked only if it keeps enough of both."
    )
    gold = persons.row(GOLD)
    if gold is not None and gold.gold_coherence is not None:
        caption += (
            " Coherence is how likely answers are to the untouched model, which finds those of a "
            f"model that was trained anew less so: golds have {100 * gold.gold_coherence:.1f} on "
            "average, and a row that has a few points less than they may still be ranked. An "
            "answer in other words fails too (see its specificity under Judges)."
        )
    return f"{caption}\n\n{markdown_table(header, lines)}"


def _leaks(rows: list[tuple[BoardRow, PersonsRow]]) -> str:
    lines = []
    for row, found in rows:
        for leak in found.leaks:
            lowered = points(leak.lowered, leak.lowered_low, leak.lowered_high)
            text = points(leak.value, leak.low, leak.high)
            text = text if leak.can_be or text == MISSING else "nothing lowered"
            lines.append(
                [row.name, NAMES[leak.trained], lowered, NAMES[leak.asked], text,
                 str(leak.n_unscored)]
            )  # fmt: skip
    if not lines:
        return "No method was trained in one modality alone."
    caption = (
        "Right answers in all words (`exact_match_paraphrased`): how many points more are left "
        "where persons are asked about in another way than the method was trained, beyond what the "
        "untouched model shows. 0 is none; +100 is that all it forgot is still there; below 0, "
        "more was lost there than where it was trained. `nothing lowered`: it is not shown to tell "
        "less than the untouched model where it was trained, and what was not forgotten cannot "
        "leak. Methods that learn from text and pictures alike are not in this table."
    )
    header = ["method", "trained", "lowered there", "asked", "leak", "persons unscored"]
    return f"{caption}\n\n{markdown_table(header, lines)}"


def _unscored(rows: list[tuple[BoardRow, PersonsRow]]) -> str:
    lines = []
    for row, found in rows:
        for one in found.unscored:
            reasons = ", ".join(f"{reason} {n}" for reason, n in sorted(one.reasons.items()))
            lines.append([row.name, one.kind, str(one.n_total), str(one.n_unscored), reasons])
    caption = (
        "Persons to forget. `hook_responds`: the method answers in place of the model, which has "
        "no likelihoods then. More than a few unscored rows keep a row from `as gold`."
    )
    table = markdown_table(["method", "of", "rows", "unscored", "reasons"], lines)
    return f"{caption}\n\n{table}"


def short_table(board: Board, persons: PersonsBoard) -> str:
    """The board in a few columns: rank, D, what is told of either group, and the verdict."""
    header = ["rank", "method", "D to gold", "exact, forget", "exact, retain", "verdict"]
    lines = [
        [stands(row), row.name, cells.estimate(found.distances.get(ALL))]
        + [cells.rate(found.figure("exact_match", group=group)) for group in ("forget", "retain")]
        + [found.word]
        for row in board.rows
        if (found := persons.row(row.name)) is not None
    ]
    return markdown_table(header, lines)


def is_rate(name: str) -> bool:
    """Is a measure a rate, shown per cent?"""
    return measure_named(name).unit == "rate"
