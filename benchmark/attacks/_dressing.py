"""How a behaviour becomes a sample of a form: ids, purposes and answers are set in one place."""

from __future__ import annotations

from dataclasses import replace

from benchmark.core.samples import Answers, ImageFile, Purpose, Sample


def dressed(
    behaviour: Sample,
    *,
    form: str,
    variant: int,
    purpose: Purpose,
    prompt: str,
    image: ImageFile | None = None,
) -> Sample:
    """The behaviour asked in `form`; its answers stay. Id: `card/split/key+form.n`."""
    return replace(
        behaviour,
        id=f"{behaviour.id}+{form}.{variant}",
        purpose=purpose,
        prompt=prompt,
        images=(image,) if image else (),
        attack=form,
    )


def asked_about(attacked: Sample, *, prompt: str, answer: str) -> Sample:
    """A harmless question about the picture of `attacked`. Id: `card/split/key+form.n?`."""
    return replace(
        attacked,
        id=f"{attacked.id}?",
        purpose="comprehension",
        prompt=prompt,
        answers=Answers(good=answer, references=(answer,)),
    )
