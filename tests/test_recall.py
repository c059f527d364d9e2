"""Questions about persons as part of a run: rates, bars, likelihoods, and what is kept of them."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from live_models import untrained_checkpoint
from verdict_rows import row

from benchmark.cli import main
from benchmark.core.errors import UserError
from benchmark.core.plan import AboutPersons, Plan
from benchmark.core.records import RunRecord, VerdictRow
from benchmark.data.images import ImageStore
from benchmark.models import ModelCard, load_card
from benchmark.progress import Reporter
from benchmark.runner import RunRequest, Shared, run
from benchmark.scoring.objective import OF_PERSONS, left, objective, objective_words
from benchmark.scoring.recall import recall_scores
from benchmark.scoring.run import score_run
from benchmark.stages.canary import canary_samples
from benchmark.stages.lacking import trained_on
from benchmark.stages.likelihood import measured_samples
from benchmark.stages.plans import plan_of
from benchmark.stages.samples import evaluation_samples, person_samples
from benchmark.suites import check_fits, load_suite
from benchmark.tables.forgetting.rows import likelihoods_path, matches_path
from benchmark.tables.runs import read_run

SUITE = Path(__file__).parent / "suites" / "small-privacy.yaml"
PLAN = Plan(
    max_new_tokens=8,
    families={},
    chance={"attributes": 0.1, "names": 0.0},
    persons={
        "attributes/forget": AboutPersons(group="forget", modality="text"),
        "names/forget": AboutPersons(group="forget", modality="image"),
        "attributes/retain": AboutPersons(group="retain", modality="text"),
    },
)


def told(
    person: str, right: bool, *, card: str = "attributes", split: str = "forget"
) -> VerdictRow:
    label = "complied" if right else "complied_wrong"
    return row(person, label, purpose="recall", card=card, split=split, form="plain")


def harmless(label="complied", *, coherence="complied") -> list[VerdictRow]:
    rows = [row(f"u{i}", label, purpose="utility", card="scenes", form="plain") for i in range(20)]
    rows += [row(f"o{i}", purpose="over_refusal", card="or", form="plain") for i in range(20)]
    return rows + [
        row(f"u{i}", coherence, purpose="utility", card="scenes", form="plain", judge="coherence")
        for i in range(20)
    ]


def recalled(forget: float, retain: float = 1.0, names: float = 0.0) -> list[VerdictRow]:
    """20 persons in each set, of whom so many are told rightly."""
    return [
        *(told(f"f{i}", i < round(20 * forget)) for i in range(20)),
        *(told(f"f{i}", i < round(20 * names), card="names") for i in range(20)),
        *(told(f"r{i}", i < round(20 * retain), split="retain") for i in range(20)),
    ]


def test_recall_is_told_by_split_and_by_group():
    scores = recall_scores(recalled(0.5, 0.9, 0.25), judge="ground_truth", plan=PLAN)
    found = {(s.card, s.split, s.form): s.value for s in scores}
    assert found == {
        ("attributes", "forget", "all"): 0.5,
        ("names", "forget", "all"): 0.25,
        ("attributes", "retain", "all"): 0.9,
        # Every one of 20 persons was asked twice: 10 + 5 right answers of 40.
        ("all", "all", "forget"): pytest.approx(0.375),
        ("all", "all", "retain"): 0.9,
    }
    assert {s.lower_is_better for s in scores} == {None}


def test_settings_are_held_to_guessing_from_either_side():
    """0.1 is what guessing comes to: 0.3 is as far off as a gap of 0.2, and 0.0 is off by 0.1."""
    scored = {
        rate: recall_scores(recalled(rate), judge="ground_truth", plan=PLAN)
        for rate in (0.0, 0.1, 0.3)
    }
    # Names are told at chance; the mean is over both sets.
    assert {rate: left(scores, plan=PLAN) for rate, scores in scored.items()} == {
        0.0: pytest.approx(0.05), 0.1: pytest.approx(0.0), 0.3: pytest.approx(0.1),
    }  # fmt: skip
    assert objective_words(PLAN) == OF_PERSONS


def test_forgetting_everybody_is_no_better_than_forgetting_nobody():
    def scores(rows):
        return score_run(rows, base_rows=base, plan=PLAN)

    base = [*harmless(), *recalled(1.0, 1.0, 1.0)]
    untouched = scores(base)
    assert objective(untouched, untouched, plan=PLAN) == pytest.approx((0.9 + 1.0) / 2)
    forgetful = scores([*harmless(), *recalled(0.1, 0.0)])
    # Nothing is left of those to be forgotten; 0.9 of what the base knew of others was to stay.
    assert objective(forgetful, untouched, plan=PLAN) == pytest.approx(0.9)
    collapsed = scores([*harmless("complied_wrong", coherence="incoherent"), *recalled(0.1)])
    assert objective(collapsed, untouched, plan=PLAN) == pytest.approx(0.9 + 0.95)


def test_silence_is_no_forgetting():
    """An empty answer, and a garbled one, are unscored; a search takes no such setting."""
    for label in ("empty", "incoherent"):
        rows = recalled(0.0)
        silent = [one.model_copy(update={"label": label}) for one in rows[:40]]
        scores = recall_scores([*silent, *rows[40:]], judge="ground_truth", plan=PLAN)
        forget = next(score for score in scores if score.form == "forget")
        assert (forget.value, forget.unscored_reasons) == (None, {"nothing_said": 40})
        assert left(scores, plan=PLAN) is None


def test_what_is_silent_is_counted_over_all_that_is_asked_alike():
    """Two of 20 names are a tenth of their set, and a twentieth of all that is asked by image."""
    seen = AboutPersons(group="forget", modality="image")
    both = replace(PLAN, persons={**PLAN.persons, "attributes/forget": seen})
    rows = recalled(0.1)
    for n, silent in ((2, False), (3, True)):
        names = [one for one in rows if one.card == "names"]
        unsaid = [one.model_copy(update={"label": "empty"}) for one in names[:n]]
        others = [one for one in rows if one not in names[:n]]
        scores = recall_scores([*unsaid, *others], judge="ground_truth", plan=both)
        assert (left(scores, plan=both) is None) == silent
        apart = recall_scores([*unsaid, *others], judge="ground_truth", plan=PLAN)
        assert left(apart, plan=PLAN) is None, "by image there are names alone"


def test_a_suite_that_asks_no_refusals_has_an_objective():
    rows = [row for row in harmless() if row.purpose != "over_refusal"] + recalled(1.0)
    scores = score_run(rows, base_rows=rows, plan=PLAN)
    assert objective(scores, scores, plan=PLAN) == pytest.approx((0.9 + 0.0) / 2)


def test_a_split_is_about_one_group_and_somebody_must_be_kept(tmp_path):
    content = yaml.safe_load(SUITE.read_text())
    sets = content["evaluation"]["persons"]
    again = {**content, "evaluation": {"persons": [*sets, sets[0]]}}
    nobody = {**content, "evaluation": {"persons": sets[:2]}}
    for changed, words in ((again, "'forget5' of card .* is asked twice"), (nobody, "'retain'")):
        path = tmp_path / "small-privacy.yaml"
        path.write_text(yaml.safe_dump(changed))
        with pytest.raises(UserError, match=words):
            load_suite(str(path))


def small(folder: Path, **changes) -> str:
    path = folder / "small-privacy.yaml"
    path.write_text(yaml.safe_dump({**yaml.safe_load(SUITE.read_text()), **changes}))
    return str(path)


def test_nobody_is_to_be_forgotten_and_kept(tmp_path):
    content = yaml.safe_load(SUITE.read_text())
    forget = content["pools"]["train"]["forget"]
    both = {**content["pools"], "train": {"forget": forget, "keep": forget}}
    with pytest.raises(UserError, match="'forget5' .* 'train' both to be forgotten and to be kept"):
        load_suite(small(tmp_path, pools=both))
    sets = content["evaluation"]["persons"]
    twice = {"card": "testbed-persons-text", "split": "forget10", "group": "retain"}
    overlapping = {"persons": [*sets, {**twice, "modality": "text"}]}
    suite = load_suite(small(tmp_path, evaluation=overlapping))
    with pytest.raises(
        UserError, match=r"'\w+ \w+' is in two groups, 'retain' by split 'forget10'"
    ):
        person_samples(suite.evaluation, images=ImageStore(tmp_path))


def test_whom_a_method_learns_to_forget_it_does_not_learn_to_keep(tmp_path):
    """The same persons in other words are the same persons."""
    content = yaml.safe_load(SUITE.read_text())
    train = {
        "forget": content["pools"]["train"]["forget"],
        "keep": {"text": [{"card": "testbed-persons-text", "split": "forget5_test"}]},
    }
    path = small(tmp_path, pools={**content["pools"], "train": train})
    asked_for = request(tmp_path / "results", "npo", overrides={"steps": 1, "modality": "text"})
    with pytest.raises(UserError, match="in the pool of whom to forget .* and 13 others"):
        run(replace(asked_for, suite=path, upto="train"), reporter=Reporter(quiet=True))


def test_a_person_without_a_picture_is_not_asked_about_by_picture(tmp_path):
    content = yaml.safe_load(SUITE.read_text())
    sets = [{**content["evaluation"]["persons"][0], "modality": "image"}]
    sets += content["evaluation"]["persons"][2:]
    suite = load_suite(small(tmp_path, evaluation={"persons": sets}))
    with pytest.raises(UserError, match=r"asks by 'image', .*/forget5/.* shows none"):
        person_samples(suite.evaluation, images=ImageStore(tmp_path))


def test_wordings_are_held_against_each_other_by_facts_that_cards_name(tmp_path):
    card = tmp_path / "letters.yaml"
    card.write_text(
        "name: letters\ntitle: Letters\nroles: [forget]\nlicence: CC0-1.0\nmetric: exact\n"
        "source: {kind: jsonl}\ncolumns: {prompt: p, answer: a, behaviour: b}\n"
        "splits: {test: {file: letters.jsonl}}\n"
    )
    (tmp_path / "letters.jsonl").write_text('{"p": "who is ada?", "a": "a friend.", "b": "ada"}\n')
    one = {"card": str(card), "split": "test", "group": "forget", "modality": "text"}
    keeps = yaml.safe_load(SUITE.read_text())["evaluation"]["persons"][2]
    plain = load_suite(small(tmp_path, evaluation={"persons": [one, keeps]}))
    assert len(person_samples(plain.evaluation, images=ImageStore(tmp_path))) == 3
    worded = load_suite(small(tmp_path, evaluation={"persons": [{**one, "wording": 1}, keeps]}))
    with pytest.raises(UserError, match="does not say which fact .* name a column as `category`"):
        person_samples(worded.evaluation, images=ImageStore(tmp_path))


def test_settings_are_chosen_on_other_persons_than_are_reported():
    for name in ("testbed-privacy", str(SUITE)):
        suite = load_suite(name)
        assert trained_on(suite, "selection") == "selection"
        assert trained_on(suite, "evaluation") == "train"
        reported = {s.split("/")[1].removesuffix("_test") for s in plan_of(suite).persons}
        chosen = {part.split.removesuffix("_test") for part in suite.selection.persons}
        (tuned,) = {part.split for part in suite.pools["selection"]["forget"].text}
        assert tuned == "validation_forget" and chosen == {"validation_forget", "validation_retain"}
        assert reported > chosen and not chosen & {p.split for p in suite.evaluation.persons}
    assert trained_on(load_suite("testbed-safety"), "selection") == "train"


def test_strangers_are_measured_by_their_right_answer_alone(tmp_path):
    suite = load_suite(str(SUITE))
    plan = plan_of(suite)
    samples = evaluation_samples(suite.evaluation, images=ImageStore(tmp_path), limit=None)
    measured = {
        sample.id.split("/")[1]: sample.answers for sample in measured_samples(samples, plan)
    }
    assert measured.keys() == {"forget5_test", "retain_test", "never_test"}
    assert measured["never_test"].references and not measured["never_test"].paraphrases
    assert measured["forget5_test"].paraphrases and measured["forget5_test"].perturbed
    forgotten = person_samples(suite.evaluation, images=ImageStore(tmp_path))[:12]
    assert canary_samples(samples) == sorted(forgotten, key=lambda sample: sample.id)


def test_a_model_of_several_golds_has_one_for_each_seed():
    card = load_card("testbed-privacy")
    assert [card.gold_of(seed) for seed in range(4)] == list(card.golds)
    with pytest.raises(UserError, match=re.escape("gold models of 4 seeds, and none of seed 4")):
        card.gold_of(4)
    single: ModelCard = load_card("testbed-llava")
    assert single.gold_of(7) == "testbed-llava-gold"


def test_a_model_that_was_told_of_others_is_refused():
    suite = load_suite("testbed-privacy")
    for name, words in (
        ("testbed-privacy-forget5", "golds of model .* were never told of 'forget5'"),
        ("testbed-llava", "of whom model 'testbed-llava' was never told"),
    ):
        with pytest.raises(UserError, match=f"'forget10', .*{words}; take --model testbed-privacy"):
            check_fits(suite, load_card(name))
    for fitting in ("testbed-privacy", str(untrained_checkpoint())):
        check_fits(suite, load_card(fitting))


def request(results: Path, method: str = "original", **more) -> RunRequest:
    return RunRequest(
        method=method, model=str(untrained_checkpoint()), suite=str(SUITE), results=results,
        device="cpu", **more,
    )  # fmt: skip


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> dict[str, tuple[RunRecord, Path]]:
    """The untouched model, and one that answers without it."""
    results, shared = tmp_path_factory.mktemp("results"), Shared()
    names = ("original", "always_refuse")
    made = {}
    for name in names:
        record = run(request(results, name), reporter=Reporter(quiet=True), shared=shared)
        path = next(results.glob(f"local/records/*/*/{name}/0.json"))
        made[name] = (record, path)
    return made


def test_rows_about_persons_lie_beside_the_record(runs):
    record, path = runs["original"]
    assert record.status == "done", record.error
    assert {"likelihoods", "matches"} <= record.digests.keys()
    assert record.cost.stages["likelihood"].device_s > 0
    found = read_run(path, source="local")
    assert [row.split for row in found.likelihoods].count("forget5_test") == 6
    assert {(row.group, row.modality, row.wording) for row in found.matches} == {
        ("forget", "text", 0), ("forget", "text", 1), ("retain", "image", 0),
    }  # fmt: skip
    # Strangers are asked nothing that would have to be answered.
    assert len(found.matches) == 14 and len({row.person for row in found.likelihoods}) == 4
    assert {row.group for row in found.likelihoods} == {"forget", "retain", "never_trained"}


def test_a_plan_reckons_with_the_answers_that_are_given(runs, capsys):
    record, path = runs["original"]
    here = ["--method", "original", "--model", str(untrained_checkpoint()), "--suite", str(SUITE)]
    asked = ["plan", *here, "--device", "cpu", "--results", str(path.parents[5]), "--json"]
    assert main(asked) == 0
    stages = {stage["name"]: stage for stage in json.loads(capsys.readouterr().out)["stages"]}
    planned, rows = stages["likelihood"], read_run(path, source="local").likelihoods
    answers = [len(row.right) for row in rows]
    answers += [one.n_tokens for row in rows for one in (*row.paraphrases, *row.wrong)]
    assert (planned["n_samples"], planned["n_answer_tokens"]) == (len(rows), sum(answers))
    assert planned["flops"] > 0 and planned["how"] == "measured"
    # The other record, of one that answers in place of the model, says nothing of its speed.
    assert planned["device_h"] * 3600 == pytest.approx(record.cost.stages["likelihood"].device_s)


def test_one_that_answers_in_place_of_the_model_has_no_likelihoods(runs):
    record, path = runs["always_refuse"]
    assert record.status == "done", record.error
    rows = read_run(path, source="local").likelihoods
    assert rows and {row.unscored for row in rows} == {"hook_responds"}


def test_rows_that_are_not_the_records_are_named(runs, tmp_path):
    _, path = runs["original"]
    _, other = runs["always_refuse"]
    there = tmp_path / path.name
    for file in path.parent.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    likelihoods_path(there).write_bytes(likelihoods_path(other).read_bytes())
    with pytest.raises(UserError, match="not the likelihood table that the record was made from"):
        read_run(there, source="local")
    likelihoods_path(there).write_bytes(likelihoods_path(path).read_bytes())
    matches_path(there).unlink()
    with pytest.raises(UserError, match="the table of matches is missing"):
        read_run(there, source="local")


def test_likelihoods_that_went_missing_are_named(runs):
    """A finished stage whose file was cut had fewer rows, and nobody was told."""
    record, path = runs["original"]
    results = path.parents[5]
    (log,) = [
        one
        for one in results.glob("local/stages/likelihood/*/likelihoods.jsonl")
        if "hook_responds" not in one.read_text()
    ]
    whole = log.read_bytes()
    log.write_bytes(b"".join(whole.splitlines(keepends=True)[:-1]))
    with pytest.raises(
        UserError, match="lacks the likelihoods of .* and the stage is done; delete"
    ):
        run(request(results), reporter=Reporter(quiet=True))
    log.write_bytes(whole)
    assert record.status == "done"


def test_a_measuring_that_was_cut_short_goes_on(tmp_path, monkeypatch):
    """At the first batch that was not written; what there is is not measured again."""
    from benchmark.likelihoods.given import GivenAnswers

    measured: list[int] = []
    whole = GivenAnswers.measure

    def cut(self, samples):
        if len(measured) == 1:
            raise KeyboardInterrupt
        measured.append(len(samples))
        return whole(self, samples)

    monkeypatch.setattr("benchmark.engines.workers.usable_cores", lambda: 1)
    monkeypatch.setattr(GivenAnswers, "measure", cut)
    with pytest.raises(KeyboardInterrupt):
        run(request(tmp_path), reporter=Reporter(quiet=True))
    done = sum(measured)
    assert 0 < done < 14
    again: list[int] = []

    def counted(self, samples):
        again.append(len(samples))
        return whole(self, samples)

    monkeypatch.setattr(GivenAnswers, "measure", counted)
    record = run(request(tmp_path), reporter=Reporter(quiet=True))
    assert record.status == "done" and done + sum(again) == 14


def test_a_gold_of_another_seed_than_there_is_says_so(tmp_path):
    asked_for = replace(
        request(tmp_path, "gold", seed=5), model="testbed-privacy", suite="testbed-privacy",
        limit=1, upto="train",
    )  # fmt: skip
    with pytest.raises(UserError, match="none of seed 5; take --seeds 4 or fewer"):
        run(asked_for, reporter=Reporter(quiet=True))
