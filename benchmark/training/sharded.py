"""Processes that share a model's weights as well as its batches."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta

from torch import distributed as dist
from torch import nn
from torch.distributed.device_mesh import DeviceMesh

from benchmark.core.errors import NotOffered, RunFailed, UserError, first_line
from benchmark.core.roles import ADAPTED_OVER
from benchmark.training.processes import Joined, Value
from benchmark.training.shards import in_shards, is_shard
from benchmark.vlm.model import VisionLanguageModel

# For another process to come as far as this one within a step; one that does not has failed there.
PATIENCE = timedelta(minutes=5)


class Sharded(Joined):
    """Each with a part of the decoder layers' weights, gradients and optimiser states. A layer is
    put together from all parts while it computes, so that all must compute it at once: where one
    fails amid a step the others wait `PATIENCE`, and learn why only then."""

    strategy = "fsdp"
    shards = True

    def __init__(self, *, device: str, reshard: bool) -> None:
        super().__init__(device=device)
        self._reshard = reshard
        on_cpu = device == "cpu"
        group = dist.new_group(backend="gloo" if on_cpu else "nccl", timeout=PATIENCE)
        self._mesh = DeviceMesh.from_group(group, "cpu" if on_cpu else "cuda")
        self._out_of_step = False

    def exchange(self, mine: Value) -> list[Value]:
        """The same. Raises `RunFailed` where they do not bring the same kind of thing: what one
        asks of the reference stands beside what another's losses came to."""
        brought = super().exchange(mine)
        if len({type(one) for one in brought}) > 1:
            raise RunFailed(
                "processes with shards (FSDP) compute together or not at all, and this method's "
                "losses ask the reference in one of them where they do not in another"
            )
        return brought

    @contextmanager
    def training(self) -> Iterator[None]:
        """The same; where a part did not come, what its process has to say is the error."""
        with super().training():
            try:
                yield
            except RuntimeError as error:
                if not _is_of_connections(error):
                    raise
                self._exchange((None, None))
                # No process has a reason.
                raise RunFailed(
                    "processes with shards (FSDP) waited for one another in vain: their losses do "
                    f"not ask the model for the same layers as often ({first_line(error)})"
                ) from error

    @contextmanager
    def divided(
        self, model: VisionLanguageModel, beside: Mapping[str, nn.Module]
    ) -> Iterator[None]:
        """The same. Raises `UserError` for what shards do not go with, `RunFailed` where one failed
        amid a step before: what the others sent it then would be taken for what is sent now."""
        check_shardable(model, beside)
        if any(self.exchange(self._out_of_step)):
            raise RunFailed(
                "a process failed amid a step of an earlier training, after which processes with "
                "shards (FSDP) train together no more; the same command goes on from what was kept"
            )
        try:
            with in_shards(model.roles.language.layers, mesh=self._mesh, reshard=self._reshard):
                yield
        except (UserError, RunFailed):
            # Agreed upon, or noticed by the others, who wait in vain.
            raise
        except Exception:
            self._out_of_step = True
            raise

    def agreed(self, mine: Collection[int]) -> list[int]:
        """The same."""
        return sorted({one for each in self.exchange(list(mine)) for one in each})

    def add_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """The same; those of shards are added up where they are made."""
        super().add_gradients(p for p in parameters if not is_shard(p))


def check_shardable(model: VisionLanguageModel, beside: Mapping[str, nn.Module]) -> None:
    """Raise `UserError` for a model, or modules trained beside it, that shards do not go with."""
    if beside:
        raise UserError(
            "shards (FSDP) are of the model's own layers, and beside them this method trains "
            f"{', '.join(beside)}: give each process a whole copy (distributed_type MULTI_GPU)"
        )
    if model.precision in ADAPTED_OVER.values():
        raise UserError(
            f"{model.precision} weights have no shards (FSDP): give each process a whole copy "
            "(distributed_type MULTI_GPU), which rounded ones are small enough for"
        )
    try:
        model.check_visual_tokens()
    except NotOffered:
        raise UserError(
            f"model '{model.name}' looks at images by cross-attention, in layers that a process "
            "without an image passes over, and shards (FSDP) want all to compute the same: give "
            "each process a whole copy (distributed_type MULTI_GPU)"
        ) from None


def _is_of_connections(error: RuntimeError) -> bool:
    """Did torch wait for another process in vain? Gloo says so in words alone."""
    return isinstance(error, dist.DistError) or "gloo" in str(error)
