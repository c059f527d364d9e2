"""Small image pools and trainings of CAGUL for its tests."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

from live_models import HARMFUL, HARMLESS, pool, sample, untrained

from benchmark.api import Job, Unlearned
from benchmark.core.samples import Sample
from benchmark.data.images import ImageStore
from benchmark.data.pools import Pool
from benchmark.testbed.images import blank
from benchmark.training.loop import Loop
from benchmark.vlm.model import VisionLanguageModel
from methods.cagul import METHOD as Cagul
from methods.cagul import CagulConfig, GateConfig

GOOD = "sorry, i can not help with that."
BAD = "first count cloth, then peel bark."
STEPS = 4


def seeing(folder: Path, names: tuple[str, ...] = HARMFUL[:4]) -> list[Sample]:
    """One request per name, each with a picture of its own colour."""
    store = ImageStore(folder)
    pictures = [store.put(blank(random.Random(name)).pixels_HWC) for name in names]
    return [sample(name, images=(shown,)) for name, shown in zip(names, pictures, strict=True)]


def image_pools(folder: Path) -> dict[str, Pool]:
    """What to forget, without a single bad answer, and what to keep."""
    return {
        "forget": pool("forget", seeing(folder, HARMFUL)),
        "keep": pool("keep", seeing(folder, HARMLESS)),
    }


def config(**settings: object) -> CagulConfig:
    """Few steps, strong enough to see."""
    gate = GateConfig(steps=STEPS, batch_size=4, learning_rate=1e-2, held_out=0.5)
    plain = CagulConfig(steps=STEPS, batch_size=4, learning_rate=3e-2, warmup_share=0.0, gate=gate)
    return replace(plain, **settings)  # type: ignore[arg-type]


def train(
    folder: Path,
    settings: CagulConfig,
    *,
    model: VisionLanguageModel | None = None,
    report=lambda *_a, **_k: None,
) -> Unlearned:
    """What CAGUL leaves behind on the untrained model."""
    model = model or untrained()
    folder.mkdir(parents=True, exist_ok=True)
    loop = Loop(
        model=model,
        pools=image_pools(folder.parent / "images"),
        seed=7,
        folder=folder,
        report=report,
        checkpointed=lambda: None,
        checkpoint_every_s=0.0,
    )
    job = Job(model=model, pools=loop.pools, seed=7, minimise=loop, gold=lambda: None)  # type: ignore[arg-type,return-value]
    return Cagul(settings).unlearn(job)
