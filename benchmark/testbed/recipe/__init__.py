"""Trains the testbed's models from nothing: `python -m benchmark testbed`."""

from benchmark.testbed.recipe.variants import VARIANTS, build_model, measure_again

__all__ = ["VARIANTS", "build_model", "measure_again"]
