"""The contract a plugin author imports: methods, attacks and judges, and what each is given.

A method owns its idea; the runner owns the data, the loop, the clock and the evaluation. That is
what makes device-hours comparable. This module imports no torch, so that listing, attacks and
judges stay light.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, ClassVar, Generic, Protocol, TypeVar

from benchmark.attacking import (
    Aim,
    Attack,
    AttackConfig,
    AttackKind,
    AttackTarget,
    FoundPictures,
    PictureSearch,
)
from benchmark.core.judging import (
    CheckpointConfig,
    EndpointConfig,
    Generator,
    Judge,
    JudgeConfig,
    Question,
    Reply,
    Scorer,
    Turn,
)
from benchmark.core.method_config import (
    Count,
    MethodConfig,
    NotNegative,
    Positive,
    Ramp,
    Share,
    TrainingConfig,
    Weight,
    settings_type,
    weight_at,
)
from benchmark.core.records import Response, Verdict
from benchmark.core.roles import PoolModality, PoolRole, Role, Start, Tuning
from benchmark.core.samples import Sample

if TYPE_CHECKING:
    from torch import Tensor, nn

    from benchmark.data.pools import Pool
    from benchmark.training.batches import PoolBatch
    from benchmark.training.reference import Reference
    from benchmark.vlm.artifacts import WeightsDelta
    from benchmark.vlm.encoding import View
    from benchmark.vlm.model import VisionLanguageModel

# Names that need torch, imported when a plugin asks for them.
_LIVE = {
    "PoolBatch": "benchmark.training.batches",
    "Reference": "benchmark.training.reference",
    "View": "benchmark.vlm.encoding",
    "VisionLanguageModel": "benchmark.vlm.model",
    "WeightsDelta": "benchmark.vlm.artifacts",
}

ConfigT = TypeVar("ConfigT", bound=MethodConfig)
TrainingConfigT = TypeVar("TrainingConfigT", bound=TrainingConfig)
Losses = Callable[
    ["VisionLanguageModel", Mapping[str, "PoolBatch"], "Reference"], Mapping[str, "Tensor"]
]


class Minimise(Protocol):
    """The shared loop: minimise the weighted sum of named terms, once per phase.

    `config.trains` names the roles of the model that move in this phase; `modules` are trained
    beside them, by name (`{}` and a frozen model: neither). `pools` stand in for the job's.
    `reference=False` says that the losses never ask the untouched model: full fine-tuning has to
    ask it about all that any step will draw, before step 0.
    """

    def __call__(
        self,
        losses: Losses,
        *,
        config: TrainingConfig,
        phase: str = "train",
        modules: Mapping[str, nn.Module] | None = None,
        pools: Mapping[str, Pool] | None = None,
        reference: bool = True,
    ) -> None: ...


@dataclass(frozen=True, kw_only=True)
class Job:
    """All that a method sees: never evaluation data, never a judge, never the clock.

    `model` is the checkpoint that the method `starts_from`.
    """

    model: VisionLanguageModel
    pools: Mapping[str, Pool]
    seed: int
    minimise: Minimise
    gold: Callable[[], WeightsDelta]
    """The weights that never learnt what is to be forgotten; `MissingError` if there are none."""


@dataclass(frozen=True, kw_only=True)
class Unlearned:
    """What a method leaves behind: changed weights, and the tensors its hooks are built from.

    An empty one is the base model itself.
    """

    weights: WeightsDelta | None = None
    state: Mapping[str, Tensor] = field(default_factory=dict)


class Hook(ABC):  # noqa: B024 - abstract by its three kinds below
    """A change to how a request is answered, by a model whose weights may be untouched.

    A hook sees requests as a deployed model would: words and images, under an id that says nothing.
    """

    differentiable: ClassVar[bool] = False
    served_by: ClassVar[tuple[str, ...]] = ("local", "vllm")
    """The engines that can serve it; one of several kinds, those that can serve each of them."""

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        kinds = [kind.served_by for kind in cls.__bases__ if issubclass(kind, Hook)]
        if "served_by" not in vars(cls):
            cls.served_by = tuple(n for n in kinds[0] if all(n in kind for kind in kinds))


class RewriteRequest(Hook):
    """Change the request before it is encoded (a system prompt, a reminder)."""

    served_by = ("local", "openai")

    @abstractmethod
    def rewrite_request(self, sample: Sample) -> Sample:
        """The sample that is asked instead, the same whenever it is asked for. Its id stays."""


class RewriteVisualTokens(Hook):
    """Change projected visual tokens before the language model sees them.

    A `differentiable` one is made of torch's operations on the tokens and the view that it is
    given, and looks at no picture itself: an attack's gradient goes through it, past decisions that
    are held as they fall. Where that is not so, say `differentiable = False`.
    """

    differentiable = True

    @abstractmethod
    def rewrite_visual_tokens(
        self, model: VisionLanguageModel, view: View, tokens_IND: Tensor
    ) -> Tensor:
        """`[I, N, D]` in, the same shape out: N visual tokens of each of the view's images, in its
        order. `view` is the request as the untouched model would see it, and may be traced."""

    def explain(
        self, model: VisionLanguageModel, view: View, tokens_IND: Tensor
    ) -> Mapping[str, Tensor]:
        """What the rewriting goes by, for pictures of the mechanism: `[I]` a figure per image, or
        `[I, N]` one per visual token. `gate`, where there is one: `[I]`, open above 0."""
        return {}

    def margin(self, model: VisionLanguageModel, view: View, tokens_IND: Tensor) -> Tensor | None:
        """`[I]`, with gradients to the tokens: how far its gate is open, above 0, or shut, below;
        None for one without a gate. An attack that means to pass unnoticed lowers it."""
        return self.explain(model, view, tokens_IND).get("gate")


class Respond(Hook):
    """Take over answering; `generate` may be called any number of times, or never."""

    served_by = ("local", "openai")
    asks_model: ClassVar[bool] = True
    """False for one that never calls `generate`: no image is prepared for it."""

    @abstractmethod
    def respond(
        self, generate: Callable[[Sequence[Sample]], list[str]], requests: Sequence[Sample]
    ) -> list[str]:
        """One answer per request, in order."""


class Method(ABC, Generic[ConfigT]):
    """One way to make a model unlearn. `METHOD = TheClass` at the end of the plugin's file.

    Class attributes say what it needs: `pools` (roles of training data), `starts_from` (which
    checkpoint), `deterministic` (its outcome does not depend on the seed), `reference_row` (in
    every table, never ranked), `stands_in_gold` (its weights are the gold model's: of several the
    one of its seed). `grid` are the settings that a search tries in place of the suite's
    own, no more of them than the suite allows; a control names in `settings_of` the method whose
    chosen settings it takes, and is never searched. `exceptions` are checks of the contract that it
    cannot pass, by name, with the reason. The settings' type is the class's parameter:
    `class Npo(LossMethod[NpoConfig])`.
    """

    Config: ClassVar[type[MethodConfig]] = MethodConfig
    pools: ClassVar[tuple[PoolRole, ...]] = ()
    starts_from: ClassVar[Start] = "target"
    deterministic: ClassVar[bool] = False
    reference_row: ClassVar[bool] = False
    stands_in_gold: ClassVar[bool] = False
    grid: ClassVar[Mapping[str, tuple[float | int | str | bool, ...]]] = {}
    settings_of: ClassVar[str | None] = None
    exceptions: ClassVar[Mapping[str, str]] = {}

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        found = settings_type(cls, MethodConfig)
        if found is not None:
            cls.Config = found

    def __init__(self, config: ConfigT) -> None:
        self.config = config

    @classmethod
    def has_one_outcome(cls, *, n_golds: int) -> bool:
        """Is it the same with any seed, on a model with so many golds?"""
        return cls.deterministic and not (cls.stands_in_gold and n_golds > 1)

    @property
    def oracle(self) -> bool:
        """Are its hooks told what a request is for? Then it is a bound, and never ranked."""
        return False

    @abstractmethod
    def unlearn(self, job: Job) -> Unlearned:
        """Do it. Whatever is raised here becomes a failed record with its reason."""

    def modality_of(self, role: PoolRole) -> PoolModality:
        """Which part of a pool it wants: what its settings say, or both where they do not."""
        return self.config.modality if isinstance(self.config, TrainingConfig) else "both"

    def hooks(self, state: Mapping[str, Tensor]) -> Sequence[Hook]:
        """The hooks that serve this method, from `Unlearned.state` fresh or reloaded."""
        return ()


class LossMethod(Method[TrainingConfigT]):
    """A method that is a loss: named terms, computed here, weighted and minimised by the loop."""

    Config: ClassVar[type[MethodConfig]] = TrainingConfig

    @abstractmethod
    def losses(
        self, model: VisionLanguageModel, batch: Mapping[str, PoolBatch], reference: Reference
    ) -> Mapping[str, Tensor]:
        """Unweighted scalar terms, their names the keys of `config.weights`."""

    def unlearn(self, job: Job) -> Unlearned:
        """Minimise the terms and hand over what changed."""
        job.minimise(self.losses, config=self.config)
        return Unlearned(weights=job.model.weights_delta())


__all__ = [
    "Aim", "Attack", "AttackConfig", "AttackKind", "AttackTarget", "CheckpointConfig", "Count",
    "EndpointConfig", "FoundPictures", "Generator", "Hook", "Job", "Judge", "JudgeConfig",
    "LossMethod", "Losses", "Method", "MethodConfig", "Minimise", "NotNegative", "PictureSearch",
    "PoolBatch", "PoolModality", "PoolRole", "Positive", "Question", "Ramp", "Reference", "Reply",
    "Respond", "Response", "RewriteRequest", "RewriteVisualTokens", "Role", "Sample", "Scorer",
    "Share", "Start", "TrainingConfig", "Tuning", "Turn", "Unlearned", "Verdict", "View",
    "VisionLanguageModel", "Weight", "WeightsDelta", "weight_at",
]  # fmt: skip


def __getattr__(name: str) -> object:
    """The live types of the contract, so that a method needs this import and the losses only."""
    if name in _LIVE:
        return getattr(import_module(_LIVE[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
