"""What a run needs of the untouched model's own: where it is loaded, and what it said."""

from __future__ import annotations

from benchmark.stages.coherence import OwnWords, Untouched
from benchmark.stages.known import Known
from benchmark.stages.loaded import Loaded
from benchmark.stages.plans import COHERENCE


def untouched(base: Known) -> Untouched:
    """The base model that a run is held against, once it was asked."""
    assert base.run and base.artifact
    return Untouched(
        run=base.run, artifact=base.artifact, loaded=loaded_of(base), own=_own_words(base)
    )


def _own_words(base: Known) -> OwnWords | None:
    """None while the untouched model is on its way to be judged itself."""
    if base.answered is None or base.judged is None:
        return None
    return OwnWords(
        key=base.answered.key,
        samples={sample.id: sample for sample in base.samples},
        answers={name: said.text for name, said in base.answered.responses.items()},
        perplexities={
            row.sample_id: row.score
            for row in base.judged.rows
            if row.judge == COHERENCE and row.score is not None
        },
        each=base.judged.each,
    )


def loaded_of(known: Known) -> Loaded:
    """Where its model is."""
    assert known.loaded is not None, "its first stage is done"
    return known.loaded
