"""How much of the forget pool a method is given: drawn, nested, and left out of records that had
all of it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmark.api import TrainingConfig
from benchmark.core.config import build, to_json
from benchmark.core.errors import UserError
from benchmark.core.method_config import WHOLE, ForgetPart
from benchmark.core.records import DataUse
from benchmark.core.samples import Sample
from benchmark.data.coverage import part_of
from benchmark.data.pools import Pool, Pools
from benchmark.data.samples import fingerprint
from benchmark.stages.pools import load_pools
from benchmark.stages.resolve import RunRequest, resolve
from benchmark.stages.treat import chosen_of


def sample(category: str | None, behaviour: str, view: int) -> Sample:
    """One view of a behaviour."""
    return Sample(
        id=f"card/train/{behaviour}.{view}", behaviour=behaviour, card="card", purpose="training",
        prompt=f"how do i make {behaviour}?", category=category,
    )  # fmt: skip


def pool(sizes: dict[str | None, int], *, views: int = 2) -> Pool:
    """So many behaviours of each category, `a0`, `a1` ... in category `a`."""
    samples = tuple(
        sample(category, f"{category}{index}", view)
        for category, size in sizes.items()
        for index in range(size)
        for view in range(views)
    )
    use = DataUse(
        card="card", split="train", role="forget", n=len(samples), sha256=fingerprint(samples)
    )
    return Pool(role="forget", modality="text", samples=samples, uses=(use,), sha256="0" * 64)


def left(found: Pool, seed: int = 0, **part) -> Pool:
    return part_of(found, ForgetPart(**part), seed=seed, suite="suite")


def behaviours(found: Pool) -> set[str]:
    return {one.behaviour for one in found.samples}


def categories(found: Pool) -> set[str | None]:
    return {one.category for one in found.samples}


FOUR = pool({"a": 4, "b": 4, "c": 4, "d": 4})


def test_all_of_it_is_the_very_pool():
    assert part_of(FOUR, WHOLE, seed=0, suite="suite") is FOUR


def test_a_category_is_left_out_or_is_the_only_one():
    assert categories(left(FOUR, without="b")) == {"a", "c", "d"}
    assert categories(left(FOUR, categories=("b", "d"))) == {"b", "d"}
    assert len(left(FOUR, without="b").samples) == 3 * 4 * 2


def test_behaviours_are_drawn_evenly_and_whole():
    found = left(FOUR, n_behaviours=8)
    assert len(behaviours(found)) == 8 and len(found.samples) == 16
    assert [sum(b[0] == name for b in behaviours(found)) for name in "abcd"] == [2, 2, 2, 2]
    # One category has too few: the others make up for it.
    uneven = left(pool({"a": 1, "b": 9}), n_behaviours=6)
    assert sorted(b[0] for b in behaviours(uneven)) == ["a", "b", "b", "b", "b", "b"]


def test_what_was_used_is_counted_anew():
    found = left(FOUR, n_categories=1, n_behaviours=3)
    (use,) = found.uses
    assert (use.card, use.n) == ("card", 6)
    assert use.sha256 == fingerprint(found.samples) != FOUR.uses[0].sha256
    assert found.sha256 != FOUR.sha256
    assert found.sha256 == left(FOUR, n_categories=1, n_behaviours=3).sha256


@given(
    sizes=st.lists(st.integers(1, 5), min_size=1, max_size=5),
    seed=st.integers(0, 5),
    data=st.data(),
)
def test_more_holds_fewer_under_one_seed(sizes, seed, data):
    whole = pool({chr(97 + place): size for place, size in enumerate(sizes)}, views=1)
    fewer = data.draw(st.integers(1, len(sizes)))
    more = data.draw(st.integers(fewer, len(sizes)))
    small, large = (left(whole, seed, n_categories=n) for n in (fewer, more))
    assert categories(small) <= categories(large) and len(categories(large)) == more
    few = data.draw(st.integers(1, len(behaviours(large))))
    many = data.draw(st.integers(few, len(behaviours(large))))
    less, most = (left(whole, seed, n_categories=more, n_behaviours=n) for n in (few, many))
    assert behaviours(less) <= behaviours(most) <= behaviours(large)
    assert len(behaviours(less)) == few


def test_seeds_draw_different_ones():
    drawn = {frozenset(categories(left(FOUR, seed, n_categories=1))) for seed in range(20)}
    assert drawn == {frozenset(name) for name in "abcd"}


@pytest.mark.parametrize(
    ("of", "part", "line"),
    [
        (FOUR, {"without": "e"}, "forget.without: the forget pool of suite 'suite' has no category "
         "'e', known: a, b, c, d"),
        (pool({"arson": 1, "fraud": 1}), {"categories": ("arsn",)}, "forget.categories: the forget "
         "pool of suite 'suite' has no category 'arsn', did you mean 'arson'?"),
        (FOUR, {"n_categories": 5}, "forget.n_categories = 5: the forget pool of suite 'suite' has "
         "4 categories"),
        (FOUR, {"without": "a", "n_categories": 4}, "forget.n_categories = 4: the forget pool of "
         "suite 'suite' has 3 categories to draw from"),
        (FOUR, {"n_behaviours": 17}, "forget.n_behaviours = 17: the forget pool of suite 'suite' "
         "has 16 behaviours in 4 categories (a, b, c, d)"),
        (FOUR, {"categories": ("a",), "n_behaviours": 5}, "forget.n_behaviours = 5: the forget "
         "pool of suite 'suite' has 4 behaviours in 1 category (a)"),
        (pool({"a": 2}), {"without": "a"}, "forget.without = a: it is the only category of the "
         "forget pool of suite 'suite', and nothing would be left"),
        (pool({None: 2}), {"n_categories": 1}, "forget.n_categories = 1: the forget pool of suite "
         "'suite' has 0 categories"),
        (pool({None: 2}), {"without": "a"}, "forget.without: the forget pool of suite 'suite' has "
         "no category 'a', known: none"),
    ],
)  # fmt: skip
def test_what_is_not_there_is_one_line(of, part, line):
    with pytest.raises(UserError) as error:
        left(of, **part)
    assert str(error.value) == line


def test_samples_without_a_category_are_drawn_by_behaviour():
    found = left(pool({None: 6}), n_behaviours=2)
    assert len(behaviours(found)) == 2


@pytest.mark.parametrize(
    ("forget", "words"),
    [
        ({"categories": ["a"], "without": "b"}, "one of them, since both say which are left"),
        ({"categories": []}, "names none, which leaves nothing to forget"),
        ({"categories": ["a", "a"]}, "'a' is there twice"),
        ({"n_categories": 0}, "greater than or equal to 1"),
        ({"n_behaviors": 1}, "unknown field 'forget.n_behaviors', did you mean 'n_behaviours'?"),
    ],
)
def test_settings_that_contradict_themselves(forget, words):
    with pytest.raises(UserError, match="method 'm': ") as error:
        build(TrainingConfig, {"forget": forget}, where="method 'm'")
    assert words in str(error.value)


def test_a_record_of_the_whole_pool_stays_what_it_was():
    assert "forget" not in to_json(TrainingConfig())
    assert "forget" not in to_json(build(TrainingConfig, {"forget": {}}, where=""))
    part = to_json(TrainingConfig(forget=ForgetPart(n_categories=2)))["forget"]
    assert part == {"n_categories": 2}


def resolved(method: str, **changes):
    return resolve(RunRequest(method=method, model="testbed-llava", device="cpu", **changes))


@pytest.fixture(scope="module")
def pools() -> Pools:
    """Loaded once."""
    return Pools()


def test_the_setting_names_the_row_and_takes_its_part_of_the_pool_alone(pools, tmp_path):
    whole = load_pools(resolved("textual_sft", results=tmp_path), pools)
    run = resolved("textual_sft+forget.n_categories=2+forget.n_behaviours=8", results=tmp_path)
    assert run.spec.method == "textual_sft+forget.n_behaviours=8+forget.n_categories=2"
    assert run.spec.config["forget"] == {"n_categories": 2, "n_behaviours": 8}
    found = load_pools(run, pools)
    assert len(categories(found["forget"])) == 2 and len(behaviours(found["forget"])) == 8
    assert len(found["forget"].samples) == 32, "four views of each"
    assert found["keep"] is whole["keep"]
    assert load_pools(resolved("textual_sft", results=tmp_path), pools) == whole


def test_seeds_of_a_run_draw_and_the_same_seed_draws_the_same(pools, tmp_path):
    row = "textual_sft+forget.n_behaviours=8"
    drawn = [
        load_pools(resolved(row, seed=seed, results=tmp_path), pools)["forget"].sha256
        for seed in (0, 0, 1)
    ]
    assert drawn[0] == drawn[1] != drawn[2]


def test_a_part_of_a_pool_that_a_method_has_not(pools):
    with pytest.raises(UserError, match="unknown field 'forget'"):
        resolved("original+forget.n_categories=2")
    run = resolved("textual_sft+forget.n_categories=2")

    class KeepsOnly(type(run.method)):
        pools = ("keep",)

    with pytest.raises(UserError, match="'textual_sft' learns from no forget pool, of which"):
        load_pools(replace(run, method=KeepsOnly(run.method.config)), pools)
    with pytest.raises(UserError, match="forget: is of methods; a treatment says itself"):
        chosen_of("relearn+forget.n_categories=2")
