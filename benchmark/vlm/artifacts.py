"""What training changed, on disk and back: an ordinary PEFT adapter, whole tensors, or both.

`gold` points at another checkpoint instead. An artifact knows the base it was made on and
refuses any other.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from peft import LoraConfig, PeftModel, get_peft_model
from peft.utils import get_peft_model_state_dict, set_peft_model_state_dict
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from benchmark.core.errors import UserError
from benchmark.core.store import write_atomic, writing

DELTA = "delta.json"
FULL = "full.safetensors"
ADAPTER = "adapter_model.safetensors"
ADAPTER_CONFIG = "adapter_config.json"
_KEYS = {"base_sha256", "precision", "adapter", "full", "checkpoint", "checkpoint_sha256"}
_REMEDY = "delete it and run the method again"


@dataclass(frozen=True, kw_only=True)
class AdapterWeights:
    """A LoRA adapter in PEFT's own form."""

    config: LoraConfig
    tensors: Mapping[str, Tensor]

    @classmethod
    def of(cls, peft: PeftModel) -> AdapterWeights:
        """The adapter that is attached now."""
        tensors = get_peft_model_state_dict(peft)
        config = peft.peft_config["default"]
        assert isinstance(config, LoraConfig)
        return cls(config=config, tensors={k: v.detach().clone() for k, v in tensors.items()})

    @property
    def layers(self) -> set[str]:
        """Names of the adapted layers as in the bare base model."""
        names = (name.removeprefix("base_model.model.") for name in self.tensors)
        return {name.partition(".lora_")[0] for name in names}

    def attach(self, hf: nn.Module) -> PeftModel:
        """Put it on a bare base model, for inference."""
        peft = get_peft_model(hf, self.config)
        set_peft_model_state_dict(peft, dict(self.tensors))
        peft.requires_grad_(False)
        return peft


@dataclass(frozen=True, kw_only=True)
class WeightsDelta:
    """The difference to a base: an adapter, whole tensors by name, or another checkpoint, alone
    or with such a difference to it."""

    base_sha256: str
    precision: str
    adapter: AdapterWeights | None = None
    full: Mapping[str, Tensor] = field(default_factory=dict)
    checkpoint: str | None = None
    """Name of the model whose weights stand in for the base's."""
    checkpoint_sha256: str | None = None
    where: str = field(default="this artifact", compare=False)
    """Its folder where it was read from one, for messages."""

    @property
    def has_tensors(self) -> bool:
        """Is there anything to put over a model?"""
        return self.adapter is not None or bool(self.full)

    def check_base(self, *, name: str, sha256: str, precision: str) -> None:
        """Raise `UserError` unless the model is the one this was made on."""
        if sha256 != self.base_sha256:
            raise UserError(
                f"{self.where} was made on other weights ({self.base_sha256[:12]}) than "
                f"model '{name}' has ({sha256[:12]}); {_REMEDY}"
            )
        if precision != self.precision:
            raise UserError(
                f"{self.where} was made at precision {self.precision}, "
                f"model '{name}' is loaded at {precision}; {_REMEDY}"
            )

    def save(self, folder: Path) -> None:
        """Write it; `delta.json` comes last, so that a folder with one is whole."""
        with writing(folder):
            folder.mkdir(parents=True, exist_ok=True)
        if self.adapter is not None:
            with writing(folder / ADAPTER):
                save_file(_contiguous(self.adapter.tensors), folder / ADAPTER)
            with writing(folder / ADAPTER_CONFIG):
                self.adapter.config.save_pretrained(str(folder))
        if self.full:
            with writing(folder / FULL):
                save_file(_contiguous(self.full), folder / FULL)
        about = {
            "base_sha256": self.base_sha256,
            "precision": self.precision,
            "adapter": self.adapter is not None,
            "full": sorted(self.full),
            "checkpoint": self.checkpoint,
            "checkpoint_sha256": self.checkpoint_sha256,
        }
        write_atomic(folder / DELTA, json.dumps(about, indent=1) + "\n")

    @classmethod
    def load(cls, folder: Path) -> WeightsDelta:
        """Read it back. Raises `UserError` naming the file when it is damaged."""
        about = _read_json(folder / DELTA)
        missing = _KEYS - about.keys()
        if missing:
            raise UserError(
                f"artifact {folder / DELTA} is damaged: it lacks '{min(missing)}'; {_REMEDY}"
            )
        adapter = None
        if about["adapter"]:
            # PEFT would read it by itself, and answer a torn file with a traceback.
            _read_json(folder / ADAPTER_CONFIG)
            config = LoraConfig.from_pretrained(str(folder))
            adapter = AdapterWeights(config=config, tensors=read_tensors(folder / ADAPTER))
        return cls(
            base_sha256=about["base_sha256"],
            precision=about["precision"],
            adapter=adapter,
            full=read_tensors(folder / FULL) if about["full"] else {},
            checkpoint=about["checkpoint"],
            checkpoint_sha256=about["checkpoint_sha256"],
            where=f"artifact {folder}",
        )


def _contiguous(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}


def _read_json(path: Path) -> dict:
    try:
        value = json.loads(path.read_text())
    except FileNotFoundError:
        raise UserError(f"artifact {path} is not there; run the method again") from None
    except ValueError as error:
        raise UserError(f"artifact {path} is damaged: {error}; {_REMEDY}") from None
    if not isinstance(value, dict):
        raise UserError(f"artifact {path} is damaged: it holds no fields; {_REMEDY}")
    return value


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Tensors by name. Raises `UserError` naming the file when it is damaged or not there."""
    try:
        return load_file(path)
    except FileNotFoundError:
        raise UserError(f"artifact {path} is not there; run the method again") from None
    except SafetensorError as error:
        raise UserError(f"artifact {path} is damaged: {error}; {_REMEDY}") from None
