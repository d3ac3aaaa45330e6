"""What a judge is asked, told from its messages alone, whatever the template.

The fenced texts are the question, the reference and the answers, by the words before each fence;
the labels are those of the response's schema, else those that are quoted in what is asked.
"""

import re
from collections.abc import Iterator, Mapping, Sequence

from tau.domain.chat import Message
from tau.domain.json import Json
from tau.sim.judging import JudgeTask, ordered_labels

_FENCE = re.compile(
    r"^(?P<fence>`{3,}|~{3,})[^\n]*\n(?P<body>.*?)\n?^(?P=fence)[ \t]*$", re.M | re.S
)
_TAG = re.compile(r"^<(?P<tag>[\w-]+)>[ \t]*\n(?P<body>.*?)\n?^</(?P=tag)>[ \t]*$", re.M | re.S)
_REFERENCE = re.compile(r"\b(?:reference|expected|gold|ideal)\b", re.I)
_QUESTION = re.compile(r"\b(?:question|input|prompt|task|asked|request|conversation)\b", re.I)
_ANSWER = re.compile(r"\b(?:answer|output|response|candidate|reply)\b", re.I)
_CONTEXT = re.compile(r"\b(?:context|passages?|sources?|documents?)\b", re.I)
_ONE_OF = re.compile(r"\b(?:one of|either|verdicts?|labels?|choose)\b[^\n]*", re.I)
_NAMES = re.compile(r"\"verdicts\"\s*:\s*\{([^{}]*)\}")
_EACH = re.compile(r"\bwhere each\b[^\n]*?\bis\b([^\n]*)", re.I)
_KEY = re.compile(r"\"((?:[^\"\\]|\\.)*)\"\s*:")
_QUOTED = re.compile(r"[\"'`]([\w][\w .+-]{0,40}?)[\"'`]")
_KEYS = frozenset({"reason", "verdict", "verdicts", "json", "label"})
_HEADING_CHARS = 200


def parsed(messages: Sequence[Message], params: Mapping[str, Json]) -> JudgeTask:
    """The request as a task for the judge."""
    text = "\n\n".join(message.content for message in messages)
    question, reference, context, answers = "", None, list[str](), list[str]()
    for heading, body in _material(text):
        if _REFERENCE.search(heading):
            reference = body
        elif _ANSWER.search(heading) and not _QUESTION.search(heading):
            answers.append(body)
        elif _QUESTION.search(heading):
            question = f"{question}\n{body}" if question else body
        elif _CONTEXT.search(heading):
            context.append(body)
    asked = _FENCE.sub("", _TAG.sub("", text))
    labels, criteria = _schema(params)
    said, names = _said(asked)
    return JudgeTask(
        question=question or text,
        answers=tuple(answers[-2:]) or ("",),
        labels=ordered_labels(labels or said),
        reference=reference,
        context="\n".join(context),
        criteria=criteria or (() if labels else names),
        asked=asked,
    )


def _material(text: str) -> Iterator[tuple[str, str]]:
    """Each fenced text with the last line before it."""
    end = 0
    while (match := _next(text, end)) is not None:
        before = text[max(end, match.start() - _HEADING_CHARS) : match.start()].rstrip()
        heading = before.rsplit("\n", 1)[-1]
        yield match.groupdict().get("tag") or heading, match["body"]
        end = match.end()


def _next(text: str, start: int) -> re.Match[str] | None:
    found = [match for match in (_FENCE.search(text, start), _TAG.search(text, start)) if match]
    return min(found, key=lambda match: match.start()) if found else None


def _schema(params: Mapping[str, Json]) -> tuple[list[str], tuple[str, ...]]:
    """Labels and criteria of the response's JSON Schema; nothing where there is none."""
    node = params.get("response_format")
    for name in ("json_schema", "schema", "properties"):
        node = node.get(name) if isinstance(node, Mapping) else None
    if not isinstance(node, Mapping):
        return [], ()
    single = _enum(node.get("verdict"))
    if single:
        return single, ()
    several = node.get("verdicts")
    properties = several.get("properties") if isinstance(several, Mapping) else None
    if not isinstance(properties, Mapping) or not properties:
        return [], ()
    return _enum(next(iter(properties.values()))), tuple(properties)


def _enum(node: Json) -> list[str]:
    values = node.get("enum") if isinstance(node, Mapping) else None
    return list(map(str, values)) if isinstance(values, Sequence) else []


def _said(asked: str) -> tuple[list[str], tuple[str, ...]]:
    """Labels quoted where the request says what to choose from, and the criteria that it names.

    Yes and no where it does not.
    """
    several = _NAMES.search(asked)
    each = _EACH.search(asked, several.end()) if several else None
    if several and each:
        labels = list(dict.fromkeys(_QUOTED.findall(each[1])))
        return labels or ["no", "yes"], tuple(_KEY.findall(several[1]))
    for line in reversed(_ONE_OF.findall(asked)):
        found = [one for one in dict.fromkeys(_QUOTED.findall(line)) if one not in _KEYS]
        if len(found) > 1:
            return found, ()
    return ["no", "yes"], ()
