"""Load a checkpoint at a precision. Everything is local or a pinned revision; code that a
checkpoint brings along runs only where the user said so."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import AutoModelForImageTextToText, BitsAndBytesConfig
from transformers.utils import logging as transformers_logging

from benchmark.core.errors import MissingError, UserError
from benchmark.core.roles import computed_in
from benchmark.core.store import digest_once
from benchmark.cost.allocator import keep_freed_memory
from benchmark.models.own_code import own_classes
from benchmark.vlm.artifacts import ADAPTER_CONFIG
from benchmark.vlm.model import VisionLanguageModel
from benchmark.vlm.perception import Perceptions
from benchmark.vlm.processors import encoder_of
from benchmark.vlm.roles import PATHS

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
# Of any family: what a checkpoint lacks is not looked for.
NOT_QUANTISED = [path for role in ("vision", "projector", "head") for path in PATHS[role]]
# The commands that can be told so; searches, studies and pictures never run such code.
TRUSTING = "run, train, generate, judge, score, ask, export and serve"
SMALL_PARAMETERS = 50_000_000
# What a checkpoint's answers depend on; a README beside the weights is not among it.
DIGESTED = ("*.safetensors", "*.json", "*.jinja", "*.model", "*.txt", "**/*.py")
NOT_DIGESTED = {"training_record.json"}


def digest_checkpoint(folder: Path) -> str:
    """SHA-256 over names and bytes of everything that can change an answer."""
    total = hashlib.sha256()
    names = {path for pattern in DIGESTED for path in folder.glob(pattern)}
    for path in sorted(names):
        if path.name not in NOT_DIGESTED:
            total.update(path.relative_to(folder).as_posix().encode())
            total.update(bytes.fromhex(digest_once(path)))
    return total.hexdigest()


def is_small(hf: nn.Module) -> bool:
    """So few parameters that threads wait for one another more than they work."""
    return sum(parameter.numel() for parameter in hf.parameters()) < SMALL_PARAMETERS


def _weights(folder: Path, *, precision: str, device: str, own_code: bool) -> Any:
    """The library's model, every tensor of it from the file."""
    if (folder / ADAPTER_CONFIG).exists():
        # The library would put it over the weights without a word.
        raise UserError(f"an adapter lies beside its weights ({ADAPTER_CONFIG}): take it away")
    dtype = DTYPES[computed_in(precision, device)]
    options: dict = {"dtype": dtype}
    if precision not in DTYPES:
        options["quantization_config"] = _rounding(precision, dtype=dtype)
    hf, found = AutoModelForImageTextToText.from_pretrained(
        folder, local_files_only=True, trust_remote_code=own_code, device_map={"": device},
        output_loading_info=True, ignore_mismatched_sizes=True, **options,
    )  # fmt: skip
    _check_whole(hf, found)
    return hf


def takes_own_code(folder: Path, *, trusted: bool) -> bool:
    """Does it take code of the checkpoint's own? Raises `UserError` where that is not trusted, or
    runs nowhere here."""
    needed = own_classes(folder)
    if needed and not trusted:
        raise UserError(
            f"transformers has no '{needed[0]}', which is code of the checkpoint's own; the option "
            f"--trust-remote-code of {TRUSTING} runs it"
        )
    return bool(needed)


def _rounding(precision: str, *, dtype: torch.dtype) -> BitsAndBytesConfig:
    """How the language model's layers are rounded: LLM.int8 (Dettmers et al. 2022,
    arXiv:2208.07339) with its own threshold for outliers, or NF4 with double quantisation."""
    if precision == "int8":
        # It says at every product that activations are rounded from fp16.
        logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
        return BitsAndBytesConfig(load_in_8bit=True, llm_int8_skip_modules=NOT_QUANTISED)
    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=dtype,
        llm_int8_skip_modules=NOT_QUANTISED,
    )


def _check_whole(hf: nn.Module, found: Mapping[str, Collection[Any]]) -> None:
    """Raise for what the library passes over: it draws at random what a weights file lacks or has
    in another shape, and drops what it has no place for."""
    bent = [name for name, *_shapes in found["mismatched_keys"]]
    lost = [name for name, p in hf.named_parameters() if not torch.isfinite(p).all()]
    for names, problem in (
        (bent, "config.json says another shape for"),
        (found["missing_keys"], "the weights lack"),
        (found["unexpected_keys"], "the model has no place for"),
        (lost, "not all numbers are finite in"),
    ):
        if names:
            more = f" and {len(names) - 1} more" if len(names) > 1 else ""
            raise ValueError(f"{problem} '{min(names)}'{more}")


def load_model(
    folder: Path,
    *,
    name: str,
    precision: str = "fp32",
    device: str = "cpu",
    perceptions: Perceptions | None = None,
    trust_remote_code: bool = False,
) -> VisionLanguageModel:
    """Load model and processor from a checkpoint folder, in evaluation mode, nothing trainable.

    `precision` is fp32, bf16, fp16, int8 or nf4 (in the last two only the layers of the language
    model have 8 or 4 bits; `computed_in` says what the rest has). What was encoded and projected
    with these very weights before is taken from `perceptions`, which is added to.

    Raises `MissingError` when the folder is not there and `UserError` when it is no
    vision-language checkpoint, or takes code of its own that is not trusted.
    """
    if not (folder / "config.json").exists():
        raise MissingError(f"model '{name}': no checkpoint at {folder} (config.json is missing)")
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    try:
        own_code = takes_own_code(folder, trusted=trust_remote_code)
        hf = _weights(folder, precision=precision, device=device, own_code=own_code)
        sha256 = digest_checkpoint(folder)
        perception = (perceptions or Perceptions()).of(sha256, precision=precision, device=device)
        if perception.encoder is None:
            perception.encoder = encoder_of(hf, folder, device=device, own_code=own_code)
    except (MemoryError, torch.OutOfMemoryError):
        raise
    except UserError as error:
        raise UserError(f"model '{name}' at {folder} cannot be loaded: {error}") from None
    # The libraries answer a damaged file with whatever comes to them.
    except Exception as error:
        reason = (str(error).strip() or "no reason given").splitlines()[0]
        kind = "" if isinstance(error, OSError | ValueError) else f"{type(error).__name__}: "
        raise UserError(f"model '{name}' at {folder} cannot be loaded: {kind}{reason}") from error
    hf.eval().requires_grad_(False)
    if device == "cpu" and is_small(hf):
        torch.set_num_threads(1)
        keep_freed_memory()
    return VisionLanguageModel(
        hf,
        perception.encoder,
        features=perception.features,
        name=name,
        sha256=sha256,
        precision=precision,
    )
