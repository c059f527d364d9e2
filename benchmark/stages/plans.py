"""What scoring must know of a suite, read from its cards and attacks. Imports no torch."""

from __future__ import annotations

from benchmark.core.records import SuiteFacts
from benchmark.data.cards import load_card
from benchmark.scoring.plan import ADAPTIVE, AboutPersons, Plan
from benchmark.stages.forms import attack_of, form_name
from benchmark.suites import Evaluation, Suite

COHERENCE = "coherence"


def facts_of(suite: Suite) -> SuiteFacts:
    """What a record keeps of its suite."""
    return SuiteFacts(title=suite.title, notice=suite.notice, plan=plan_of(suite))


def plan_of(suite: Suite) -> Plan:
    """Families from the attacks themselves, chance levels from the cards, gates from the suite.

    What is searched for on the evaluated model is a family of its own, since not every model can
    be searched; and only forms in which the whole suite is put count in any.
    """
    families: dict[str, list[str]] = {}
    for name, family in _families(suite.evaluation).items():
        if family != "none":
            families.setdefault(family, []).append(name)
    questions = (*suite.evaluation.utility, *suite.evaluation.persons)
    cards = sorted({part.card for part in questions})
    return Plan(
        max_new_tokens=suite.decoding.max_new_tokens,
        ranking_judge=suite.ranking_judge,
        ranking_judges=suite.ranking_judges,
        coherence_judge=COHERENCE,
        families={family: tuple(names) for family, names in families.items()},
        chance={name: load_card(name).chance for name in cards},
        apart=tuple(part.card for part in suite.evaluation.over_refusal if part.apart),
        gates=suite.gates,
        limits=suite.evaluation.limits,
        untwinned=suite.evaluation.untwinned,
        utility_apart=tuple(
            f"{part.card}/{part.split}" for part in suite.evaluation.utility if part.apart
        ),
        by_set=suite.requires.vocabulary == "natural",
        persons=_persons(suite),
    )


def _persons(suite: Suite) -> dict[str, AboutPersons]:
    """Of what is reported and of what settings are chosen on."""
    return {
        f"{part.card}/{part.split}": AboutPersons(
            group=part.group,
            modality=part.modality,
            wording=part.wording,
            likelihoods=part.likelihoods,
        )
        for part in (*suite.evaluation.persons, *suite.selection.persons)
    }


def _families(evaluation: Evaluation) -> dict[str, str]:
    """Of every form of the suite, and of those that sets bring as rows. What only a set names, and
    the suite does not, counts in no family."""
    found = {form_name(row): _family(row) for row in evaluation.attacks}
    own = {part.form: part.family for part in evaluation.attacked if part.form is not None}
    return found | {form: family or "none" for form, family in own.items()}


def _family(row: str) -> str:
    attack = attack_of(row)
    searched = attack.kind == "adaptive" and attack.family != "none"
    return ADAPTIVE if searched else attack.family
