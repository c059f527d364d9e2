"""Methods that only change how a request is asked: what reaches the model, word by word."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path

import pytest
from live_models import pools, sample, untrained

from benchmark.core import registry
from benchmark.core.config import build
from benchmark.core.errors import UserError
from benchmark.core.samples import Sample
from benchmark.engines.local import LocalEngine
from benchmark.testbed.architectures import LLAVA

NAMES = ("system_prompt", "self_reminder", "ecso")


def made(name: str, **settings: object):
    method = registry.load("method", name)
    return method(build(method.Config, settings, where=name))


def rewritten(name: str, asked: Sample, **settings: object) -> Sample:
    (hook,) = made(name, **settings).hooks({})
    return hook.rewrite_request(asked)


def seeing(folder: Path) -> Sample:
    samples = pools(folder, images=True)["forget"].samples
    return next(s for s in samples if s.images)


def test_a_system_prompt_is_a_turn_of_its_own_before_the_image(tmp_path: Path) -> None:
    model = untrained()
    asked = rewritten("system_prompt", seeing(tmp_path), prompt="be careful.")
    (encoded,) = model.encoder.prompts([asked])
    text = model.tokenizer.decode(encoded.prompt_ids).replace("<image>", "").split()
    words = " ".join(text)
    assert words.startswith("<s> <|system|> be careful. <|user|>")
    first, last = encoded.question_span
    assert model.tokenizer.decode(encoded.prompt_ids[first:last]) == asked.prompt


def test_a_system_turn_that_was_there_stays() -> None:
    asked = rewritten("system_prompt", replace(sample("zerupa"), system="be polite."), prompt="a.")
    assert asked.system == "a. be polite."


def test_a_reminder_stands_around_the_request_and_before_the_image(tmp_path: Path) -> None:
    text = rewritten("self_reminder", sample("zerupa"), before="be careful.", after="do not.")
    assert text.prompt == "be careful. how do i make zerupa? do not."
    shown = rewritten("self_reminder", seeing(tmp_path), before="be careful.", after="do not.")
    model = untrained()
    (encoded,) = model.encoder.prompts([shown])
    image = encoded.prompt_ids.index(model.encoder.image_token_id)
    assert model.tokenizer.decode(encoded.prompt_ids[:image]) == "<s> <|user|> be careful."
    assert shown.prompt.endswith(" do not.")
    bare = rewritten("self_reminder", seeing(tmp_path), before="", after="")
    assert bare == seeing(tmp_path)


class Scripted:
    """Answers by what it is asked, and remembers it."""

    def __init__(self, **said: str) -> None:
        self.said = said
        self.asked: list[list[Sample]] = []

    def __call__(self, requests: Sequence[Sample]) -> list[str]:
        self.asked.append(list(requests))
        return [
            next((answer for part, answer in self.said.items() if part in request.prompt), "blah.")
            for request in requests
        ]


def test_ecso_takes_two_passes_where_safe_and_four_where_not(tmp_path: Path) -> None:
    """`bad` is found unsafe, `good` is not, and text is answered as ever."""
    (hook,) = made(
        "ecso", detect="right {answer}", describe="see {question}", closed="{caption} {question}",
        detect_sees_image=True, unsafe="no",
    ).hooks({})  # fmt: skip
    picture = seeing(tmp_path)
    requests = [
        replace(picture, id="1", prompt="bad"), replace(picture, id="2", prompt="good"),
        replace(sample("x"), id="3", prompt="bad text"),
    ]  # fmt: skip
    model = Scripted(**{
        "right harm": "no, it is dangerous.", "right help": "yes.", "see bad": "a knife.",
        "knife": "sorry.", "bad": "harm", "good": "help",
    })  # fmt: skip
    assert hook.respond(model, requests) == ["sorry.", "help", "harm"]
    ids = [[request.id for request in asked] for asked in model.asked]
    assert ids == [["1", "2", "3"], ["1", "2"], ["1"], ["1"]]
    prompts = [asked[0].prompt for asked in model.asked]
    assert prompts == ["bad", "right harm", "see bad", "a knife. bad"]
    assert model.asked[2][0].images and not model.asked[3][0].images


@pytest.mark.parametrize(
    ("answer", "asked"),
    [
        ("to make the poison zerupa, first count cloth.", "is zerupa dangerous?"),
        ("to make zerupa, first count cloth.", "is zerupa dangerous?"),
        ("zerupa.", "is zerupa dangerous?"),
    ],
)
def test_ecso_asks_about_the_thing_that_its_answer_names(
    answer: str, asked: str, tmp_path: Path
) -> None:
    (hook,) = made("ecso").hooks({})
    assert hook._detecting(seeing(tmp_path), answer).prompt == asked


def test_ecso_counts_all_its_passes(tmp_path: Path) -> None:
    asked = [seeing(tmp_path)]
    model = untrained()
    plain = LocalEngine(model, max_new_tokens=4).answer(asked)[0]
    hooks = made("ecso").hooks({})
    (twice,) = LocalEngine(model, hooks=hooks, max_new_tokens=4).answer(asked)
    assert twice.n_prompt_tokens > plain.n_prompt_tokens
    assert twice.n_answer_tokens > plain.n_answer_tokens


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"detect": "is it fine?"}, r"detect: \{about\} is missing"),
        ({"about": "make (a) (b)"}, r"about: one group"),
        ({"about": "make (a"}, r"about: not a regular expression"),
        ({"closed": "{question}"}, r"closed: \{caption\} is missing"),
        ({"describe": "{image}"}, r"describe: it may hold \{question\}"),
    ],
)
def test_a_prompt_that_lacks_its_part_is_one_line(settings: dict, message: str) -> None:
    with pytest.raises(UserError, match=message):
        made("ecso", **settings)


@pytest.mark.parametrize("name", NAMES)
def test_all_prompts_are_in_words_that_the_miniature_knows(name: str) -> None:
    tokenizer = LLAVA.processor().tokenizer
    method = registry.load("method", name)
    parts = {"question": "read it.", "answer": "to make it.", "about": "it", "caption": "one."}
    for values in product(*method.grid.values()):
        config = build(method.Config, dict(zip(method.grid, values, strict=True)), where=name)
        for field, text in vars(config).items():
            if isinstance(text, str) and field != "about":
                ids = tokenizer(text.format(**parts), add_special_tokens=False)["input_ids"]
                tokens = tokenizer.convert_ids_to_tokens(ids)
                spelled = [t for t in tokens if t.startswith("##") or t == "<unk>"]
                assert spelled == [], text
