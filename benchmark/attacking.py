"""What an attack is: a form in which a request is put, found by rule or by search.

A static attack is a rule. A search looks for a picture: a `transfer` one on the vision tower of the
untouched model, whose pictures every method is asked; an `adaptive` one on the model that is being
evaluated, through its own hooks, so that every method is asked pictures of its own. What is scored
is always a stored 8-bit picture, read anew.

Shapes: B pictures, H x W pixels, C colours, N visual tokens, D width of the language model.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Generic, Literal, Protocol, TypeVar

from benchmark.core.method_config import settings_type
from benchmark.core.samples import ImageFile, PhraseSet, Purpose, Sample

if TYPE_CHECKING:
    from torch import Tensor

    from benchmark.data.material import Material

AttackKind = Literal["static", "transfer", "adaptive"]


@dataclass(frozen=True, kw_only=True)
class AttackConfig:
    """Settings of an attack: frozen, in the plugin's own file; unknown keys are errors."""


AttackConfigT = TypeVar("AttackConfigT", bound=AttackConfig)


class Attack(ABC, Generic[AttackConfigT]):
    """A form in which a request is put. The same code makes the attack and its harmless twin.

    `family` is what rates are averaged over: `text`, `image`, or `none` for forms that only
    diagnose (a request in text beside a picture that carries nothing). Settings are typed as those
    of methods are, `pgd+eps=8+steps=50`, and that is the `row` by which the attack is known. Their
    type is the class's parameter: `class Pgd(PictureSearch[PgdConfig])`.
    """

    Config: ClassVar[type[AttackConfig]] = AttackConfig
    family: ClassVar[Literal["text", "image", "none"]]
    kind: ClassVar[AttackKind] = "static"
    needs_images: ClassVar[bool] = False

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        found = settings_type(cls, AttackConfig)
        if found is not None:
            cls.Config = found

    def __init__(self, config: AttackConfigT | None = None, *, row: str | None = None) -> None:
        # A class without settings of its own has the ones of its parent.
        self.config: AttackConfigT = self.Config() if config is None else config  # type: ignore[assignment]
        self.row = type(self).__module__.rpartition(".")[2] if row is None else row

    @property
    def parameters(self) -> Mapping[str, object]:
        """Plain JSON: what its samples depend on beside source, material and behaviour."""
        return dict(vars(self.config))

    @abstractmethod
    def sample(
        self,
        behaviour: Sample,
        *,
        material: Material,
        phrases: PhraseSet,
        variant: int,
        purpose: Purpose,
    ) -> Sample:
        """The behaviour in this form; `variant` picks phrase and picture deterministically. For a
        search it is where the search begins."""

    def question(
        self, behaviour: Sample, *, material: Material, phrases: PhraseSet, variant: int
    ) -> Sample | None:
        """A harmless question that shows whether the model can read this form, with the right
        answer among its references; None if text."""
        return None


@dataclass(frozen=True, kw_only=True)
class Aim:
    """What a search wants: these words at the start of the answer, or what this picture looks like
    to the vision tower."""

    words: str = ""
    picture: ImageFile | None = None


class AttackTarget(Protocol):
    """The one interface through which a search sees a model: its weights as they are served, and
    its own hooks.

    Pixels are 0 to 255, with gradients. Decisions that a hook takes (a gate that opens, which
    tokens it rewrites) are taken as they fall, on these very pixels, and held fixed for the
    gradient: a straight-through. What moves a decision itself is its `margin`.
    """

    def pixels(self, images: Sequence[ImageFile]) -> Tensor:
        """`[B, C, H, W]` of stored pictures, all of one size, at which the model takes them."""
        ...

    def loss(self, pixels_BCHW: Tensor, requests: Sequence[Sample], words: Sequence[str]) -> Tensor:
        """`[B]`, nats per token: how unlikely each answer is to begin with these words."""
        ...

    def margin(self, pixels_BCHW: Tensor, requests: Sequence[Sample]) -> Tensor:
        """`[B]`: how far above its threshold the hooks' gate lies; open above 0. Raises
        `NotOffered` where they have none."""
        ...

    def embed(self, pixels_BCHW: Tensor) -> Tensor:
        """`[B, N, D]`: visual tokens as the projector hands them on, before any hook."""
        ...


@dataclass(frozen=True, kw_only=True)
class FoundPictures:
    """What a search found: whole numbers 0 to 255, and what it minimised, before and after."""

    pixels_BCHW: Tensor
    before_B: Tensor
    after_B: Tensor
    n_steps_B: Tensor


class PictureSearch(Attack[AttackConfigT]):
    """An attack whose picture is searched for by gradients. `sample` is where it begins, `aim` what
    it wants, and the twin of what it finds is what the same search finds for a harmless item.

    `needs_margin`: it applies only to models whose hooks offer one.
    """

    kind: ClassVar[AttackKind] = "adaptive"
    needs_images = True
    needs_margin: ClassVar[bool] = False

    @abstractmethod
    def aim(self, start: Sample, *, material: Material) -> Aim:
        """What is wanted of this request."""

    @abstractmethod
    def search(
        self, target: AttackTarget, starts: Sequence[Sample], aims: Sequence[Aim]
    ) -> FoundPictures:
        """A picture for each start, whose pictures are all of one size. The same for the same
        target and starts, whatever ran before, and nothing is left behind."""
