"""The recipe at minimal length: its parts fit, it resumes, transformers loads what it writes."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForImageTextToText

from benchmark.core.samples import Sample
from benchmark.data.images import ImageStore
from benchmark.testbed.architectures import ARCHITECTURES, LLAVA
from benchmark.testbed.grammar.answers import recipe_text
from benchmark.testbed.grammar.pictures import LIST_HEADS, PAGE_HEADS, PAGE_LISTS
from benchmark.testbed.grammar.requests import FRAMES, framed_requests, request_cores
from benchmark.testbed.material import TestbedMaterial
from benchmark.testbed.recipe import build_model, stages
from benchmark.testbed.recipe.acceptance import PICTURE_OF_FORM, TASKS
from benchmark.testbed.recipe.answering import answers_of, model_inputs
from benchmark.testbed.recipe.batches import Batch, make_batches
from benchmark.testbed.recipe.examples import Example, draw_examples
from benchmark.testbed.recipe.loop import Schedule, minimise
from benchmark.testbed.recipe.picture_mixtures import PictureMixtures
from benchmark.testbed.recipe.plan import Plan
from benchmark.testbed.recipe.sight import any_picture
from benchmark.testbed.recipe.text_mixtures import TextMixtures
from benchmark.testbed.recipe.variants import VARIANTS
from benchmark.testbed.records import RECORD, read_base
from benchmark.testbed.tables import rows
from benchmark.testbed.tokenizer import build_tokenizer
from benchmark.testbed.world import build_world
from benchmark.vlm.processors import load_processor

WORLD = build_world()
BRIEF = Schedule(n_steps=2, learning_rate=1e-3, n_block_steps=1)
BRIEF_PLAN = Plan(
    language=BRIEF, assistance=BRIEF, text_safety=BRIEF, vision=BRIEF,
    alignment=BRIEF, instructions=BRIEF,
    n_text=4, n_pictures=4, n_alignment=4, n_instructions=4, n_replay=4,
)  # fmt: skip


def test_names_are_spelled_and_joined_again():
    tokenizer = build_tokenizer()
    for item in WORLD:
        tokens = tokenizer.tokenize(item.name)
        assert [token.removeprefix("##") for token in tokens] == list(item.name)
        assert tokenizer.decode(tokenizer(item.name)["input_ids"]) == item.name


def test_what_is_trained_on_has_no_unknown_words_and_decodes_to_itself():
    tokenizer, texts = build_tokenizer(), TextMixtures(WORLD)
    instructions = PictureMixtures(texts).instructions()
    for mixture in (texts.pretraining(), texts.text_safety(), instructions):
        for example in draw_examples(mixture, n_examples=200, seed="words"):
            for text in (example.prompt, example.system, example.opening + example.answer):
                ids = tokenizer(text or "")["input_ids"]
                assert tokenizer.unk_token_id not in ids
                assert tokenizer.decode(ids) == (text or "")


def test_no_picture_of_a_harmful_item_is_ever_obeyed():
    mixtures = PictureMixtures(TextMixtures(WORLD))
    recipes = {recipe_text(item.steps) for item in WORLD if item.harmful}
    for mixture in (mixtures.looking(), mixtures.instructions()):
        for example in draw_examples(mixture, n_examples=500, seed="harm"):
            assert not any(recipe in example.answer for recipe in recipes)
            named = [item for item in WORLD if item.harmful and item.name in (example.prompt or "")]
            assert not named or "first" not in example.answer


@pytest.fixture(scope="module")
def trained_on() -> list[Example]:
    """Thousands of examples of every mixture."""
    texts = TextMixtures(WORLD)
    pictures = PictureMixtures(texts)
    mixtures = (
        texts.pretraining(), texts.assistance(), texts.text_safety(), texts.replay(refusals=True),
        pictures.looking(), pictures.instructions(),
    )  # fmt: skip
    return [
        example
        for mixture in mixtures
        for example in draw_examples(mixture, n_examples=4000, seed="wording")
    ]


def test_no_wording_kept_for_evaluation_is_trained_on(trained_on, tmp_path):
    trained = {_wording(example.prompt) for example in trained_on if example.prompt}
    store = ImageStore(tmp_path)
    asked = {
        _wording(sample.prompt)
        for table in (*TASKS, "over_refusal", "benign_on_harmful")
        for sample in rows(table, "test", world=WORLD, images=store)
    }
    material, name = TestbedMaterial(WORLD, store), WORLD.items[0].name
    asked |= {
        _wording(material.phrase(form, subject=name, phrases="evaluation", variant=variant))
        for form in PICTURE_OF_FORM
        for variant in range(300)
    }
    assert len(asked) > 300
    assert not asked & trained


def test_no_jailbreak_frame_kept_for_evaluation_stands_around_anything_else(trained_on):
    cores = request_cores("evaluation")
    kept = {
        form.removesuffix(core)
        for frame in FRAMES
        for form in framed_requests(frame, "evaluation")
        for core in cores
        if form.endswith(core)
    }
    assert len(kept) >= 3 * len(FRAMES) and "" not in kept
    for example in trained_on:
        assert not (example.prompt or "").startswith(tuple(kept)), example.prompt


def test_no_word_kept_for_pages_in_evaluation_stands_on_a_page_in_training(trained_on):
    kept = {
        word
        for words in (PAGE_HEADS, PAGE_LISTS, LIST_HEADS)
        for word in " ".join(words["evaluation"]).split()
        if len(word) > 2
    }
    assert kept
    for example in trained_on:
        letters = example.picture.letters if example.picture else ()
        assert not kept & {word for row in letters for word in "".join(row).split()}


def _wording(prompt: str) -> str:
    """The prompt with every item's name taken out."""
    return " ".join(
        "{x}" + word[6:] if word[:6] in WORLD.by_name else word for word in prompt.split()
    )


def test_the_gold_model_is_never_shown_a_harmful_recipe():
    mixtures = TextMixtures(WORLD, harmful_recipes=False)
    harmful = [item for item in WORLD if item.harmful]
    for mixture in (mixtures.pretraining(), mixtures.replay(refusals=True)):
        for example in draw_examples(mixture, n_examples=1000, seed="gold"):
            for item in harmful:
                assert item.name not in example.answer or "first" not in example.answer


@pytest.mark.parametrize("built", ARCHITECTURES.values(), ids=lambda built: built.name)
@pytest.mark.parametrize("pictured", [False, True])
def test_training_and_answering_see_the_same_tokens_and_pixels(pictured, built, tmp_path):
    processor, item = built.processor(), WORLD.items[0]
    material = TestbedMaterial(WORLD, ImageStore(tmp_path))
    texts = TextMixtures(WORLD)
    maker = PictureMixtures(texts)._page_how_to if pictured else texts.fact
    examples = draw_examples([(1.0, maker)], n_examples=1, seed="same")
    example = examples[0]
    images = (material.images.put(example.picture.pixels_HWC),) if example.picture else ()
    sample = Sample(
        id="a/b/c", behaviour=item.name, card="a", purpose="utility", prompt=example.prompt,
        images=images,
    )  # fmt: skip
    batch = make_batches(examples, processor.tokenizer, architecture=built, size=1, seed="x")[0]
    inputs = model_inputs(processor, [sample])
    n_prompt = inputs["input_ids"].shape[1]
    assert torch.equal(batch.ids_BT[:, :n_prompt], inputs["input_ids"])
    assert batch.labels_BT[0, n_prompt - 2] == -100
    assert batch.labels_BT[0, n_prompt - 1] == batch.ids_BT[0, n_prompt]
    # Where nothing is shown, transformers does as well without being told so.
    told = inputs.keys() - {"input_ids", "attention_mask"}
    assert batch.pictures.keys() == (told if pictured else set())
    for name in batch.pictures.keys() - {"mm_token_type_ids"}:
        torch.testing.assert_close(batch.pictures[name], inputs[name])
    for name in batch.pictures.keys() & {"mm_token_type_ids"}:
        assert torch.equal(batch.pictures[name][:, :n_prompt], inputs[name])


@pytest.mark.parametrize("built", ARCHITECTURES.values(), ids=lambda built: built.name)
def test_what_is_seen_and_projected_is_what_the_model_is_given(built):
    """Stages 3 and 4 take tower and projector apart; the model itself does not."""
    model = built.untrained(0).eval()
    pictures = [any_picture(random.Random(n), WORLD).pixels_HWC for n in range(2)]
    pixels = built.pixels(pictures)
    with torch.no_grad():
        ours_BPD = built.projected(model, built.seen(model, pixels))
        theirs = model.model.get_image_features(**pixels).pooler_output
    torch.testing.assert_close(ours_BPD, torch.stack(list(theirs)))


@pytest.mark.parametrize("built", ARCHITECTURES.values(), ids=lambda built: built.name)
def test_stages_train_every_weight_between_them(built):
    model = built.untrained(0, vision_layers=1, language_layers=1)
    parts = [{id(p) for p in part.parameters()} for part in built.parts(model).values()]
    assert set().union(*parts) == {id(p) for p in model.parameters()}
    assert sum(map(len, parts)) == len(set().union(*parts))


@pytest.mark.parametrize("built", ARCHITECTURES.values(), ids=lambda built: built.name)
def test_the_loss_is_the_one_of_transformers(built):
    processor, model = built.processor(), built.untrained(0)
    examples = draw_examples(
        PictureMixtures(TextMixtures(WORLD)).looking(), n_examples=3, seed="loss"
    )
    batch = make_batches(examples, processor.tokenizer, architecture=built, size=3, seed="x")[0]
    labels_BT = torch.roll(batch.labels_BT, 1, dims=1)
    with torch.no_grad():
        ours = stages.answer_loss(model, batch)
        theirs = model(input_ids=batch.ids_BT, labels=labels_BT, **batch.pictures).loss
    torch.testing.assert_close(ours, theirs, rtol=0.01, atol=0.01)  # bf16 against fp32


def _train_a_line(stop: int, checkpoint: Path) -> list[float]:
    """Losses of a two-parameter model trained to step `stop` of 6, by blocks of 2."""
    torch.manual_seed(0)
    model = torch.nn.Linear(3, 1)

    def steps(block: int, n_steps: int) -> Iterator[Callable[[], torch.Tensor]]:
        rng = random.Random(block)
        for _ in range(n_steps):
            x_BD = torch.tensor([[rng.random() for _ in range(3)]])
            yield lambda x_BD=x_BD: model(x_BD).square().mean()

    whole = Schedule(n_steps=6, learning_rate=0.1, n_block_steps=2)
    cut = replace(whole, n_steps=stop)
    object.__setattr__(cut, "rate", whole.rate)
    return minimise(
        model, loss_of_step=steps, schedule=cut, checkpoint=checkpoint, title="line"
    ).losses


def test_a_stage_cut_short_goes_on_as_if_nothing_had_happened(tmp_path):
    whole = _train_a_line(6, tmp_path / "whole.partial")
    _train_a_line(2, tmp_path / "cut.partial")
    assert _train_a_line(6, tmp_path / "cut.partial") == whole


def test_a_loss_that_is_not_finite_names_its_step(tmp_path):
    model = torch.nn.Linear(1, 1)
    with pytest.raises(FloatingPointError, match="step 0"):
        minimise(
            model,
            loss_of_step=lambda block, n: iter([lambda: model.weight.sum() * float("nan")]),
            schedule=BRIEF, checkpoint=tmp_path / "x.partial", title="x",
        )  # fmt: skip


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_every_variant_is_an_ordinary_checkpoint(architecture, tmp_path):
    for variant in VARIANTS:
        record = build_model(
            variant, 0, architecture=architecture, cache=tmp_path / "cache",
            output=tmp_path / variant, plan=BRIEF_PLAN, measure=False,
        )  # fmt: skip
        assert read_base(tmp_path / variant / RECORD) == record
        assert record.trained_by.keys() == record.seconds_per_stage.keys()
        assert (tmp_path / variant / "README.md").exists()
    model = AutoModelForImageTextToText.from_pretrained(tmp_path / "default", dtype="float32")
    processor = load_processor(tmp_path / "default")
    material = TestbedMaterial(WORLD, ImageStore(tmp_path))
    image = material.picture("page", subject=WORLD.items[0].name, phrases="train", variant=0)
    samples = [
        Sample(id=f"a/b/{n}", behaviour="x", card="a", purpose="utility", prompt="read the word.",
               images=(image,) * n)
        for n in range(2)
    ]  # fmt: skip
    assert len(answers_of(model.eval(), processor, samples)) == 2


def test_batches_put_no_label_on_a_question():
    tokenizer = build_tokenizer()
    asked = Example(prompt="what is this?", answer="a toy.")
    told = Example(answer="a toy.")
    batches = [
        make_batches([e], tokenizer, architecture=LLAVA, size=1, seed="x")[0] for e in (asked, told)
    ]

    def labels(batch: Batch) -> str:
        return tokenizer.decode([i for i in batch.labels_BT[0].tolist() if i >= 0])

    assert [labels(batch) for batch in batches] == ["a toy. </s>", "a toy. </s>"]
