"""Has a model forgotten persons as if it had never learnt them? Figures from rows without text.

Persons are the unit everywhere. An error, an empty answer or an unscored one is never forgetting:
it is counted, and widens bounds.
"""
