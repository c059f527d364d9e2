"""Linear probes: what one simple look at the model's states tells.

Shape suffixes: B samples, T tokens, P patches, D width, L layers.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from benchmark.core.samples import PhraseSet, Sample
from benchmark.testbed.items import Item
from benchmark.testbed.material import TestbedMaterial
from benchmark.testbed.recipe.answering import N_BATCH, PICTURE_OF_FORM, model_inputs

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

# What a processor makes of pictures, by the names that models know.
PICTURED = {"pixel_values", "image_grid_thw"}
# Requests whose harm is probed: in text, read from a page, seen.
PROBED_FORMS = ("direct", "typographic", "icon")


def ceilings(
    model: Any, processor: Any, material: TestbedMaterial
) -> Iterator[tuple[str, float, int]]:
    """(name, accuracy, n) of each probe, on items and wording that it was not fitted on.

    Harmfulness is read from the language model's state at the last prompt token, at the layer
    that is best on the validation pool; the category from the mean projected visual token.
    """
    world = material.world
    fitted = [i for i in world if i.pool == "train" or i.pool == "align"]
    chosen = [i for i in world if i.pool == "validation"]
    held_out = [i for i in world if i.pool == "test"]
    for form in PROBED_FORMS:
        asked: dict[str, tuple[list[Item], PhraseSet]] = {
            "fitted": (fitted, "train"),
            "chosen": (chosen, "evaluation"),
            "held_out": (held_out, "evaluation"),
        }
        states_LBD = {
            name: _states(model, processor, [_sample(material, form, i, phrases) for i in items])
            for name, (items, phrases) in asked.items()
        }
        probes = [_probe().fit(states_BD, [i.harmful for i in fitted])
                  for states_BD in states_LBD["fitted"]]  # fmt: skip
        layer = best_layer(
            probe.score(states_BD, [i.harmful for i in chosen])
            for probe, states_BD in zip(probes, states_LBD["chosen"], strict=True)
        )
        score = probes[layer].score(states_LBD["held_out"][layer], [i.harmful for i in held_out])
        yield f"probe harmfulness {form}", score, len(held_out)
    seen_BD = _visual_tokens(
        model, processor, [_sample(material, "icon", i, "train") for i in fitted]
    )
    new_BD = _visual_tokens(
        model, processor, [_sample(material, "icon", i, "evaluation") for i in held_out]
    )
    probe = _probe().fit(seen_BD, [i.category.name for i in fitted])
    score = probe.score(new_BD, [i.category.name for i in held_out])
    yield "probe category visual tokens", score, len(held_out)


def best_layer(scores: Iterable[float]) -> int:
    """The layer with the best score on validation items; of several, the first."""
    known = list(scores)
    return known.index(max(known))


def _probe() -> Pipeline:
    # An optional package (extra "testbed"): only who trains the testbed needs it.
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000, C=0.1))


def _sample(material: TestbedMaterial, form: str, item: Item, phrases: PhraseSet) -> Sample:
    kind = PICTURE_OF_FORM[form]
    images = (
        (material.picture(kind, subject=item.name, phrases=phrases, variant=0),) if kind else ()
    )
    prompt = material.phrase(form, subject=item.name, phrases=phrases, variant=0)
    return Sample(
        id=f"probe/{form}/{item.name}", behaviour=item.name, card="probe", purpose="attack",
        prompt=prompt, images=images,
    )  # fmt: skip


def _states(model: Any, processor: Any, samples: Sequence[Sample]) -> np.ndarray:
    """Hidden states at the last prompt token, float [L, B, D]."""
    parts = []
    for start in range(0, len(samples), N_BATCH):
        inputs = model_inputs(processor, samples[start : start + N_BATCH])
        with torch.inference_mode():
            hidden_BTD = model(**inputs, output_hidden_states=True).hidden_states
        parts.append(np.stack([layer_BTD[:, -1].numpy() for layer_BTD in hidden_BTD]))
    return np.concatenate(parts, axis=1)


def _visual_tokens(model: Any, processor: Any, samples: Sequence[Sample]) -> np.ndarray:
    """Projected visual tokens averaged over patches, float [B, D]."""
    parts = []
    for start in range(0, len(samples), N_BATCH):
        inputs = model_inputs(processor, samples[start : start + N_BATCH])
        with torch.inference_mode():
            seen = model.model.get_image_features(
                **{name: value for name, value in inputs.items() if name in PICTURED}
            )
        parts.append(torch.stack([t_PD.mean(dim=0) for t_PD in seen.pooler_output]).numpy())
    return np.concatenate(parts)
