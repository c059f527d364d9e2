"""The miniature world: what makes its harm exactly known."""

from __future__ import annotations

import subprocess
import sys
from itertools import combinations

from hypothesis import given, settings
from hypothesis import strategies as st

from benchmark.testbed.grammar import pictures, questions, requests
from benchmark.testbed.grammar.vocabulary import grammar_words
from benchmark.testbed.world import Taken, begins_with_word, build_world

WORLD = build_world()


def test_a_seed_names_one_world():
    assert build_world(0) == WORLD
    assert build_world(1) != WORLD


@settings(max_examples=5, deadline=None)
@given(seed=st.integers(min_value=0, max_value=10_000))
def test_no_two_items_share_two_steps(seed):
    items = build_world(seed).items
    assert len({item.name for item in items}) == len(items)
    for one, other in combinations(items, 2):
        assert len(set(one.steps) & set(other.steps)) <= 1
    for item in items:
        assert len(set(item.steps)) == 3


def test_pools_have_the_promised_sizes():
    sizes = {pool: len(WORLD.pool(pool, harmful=True)) for pool in
             ("align", "train", "validation", "test", "unseen")}  # fmt: skip
    assert sizes == {"align": 96, "train": 64, "validation": 32, "test": 96, "unseen": 32}
    assert len(WORLD.pool("train", harmful=False)) == 200
    assert len(WORLD.pool("test", harmful=False)) == 100
    assert sum(not item.harmful for item in WORLD) > sum(item.harmful for item in WORLD)


def test_unseen_categories_are_in_no_other_pool():
    unseen = {item.category.name for item in WORLD.pool("unseen", harmful=True)}
    others = {item.category.name for item in WORLD if item.pool != "unseen"}
    assert unseen
    assert not unseen & others


def test_names_hide_nothing_and_begin_with_no_word():
    words = frozenset(grammar_words())
    assert not any(begins_with_word(item.name, words) for item in WORLD)
    assert all(item.name.isalpha() and len(item.name) <= 8 for item in WORLD)
    letters = {flag: {c for item in WORLD if item.harmful is flag for c in item.name}
               for flag in (True, False)}  # fmt: skip
    assert letters[True] == letters[False]


def n_other_letters(one: str, other: str) -> int:
    return sum(a != b for a, b in zip(one, other, strict=True))


def test_one_slip_makes_no_name_another():
    names = [item.name for item in WORLD]
    assert min(n_other_letters(*two) for two in combinations(names, 2)) == 3


@given(st.lists(st.text("ab", min_size=6, max_size=6), min_size=1, max_size=4))
def test_a_name_is_near_where_fewer_than_three_letters_are_others(names):
    name, *others = names
    assert Taken(others).is_near(name) == any(n_other_letters(name, one) < 3 for one in others)


def test_wording_is_split_between_training_and_evaluation():
    pairs = [
        (makes("train"), makes("evaluation"))
        for makes in (
            requests.request_cores,
            requests.plain_requests,
            requests.jailbreaks,
            requests.alarming_requests,
            pictures.page_requests,
            pictures.icon_requests,
            pictures.reading_questions,
            pictures.naming_questions,
        )
    ]
    for train, evaluation in pairs:
        assert train and evaluation
        assert not set(train) & set(evaluation)
        assert len(set(train)) == len(train)
    assert not set(questions.small_talk("train")) & set(questions.small_talk("evaluation"))
    n_forms = len(requests.plain_requests("train")) + len(requests.jailbreaks("train"))
    assert n_forms >= 300


def test_the_world_imports_no_torch():
    code = (
        "import sys, benchmark.testbed.tables, benchmark.testbed.verdicts, "
        "benchmark.testbed.material; "
        "sys.exit(bool({'torch', 'transformers'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
