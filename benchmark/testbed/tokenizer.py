"""The testbed's tokenizer: the grammar's words whole, every other word spelled in letters.

WordPiece with single letters as its only pieces. No item's name begins with a word of the grammar
(`world.begins_with_word`), so names are spelled, on paper as on a page, and decode joined again.
"""

from __future__ import annotations

import string

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from benchmark.testbed.grammar.vocabulary import grammar_words

PAD, BOS, EOS, UNKNOWN, IMAGE = "<pad>", "<s>", "</s>", "<unk>", "<image>"
SYSTEM, USER, ASSISTANT = "<|system|>", "<|user|>", "<|assistant|>"
_SPECIAL = (PAD, BOS, EOS, UNKNOWN, IMAGE, SYSTEM, USER, ASSISTANT)
_STOPS = ".,?:!'-"

# Contents are strings, or lists of parts as in LLaVA's own template.
CHAT_TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}{{ '<|' + message['role'] + '|>' }}"
    "{% if message['content'] is string %}{{ message['content'] }}{% else %}"
    "{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}<image>{% elif part['type'] == 'text' %}{{ part['text'] }}"
    "{% endif %}{% endfor %}{% endif %}"
    "{% if message['role'] == 'assistant' %}{{ eos_token }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)


def vocabulary() -> dict[str, int]:
    """Tokens and their ids: special tokens, letters, digits, stops, then words in order."""
    characters = string.ascii_lowercase + string.digits
    tokens = [*_SPECIAL, *characters, *(f"##{c}" for c in characters), *_STOPS, *grammar_words()]
    return {token: number for number, token in enumerate(tokens)}


def build_tokenizer() -> PreTrainedTokenizerFast:
    """A fast tokenizer with its chat template; nothing in it depends on the date."""
    inner = Tokenizer(
        models.WordPiece(vocabulary(), unk_token=UNKNOWN, max_input_chars_per_word=64)
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
        additional_special_tokens=[IMAGE, SYSTEM, USER, ASSISTANT],
        padding_side="left",
        model_max_length=256,
        clean_up_tokenization_spaces=False,
        model_input_names=["input_ids", "attention_mask"],
    )
    tokenizer.chat_template = CHAT_TEMPLATE
    return tokenizer
