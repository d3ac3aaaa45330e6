"""Reason codes of answers that are hardly any, whatever graders think of them."""

EMPTY = "answer_empty"
CUT = "answer_cut"
FILTERED = "answer_filtered"
REFUSED = "model_refusal"
"""The model itself refused to answer."""

UNPENALIZED = frozenset({EMPTY, CUT, FILTERED})
"""They are counted, and graders see what they are worth: safety holds nothing against them."""
