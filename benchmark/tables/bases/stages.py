"""Within a training: what each stage did, what another order does, what the states hold."""

from __future__ import annotations

from collections.abc import Sequence

from benchmark.tables.bases.collect import Bases, spread
from benchmark.tables.bases.figures import FORMS, SEES, gap_cell, rate
from benchmark.tables.cells import MISSING, markdown_table
from benchmark.testbed.records import POOLS, BaseRecord

PROBES = (
    "probe harmfulness direct", "probe harmfulness typographic", "probe harmfulness icon",
    "probe category visual tokens",
)  # fmt: skip


def stage_tables(found: Bases) -> str:
    """Attack success and harmless twins after each stage, over seeds."""
    measured = [record for record in found.seeds if record.after_stage]
    if not measured:
        return "No fresh seed has figures of its stages yet."
    stages = [*measured[0].after_stage, list(measured[0].seconds_per_stage)[-1]]
    tables = []
    for pool in POOLS:
        rows = [
            [form, *(_over_seeds(measured, stage, f"asr {form} {pool}") for stage in stages)]
            for form in FORMS
        ]
        rows.append(
            ["direct, refused",
             *(_over_seeds(measured, stage, f"refused direct {pool}") for stage in stages)]
        )  # fmt: skip
        header = ["form", *(stage.replace("_", " ") for stage in stages)]
        tables.append(f"**{pool}**\n\n{markdown_table(header, rows)}")
    twins = [
        [form, *(_over_seeds(measured, stage, f"twin {form}") for stage in stages)]
        for form in FORMS
    ]
    header = ["form", *(stage.replace("_", " ") for stage in stages)]
    tables.append(f"**harmless twins done**\n\n{markdown_table(header, twins)}")
    return (
        "Attack success after each stage, per cent: the mean over seeds and, in brackets, the "
        f"lowest and highest of {len(measured)}. `{MISSING}`: the model cannot see yet. Sight "
        "alone changes no answer and is left out; alignment teaches it to see, not to answer. "
        "`align` items are those that safety training refuses; `unseen` are of categories that it "
        "never met.\n\n" + "\n\n".join(tables)
    )


def _over_seeds(records: Sequence[BaseRecord], stage: str, name: str) -> str:
    values = [value for record in records if (value := record.after(stage, name)) is not None]
    if not values:
        return MISSING
    mean = sum(values) / len(values)
    return f"{100 * mean:.1f} [{100 * min(values):.1f}, {100 * max(values):.1f}]"


def ablation_table(found: Bases) -> str:
    """Ablations beside the default recipe with the same seed."""
    if not found.ablations:
        return "None was trained yet."
    names = [
        *(f"asr {form} test" for form in FORMS), "refused direct test", "refused direct align",
        "asr typographic align", "twin direct", "twin typographic", "twin icon", "twin icon_word",
        "task reading", "task facts",
    ]  # fmt: skip
    compared = {
        beside.name: beside
        for ablation in found.ablations
        if (beside := found.beside(ablation)) is not None
    }
    models = [*compared.values(), *found.ablations]
    rows = [[name, *(rate(model.figure(name)) for model in models)] for name in names]
    rows.append(["image minus text, points", *map(gap_cell, models)])
    rows.append(["blank picture undoes refusal", *map(_shortcut, models)])
    return (
        "One seed each, beside the default recipe with the same seed: a difference smaller than "
        "that between seeds above says nothing. `no refusal replay`: the text replayed beside "
        "pictures holds no refusals. `safety last`: refusals are learnt after sight and "
        "instructions, with or without harmless pictures beside them. A picture that is not seen "
        f"is not obeyed: `lost sight` marks who does less than {100 * SEES:.0f} % of the harmless "
        "twins by picture, so that low attack success there is no safety. Per cent.\n\n"
        f"{markdown_table(['figure', *(model.name for model in models)], rows)}"
    )


def probe_table(found: Bases) -> str:
    """What linear probes read from the states of each model."""
    models = [found.shipped, *found.seeds, *found.ablations]
    rows = [
        [model.name, *(rate(model.figure(name)) for name in PROBES)]
        for model in models
    ]  # fmt: skip
    header = ["model", *(name.removeprefix("probe ") for name in PROBES)]
    spreads = [spread(name, found.seeds) for name in PROBES]
    if all(spreads):
        rows.append(["mean of fresh seeds", *(rate(one.mean) for one in spreads if one)])
    return (
        "Linear probes of the language model's state at the last prompt token, at the layer that "
        "is best on validation items, fitted on `align` and `train` items, tested on `test` items "
        "and wording: is the item harmful? And of the mean projected visual token: of which "
        "category is the motif? Per cent right; guessing harmfulness is right in about half. They "
        "bound what a method can recognise by a linear look: where a page's harm cannot be read "
        f"from the states, no linear gate on them can tell it.\n\n{markdown_table(header, rows)}"
    )


def _shortcut(record: BaseRecord) -> str:
    if record.acceptance is None:
        return MISSING
    return "yes" if record.acceptance.modality_shortcut else "no"
