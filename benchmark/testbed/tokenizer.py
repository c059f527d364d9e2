"""The testbed's tokenizer: the grammar's words whole, every other word spelled in letters.

WordPiece with single letters as its only pieces. No item's name begins with a word of the grammar
(`world.begins_with_word`), so names are spelled, on paper as on a page, and decode joined again.
"""

from __future__ import annotations

import string
from collections.abc import Sequence

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from benchmark.testbed.grammar.vocabulary import grammar_words

PAD, BOS, EOS, UNKNOWN, IMAGE = "<pad>", "<s>", "</s>", "<unk>", "<image>"
SYSTEM, USER, ASSISTANT = "<|system|>", "<|user|>", "<|assistant|>"
_STOPS = ".,?:!'-"

# Contents are strings, or lists of parts as in LLaVA's own template.
_CHAT_TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}{{ '<|' + message['role'] + '|>' }}"
    "{% if message['content'] is string %}{{ message['content'] }}{% else %}"
    "{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}IMAGE_TEXT{% elif part['type'] == 'text' %}{{ part['text'] }}"
    "{% endif %}{% endfor %}{% endif %}"
    "{% if message['role'] == 'assistant' %}{{ eos_token }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)


def vocabulary(image_token: str = IMAGE, more: Sequence[str] = ()) -> dict[str, int]:
    """Tokens and their ids: special tokens, letters, digits, stops, then words in order, and what
    an architecture needs besides."""
    special = (PAD, BOS, EOS, UNKNOWN, image_token, SYSTEM, USER, ASSISTANT)
    characters = string.ascii_lowercase + string.digits
    spelled = [*characters, *(f"##{c}" for c in characters)]
    tokens = [*special, *spelled, *_STOPS, *grammar_words(), *more]
    return {token: number for number, token in enumerate(tokens)}


def build_tokenizer(
    *, image_token: str = IMAGE, image_text: str = IMAGE, more: Sequence[str] = ()
) -> PreTrainedTokenizerFast:
    """A fast tokenizer with its chat template; nothing in it depends on the date. `image_text`
    stands in a prompt where a picture is."""
    inner = Tokenizer(
        models.WordPiece(
            vocabulary(image_token, more), unk_token=UNKNOWN, max_input_chars_per_word=64
        )
    )
    inner.normalizer = normalizers.Lowercase()
    inner.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    joined = [decoders.Replace(f" {stop}", stop) for stop in ".,?:!"]
    inner.decoder = decoders.Sequence([decoders.WordPiece(prefix="##", cleanup=False), *joined])
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=inner,
        pad_token=PAD,
        bos_token=BOS,
        eos_token=EOS,
        unk_token=UNKNOWN,
        additional_special_tokens=[image_token, SYSTEM, USER, ASSISTANT, *more],
        padding_side="left",
        model_max_length=256,
        clean_up_tokenization_spaces=False,
        model_input_names=["input_ids", "attention_mask"],
    )
    tokenizer.chat_template = _CHAT_TEMPLATE.replace("IMAGE_TEXT", image_text)
    return tokenizer
