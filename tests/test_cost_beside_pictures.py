"""What pictures add to the cost of unlearning: reckoned as the loop counts it, kept as a page."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from run_records import record

from benchmark.cli import main
from benchmark.core.errors import UserError
from benchmark.core.store import Results
from benchmark.cost.beside_pictures import (
    Training,
    cost_ratio,
    longest_text,
    unlearning_flops,
    visual_tokens,
    with_side,
)
from benchmark.cost.pictures import Pictures
from benchmark.cost.shapes import shape_of
from benchmark.cost.sweep import CLAIMED, Cell, Condition, PictureFigures, Reckoned
from benchmark.speed.pictured import save_subject
from benchmark.speed.pictures import PictureRequest, train
from benchmark.speed.reckoned import conditions, pictures_of
from benchmark.tables.figures.canvas import picture_bytes
from benchmark.tables.pictured.drawn import RatioCurves
from benchmark.tables.pictured.files import cost_files, publish_sweep, sweep_path
from benchmark.tables.pictured.frontier import BoardCosts
from benchmark.tables.pictured.page import claim, not_measured
from benchmark.vlm.loading import load_model

SEVEN_B = pictures_of("llava-1.5-7b")
TRAINING = Training(prompt=19, answer=33, samples=8, batch=8, steps=8, tuning="lora", lora_rank=16)


@pytest.mark.parametrize("shown", [False, True])
def test_what_is_reckoned_is_what_the_loop_counts(shown: bool, tmp_path: Path) -> None:
    """Over two batches an epoch, so that what is looked at and asked once is."""
    save_subject(tmp_path / "model", side=32)
    request = PictureRequest(
        sides=(32,), answers=(6,), samples=4, batch_size=2, steps=3, repeats=1, device="cpu",
        models=(),
    )  # fmt: skip
    done = train(request, tmp_path, side=32, n_words=6, shown=shown)
    assert (done.n_visual, done.n_answer) == (16 if shown else 0, 7)
    hf = load_model(tmp_path / "model", name="made").hf
    of = Training(
        prompt=done.n_prompt, answer=done.n_answer, samples=4, batch=2, steps=3, tuning="lora",
        lora_rank=request.training.lora_rank,
    )  # fmt: skip
    made = Pictures("llava", shape_of(hf.config))
    assert unlearning_flops(made, of, shown=shown) == done.flops


def test_the_7b_sees_576_tokens_and_fewer_in_smaller_pictures() -> None:
    assert visual_tokens(SEVEN_B) == 576
    assert visual_tokens(with_side(SEVEN_B, 56)) == 16
    with pytest.raises(UserError, match="60 pixels a side are no whole number of patches of 14"):
        with_side(SEVEN_B, 60)
    with pytest.raises(UserError, match="is known of llava here, not qwen2_vl"):
        with_side(pictures_of("qwen2-vl-7b"), 56)


def test_five_visual_tokens_for_one_of_text_cost_about_six_times_as_much() -> None:
    """Operations go with tokens but for attention, logits and looking: (5 + 1) / 1."""
    of = Training(prompt=58, answer=58, samples=8, batch=8, steps=64, tuning="lora", lora_rank=16)
    assert cost_ratio(SEVEN_B, of) == pytest.approx(6, rel=0.03)


@given(st.integers(1, 200), st.integers(1, 200))
def test_pictures_cost_more_and_looking_anew_costs_most(prompt: int, answer: int) -> None:
    of = Training(
        prompt=prompt, answer=answer, samples=8, batch=8, steps=8, tuning="full", lora_rank=0
    )
    once = cost_ratio(SEVEN_B, of)
    assert 1 < once < cost_ratio(SEVEN_B, of, looking="every step")


@pytest.mark.parametrize("looking", ["once", "every step"])
def test_the_longest_text_is_the_last_that_reaches_the_ratio(looking) -> None:
    text = longest_text(SEVEN_B, TRAINING, ratio=CLAIMED, looking=looking)
    assert text is not None

    def ratio_of(n: int) -> float:
        answer = round(n * TRAINING.answer / TRAINING.text)
        of = Training(
            prompt=n - answer, answer=answer, samples=8, batch=8, steps=8, tuning="lora",
            lora_rank=16,
        )  # fmt: skip
        return cost_ratio(SEVEN_B, of, looking=looking)

    assert ratio_of(text) >= CLAIMED > ratio_of(text + 1)
    assert longest_text(with_side(SEVEN_B, 14), TRAINING, ratio=CLAIMED) is None


def cell(*, ratio: float, n_visual: int = 64, ends: tuple[float, float] | None = None) -> Cell:
    low, high = ends or (ratio - 0.1, ratio + 0.1)
    of = {"median": ratio, "low": low, "high": high}
    return Cell.model_validate(
        {
            "side": 64, "n_visual": n_visual, "n_prompt": 19, "n_answer": 13,
            "text_s": {"median": 1, "low": 1, "high": 1}, "image_s": of, "ratio": of,
            "text_flops": 1.0, "image_flops": ratio,
        }
    )  # fmt: skip


def figures(*cells: Cell, found: list[Condition]) -> PictureFigures:
    return PictureFigures.model_construct(cells=list(cells), conditions=found)


def test_the_verdict_follows_from_what_was_measured() -> None:
    holds = Condition(model="m", n_visual=576, answer_share=0.5, once=118, every_step=120)
    said = claim(figures(cell(ratio=2.0), cell(ratio=7.5), found=[holds]))
    assert "not confirmed here as a bound" in said and "7.5 [7.4, 7.6] at 2.0 visual" in said
    assert (
        "kept and a sample has at most 118 tokens of text (image tokens / text tokens >= 4.9)"
        in said
    )
    assert (
        "step and a sample has at most 120 tokens of text (image tokens / text tokens >= 4.8)"
        in said
    )
    assert "confirmed here as a bound: no cell" in claim(figures(cell(ratio=2.0), found=[holds]))
    # One of its turns cost less than six times as much, one more.
    astride = cell(ratio=6.2, ends=(5.9, 6.4))
    said = claim(figures(cell(ratio=2.0), astride, found=[holds]))
    assert "not decided here: some turn cost more" in said
    assert "confirmed" not in said and "6.2 [5.9, 6.4]" in said
    assert "not confirmed" in claim(figures(astride, cell(ratio=7.5), found=[holds]))
    at_most = cell(ratio=5.9, ends=(5.8, 6.0))
    assert "confirmed here as a bound: no cell" in claim(figures(at_most, found=[holds]))
    never = holds.model_copy(update={"once": None, "every_step": None})
    assert "where 50 % of the text are answer" in said
    for found in ([never], [holds, never]):
        none = "no length of text is short enough at every share of answers"
        assert none in claim(figures(cell(ratio=2.0), found=found))


def test_conditions_are_of_the_models_own_pictures() -> None:
    (one,) = conditions("llava-1.5-7b", [cell(ratio=2.0), cell(ratio=3.0)], TRAINING)
    assert (one.n_visual, one.answer_share) == (576, 13 / 32)
    assert one.once is not None and one.every_step is not None and one.once <= one.every_step


def test_the_page_says_that_large_shapes_were_not_measured() -> None:
    """A board of CPU runs beside a sweep on a CPU; then one of GPU runs; then one of that shape."""
    one = Reckoned(model="large", n_visual=4, n_prompt=1, n_answer=1, once=3.0, every_step=3.0)
    found = PictureFigures.model_construct(reckoned=[one], system=record("any").system)
    small = BoardCosts(suite="s", model="small", unit="CPU-core", on_gpu=False, points=())
    said = not_measured(found, [small])
    assert "No GPU was there when these figures were made" in said
    assert "of the shape of `large` was measured, not even with random weights" in said
    said = not_measured(found, [replace(small, on_gpu=True)])
    assert "No GPU" not in said and "of the shape of `large` was measured" in said
    assert not_measured(found, [replace(small, model="large", on_gpu=True)]) == ""


def _check_page(found: PictureFigures, results: Results) -> None:
    assert cost_files([], results) == {}
    publish_sweep(found, results)
    files = {path.name: content for path, content in cost_files([], results).items()}
    assert set(files) == {"cost.md", "cost.pictures.png", "cost.pictures.svg"}
    assert "| 16 " in str(files["cost.md"]) and "![" in str(files["cost.md"])
    assert "No GPU was there" in str(files["cost.md"])
    picture = files["cost.pictures.png"]
    assert isinstance(picture, RatioCurves) and len(picture.series) == 4
    assert picture_bytes(picture).startswith(b"\x89PNG")
    sweep_path(results).write_text("{")
    with pytest.raises(UserError, match="no sweep that can be read"):
        cost_files([], results)


def test_the_command_prints_what_programs_can_read_and_names_what_is_wrong(
    capsys, tmp_path
) -> None:
    small = ["--sides", "32", "--answers", "6", "--steps", "1", "--repeats", "1", "--samples", "2",
             "--batch-size", "2"]  # fmt: skip
    assert main(["speed", "pictures", *small, "--json"]) == 0
    found = PictureFigures.model_validate(json.loads(capsys.readouterr().out))
    assert [one.n_visual for one in found.cells] == [16] and len(found.reckoned) == 2
    _check_page(found, Results(tmp_path, tmp_path / "published", tmp_path / "leaderboard"))
    for wrong, says in (
        (["--sides", "30"], "--sides 30: no whole number of patches of 8 pixels"),
        (["--answers", "8,x"], "--answers 8,x: expected whole numbers"),
        (["--sides", "0"], "--sides 0: numbers from 1 up"),
        (["--samples", "3", "--batch-size", "2"], "--samples 3: it must be a multiple"),
        (["--models", "testbed-llava"], "its card gives no shape to reckon with"),
        (["--models", "qwen2-vl-7b"], "is known of llava here, not qwen2_vl"),
    ):
        assert main(["speed", "pictures", *small, *wrong]) == 2
        assert says in capsys.readouterr().err.splitlines()[-1]
