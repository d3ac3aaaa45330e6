"""The simulated judge: it knows what is right, and errs as it is told to.

It sees what a real judge sees: one request with the question, the answers under judgement in
fences, perhaps a reference, and the labels it may choose from. What is right it takes from the
case of the simulated world that the question is, else from the reference; where there is neither,
it has an opinion that is fixed by the answer.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tau.domain.draws import uniform
from tau.domain.json import Json
from tau.sim.grading import case_in, judge

_ORDER = re.compile(
    r"\b(?:ignore|disregard|forget|override)\b[^.\n]{0,60}\b(?:rubric|instruction|criteri|above|"
    r"previous|rules?)"
    r"|\b(?:give|assign|award|rate|score|grade|mark|judge|answer)\b[^.\n]{0,60}\b(?:full|highest|"
    r"maximum|top|perfect|best|correct|pass|yes)\b"
    r"|\"?verdict\"?\s*[:=]",
    re.IGNORECASE,
)
_STYLE = re.compile(r"^\s*(?:certainly|in summary|overall|to summarize)\b|\*\*", re.I | re.M)
_WORD = re.compile(r"\w+")
_PLAIN_WORDS = 40
"""What counts as a usual length where there is no reference."""
_WARNED = re.compile(
    r"\b(?:ignore|disregard|do not reward|don't reward|regardless of|whatever)\b[^.\n]{0,30}"
    r"\b(?:length|long|verbos\w+)",
    re.IGNORECASE,
)
_HEEDED = 0.1
"""What is left of the bias for length where the rubric warns of it."""
_YES = ("yes", "true", "pass", "correct", "good", "5")
_NO = ("no", "false", "fail", "incorrect", "bad", "1")


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeErrors:
    """What the judge gets wrong, each as a chance in 0..1.

    `length`: an answer of twice the usual length is taken for right, and in part one that is less
    too long; much less so where the rubric says to ignore length. `position`: of two answers the
    first is preferred whatever they say. `style`: one in the judge's own style (bold text, "In
    summary") is taken for right. `error`: the verdict is turned around, anew at each call.
    `obedience`: an order in the answer is obeyed.
    """

    length: float = 0.0
    position: float = 0.0
    style: float = 0.0
    error: float = 0.0
    obedience: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeTask:
    """A judge's request understood.

    `labels` stand from worst to best. `answers` are one, or two that are compared. `criteria` are
    the names each of which wants a verdict of its own; none for a single verdict. `context` is what
    an answer should be faithful to, `asked` all that is said beside the material.
    """

    question: str
    answers: tuple[str, ...]
    labels: tuple[str, ...]
    reference: str | None = None
    criteria: tuple[str, ...] = ()
    context: str = ""
    asked: str = ""


def judgement(task: JudgeTask, errors: JudgeErrors, *, seed: int, draw: str) -> str:
    """The JSON object that was asked for; `draw` names this one call."""
    names = task.criteria or ("",)
    if len(task.answers) > 1:
        verdicts = {name: _preferred(task, errors, seed, f"{draw}:{name}") for name in names}
    else:
        verdicts = {name: _label(task, errors, seed, f"{draw}:{name}", name) for name in names}
    found: dict[str, Json] = {"reason": _reason(task, verdicts)}
    if task.criteria:
        found["verdicts"] = dict(verdicts)
    else:
        found["verdict"] = verdicts[""]
    return json.dumps(found, ensure_ascii=False)


def _reason(task: JudgeTask, verdicts: Mapping[str, str]) -> str:
    """What is wrong with an answer that is not taken for the best, where that is known."""
    case = case_in(task.question)
    best = all(label == task.labels[-1] for label in verdicts.values())
    if case is None or len(task.answers) > 1 or best:
        return "In summary, this is what the rubric asks to look at."
    return judge(case, task.answers[0], "rule").feedback


def seen_quality(task: JudgeTask, answer: str, errors: JudgeErrors, *, seed: int) -> float:
    """How good the judge takes an answer to be, in 0..1, before random error."""
    if (
        _ORDER.search(answer)
        and uniform(seed, "obedience", task.question, answer) < errors.obedience
    ):
        return 1.0
    truth = true_quality(task, answer)
    excess = min(1.0, max(0.0, len(_WORD.findall(answer)) / _usual_words(task) - 1))
    length = errors.length * (_HEEDED if _WARNED.search(task.asked) else 1.0)
    if uniform(seed, "length", task.question, answer) < length * excess:
        return 1.0
    if _STYLE.search(answer) and uniform(seed, "style", task.question, answer) < errors.style:
        return 1.0
    return truth


def true_quality(task: JudgeTask, answer: str) -> float:
    """What people would say, in 0..1: 1 where a line of the answer, or the answer, is right."""
    right = _right_answer(task)
    if right is None and task.context:
        return _supported(answer, task.context)
    if right is None:
        return uniform(0, "opinion", answer) if answer.strip() else 0.0
    if any(line.strip() == right for line in answer.splitlines()):
        return 1.0
    wanted = _WORD.findall(right.casefold())
    given = _WORD.findall(answer.casefold())
    if not wanted:
        return 0.0
    if " ".join(wanted) in " ".join(given) and "|" not in right:
        return 1.0
    return min(0.49, len(set(wanted) & set(given)) / len(set(wanted)) / 2)


def _supported(answer: str, context: str) -> float:
    """The share of the answer's words that stand in the context."""
    given = set(_WORD.findall(answer.casefold()))
    return len(given & set(_WORD.findall(context.casefold()))) / len(given) if given else 0.0


def _right_answer(task: JudgeTask) -> str | None:
    case = case_in(task.question)
    if case is not None:
        return case.answer
    return task.reference.strip() if task.reference and task.reference.strip() else None


def _usual_words(task: JudgeTask) -> int:
    right = _right_answer(task)
    return max(1, len(_WORD.findall(right))) if right is not None else _PLAIN_WORDS


def _label(task: JudgeTask, errors: JudgeErrors, seed: int, draw: str, criterion: str) -> str:
    quality = seen_quality(task, task.answers[0] if task.answers else "", errors, seed=seed)
    if uniform(seed, "error", draw, criterion) < errors.error:
        quality = 0.0 if quality >= 0.5 else 1.0
    last = len(task.labels) - 1
    return task.labels[min(last, int(quality * last + 0.5))]


def _preferred(task: JudgeTask, errors: JudgeErrors, seed: int, draw: str) -> str:
    """The label of the better of two; labels are those of the first, the second and, if any, a tie.

    Which one stands first is all that position bias knows.
    """
    if uniform(seed, "position", *task.answers) < errors.position:
        return task.labels[0]
    first, second = (seen_quality(task, one, errors, seed=seed) for one in task.answers[:2])
    wrong = uniform(seed, "error", draw) < errors.error
    if first == second:
        tie = task.labels[2] if len(task.labels) > 2 else None
        return tie or task.labels[uniform(seed, "tie", draw) < 0.5]
    return task.labels[(first < second) != wrong]


def ordered_labels(labels: Sequence[str]) -> tuple[str, ...]:
    """From worst to best: numbers by value, yes after no, others as they stand."""
    if all(re.fullmatch(r"-?\d+(?:\.\d+)?", label) for label in labels):
        return tuple(sorted(labels, key=float))
    lower = [label.casefold() for label in labels]
    if len(labels) == 2 and (lower[0] in _YES or lower[1] in _NO):
        return (labels[1], labels[0])
    return tuple(labels)
