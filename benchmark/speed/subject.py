"""What the step is measured on: a miniature of any size, and samples of very different lengths."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Literal

import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import LlavaForConditionalGeneration, LlavaProcessor, PreTrainedTokenizerFast
from transformers.utils import logging as transformers_logging

from benchmark.core.errors import UserError
from benchmark.core.roles import PoolRole
from benchmark.core.samples import Answers, Sample
from benchmark.data.pools import Pool
from benchmark.speed.figures import Lengths
from benchmark.testbed.architectures import LLAVA
from benchmark.testbed.architectures.architecture import HEADS, WIDTH
from benchmark.testbed.tokenizer import (
    ASSISTANT,
    BOS,
    EOS,
    IMAGE,
    PAD,
    SYSTEM,
    UNKNOWN,
    USER,
    vocabulary,
)
from benchmark.vlm.model import VisionLanguageModel

MARKS = (IMAGE, SYSTEM, USER, ASSISTANT)
HEAD_SIZE = WIDTH // HEADS
# Median words: a third of all tokens are answers. It is half of them in the testbed's text pools, a
# quarter in its image pools.
PROMPT_WORDS, ANSWER_WORDS = 32, 16
# Of the logarithm of a length: one sample in five has more than twice the median's words.
SPREAD = 0.8
# Beyond it nearly all are as short or as long as they may be.
MOST_SPREAD = 3.0
# Which answer of a pool's samples is trained on.
ANSWERED: dict[str, Literal["bad", "good"]] = {"forget": "bad", "keep": "good"}
LONGEST, SHORTEST_WORDS = 5, 3
N_CONTEXT = LONGEST * (PROMPT_WORDS + ANSWER_WORDS) + 16
FEWEST_WORDS = 100
_CONSONANTS, _VOWELS = "bcdfghjklmnpqrstvwxz", "aeiou"


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """A language model's sizes. Raises `UserError` for those that none can have."""

    vocabulary: int
    hidden: int
    layers: int

    def __post_init__(self) -> None:
        if self.vocabulary < FEWEST_WORDS:
            raise UserError(f"--vocabulary {self.vocabulary}: at least {FEWEST_WORDS} are needed")
        if self.hidden < 1 or self.hidden % HEAD_SIZE:
            raise UserError(
                f"--hidden {self.hidden}: it must be a multiple of {HEAD_SIZE}, the size of a head"
            )
        if self.layers < 1:
            raise UserError(f"--layers {self.layers}: at least 1 is needed")


def save_subject(folder: Path, sizes: Sizes) -> None:
    """Write an untrained checkpoint of these sizes: the miniature but for its language model."""
    transformers_logging.disable_progress_bar()
    config = LLAVA.untrained(0, vision_layers=1, language_layers=1).config
    text = config.text_config
    text.vocab_size = sizes.vocabulary
    text.hidden_size = sizes.hidden
    text.intermediate_size = 8 * sizes.hidden // 3
    text.num_hidden_layers = sizes.layers
    text.num_attention_heads = text.num_key_value_heads = sizes.hidden // HEAD_SIZE
    text.head_dim = HEAD_SIZE
    text.max_position_embeddings = N_CONTEXT
    torch.manual_seed(0)
    LlavaForConditionalGeneration(config).save_pretrained(folder)
    _processor(sizes.vocabulary).save_pretrained(folder)


def _processor(n_words: int) -> LlavaProcessor:
    """The testbed's own, with whole made-up words for its vocabulary."""
    ids = vocabulary()
    special = {token: ids[token] for token in (PAD, BOS, EOS, UNKNOWN, *MARKS)}
    words = {_word(index): index for index in range(len(special), n_words)}
    inner = Tokenizer(models.WordLevel(special | words, unk_token=UNKNOWN))
    inner.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    processor = LLAVA.processor()
    processor.tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=inner,
        pad_token=PAD,
        bos_token=BOS,
        eos_token=EOS,
        unk_token=UNKNOWN,
        additional_special_tokens=list(MARKS),
    )
    return processor


def _word(number: int) -> str:
    """A pseudo-word of four syllables, another for every number below 10^8."""
    syllables = []
    for _ in range(4):
        number, rest = divmod(number, len(_CONSONANTS) * len(_VOWELS))
        syllables.append(_CONSONANTS[rest // len(_VOWELS)] + _VOWELS[rest % len(_VOWELS)])
    return "".join(syllables)


def head_share(model: VisionLanguageModel) -> float:
    """The head's among the weights of the language model that a state is multiplied with."""
    layers = set(model.roles.linear_names(model.hf, "language"))
    n_layers = sum(
        module.weight.numel() for name, module in model.hf.named_modules() if name in layers
    )
    n_head = model.roles.head.weight.numel()
    return float(n_head / (n_head + n_layers))


def lengths_of(model: VisionLanguageModel, pools: Mapping[str, Pool]) -> Lengths:
    """Tokens of prompts with the answers that are trained on."""
    encoder = model.encoder
    lengths = [
        encoder.prompt_length(one) + len(encoder.answer(getattr(one.answers, ANSWERED[role])))
        for role, pool in pools.items()
        for one in pool.samples
    ]
    return Lengths(shortest=min(lengths), median=median(lengths), longest=max(lengths))


def draw_pools(
    model: VisionLanguageModel, *, n_samples: int, seed: int, length_spread: float = SPREAD
) -> dict[str, Pool]:
    """A forget and a keep pool of samples in words of the model's own vocabulary, encoded already:
    what tokenising takes is no part of a step."""
    known = model.tokenizer.get_vocab()
    words = sorted(word for word in known if word.isascii() and word.isalpha())
    pools: dict[str, Pool] = {}
    roles: tuple[PoolRole, ...] = ("forget", "keep")
    for role in roles:
        rng = random.Random(f"{seed}/{role}")
        samples = tuple(
            _sample(f"{role}-{index}", words, rng, length_spread=length_spread)
            for index in range(n_samples)
        )
        pools[role] = Pool(role=role, modality="text", samples=samples, uses=(), sha256=role)
        model.encoder.prompts(samples)
        for sample in samples:
            model.encoder.answer(sample.answers.bad or "")
            model.encoder.answer(sample.answers.good or "")
    return pools


def _sample(name: str, words: list[str], rng: random.Random, *, length_spread: float) -> Sample:
    def text(n_words: int) -> str:
        """About so many words; at most `LONGEST` times as many."""
        drawn = round(rng.lognormvariate(math.log(n_words), length_spread))
        return " ".join(rng.choices(words, k=min(max(drawn, SHORTEST_WORDS), LONGEST * n_words)))

    return Sample(
        id=f"speed/train/{name}",
        behaviour=name,
        card="speed",
        purpose="training",
        prompt=text(PROMPT_WORDS),
        answers=Answers(
            bad=text(ANSWER_WORDS),
            good=text(ANSWER_WORDS),
        ),
    )
