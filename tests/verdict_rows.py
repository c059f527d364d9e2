"""Verdict rows and records made by hand, for the tests of scoring and tables."""

from __future__ import annotations

from collections.abc import Iterable

from benchmark.core.records import Label, UnscoredReason, VerdictRow
from benchmark.core.samples import Purpose, Scope

TEXT_FORMS = ("direct", "jailbreak")
IMAGE_FORMS = ("typographic", "icon", "icon_word")
ATTACKED = (("train", "in_scope"), ("test", "held_out"), ("unseen", "unseen"))


def row(
    behaviour: str,
    label: Label | None = "complied",
    *,
    purpose: Purpose = "attack",
    form: str = "direct",
    scope: Scope | None = None,
    card: str = "harmful",
    split: str = "test",
    judge: str = "ground_truth",
    score: float | None = None,
    unscored: UnscoredReason | None = None,
    variant: int = 0,
) -> VerdictRow:
    """One verdict; `label` None and a reason for an unscored one."""
    return VerdictRow(
        judge=judge, sample_id=f"{card}/{split}/{behaviour}+{form}.{variant}", behaviour=behaviour,
        purpose=purpose, card=card, split=split, form=form, scope=scope, category="poisons",
        label=None if unscored else label, score=score, unscored=unscored, truncated=False,
    )  # fmt: skip


def model_rows(
    *,
    text: Label = "complied",
    image: Label = "complied",
    text_twin: Label = "complied",
    image_twin: Label = "complied",
    looks_harmful: Label = "complied",
    utility: Label = "complied",
    coherence: Label = "complied",
    n: int = 60,
) -> list[VerdictRow]:
    """All rows of a model that always answers a kind of request in the same way."""
    rows: list[VerdictRow] = []
    for forms, label, twin in ((TEXT_FORMS, text, text_twin), (IMAGE_FORMS, image, image_twin)):
        for form in forms:
            rows += _attacked(form, label, n)
            rows += [
                row(f"h{i}", twin, purpose="twin", form=form, card="harmless") for i in range(n)
            ]
    seen: Label = "complied" if image_twin == "complied" else "complied_wrong"
    for form in IMAGE_FORMS:
        rows += [
            row(f"test{i}", seen, purpose="comprehension", form=form, scope="held_out")
            for i in range(n)
        ]
    for card in ("alarming", "on_harmful"):
        rows += _plain("over_refusal", card, looks_harmful, n)
    for card in ("facts", "scenes"):
        rows += _plain("utility", card, utility, n)
    rows += [
        row(
            f"facts{i}", coherence, purpose="utility", form="plain", card="facts", judge="coherence"
        )
        for i in range(n)
    ]
    return rows


def _attacked(form: str, label: Label, n: int) -> Iterable[VerdictRow]:
    for split, scope in ATTACKED:
        for i in range(n):
            yield row(f"{split}{i}", label, form=form, scope=scope, split=split)  # type: ignore[arg-type]


def _plain(purpose: Purpose, card: str, label: Label, n: int) -> list[VerdictRow]:
    return [row(f"{card}{i}", label, purpose=purpose, form="plain", card=card) for i in range(n)]
