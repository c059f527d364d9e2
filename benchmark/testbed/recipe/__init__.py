"""Trains the testbed's models from nothing: `python -m benchmark testbed`."""

from benchmark.testbed.recipe.privacy import PRIVACY_VARIANTS, build_privacy_model
from benchmark.testbed.recipe.variants import VARIANTS, build_model, measure_again

__all__ = [
    "PRIVACY_VARIANTS",
    "VARIANTS",
    "build_model",
    "build_privacy_model",
    "measure_again",
]
