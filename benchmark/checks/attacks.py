"""The contract of an attack as named checks, on two items of the miniature and a random model.

The same code makes an attack and its twin, ids are stable, and nothing depends on what ran before.
Of a search also: what is found is a stored 8-bit picture within eps, and the model stays as it was.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from benchmark.api import (
    AttackConfig,
)
from benchmark.checks.attack_subject import AttackSubject
from benchmark.checks.declared import DIFFERS, SOURCE
from benchmark.checks.outcome import CheckFailed, NotApplicable, Outcome, Status
from benchmark.checks.settings import check_settings
from benchmark.checks.workbench import Workbench
from benchmark.core import registry
from benchmark.core.errors import unknown
from benchmark.core.plugin_modules import deepest_line
from benchmark.core.rows import split_row
from benchmark.vlm.encoding import open_image

N_VARIANTS = 3


def source(subject: AttackSubject) -> None:
    """Where the attack comes from, and how this one differs."""
    entry = registry.entry("attack", split_row(subject.row)[0])
    text = " ".join(entry.path.read_text().split())
    if not SOURCE.search(text) or not DIFFERS.search(text):
        raise CheckFailed(
            expected="a docstring that names the source and what differs from it",
            seen=f"{entry.path} lacks one of them",
            remedy="write 'Name et al. 2024' or an arXiv id, and 'Differs from the paper: ...'",
        )


def config(subject: AttackSubject) -> None:
    """Frozen, complete, strict, the same after a round trip."""
    check_settings(type(subject.attack).Config, of=AttackConfig)


def twin(subject: AttackSubject) -> None:
    """Of a harmless item the same form, with its own answers."""
    subject.check_fits()
    for harmful in (True, False):
        asked = subject.behaviour(harmful=harmful)
        made = subject.sample(asked, purpose="attack" if harmful else "twin")
        kept = ("behaviour", "card", "subject", "category", "answers", "scope")
        changed = [name for name in kept if getattr(made, name) != getattr(asked, name)]
        if changed or made.attack != subject.attack.row or not made.prompt:
            raise CheckFailed(
                expected=f"{', '.join(kept)} as they were, `attack` = '{subject.attack.row}'",
                seen=f"changed: {', '.join(changed) or 'none'}; attack = '{made.attack}', prompt "
                f"= '{made.prompt}'",
                remedy="return dataclasses.replace(behaviour, ...) with what the form adds",
            )
        if bool(made.images) != subject.attack.needs_images:
            raise CheckFailed(
                expected=f"needs_images = {bool(made.images)}, as its samples say",
                seen=f"needs_images = {subject.attack.needs_images}",
                remedy="set the class attribute",
            )


def question(subject: AttackSubject) -> None:
    """What asks whether the form can be read is of the same behaviour and says what is right."""
    subject.check_fits()
    asked = subject.behaviour(harmful=True)
    made = subject.question(asked)
    if made is None:
        raise NotApplicable("it asks nothing about its pictures")
    right = made.purpose == "comprehension" and made.behaviour == asked.behaviour
    if not right or not made.answers.references:
        raise CheckFailed(
            expected=f"a sample for comprehension of '{asked.behaviour}' with references",
            seen=f"one for {made.purpose} of '{made.behaviour}' with "
            f"{len(made.answers.references)} references",
            remedy="answers=Answers(good=right, references=(right,)), and leave the rest",
        )


def stable(subject: AttackSubject) -> None:
    """The same variant is the same sample; ids say card, split, key, form and variant."""
    subject.check_fits()
    asked = subject.behaviour(harmful=True)
    made = [subject.sample(asked, variant=n) for n in range(N_VARIANTS)]
    again = [subject.sample(asked, variant=n) for n in range(N_VARIANTS)]
    wanted = [f"{asked.id}+{subject.attack.row}.{n}" for n in range(N_VARIANTS)]
    if made != again or [one.id for one in made] != wanted:
        raise CheckFailed(
            expected=f"the same samples twice, called {wanted[0]} and so on",
            seen=f"{made[0].id}; {'the same' if made == again else 'others'} the second time",
            remedy="let nothing but the arguments decide, and name the variant",
        )


def repeats(subject: AttackSubject) -> None:
    """Two searches find the same pictures."""
    one, other = subject.found(), subject.found()
    if not torch.equal(one.pixels_BCHW, other.pixels_BCHW):
        raise CheckFailed(
            expected="the same pictures twice",
            seen="others the second time",
            remedy="seed what is drawn by the sample's id",
        )


def within(subject: AttackSubject) -> None:
    """Stored and read anew, no value is further than eps from the picture it began with."""
    starts, _ = subject.starts()
    eps = getattr(subject.search.config, "eps", 255)
    for start, one_CHW in zip(starts, subject.found().pixels_BCHW, strict=True):
        stored = subject.material.images.put(one_CHW.permute(1, 2, 0).to(torch.uint8).numpy())
        read, first = (
            np.asarray(open_image(image.path), int) for image in (stored, start.images[0])
        )
        furthest = int(np.abs(read - first).max())
        if furthest > eps or not torch.equal(one_CHW, one_CHW.round()):
            raise CheckFailed(
                expected=f"whole numbers, at most {eps} from the picture it began with",
                seen=f"as much as {furthest} in the stored picture",
                remedy="clamp to the box around the first picture, and round inside it",
            )


def clean(subject: AttackSubject) -> None:
    """No hook, gradient or changed weight is left."""
    model = subject.model
    before = model.fingerprints(), model.n_hooks
    subject.found()
    left = [p for p in model.hf.parameters() if p.grad is not None or p.requires_grad]
    if (model.fingerprints(), model.n_hooks) != before or left:
        raise CheckFailed(
            expected="the model as it was",
            seen="changed weights, hooks or gradients",
            remedy="ask the target alone, and take gradients with torch.autograd.grad of pixels",
        )


@dataclass(frozen=True, kw_only=True)
class AttackCheck:
    """One part of the contract. `run` returns for an attack that keeps it and raises otherwise."""

    name: str
    about: str
    run: Callable[[AttackSubject], None]


CHECKS = (
    AttackCheck(name="source", run=source, about="Its docstring says whence, and what differs."),
    AttackCheck(name="config", run=config, about="Its settings are frozen, complete and strict."),
    AttackCheck(name="twin", run=twin, about="The same code makes the attack and its twin."),
    AttackCheck(name="question", run=question, about="What asks about its picture can be judged."),
    AttackCheck(name="stable", run=stable, about="Samples and ids are the same every time."),
    AttackCheck(name="repeats", run=repeats, about="A search finds the same pictures again."),
    AttackCheck(name="within", run=within, about="Stored pictures are within eps."),
    AttackCheck(name="clean", run=clean, about="A search leaves the model as it was."),
)
NAMES = tuple(check.name for check in CHECKS)


def check_attack(row: str, bench: Workbench, *, only: Sequence[str] = ()) -> Iterator[Outcome]:
    """One outcome after the other. Raises `UserError` for a check or an attack that does not
    exist, or settings that it does not have; `RunFailed` for one that cannot be imported."""
    for wanted in only:
        if wanted not in NAMES:
            unknown("check", wanted, NAMES)
    subject = AttackSubject(row, bench)
    _ = subject.attack
    for check in CHECKS:
        if not only or check.name in only:
            yield _outcome(check, subject)


def _outcome(check: AttackCheck, subject: AttackSubject) -> Outcome:
    started = time.monotonic()

    def outcome(status: Status, **said: str) -> Outcome:
        return Outcome(
            method=subject.row, check=check.name, about=check.about, status=status,
            seconds=time.monotonic() - started, **said,
        )  # fmt: skip

    try:
        check.run(subject)
    except NotApplicable as why:
        return outcome("not_applicable", reason=str(why))
    except CheckFailed as failure:
        return outcome(
            "failed", expected=failure.expected, seen=failure.seen, remedy=failure.remedy
        )
    except (Exception, SystemExit) as error:
        where = deepest_line(error, registry.entry("attack", split_row(subject.row)[0]).path)
        return outcome(
            "failed", expected="no exception", seen=f"{type(error).__name__}: {error} ({where})",
            remedy="mend it",
        )  # fmt: skip
    return outcome("passed")
