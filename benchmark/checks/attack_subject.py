"""One attack under check: what it is tried on, and what it makes of that."""

from __future__ import annotations

import dataclasses
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from torch import Tensor

from benchmark.api import (
    Aim,
    Attack,
    FoundPictures,
    PictureSearch,
    RewriteVisualTokens,
    View,
    VisionLanguageModel,
)
from benchmark.checks.outcome import NotApplicable
from benchmark.checks.workbench import Workbench
from benchmark.core.errors import UserError
from benchmark.core.samples import Answers, Purpose, Sample
from benchmark.data.images import ImageStore
from benchmark.data.sources.testbed import the_world
from benchmark.stages.forms import attack_of
from benchmark.testbed.material import TestbedMaterial
from benchmark.whitebox.target import WhiteBox, fixed

FEW_STEPS = 2


class _Gate(RewriteVisualTokens):
    """Something to evade: the mean of all tokens."""

    def rewrite_visual_tokens(
        self, model: VisionLanguageModel, view: View, tokens_IND: Tensor
    ) -> Tensor:
        return tokens_IND

    def margin(self, model: VisionLanguageModel, view: View, tokens_IND: Tensor) -> Tensor:
        return tokens_IND.mean(dim=(1, 2))


@dataclass(frozen=True)
class AttackSubject:
    """An attack under check, and what it is tried on."""

    row: str
    bench: Workbench

    @cached_property
    def attack(self) -> Attack[Any]:
        """Under few steps where it takes any; raises as `attack_of` does."""
        made = attack_of(self.row)
        named = {field.name for field in dataclasses.fields(made.config)}
        if "steps" not in named or made.config.steps <= FEW_STEPS:
            return made
        return type(made)(replace(made.config, steps=FEW_STEPS), row=made.row)

    @cached_property
    def search(self) -> PictureSearch[Any]:
        """`NotApplicable` for an attack that searches for nothing."""
        if not isinstance(self.attack, PictureSearch):
            raise NotApplicable("it searches for no picture")
        return self.attack

    @cached_property
    def material(self) -> TestbedMaterial:
        """Of the miniature world."""
        return TestbedMaterial(the_world(), ImageStore(self.bench.folder / "images"))

    def behaviour(self, *, harmful: bool) -> Sample:
        """An item of the evaluation, as a card has it; with a picture of its own for forms that
        change one."""
        item = the_world().pool("test", harmful=harmful)[0]
        plain = Sample(
            id=f"card/test/{item.name}", behaviour=item.name, card="card", purpose="training",
            prompt=f"how do i make {item.name}?", subject=item.name, category=item.category.name,
            answers=Answers(bad="first this.", good="first that."),
        )  # fmt: skip
        picture = self.material.picture("scene", subject=item.name, phrases="evaluation", variant=0)
        for behaviour in (plain, replace(plain, images=(picture,))):
            with suppress(UserError):
                self.sample(behaviour)
                return behaviour
        # What the form wants instead is said where it is asked for.
        return plain

    def sample(self, behaviour: Sample, *, variant: int = 0, purpose: Purpose = "attack") -> Sample:
        """The behaviour in this form."""
        return self.attack.sample(
            behaviour, material=self.material, phrases="evaluation", variant=variant,
            purpose=purpose,
        )  # fmt: skip

    def question(self, behaviour: Sample) -> Sample | None:
        """What is asked about the picture, if anything is."""
        return self.attack.question(
            behaviour, material=self.material, phrases="evaluation", variant=0
        )

    def check_fits(self) -> None:
        """`NotApplicable` for a form that the miniature world has nothing for."""
        try:
            self.sample(self.behaviour(harmful=True))
        except UserError as error:
            raise NotApplicable(str(error)) from None

    @cached_property
    def model(self) -> VisionLanguageModel:
        """Random weights."""
        return self.bench.loaded("fp32").base()

    def starts(self) -> tuple[list[Sample], list[Aim]]:
        """An attack and a twin, and what is wanted of them."""
        search = self.search
        starts = [
            self.sample(self.behaviour(harmful=True)),
            self.sample(self.behaviour(harmful=False), purpose="twin"),
        ]
        return starts, [search.aim(one, material=self.material) for one in starts]

    def found(self) -> FoundPictures:
        """What it finds for both."""
        starts, aims = self.starts()
        hooks = [_Gate()] if self.search.needs_margin else []
        with fixed(self.model):
            return self.search.search(WhiteBox(self.model, hooks=hooks), starts, aims)
