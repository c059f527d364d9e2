"""What scoring must know about a suite; the types lie with the records that hold them."""

from benchmark.core.plan import FAMILIES, HELD_OUT, GateLimits, Plan

__all__ = ["FAMILIES", "HELD_OUT", "GateLimits", "Plan"]
