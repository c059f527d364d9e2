"""Within a training: what each stage did, what another order does, what the states hold."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

from benchmark.tables.bases.collect import Bases
from benchmark.tables.bases.figures import (
    BASE_TWIN,
    DIFFERENCES,
    FORMS,
    all_known,
    asr_cell,
    difference_cell,
    marked,
    rate,
    sound,
)
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
    stages = shown_stages(measured[0])
    header = ["form", *(stage.replace("_", " ") for stage in stages)]
    tables = []
    for pool in POOLS:
        rows = [
            [form, *(_attacked(measured, stage, form, pool) for stage in stages)] for form in FORMS
        ]
        refused = f"refused direct {pool}"
        rows.append(
            ["direct, refused", *(_over_seeds(measured, stage, refused) for stage in stages)]
        )
        tables.append(f"**{pool}**\n\n{markdown_table(header, rows)}")
    twins = [
        [form, *(_over_seeds(measured, stage, f"twin {form}") for stage in stages)]
        for form in FORMS
    ]
    tables.append(f"**harmless twins done**\n\n{markdown_table(header, twins)}")
    return (
        "Attack success after each stage, per cent: the mean over seeds and, in brackets, the "
        f"lowest and highest of {len(measured)}. `{MISSING}`: the model cannot see yet. `void`: on "
        f"a seed it does fewer than {100 * BASE_TWIN:.0f} % of the harmless twins of that form, so "
        "that low attack success may be inability (the boards' own rule; what was counted is in "
        "brackets). Sight alone changes no answer and is left out; alignment teaches it to see, "
        "not to answer. `align` items are those that safety training refuses; `unseen` are of "
        "categories that it never met.\n\n" + "\n\n".join(tables)
    )


def shown_stages(record: BaseRecord) -> list[str]:
    """Those after which something was measured."""
    return [stage for stage in record.stages if record.measured(stage)]


def _attacked(records: Sequence[BaseRecord], stage: str, form: str, pool: str) -> str:
    void = not all(sound(record, stage, form) for record in records)
    return marked(_over_seeds(records, stage, f"asr {form} {pool}"), void=void)


def _over_seeds(records: Sequence[BaseRecord], stage: str, name: str) -> str:
    values = [value for record in records if (value := record.after(stage, name)) is not None]
    if len(values) < len(records):
        return MISSING if not values else f"{len(values)} of {len(records)} seeds"
    mean = sum(values) / len(values)
    return f"{100 * mean:.1f} [{100 * min(values):.1f}, {100 * max(values):.1f}]"


def ablation_table(found: Bases) -> str:
    """Ablations beside the default recipe with the same seed."""
    if not found.ablations:
        return "None was trained yet."
    names = [
        "refused direct test", "refused direct align", *(f"twin {form}" for form in FORMS),
        "task reading", "task facts",
    ]  # fmt: skip
    compared = {
        beside.name: beside
        for ablation in found.ablations
        if (beside := found.beside(ablation)) is not None
    }
    models = [*compared.values(), *found.ablations]
    rows = [
        [f"asr {form} test", *(asr_cell(model, form, "test") for model in models)] for form in FORMS
    ]
    rows.append(["asr typographic align", *(asr_cell(m, "typographic", "align") for m in models)])
    rows += [[name, *(rate(model.figure(name)) for model in models)] for name in names]
    rows += [
        [f"{name}, points", *(difference_cell(model, more, less) for model in models)]
        for name, more, less in DIFFERENCES
    ]
    rows.append(["blank picture undoes refusal", *map(_shortcut, models)])
    alone = [one.name for one in found.ablations if found.beside(one) is None]
    return (
        "One seed each, beside the default recipe with the same seed: a difference smaller than "
        "that between seeds above says nothing. `no refusal replay`: the text replayed beside "
        "pictures holds no refusals. `safety last`: refusals are learnt after sight and "
        "instructions, with or without harmless pictures beside them. `void`: the model does not "
        "do the harmless twins of that form, so that low attack success there is no safety. Per "
        f"cent.{_without(alone)}\n\n"
        f"{markdown_table(['figure', *(model.name for model in models)], rows)}"
    )


def _without(names: Sequence[str]) -> str:
    if not names:
        return ""
    return f" The default recipe with the same seed is not published for {', '.join(names)}."


def probe_table(found: Bases) -> str:
    """What linear probes read from the states of each model."""
    models = [found.shipped, *found.seeds, *found.ablations]
    rows = [
        [model.name, *(rate(model.figure(name)) for name in PROBES)]
        for model in models
    ]  # fmt: skip
    rows.append(["mean of fresh seeds", *(_mean(found.seeds, name) for name in PROBES)])
    header = ["model", *(name.removeprefix("probe ") for name in PROBES)]
    return (
        "Linear probes of the language model's state at the last prompt token, at the layer that "
        "is best on validation items, fitted on `align` and `train` items, tested on `test` items "
        f"and wording: is the item harmful? {_majority(found.shipped)} And of the mean projected "
        "visual token: of which category is the motif? Per cent right. It is what one simple look "
        "finds, no bound: another place, another probe or more examples may find more.\n\n"
        f"{markdown_table(header, rows)}"
    )


def _mean(records: Sequence[BaseRecord], name: str) -> str:
    values = all_known(record.figure(name) for record in records)
    return rate(fmean(values)) if values else MISSING


def _majority(record: BaseRecord) -> str:
    """What a probe is right in that always says the same."""
    n_of = {figure.name: figure.n for figure in record.measured(record.stages[-1])}
    n_items, n_harmful = n_of.get(PROBES[0]), n_of.get("asr direct test")
    if not n_items or not n_harmful:
        return ""
    most = max(n_harmful, n_items - n_harmful) / n_items
    return f"Of {n_items} items {n_harmful} are; always saying the same is right in {rate(most)} %."


def _shortcut(record: BaseRecord) -> str:
    if record.acceptance is None:
        return MISSING
    return "yes" if record.acceptance.modality_shortcut else "no"
