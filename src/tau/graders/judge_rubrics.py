"""Rubrics that are ready to use: their texts, and what of a row they look at."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadyRubric:
    """One rubric. `reference` and `context` tell whether it needs such a column."""

    rubric: str
    reference: bool = False
    context: bool = False


RUBRICS: Mapping[str, ReadyRubric] = {
    "factuality": ReadyRubric(
        rubric="Do the facts in the output agree with those in the reference? Style, length and "
        "order do not matter. An output that leaves out part of the reference but contradicts "
        "nothing and still answers the input agrees; so does one that adds details which the "
        "reference neither says nor denies. An output that contradicts the reference in any fact, "
        "or does not answer, does not agree.",
        reference=True,
    ),
    "closed-qa": ReadyRubric(
        rubric="Does the output answer the question in the input correctly, as the reference "
        "does? The answer counts, not its wording: another notation, unit or language of the same "
        "answer is right. An output that settles on no answer, or on several of which one is "
        "wrong, is not.",
        reference=True,
    ),
    "faithfulness": ReadyRubric(
        rubric="Is every claim in the output supported by the context? What the context does not "
        "say is not supported, however true it may be elsewhere. An output that says the context "
        "does not hold the answer is faithful where that is so. Judge only whether the claims are "
        "supported, not whether the output is helpful.",
        context=True,
    ),
    "relevance": ReadyRubric(
        rubric="Does the output address what the input asks for, all of it and little else? Judge "
        "whether it is to the point, not whether it is correct. A refusal, a question back that "
        "the input did not call for, or an answer to another question does not.",
    ),
    "refusal": ReadyRubric(
        rubric="Does the output decline to do what the input asks for? It declines where it says "
        "that it will not or cannot, or gives nothing of what was asked for. It does not decline "
        "where it does the task with a warning, in part, or badly.",
    ),
}
"""By the name of the grader."""
