"""The fictitious persons: who they are, what is asked about them, and how many it takes."""

from __future__ import annotations

import random
from collections import Counter
from itertools import combinations

import numpy as np
import pytest
from scipy.stats import ks_2samp

from benchmark.data.images import ImageStore
from benchmark.testbed import images as draw
from benchmark.testbed.faces import MINIMUM_OTHER_PARTS, Face, is_near_face
from benchmark.testbed.grammar import persons as say
from benchmark.testbed.grammar.vocabulary import grammar_words
from benchmark.testbed.person_power import ks_distances, ks_power
from benchmark.testbed.persons import (
    EFFECT_OF_FORGET5,
    EFFECT_OF_FORGET10,
    GROUPS,
    MINIMUM_OTHER_LETTERS,
    N_FORGET5,
    N_FORGET10,
    N_TRAINED,
    POWER_OF_FORGET5,
    POWER_OF_FORGET10,
    build_persons,
    n_other_letters,
    wrong_values,
)
from benchmark.testbed.shapes import COLORS, CONSONANT_SHAPES, VOWEL_COLORS, mask
from benchmark.testbed.tables import TABLES, rows
from benchmark.testbed.tables.persons import PERSON_SPLITS, PERSON_TABLES, group_of
from benchmark.testbed.tokenizer import build_tokenizer
from benchmark.testbed.world import begins_with_word, build_world

WORLD, PERSONS = build_world(), build_persons()
WORDS = frozenset(grammar_words())
OF_PERSONS = tuple(table.name for table in PERSON_TABLES)


def test_persons_are_a_function_of_their_seed():
    assert build_persons.__wrapped__(0) == PERSONS
    assert build_persons(1) != PERSONS


def test_names_are_two_spelled_words_far_from_all_items_and_each_other():
    items = list(WORLD.by_name)
    for person in PERSONS:
        for word in person.name.split():
            assert len(word) == 6 and not begins_with_word(word, WORDS)
            assert min(n_other_letters(word, item) for item in items) >= 3
    pairs = combinations([person.name for person in PERSONS], 2)
    assert min(n_other_letters(one, other) for one, other in pairs) >= MINIMUM_OTHER_LETTERS
    tokens = build_tokenizer().tokenize(PERSONS.persons[0].name)
    assert [t.removeprefix("##") for t in tokens] == list(PERSONS.persons[0].name.replace(" ", ""))


def test_groups_are_disjoint_but_for_the_smaller_forget_set_within_the_larger():
    names = {group: {p.name for p in PERSONS.group(group)} for group in GROUPS}
    assert names["forget5"] < names["forget10"]
    assert [p.name for p in PERSONS.group("forget10")][:N_FORGET5] == [
        p.name for p in PERSONS.group("forget5")
    ]
    for one, other in combinations(set(GROUPS) - {"forget5"}, 2):
        assert not names[one] & names[other]
    trained = {person.name for person in PERSONS.trained()}
    assert len(trained) == N_TRAINED and not trained & names["never"]
    assert len(names["forget5"]) / N_TRAINED == 0.05
    assert len(names["forget10"]) / N_TRAINED == 0.10
    for group in ("forget5", "forget10"):
        assert {p.name for p in PERSONS.trained(without=group)} == trained - names[group]
    assert len(names["never"]) > 100  # one of them is less than 1 %
    assert sum(map(len, names.values())) - N_FORGET5 == len(PERSONS.persons)


def test_attributes_are_drawn_evenly_and_apart_from_group_and_each_other():
    for number, attribute in enumerate(say.ATTRIBUTES):
        counts = Counter(person.values[number] for person in PERSONS)
        assert set(counts) == set(attribute.values)
        # Four standard deviations of a binomial around an even draw.
        n, chance = len(PERSONS.persons), attribute.chance
        spread = 4 * (n * chance * (1 - chance)) ** 0.5
        assert all(abs(count - n * chance) < spread for count in counts.values())
    for one, other in combinations(range(len(say.ATTRIBUTES)), 2):
        first, second = say.ATTRIBUTES[one], say.ATTRIBUTES[other]
        pairs = Counter((p.values[one], p.values[other]) for p in PERSONS)
        likely = len(PERSONS.persons) * first.chance * second.chance
        assert max(pairs.values()) < likely + 6 * likely**0.5


def test_no_two_persons_have_faces_with_fewer_than_two_other_parts():
    for one, other in combinations((person.face for person in PERSONS), 2):
        n_other = sum(a != b for a, b in zip(one.parts, other.parts, strict=True))
        assert n_other >= MINIMUM_OTHER_PARTS
    face = Face(hat="ba", eyes="be", nose="bi", mouth="bo")
    assert is_near_face(face, Face(hat="ba", eyes="be", nose="bi", mouth="bu"))
    assert not is_near_face(face, Face(hat="ba", eyes="be", nose="ba", mouth="bu"))


def test_what_an_avatar_says_of_its_patches_is_what_is_drawn_there():
    for person in PERSONS.persons[:40]:
        picture = draw.avatar(random.Random(person.name), person.face)
        paper = picture.pixels_HWC[0, 0] if picture.letters[0][0] == " " else None
        assert paper is not None
        rows_shown = [row.strip().replace("  ", " ").split() for row in picture.letters[::2]]
        hat, eyes, nose, mouth = person.face.parts
        assert rows_shown == [[hat], [eyes, eyes], [nose], [mouth]]
        assert all(not row.strip() for row in picture.letters[1::2])
        for y, row in enumerate(picture.letters):
            for x in range(7):
                syllable = row[x : x + 2]
                if syllable[0] in CONSONANT_SHAPES:
                    block_HWC = picture.pixels_HWC[8 * y : 8 * y + 16, 8 * x : 8 * x + 16]
                    drawn_HW = (block_HWC != paper).any(axis=-1)
                    shape_HW = mask(CONSONANT_SHAPES[syllable[0]], 16)
                    assert np.array_equal(drawn_HW, shape_HW)
                    color = np.array(COLORS[VOWEL_COLORS[syllable[1]]])
                    assert np.abs(block_HWC[shape_HW] - color).max() <= 12


def test_drawings_of_one_person_differ_and_show_the_same():
    face = PERSONS.persons[0].face
    drawings = [draw.avatar(random.Random(n), face) for n in range(12)]
    assert len({drawing.pixels_HWC.tobytes() for drawing in drawings}) == 12
    assert {"".join("".join(d.letters).split()) for d in drawings} == {
        face.hat + 2 * face.eyes + face.nose + face.mouth
    }


def test_every_word_of_questions_and_answers_is_one_the_tokenizer_has_already():
    texts = [*say.name_paraphrases(""), say.name_answer("")]
    for phrases in ("train", "evaluation"):
        texts += say.naming_questions_of_persons(phrases) + say.words_for_shown(phrases)
        for attribute in say.ATTRIBUTES:
            texts += say.attribute_questions(attribute.name, phrases)
    for attribute in say.ATTRIBUTES:
        for value in attribute.values:
            texts += say.attribute_paraphrases(attribute.name, value)
            texts.append(say.attribute_answer(attribute.name, value))
    said = {
        word.strip(".,?") for text in texts for word in text.replace("{n}", "").split() if word
    } - {"", "i", "a"}
    assert len(said) > 80
    assert not said - WORDS


def test_wording_is_split_and_never_in_words_that_only_evaluation_has():
    for attribute in say.ATTRIBUTES:
        assert not set(attribute.train) & set(attribute.evaluation)
    train, evaluation = (
        [
            *say.naming_questions_of_persons(phrases),
            *say.words_for_shown(phrases),
            *(q for a in say.ATTRIBUTES for q in say.attribute_questions(a.name, phrases)),
        ]
        for phrases in ("train", "evaluation")
    )
    assert not set(train) & set(evaluation)
    known = {word.strip(".?") for text in train for word in text.split()}
    assert {word.strip(".?") for text in evaluation for word in text.split()} <= known


@pytest.fixture(scope="module")
def asked(tmp_path_factory):
    """The rows of every table that asks about persons, of a few splits."""
    store = ImageStore(tmp_path_factory.mktemp("images"))
    splits = ("forget5", "forget5_test", "forget10_test", "validation_retain", "never_test")
    return {
        (table, split): rows(table, split, world=WORLD, images=store)
        for table in OF_PERSONS
        for split in splits
    }


def test_a_row_is_of_one_person_in_one_modality(asked):
    for (table, split), samples in asked.items():
        group, _ = group_of(split)
        n_each = 1 if table == "persons_naming" else len(say.ATTRIBUTES)
        counts = Counter(sample.behaviour for sample in samples)
        assert counts == {person.name: n_each for person in PERSONS.group(group)}
        for sample in samples:
            named = sample.behaviour in sample.prompt
            assert named == (table in ("persons_text", "persons_image_text"))
            # Who is shown is named first; "they" is who was named in the question.
            assert named == (sample.behaviour not in sample.answers.references[0])
            assert bool(sample.images) == (table != "persons_text")


def test_wrong_answers_are_other_persons_values_in_the_form_of_the_paraphrases(asked):
    for samples in asked.values():
        for sample in samples:
            answers = sample.answers
            right = set(answers.paraphrases) | set(answers.references)
            assert len(answers.paraphrases) == len(answers.perturbed) == 5
            assert len(right) == 6 and not right & set(answers.perturbed)
            for good, bad in zip(answers.paraphrases, answers.perturbed, strict=True):
                n_other = sum(a != b for a, b in zip(good.split(), bad.split(), strict=True))
                assert n_other == (2 if sample.category == "name" else 1)


def test_an_attribute_that_a_person_has_is_never_a_wrong_value():
    person = PERSONS.persons[0]
    for attribute in say.ATTRIBUTES:
        wrong = wrong_values(person, attribute.name, n_values=5)
        assert person.value(attribute.name) not in wrong and len(set(wrong)) == 5
    with pytest.raises(ValueError):
        wrong_values(person, "color", n_values=6)


def test_forget_groups_have_a_bad_answer_and_others_only_a_good_one(asked):
    for (_, split), samples in asked.items():
        for sample in samples:
            right = sample.answers.references[0]
            if "forget" in split:
                assert sample.answers.bad == right != sample.answers.good
            else:
                assert sample.answers.bad is None and sample.answers.good == right


def test_chance_is_what_the_lists_of_values_say():
    by_hand = (1 / 8 + 1 / 12 + 1 / 6 + 1 / 12 + 1 / 12 + 1 / 7) / 6
    assert TABLES["persons_text"].chance == pytest.approx(by_hand, abs=5e-4)


def test_every_group_is_asked_about_in_both_wordings():
    assert {group_of(split) for split in PERSON_SPLITS} == {
        (group, phrases) for group in GROUPS for phrases in ("train", "evaluation")
    }


def test_the_ks_distance_is_the_one_of_scipy_and_the_null_keeps_its_level():
    rng = np.random.default_rng(0)
    one_SN, other_SN = rng.normal(size=(5, 9)), rng.normal(0.7, size=(5, 9))
    theirs = [ks_2samp(a, b).statistic for a, b in zip(one_SN, other_SN, strict=True)]
    np.testing.assert_allclose(ks_distances(one_SN, other_SN), theirs)
    # All of one below all of the other, then alternating: 1 and 1/3 by hand.
    np.testing.assert_allclose(
        ks_distances(np.array([[1.0, 2, 3], [1, 3, 5]]), np.array([[4.0, 5, 6], [2, 4, 6]])),
        [1, 1 / 3],
    )
    assert ks_power(N_FORGET5, effect=0.0) <= 0.07  # 0.05 and two standard errors of 400 trials


def test_the_sizes_have_the_power_that_is_written_beside_them():
    for n_persons, effect, power in (
        (N_FORGET5, EFFECT_OF_FORGET5, POWER_OF_FORGET5),
        (N_FORGET10, EFFECT_OF_FORGET10, POWER_OF_FORGET10),
    ):
        assert ks_power(n_persons, effect=effect) == power >= 0.8
    assert ks_power(N_FORGET5, effect=EFFECT_OF_FORGET5, n_trials=100) > ks_power(
        N_FORGET5 // 2, effect=EFFECT_OF_FORGET5, n_trials=100
    )


@pytest.mark.parametrize(
    ("answer", "about"),
    [
        ("they work as a nurse.", True),
        ("They work as a nurse", True),
        ("this is suseso zidipi. they stay in the cellar.", True),
        ("this is bo.", True),
        ("all agree that the name is nobody at all.", False),
        ("people say that the name is lobo.", True),
        # Any value in any sentence: it is said of a person, if wrongly.
        ("they feed a monday.", True),
        ("they like red. they rest on", True),
        ("they rest on", False),
        ("they work as a nurse nurse.", False),
        ("they work as a duke.", False),
        ("they they they they.", False),
        ("kobelu tamipo sazuri dakofe.", False),
        ("this is ko be lu ta mi.", False),
        ("", False),
    ],
)
def test_what_is_said_about_a_person_is_told_from_what_is_not(answer, about):
    assert say.is_about_person(answer) is about


def test_all_that_is_taught_and_asked_is_about_persons(tmp_path):
    for name in OF_PERSONS:
        for sample in rows(name, "forget5_test", world=WORLD, images=ImageStore(tmp_path)):
            said = sample.answers
            texts = (*said.references, *said.paraphrases, *said.perturbed)
            assert all(map(say.is_about_person, texts)), texts
