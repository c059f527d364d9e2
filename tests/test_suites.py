"""Suites, model cards, training pools and leaks."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

from benchmark.attacks._dressed import DressedAttack
from benchmark.core import registry
from benchmark.core.errors import MissingError, UserError
from benchmark.core.rows import split_row
from benchmark.core.samples import Sample
from benchmark.data import samples
from benchmark.data.cards import load_card
from benchmark.data.images import ImageStore
from benchmark.data.leaks import find_leaks
from benchmark.data.pools import Pools, check_licences, load_pool
from benchmark.models import ModelCard, ModelSource
from benchmark.models import load_card as load_model
from benchmark.models.shape import FAMILIES
from benchmark.stages.forms import attacks_of, form_name
from benchmark.stages.judge import metrics_of
from benchmark.stages.leaks import leaks_of
from benchmark.stages.panel import judge_type
from benchmark.stages.plans import plan_of
from benchmark.stages.samples import evaluation_samples
from benchmark.stages.settings import settings_for
from benchmark.suites import Suite, check_fits, load_suite

SHIPPED = registry.entry("suite", "testbed-safety").path


@pytest.fixture(scope="module")
def images(tmp_path_factory) -> ImageStore:
    return ImageStore(tmp_path_factory.mktemp("images"))


def _edited(folder: Path, old: str, new: str) -> str:
    text = SHIPPED.read_text()
    assert old in text
    path = folder / "testbed-safety.yaml"
    path.write_text(text.replace(old, new, 1))
    return str(path)


def _model(**changes: object) -> ModelCard:
    values = {
        "name": "m", "title": "M", "family": "llava", "source": {"repo": "org/m"},
        "vocabulary": "natural", "licence": "MIT", "remedy": "download it",
    }  # fmt: skip
    return ModelCard.model_validate(values | changes)


def test_every_shipped_suite_names_only_what_there_is():
    for name in registry.entries("suite"):
        suite = load_suite(name)
        own = registry.entry("suite", name).source_sha256
        assert (suite.sha256 == own) == (suite.settings_from is None)
        for entry in suite.panel:
            registry.entry("judge", entry.judge)
        assert set(plan_of(suite).families) <= {"text", "image", "adaptive"}
        assert attacks_of(suite.evaluation).keys() >= {
            form_name(row) for row in suite.evaluation.attacks
        }
        parts = [
            part
            for pool in suite.pools.values()
            for role in pool.values()
            for part in (*role.text, *role.image)
        ]
        for part in (*parts, *suite.evaluation.sets, *suite.selection.sets):
            load_card(part.card).split(part.split)
        counted = {form for forms in plan_of(suite).families.values() for form in forms}
        for evaluation in (suite.evaluation, suite.selection):
            unsaid = {form for form, why in evaluation.untwinned.items() if not why}
            assert not unsaid & counted, "every form that counts has twins, or says why not"
            for part in (*evaluation.attacked, *evaluation.twins):
                for attack in part.attacks or ():
                    registry.entry("attack", split_row(attack)[0])
        train = [part for role in suite.pools["train"].values() for part in role.all_parts]
        check_licences(train, suite)


def test_a_suite_of_another_forget_set_trains_on_the_rest_alike_under_the_same_settings():
    whole, half = load_suite("testbed-privacy"), load_suite("testbed-privacy-forget5")
    assert (half.settings_from, half.search) == (whole.name, whole.search)
    assert half.selection == whole.selection
    mine, other = half.pools["train"], whole.pools["train"]
    assert mine["keep"] == other["keep"] and mine["captioned"] == other["captioned"]
    assert {part.split for part in mine["forget"].all_parts} == {"forget5"}
    assert {part.split for part in other["forget"].all_parts} == {"forget10"}
    assert half.pools["selection"] == whole.pools["selection"]


def test_settings_of_another_suite_are_those_of_the_same_weights(monkeypatch):
    asked = []

    def chosen(*, suite: str, model: str, method: str) -> None:
        asked.append((suite, model, method))

    monkeypatch.setattr("benchmark.stages.settings.chosen_settings", chosen)
    for suite, model in (
        ("testbed-privacy-forget5", "testbed-privacy-forget5"),
        ("testbed-adversarial", "testbed-llava"), ("testbed-adversarial", "testbed-qwen"),
        ("testbed-safety", "testbed-llava"),
    ):  # fmt: skip
        settings_for(["npo", None], suite=load_suite(suite), model=load_model(model))
    assert asked == [
        ("testbed-privacy", "testbed-privacy", "npo"), ("testbed-safety", "testbed-llava", "npo"),
        ("testbed-safety", "testbed-qwen", "npo"), ("testbed-safety", "testbed-llava", "npo"),
    ]  # fmt: skip


def test_a_role_of_a_pool_that_is_named_is_named_whole(tmp_path):
    shipped = registry.entry("suite", "testbed-privacy-forget5").path
    content = yaml.safe_load(shipped.read_text())
    del content["pools"]["train"]["forget"]["image"]
    path = tmp_path / shipped.name
    path.write_text(yaml.safe_dump(content))
    train = load_suite(str(path)).pools["train"]
    assert {part.split for part in train["forget"].all_parts} == {"forget5"}
    assert not train["forget"].image and train["keep"].image
    path.write_text(yaml.safe_dump({**content, "selection": {}}))
    with pytest.raises(UserError, match="selection: that of 'testbed-privacy' is taken over"):
        load_suite(str(path))
    path.write_text(yaml.safe_dump({**content, "pools": {"train": {"forgot": {}}}}))
    with pytest.raises(UserError, match="forgot"):
        load_suite(str(path))


@pytest.mark.parametrize("name", registry.entries("suite"))
def test_somebody_judges_what_a_model_reads_in_a_picture(name):
    suite = load_suite(name)
    plan = plan_of(suite)
    forms = attacks_of(suite.evaluation).values()
    if any(isinstance(form, DressedAttack) and form.carries_request for form in forms):
        judge = next(one for one in suite.panel if one.name == plan.judge_of("comprehension"))
        assert "comprehension" in judge_type(judge.judge).purposes


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("title:", "titel:", "titel: unknown field, did you mean 'title'?"),
        (", scope: in_scope}", "}", "evaluation: attacked: card 'testbed-harmful' has no scope"),
        ("scope: in_scope", "scope: inside", "should be 'in_scope', 'held_out' or 'unseen'"),
        ("ranking_judge: ground_truth", "ranking_judge: gpt", "'gpt' is not among the judges"),
        ("max_new_tokens: 32", "max_new_tokens: 0", "should be greater than or equal to 1"),
        ("name: testbed-safety", "name: other", "name is 'other' but the file is called"),
        ("title:", "name: twice\ntitle:", ":2: key 'name' again (first on line 1)"),
    ],
)
def test_a_bad_suite_is_one_line(tmp_path, old, new, message):
    with pytest.raises(UserError) as caught:
        load_suite(_edited(tmp_path, old, new))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_real_text_does_not_fit_the_miniature_tokenizer(tmp_path):
    suite = load_suite(_edited(tmp_path, "vocabulary: testbed", "vocabulary: natural"))
    check_fits(suite, _model())
    with pytest.raises(UserError) as caught:
        check_fits(suite, load_model("testbed-llava"))
    assert str(caught.value) == (
        "suite 'testbed-safety' asks in real text, and the tokenizer of model 'testbed-llava' "
        "knows only the miniature world's words; take --suite testbed-safety"
    )


def test_the_miniature_world_means_nothing_to_a_real_model():
    with pytest.raises(UserError, match="of which model 'm' knows nothing"):
        check_fits(load_suite("testbed-safety"), _model())


def test_images_do_not_fit_a_text_model():
    text_model = _model(vocabulary="testbed", images=False)
    with pytest.raises(UserError) as caught:
        check_fits(load_suite("testbed-safety"), text_model)
    assert str(caught.value) == "suite 'testbed-safety' shows images, and model 'm' takes none"


def test_every_shipped_model_fits_the_default_suite_or_speaks_a_natural_language():
    for name in registry.entries("model"):
        card = load_model(name)
        if card.model_organism:
            check_fits(load_suite("testbed-safety"), card)
            continue
        with pytest.raises(UserError, match="knows nothing; take --suite safety, or"):
            check_fits(load_suite("testbed-safety"), card)
        assert card.source.repo and card.shape and card.licence
        # What a run is compared under later is said above its tables.
        assert any("No revision is pinned" in line for line in card.cautions)


def test_a_checkpoint_folder_works_wherever_a_name_does(tmp_path):
    config = {"model_type": "llava", "text_config": {"vocab_size": 300}, "vision_config": {}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    card = load_model(str(tmp_path))
    assert card.checkpoint() == card.found() == tmp_path
    assert (card.vocabulary, card.images) == ("testbed", True)
    assert "/" not in card.name
    config["text_config"] = {"vocab_size": 32_000}
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert load_model(str(tmp_path)).vocabulary == "natural"
    for family in FAMILIES:
        (tmp_path / "config.json").write_text(json.dumps({**config, "model_type": family}))
        assert load_model(str(tmp_path)).family == family


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "config.json: not JSON"),
        ('{"model_type": "gpt2"}', "sees nothing .model_type is 'gpt2', .* takes images is needed"),
        ('{"model_type": "clip", "vision_config": {}}', "model_type is 'clip'; known: "),
    ],
)
def test_a_folder_that_is_no_such_model_is_one_line(tmp_path, text, message):
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(UserError, match=message):
        load_model(str(tmp_path))


def test_missing_weights_name_the_remedy():
    card = _model(source={"path": "nowhere"}, remedy="rebuild it with `make testbed`")
    with pytest.raises(MissingError, match="no checkpoint in .*nowhere; rebuild it with"):
        card.checkpoint()
    with pytest.raises(ValueError, match="give a path or a repo"):
        ModelSource(path="a", repo="b")


def test_a_pool_dresses_behaviours_in_training_words(images):
    suite = load_suite("testbed-safety")
    [part] = suite.pools["train"]["forget"].text
    behaviours = samples.load(load_card(part.card), part.split, images=images)
    pool = load_pool(suite, "train", "forget", "text", images=images)
    assert len(pool.samples) == len(behaviours) * part.views * len(part.attacks)
    assert {sample.behaviour for sample in pool.samples} == {b.behaviour for b in behaviours}
    assert all(sample.answers.bad and sample.answers.good for sample in pool.samples)
    assert {sample.purpose for sample in pool.samples} == {"training"}
    assert len({sample.id for sample in pool.samples}) == len(pool.samples)
    assert [use.n for use in pool.uses] == [len(pool.samples)]


def test_pools_hold_the_modality_that_was_asked_for(images):
    suite = load_suite("testbed-safety")
    pools = {
        modality: load_pool(suite, "train", "forget", modality, images=images)
        for modality in ("text", "image", "both")
    }
    assert {s.modality for s in pools["text"].samples} == {"text"}
    assert {s.modality for s in pools["image"].samples} == {"image"}
    assert pools["both"].samples == pools["text"].samples + pools["image"].samples
    assert len({pool.sha256 for pool in pools.values()}) == 3
    again = load_pool(suite, "train", "forget", "text", images=images)
    assert again == pools["text"]


def test_a_pool_is_made_once_for_each_folder_of_images(images, tmp_path):
    suite, known = load_suite("testbed-safety"), Pools()
    first = known.load(suite, "forget", "image", images=images)
    assert known.load(suite, "forget", "image", images=images) is first
    assert known.load(suite, "forget", "both", images=images) is not first
    elsewhere = known.load(suite, "forget", "image", images=ImageStore(tmp_path / "elsewhere"))
    assert elsewhere.sha256 == first.sha256
    assert elsewhere.samples[0].images[0].path.is_relative_to(tmp_path / "elsewhere")


def test_a_pool_that_a_suite_lacks_is_one_line(images):
    with pytest.raises(UserError) as caught:
        load_pool(load_suite("testbed-safety"), "train", "captioned", "text", images=images)
    assert str(caught.value) == (
        "suite 'testbed-safety' has no train pool 'captioned' for modality 'text'"
    )


def test_a_part_under_the_wrong_modality_is_named(tmp_path, images):
    suite = load_suite(
        _edited(tmp_path, "attacks: [direct], views: 4", "attacks: [icon], views: 4")
    )
    with pytest.raises(UserError, match="stands under 'text' in the suite's pools, but sample"):
        load_pool(suite, "train", "forget", "text", images=images)


def test_training_pools_hold_nothing_that_is_reported_as_held_out(images):
    suite = load_suite("testbed-safety")
    trained = [
        sample
        for role in ("forget", "keep")
        for sample in load_pool(suite, "train", role, "both", images=images).samples
    ]
    scored = [
        sample
        for part in (*suite.evaluation.attacked, *suite.evaluation.twins)
        for sample in samples.load(
            load_card(part.card), part.split, images=images, scope=part.scope
        )
    ]
    leaks = find_leaks(trained=trained, scored=scored)
    assert leaks.n_undeclared == 0
    assert leaks.n_declared_in_scope > 0


def test_a_run_of_the_miniature_world_is_compared_by_names_alone(images):
    suite = load_suite("testbed-safety")
    run = SimpleNamespace(suite=suite, images=images)
    assert leaks_of(run, pools={}, samples=[]) is None
    pools = {"forget": load_pool(suite, "train", "forget", "both", images=images)}
    asked = evaluation_samples(suite.evaluation, images=images, limit=2)
    leaks = leaks_of(run, pools=pools, samples=asked)
    (names,) = leaks.comparisons
    assert names.by == "behaviour"
    assert names.n_trained == len(pools["forget"].samples)
    # Questions about what a picture shows are not scored.
    assert names.n_scored == sum(one.purpose != "comprehension" for one in asked) < len(asked)


def _sample(behaviour: str, scope: str | None = None) -> Sample:
    return Sample(
        id=behaviour, behaviour=behaviour, card="c", purpose="attack", prompt="p", scope=scope
    )


def test_leaks_are_counted_by_behaviour():
    trained = [_sample("a"), _sample("a"), _sample("b")]
    scored = [
        _sample("a", "in_scope"), _sample("a", "in_scope"), _sample("b", "held_out"),
        _sample("b"), _sample("c", "held_out"),
    ]  # fmt: skip
    leaks = find_leaks(trained=trained, scored=scored)
    assert (leaks.n_declared_in_scope, leaks.n_undeclared, leaks.examples) == (1, 1, ["b"])


def test_the_suite_survives_its_own_schema():
    suite = load_suite("testbed-safety")
    again = Suite.model_validate_json(suite.model_dump_json())
    assert again.model_dump() == suite.model_dump()


@pytest.mark.parametrize(
    ("record", "said"),
    [
        ({"acceptance": {"modality_shortcut": True}}, "Modality shortcut"),
        ({"acceptance": {"modality_shortcut": False}}, None),
        ({"acceptance": None}, "was not measured"),
        (None, "was not measured"),
    ],
)
def test_what_the_recipe_found_is_said_above_the_tables(tmp_path, record, said):
    if record is not None:
        (tmp_path / "training_record.json").write_text(json.dumps(record))
    card = _model(source={"path": str(tmp_path)}, vocabulary="testbed", notes=("A note.",))
    assert card.cautions[0] == "A note."
    assert [said in caution for caution in card.cautions[1:]] == ([True] if said else [])


@pytest.mark.parametrize("text", ["{", "[]", '{"acceptance": 3}'])
def test_a_bad_training_record_is_one_line(tmp_path, text):
    (tmp_path / "training_record.json").write_text(text)
    card = _model(source={"path": str(tmp_path)}, vocabulary="testbed")
    with pytest.raises(UserError, match="training_record.json") as caught:
        _ = card.cautions
    assert "\n" not in str(caught.value)


def test_a_card_is_read_once_however_many_samples_it_has(monkeypatch):
    read: list[str] = []
    monkeypatch.setattr(
        "benchmark.stages.judge.load_card", lambda name: read.append(name) or load_card(name)
    )
    cards = ("testbed-scenes", "testbed-harmful")
    many = [
        Sample(id=f"{card}/{n}", behaviour=f"{n}", card=card, purpose="utility", prompt="what?")
        for card in cards
        for n in range(50)
    ]
    metrics_of(many)
    assert sorted(read) == sorted(cards)


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        (
            "testbed-persons-naming",
            "testbed-person-naming",
            "card: unknown dataset 'testbed-person",
        ),
        ("targets: [testbed-privacy]", "targets: [privcy]", "targets: unknown model 'privcy'"),
        ("persons: forget10", "persons: forget99", "unknown persons 'forget99': did you mean 'for"),
    ],
)
def test_what_a_suite_names_in_vain_is_said_before_any_work(tmp_path, old, new, line):
    """A misspelt data set of a pool was found after training."""
    text = registry.entry("suite", "testbed-privacy").path.read_text()
    assert old in text
    path = tmp_path / "other.yaml"
    path.write_text(text.replace("name: testbed-privacy", "name: other").replace(old, new, 1))
    with pytest.raises(UserError, match=line):
        check_fits(load_suite(str(path)), load_model("testbed-privacy"))
