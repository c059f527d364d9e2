"""The page about the miniature models themselves: seeds, stages, ablations, probes."""
