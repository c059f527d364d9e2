"""The contract of a method, runnable: named checks on a random two-layer model and small pools.

`contract.py` lists the checks, `workbench.py` has what they are made on, `subject.py` the method
under check. A failing check says what was expected, what was seen and what to do.
"""
