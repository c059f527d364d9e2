"""What scoring must know about a suite; the types lie with the records that hold them."""

from benchmark.core.plan import ADAPTIVE, FAMILIES, HELD_OUT, AboutPersons, GateLimits, Plan

__all__ = ["ADAPTIVE", "FAMILIES", "HELD_OUT", "AboutPersons", "GateLimits", "Plan"]
