"""Trains the testbed's models from nothing: `python -m benchmark.testbed.recipe --output X`."""

from benchmark.testbed.recipe.variants import VARIANTS, Built, build_model

__all__ = ["VARIANTS", "Built", "build_model"]
