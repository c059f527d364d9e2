"""One form whose pictures are searched for: how they are found, and by what found again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from statistics import fmean
from typing import Any

import torch
from PIL import Image

from benchmark.api import Aim, PictureSearch
from benchmark.core import registry
from benchmark.core.attack_records import AttackInfo, FoundPicture
from benchmark.core.config import to_json
from benchmark.core.errors import NotOffered, UserError
from benchmark.core.records import StageCost
from benchmark.core.rows import split_row
from benchmark.core.samples import Sample
from benchmark.core.store import REPOSITORY, JsonLines, digest, digest_file
from benchmark.cost.budget import Budget
from benchmark.cost.lending import Lending
from benchmark.cost.meter import LEDGER, Begun, Meter
from benchmark.data.cards import load_card
from benchmark.data.images import ImageStore
from benchmark.data.materials import material
from benchmark.data.samples import fingerprint
from benchmark.engines.workers import map_batches
from benchmark.progress import Reporter
from benchmark.stages.artifact import Artifact
from benchmark.stages.folder import StageFolder
from benchmark.stages.found_pictures import PICTURES, digest_of
from benchmark.stages.loaded import Loaded
from benchmark.stages.resolve import Run, code_digest
from benchmark.vlm.model import VisionLanguageModel
from benchmark.whitebox.target import WhiteBox, check_attackable, fixed

# What a search depends on besides its own file, the model and what it begins with.
SEARCHING_CODE = ("benchmark/engines", "benchmark/vlm", "benchmark/whitebox")
SHARED = "benchmark/attacks/_search.py"
SEARCHED_TOGETHER = 8
"""Pictures, in one batch on one core: what is found must not depend on how many cores there are."""


class Targets:
    """The model that a search sees, loaded when it is first asked for."""

    def __init__(self, run: Run, artifact: Artifact, loaded: Loaded) -> None:
        self._run, self._artifact, self._loaded = run, artifact, loaded

    def key(self, search: PictureSearch[Any]) -> dict[str, Any]:
        """What the pictures depend on of the model."""
        spec = self._run.spec
        place = {"precision": spec.precision, "device": spec.device}
        if search.kind == "transfer":
            return {"base": self._loaded.sha256, **place}
        hidden = spec.endpoint and spec.endpoint.model_dump()
        return {"artifact": self._artifact.info.id, "endpoint": hidden, **place}

    def of(self, search: PictureSearch[Any]) -> tuple[VisionLanguageModel, WhiteBox]:
        """Raises `NotOffered` for a model that this search cannot see into."""
        if search.kind == "transfer":
            model = self._loaded.base()
            return model, WhiteBox(model)
        if self._run.spec.endpoint is not None:
            raise NotOffered("an endpoint keeps its weights, and no gradient comes from there")
        method = self._run.method
        hooks = method.hooks(self._artifact.state())
        model = self._loaded.unlearned(self._artifact.info.id, self._artifact.delta())
        check_attackable(model, hooks)
        return model, WhiteBox(model, hooks=hooks, oracle=method.oracle)


@dataclass(frozen=True, kw_only=True)
class FoundForm:
    """What is there of one form, and what it took."""

    pictures: list[FoundPicture]
    info: AttackInfo
    cost: StageCost


@dataclass(frozen=True)
class FormSearch:
    """One form of one run: where its pictures lie, and how they are found."""

    run: Run
    search: PictureSearch[Any]
    starts: list[Sample]
    targets: Targets

    def found(self, reporter: Reporter, begun: Begun, budget: Budget | None) -> FoundForm:
        """Its pictures: found finished, or searched for now, from the first unfinished batch on."""
        run, name = self.run, self.search.row
        stage = StageFolder(run.results.root, "attack", self._key)
        log = JsonLines(stage.path / PICTURES)
        with stage.opened(
            f"searching for {name}", note=reporter.note, begun=begun, budget=budget,
            again=lambda: run.request.force or self._lost(log),
        ) as from_cache:  # fmt: skip
            if not from_cache:
                self._search(stage, log, reporter, budget)
            manifest = stage.manifest("cost", "not_offered")
            pictures = log.read(FoundPicture)
        cost = StageCost.model_validate(manifest["cost"])
        reason = manifest["not_offered"]
        self._check_whole(stage, pictures, reason)
        if reason is not None and not from_cache:
            reporter.note(f"no {name} on '{run.spec.method}': {reason}")
        return FoundForm(
            pictures=pictures,
            info=_info(self.search, pictures, cost, None if reason is None else str(reason)),
            cost=cost.model_copy(update={"from_cache": from_cache}),
        )

    def _lost(self, log: JsonLines) -> bool:
        """Is a picture gone that was found?"""
        found = log.read(FoundPicture)
        return any(not self.run.images.at(one.sha256).path.exists() for one in found)

    def _check_whole(self, stage: StageFolder, pictures: list[FoundPicture], reason: Any) -> None:
        there = {one.sample_id for one in pictures}
        missing = [start.id for start in self.starts if start.id not in there]
        if missing and reason is None:
            raise UserError(
                f"{stage.path / PICTURES} lacks the picture of '{missing[0]}', and the stage is "
                f"done; delete {stage.path} and run again"
            )

    @cached_property
    def _aims(self) -> dict[str, Aim]:
        cards = sorted({start.card for start in self.starts})
        world = {name: material(load_card(name), images=self.run.images) for name in cards}
        return {
            start.id: self.search.aim(start, material=world[start.card]) for start in self.starts
        }

    @cached_property
    def _key(self) -> str:
        plugin, _ = split_row(self.search.row)
        aims = [[aim.words, aim.picture and aim.picture.sha256] for aim in self._aims.values()]
        return digest(
            {
                "attack": registry.entry("attack", plugin).source_sha256,
                "config": to_json(self.search.config),
                "model": self.targets.key(self.search),
                "starts": fingerprint(self.starts),
                "aims": aims,
                "code": [code_digest(SEARCHING_CODE), digest_file(REPOSITORY / SHARED)],
            }
        )

    def _search(
        self, stage: StageFolder, log: JsonLines, reporter: Reporter, budget: Budget | None
    ) -> None:
        device, reason = self.run.spec.device, None
        lendings: tuple[Lending, ...] = ()
        try:
            model, target = self.targets.of(self.search)
            lendings = model.lendings
        except NotOffered as error:
            reason = str(error)
        meter = Meter(stage.path / LEDGER, device=device, lendings=lendings, budget=budget)
        bar = reporter.bar(self.search.row, total=len(self.starts))
        with meter.running(), bar as advance:
            if reason is None:
                reason = _refusal(self.search, target, self.starts)
            if reason is None:
                there = {one.sample_id for one in log.read(FoundPicture)}
                for pictures in self._pictures(model, target, there):
                    # A torn batch is searched for whole, and what was kept of it not written twice.
                    log.append([one for one in pictures if one.sample_id not in there])
                    there |= {one.sample_id for one in pictures}
                    meter.beat()
                    advance(len(there), "")
        cost = meter.cost()
        stage.finish({"cost": cost.model_dump(mode="json"), "not_offered": reason})

    def _pictures(
        self, model: VisionLanguageModel, target: WhiteBox, there: set[str]
    ) -> Iterator[list[FoundPicture]]:
        """Batch after batch of those that are not there yet, on all cores where that helps."""
        aims, images = self._aims, self.run.images

        def work(batch: Sequence[Sample]) -> list[FoundPicture]:
            with fixed(model):
                return _searched(self.search, target, batch, aims=aims, images=images)

        batches = list(_batches(self.starts))
        left = [batch for batch in batches if any(start.id not in there for start in batch)]
        # With a GPU in the machine, torch computes no gradients in a process that was forked.
        forks = not torch.cuda.is_available()
        yield from map_batches(work, left, model=model) if forks else map(work, left)


def _refusal(search: PictureSearch[Any], target: WhiteBox, starts: Sequence[Sample]) -> str | None:
    """In words, why this model cannot be searched; it shows at the first request."""
    try:
        with torch.no_grad():
            pixels_BCHW = target.pixels(starts[0].images)
            target.embed(pixels_BCHW)
            if search.needs_margin:
                target.margin(pixels_BCHW, starts[:1])
    except NotOffered as error:
        return str(error)
    return None


def _batches(starts: Sequence[Sample]) -> Iterator[list[Sample]]:
    """Of pictures of one size each, in their order."""
    sizes = {start.id: _size(start) for start in starts}
    ordered = sorted(starts, key=lambda start: sizes[start.id])
    for _, group in groupby(ordered, key=lambda start: sizes[start.id]):
        alike = list(group)
        for at in range(0, len(alike), SEARCHED_TOGETHER):
            yield alike[at : at + SEARCHED_TOGETHER]


def _size(start: Sample) -> tuple[int, int]:
    with Image.open(start.images[0].path) as picture:
        return picture.size


def _searched(
    search: PictureSearch[Any],
    target: WhiteBox,
    batch: Sequence[Sample],
    *,
    aims: Mapping[str, Aim],
    images: ImageStore,
) -> list[FoundPicture]:
    """What a search finds for one batch, stored as 8-bit pictures."""
    found = search.search(target, batch, [aims[start.id] for start in batch])
    pixels_BHWC = found.pixels_BCHW.detach().permute(0, 2, 3, 1).round().clamp(0, 255)
    stored = [images.put(one.to("cpu", torch.uint8).numpy()) for one in pixels_BHWC]
    return [
        FoundPicture(
            sample_id=start.id, sha256=image.sha256, before=before, after=after, n_steps=n_steps
        )
        for start, image, before, after, n_steps in zip(
            batch, stored, found.before_B.tolist(), found.after_B.tolist(),
            found.n_steps_B.tolist(), strict=True,
        )
    ]  # fmt: skip


def _info(
    search: PictureSearch[Any],
    pictures: Sequence[FoundPicture],
    cost: StageCost,
    not_offered: str | None,
) -> AttackInfo:
    if not pictures:
        return AttackInfo(form=search.row, kind=search.kind, not_offered=not_offered)
    return AttackInfo(
        form=search.row,
        kind=search.kind,
        n_pictures=len(pictures),
        n_steps=fmean(one.n_steps for one in pictures),
        before=fmean(one.before for one in pictures),
        after=fmean(one.after for one in pictures),
        sha256=digest_of(pictures),
        device_s=cost.device_s,
    )
