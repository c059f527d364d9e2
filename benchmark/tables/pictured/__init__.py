"""The page of costs: what pictures add, and the cheapest way under a given attack success."""
