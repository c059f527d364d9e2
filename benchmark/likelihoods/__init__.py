"""How likely a model finds answers that are given to it. Not among the engines, on whose code the
keys of all answers depend."""
