"""What a suite is made of: parts of training pools, and the sets that it asks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from benchmark.core.forgetting import Asked, Group
from benchmark.core.samples import Scope

Count = Annotated[int, Field(ge=1)]
FormName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]*$")]
Family = Literal["text", "image", "none"]
PROMPT = "{prompt}"
"""In a template, where the row's own prompt goes."""


class _Described(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class _Worded(_Described):
    """A split whose prompts may be put into a template: `{prompt}` and the words around it."""

    card: str
    split: str
    prompt: str | None = None

    def worded(self, prompt: str) -> str:
        """The prompt as it is asked."""
        return prompt if self.prompt is None else self.prompt.replace(PROMPT, prompt)

    @model_validator(mode="after")
    def _holds_prompt(self) -> Self:
        if self.prompt is not None and self.prompt.count(PROMPT) != 1:
            raise ValueError(f"prompt: a template holds {PROMPT} once, '{self.prompt}' does not")
        return self


class PoolPart(_Worded):
    """Samples of one split: as they are, or each in `views` variants of each attack."""

    attacks: tuple[str, ...] = ()
    views: Count = 1
    limit: Count | None = None


class PoolParts(_Described):
    """A pool's parts by what they make a model take in."""

    text: tuple[PoolPart, ...] = ()
    image: tuple[PoolPart, ...] = ()

    @property
    def all_parts(self) -> tuple[PoolPart, ...]:
        """Of both modalities."""
        return (*self.text, *self.image)


class EvaluationSet(_Worded):
    """One split that is scored. `limit` takes its first behaviours, `variants` asks each so often.

    `scope` says which behaviours a method may have trained on, for attacked sets. `apart` keeps a
    set of harmless work out of the mean over sets. `attacks` are the forms in which this set is
    put, in place of the suite's; what is in none of the suite's forms counts in no family. A set
    whose rows are attacks already is asked as it is under the name of a `form`, which carries its
    request as `family` says. `prompt` is a template around what is asked, `max_new_tokens` how long
    an answer may be where that is not the suite's limit. `no_twin` says why a form has no harmless
    twins.
    """

    scope: Scope | None = None
    limit: Count | None = None
    variants: Count = 1
    apart: bool = False
    attacks: tuple[str, ...] | None = None
    form: FormName | None = None
    family: Family | None = None
    max_new_tokens: Count | None = None
    no_twin: str | None = None

    def forms(self, of_suite: Sequence[str]) -> tuple[str, ...]:
        """The names of the forms in which it is put."""
        if self.form is not None:
            return (self.form,)
        return tuple(of_suite if self.attacks is None else self.attacks)

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if self.form is not None and self.attacks is not None:
            raise ValueError(f"form: '{self.form}' is asked as it is, and takes no attacks")
        if self.family is not None and self.form is None:
            raise ValueError("family: that of an attack stands in its file; give it with a form")
        return self


class PersonSet(EvaluationSet):
    """One split of questions about persons: whom they are about, and by what these are asked about.

    The same questions in other words are sets of their own: `wording` numbers them. With
    `likelihoods` it is measured, too, how likely the right answer is, its paraphrases and wrong
    ones; of persons nobody was trained on the right one alone.
    """

    group: Group
    modality: Asked
    wording: Annotated[int, Field(ge=0)] = 0
    likelihoods: bool = True


class Evaluation(_Described):
    """Behaviours to attack, their harmless twins, the forms in which both are put, the harmless
    work that a defence must leave alone, and persons that are to be forgotten, or not."""

    attacked: tuple[EvaluationSet, ...] = ()
    twins: tuple[EvaluationSet, ...] = ()
    attacks: tuple[str, ...] = ()
    over_refusal: tuple[EvaluationSet, ...] = ()
    utility: tuple[EvaluationSet, ...] = ()
    persons: tuple[PersonSet, ...] = ()

    @property
    def sets(self) -> tuple[EvaluationSet, ...]:
        """All that is asked."""
        return (*self.attacked, *self.twins, *self.over_refusal, *self.utility, *self.persons)

    @property
    def splits(self) -> set[tuple[str, str]]:
        """All that is asked, as (card, split)."""
        return {(part.card, part.split) for part in self.sets}

    @property
    def limits(self) -> dict[str, int]:
        """Token limits of sets that have one of their own, by `card/split`."""
        own = [part for part in self.sets if part.max_new_tokens is not None]
        return {f"{part.card}/{part.split}": part.max_new_tokens or 0 for part in own}

    @property
    def untwinned(self) -> dict[str, str]:
        """Forms that are attacked and have no harmless twins, each with the suite's reason, which
        is empty where a set gives none."""
        twinned = {form for part in self.twins for form in part.forms(self.attacks)}
        reasons: dict[str, list[str]] = {}
        for part in self.attacked:
            for form in part.forms(self.attacks):
                if form not in twinned:
                    reasons.setdefault(form, []).append(part.no_twin or "")
        return {
            form: "; ".join(dict.fromkeys(said)) if all(said) else ""
            for form, said in reasons.items()
        }

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if not self.sets:
            raise ValueError("nothing is asked")
        for part in self.attacked:
            self._check_attacked(part)
        for part in (*self.attacked, *self.twins):
            if not part.forms(self.attacks):
                raise ValueError(f"card '{part.card}' is put in no form; give attacks or a form")
        for part in (*self.over_refusal, *self.utility, *self.persons):
            if part.form is not None or part.attacks is not None:
                raise ValueError(f"card '{part.card}': only attacked sets and twins have forms")
        self._check_limits()
        self._check_persons()
        return self

    def _check_attacked(self, part: EvaluationSet) -> None:
        if part.scope is None:
            raise ValueError(f"attacked: card '{part.card}' has no scope")
        if part.form is not None and part.family is None:
            raise ValueError(f"attacked: form '{part.form}' of card '{part.card}' has no family")
        named = [one for one in self.attacked if one.form is not None and one.form == part.form]
        if len({one.family for one in named}) > 1:
            raise ValueError(f"attacked: form '{part.form}' is of two families")

    def _check_limits(self) -> None:
        """Figures of a split are found by its name, and stand under one limit."""
        found: dict[tuple[str, str], int | None] = {}
        for part in self.sets:
            name = (part.card, part.split)
            if found.setdefault(name, part.max_new_tokens) != part.max_new_tokens:
                raise ValueError(
                    f"max_new_tokens: split '{part.split}' of card '{part.card}' has two limits"
                )

    def _check_persons(self) -> None:
        """A split is about one group, and what is to be forgotten is held against what is not."""
        names = [(part.card, part.split) for part in self.persons]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise ValueError(f"persons: split '{twice[1]}' of card '{twice[0]}' is asked twice")
        groups = {part.group for part in self.persons}
        for needed in ("forget", "retain") if groups else ():
            if needed not in groups:
                raise ValueError(f"persons: no set of the group '{needed}'")
