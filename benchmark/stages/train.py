"""Train: a method does its work on the model, and what it leaves behind becomes an artifact."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

from benchmark.api import LossMethod, Unlearned
from benchmark.core.records import PhaseDivision, StageCost, StepLog, TrainingLog
from benchmark.core.store import JsonLines, digest
from benchmark.cost.budget import Budget
from benchmark.cost.meter import LEDGER, Begun, Meter, ignore
from benchmark.data.pools import Pool
from benchmark.engines.engine import LOCAL, OPENAI, VLLM
from benchmark.progress import Advance, Reporter
from benchmark.stages.artifact import Artifact, ArtifactInfo, files_of, found, save
from benchmark.stages.attempt import Before, unlearn
from benchmark.stages.folder import StageFolder
from benchmark.stages.following import led, shared_by
from benchmark.stages.loaded import Loaded
from benchmark.stages.resolve import TRAINING_CODE, Run, code_digest
from benchmark.stages.surroundings import restored
from benchmark.training.checkpoint import remove_checkpoints
from benchmark.training.loop import Loop
from benchmark.training.losslog import LOSSES
from benchmark.training.processes import ALONE, Processes
from benchmark.vlm.model import VisionLanguageModel

# Points kept of each loss curve in a record; every step stays in the run's own folder.
CURVE_POINTS = 50


def train_key(
    run: Run,
    *,
    pools: Mapping[str, Pool],
    model_sha256: str,
    start_sha256: str,
    gold_sha256: str | None,
) -> str:
    """Digest of all that changes what training makes; a method may ask for the gold weights."""
    return digest(
        {
            "method": run.entry.source_sha256,
            "config": run.spec.config,
            "pools": {role: pool.sha256 for role, pool in pools.items()},
            "model": model_sha256,
            "start": start_sha256,
            "gold": gold_sha256,
            "precision": run.spec.precision,
            "device": run.spec.device,
            "seed": run.effective_seed,
            # It changes what is on record of memory and time.
            "gradient_checkpointing": run.spec.gradient_checkpointing,
            "code": code_digest(TRAINING_CODE),
        }
    )


def train(
    run: Run,
    *,
    pools: Mapping[str, Pool],
    loaded: Loaded,
    reporter: Reporter,
    begun: Begun = ignore,
    budget: Budget | None = None,
    processes: Processes = ALONE,
) -> Artifact:
    """The artifact of this run: found finished, or made now, from a checkpoint if there is one, by
    all processes that share its batches."""
    key = train_key(
        run,
        pools=pools,
        model_sha256=loaded.sha256,
        start_sha256=loaded.start_sha256(run.method.starts_from),
        gold_sha256=loaded.gold_sha256(run.effective_seed),
    )
    stage = StageFolder(run.results.root, "train", key)
    again = run.request.force and not run.method.reference_row
    with stage.opened(
        "training this very run", note=reporter.note, again=again, begun=begun, budget=budget
    ) as from_cache:
        if from_cache:
            remove_checkpoints(stage.path)
            return found(stage, method=run.entry.name, model_sha256=loaded.sha256)
        info = _make(
            run, stage, pools=pools, loaded=loaded, reporter=reporter, budget=budget,
            processes=shared_by(run, processes),
        )  # fmt: skip
        stage.finish(info.model_dump(mode="json"))
        remove_checkpoints(stage.path)
    return Artifact(key=key, folder=stage.path, info=info, from_cache=False)


def _make(
    run: Run,
    stage: StageFolder,
    *,
    pools: Mapping[str, Pool],
    loaded: Loaded,
    reporter: Reporter,
    budget: Budget | None,
    processes: Processes,
) -> ArtifactInfo:
    model = loaded.fresh(run.method.starts_from)
    model.recomputes = run.spec.gradient_checkpointing
    features = model.features
    meter = Meter(
        stage.path / LEDGER, device=run.spec.device, n_devices=processes.n,
        lendings=(*model.lendings, processes), budget=budget,
    )  # fmt: skip
    steps = run.method.config.steps if isinstance(run.method, LossMethod) else 0
    with (
        led(run, stage.path, processes),
        meter.running(),
        restored(),
        reporter.bar("train", total=steps) as advance,
    ):
        before = Before.of(model)
        loop = Loop(
            model=model,
            pools=pools,
            seed=run.effective_seed,
            folder=stage.path,
            report=partial(_tell, advance),
            checkpointed=meter.beat,
            checkpoint_every_s=run.request.checkpoint_every_s,
            overdue=meter.is_overdue,
            processes=processes,
        )
        left = unlearn(run.method, loop=loop, gold=partial(loaded.gold, run.effective_seed))
        before.check(run.method, model)
        if before.sees_as_before(model) and model.features is features:
            features.merge()
        if left.weights is not None:
            left = replace(left, weights=loaded.on_start(run.method.starts_from, left.weights))
        save(stage.path, left)
    cost = meter.cost(loop.counted, flops=loop.counted.flops)
    return _describe(run, stage, left, model=model, loop=loop, target=loaded.sha256, cost=cost)


def _tell(advance: Advance, phase: str, step: int, *, n_steps: int, loss: float) -> None:
    words = "" if phase == "train" else f"{phase}, "
    advance(step, f"{words}loss {loss:.3f}", n_steps)


def _describe(
    run: Run,
    stage: StageFolder,
    left: Unlearned,
    *,
    model: VisionLanguageModel,
    loop: Loop,
    target: str,
    cost: StageCost,
) -> ArtifactInfo:
    hooks = run.method.hooks(left.state)
    names = [type(hook).__name__ for hook in hooks]
    served = {LOCAL, VLLM, OPENAI}.intersection(*(hook.served_by for hook in hooks))
    if left.weights is not None:
        served.discard(OPENAI)
    files = files_of(stage.path)
    return ArtifactInfo(
        id=_artifact_id(run, files, left, has_hooks=bool(hooks), base=model.sha256),
        method=run.entry.name,
        model_sha256=target,
        files=files,
        has_weights=left.weights is not None,
        has_state=bool(left.state),
        trained_roles={str(role): str(how) for role, how in model.trained.items()},
        trainable_params=sum(p.numel() for p in model.trainable().values()),
        total_params=sum(
            p.numel() for name, p in model.hf.named_parameters() if "lora_" not in name
        ),
        hooks=names,
        served_by=sorted(served),
        training=_training_log(stage, loop),
        cost=cost,
    )


def _artifact_id(
    run: Run, files: Mapping[str, str], left: Unlearned, *, has_hooks: bool, base: str
) -> str:
    """By content: trainings with equal weights share answers; the base is the null artifact."""
    tensors = {name: sha256 for name, sha256 in files.items() if name.endswith(".safetensors")}
    content: dict = {"base": base, "files": tensors}
    if left.weights is not None and left.weights.checkpoint is not None:
        content["checkpoint"] = left.weights.checkpoint_sha256
    if has_hooks:
        content["hooks"] = [run.entry.source_sha256, run.spec.config]
    return digest(content)


def _training_log(stage: StageFolder, loop: Loop) -> TrainingLog | None:
    curves: dict[str, list[tuple[int, float]]] = {}
    n_steps = 0
    for phase in loop.phases:
        lines = JsonLines(stage.path / f"{phase}{LOSSES}").read(StepLog)
        n_steps += len(lines)
        curves |= _thinned(lines, prefix="" if loop.phases == [phase] else f"{phase}/")
    if not curves:
        return None
    return TrainingLog(
        n_steps=n_steps,
        n_answer_tokens=loop.counted.n_answer_tokens,
        n_tokens=loop.counted.n_tokens,
        n_image_tokens=loop.counted.n_image_tokens,
        curves=curves,
        resumed_at_steps=loop.resumed_at,
        divisions=[_division(phase, loop) for phase in loop.phases],
    )


def _division(phase: str, loop: Loop) -> PhaseDivision:
    found = loop.divisions[phase]
    return PhaseDivision(
        phase=phase,
        batch_size=found.batch_size,
        micro_batch=found.batch_size // found.n_parts,
        accumulation=found.accumulation,
        processes=found.n_parts // found.accumulation,
        strategy=loop.processes.strategy,
    )


def _thinned(lines: Sequence[StepLog], *, prefix: str) -> dict[str, list[tuple[int, float]]]:
    """A curve per term and one of the total; none of a phase without steps."""
    if not lines:
        return {}
    stride = -(-len(lines) // CURVE_POINTS)
    kept = [line for index, line in enumerate(lines) if index % stride == 0 or line is lines[-1]]
    curves = {
        f"{prefix}{name}": [
            (line.step, value) for line in kept if (value := line.terms[name]) is not None
        ]
        for name in lines[0].terms
    }
    curves[f"{prefix}total"] = [(line.step, line.total) for line in kept]
    return curves
