"""What a judge is shown of a row and its output."""

import re
from collections.abc import Mapping
from typing import Any

import orjson

from tau.domain.dataset import JUDGED_OUTPUT, Example
from tau.domain.json import Json
from tau.domain.rollout import Output
from tau.errors import GraderFailed
from tau.graders.judge_request import JudgeMaterial
from tau.graders.judge_rubrics import RUBRICS


def columns_of(settings: Any, ready: str) -> tuple[str | None, str | None]:  # noqa: ANN401
    """The columns of reference and context, as given or as a ready rubric has them."""
    known = RUBRICS.get(ready)
    reference, context = settings.reference, settings.context
    if known is not None:
        reference = reference or ("expected" if known.reference else None)
        context = context or ("context" if known.context else None)
    return reference, context


def material_of(
    example: Example,
    output: Output,
    settings: Any,  # noqa: ANN401
    ready: str = "",
) -> JudgeMaterial:
    """What the judge is shown of a row and its output.

    Raises:
        GraderFailed: the row lacks a column that it needs.
    """
    reference, context = columns_of(settings, ready)
    fields = example.fields
    hidden = {reference, context, "expected", JUDGED_OUTPUT}
    if settings.input is not None:
        asked = _column(fields, settings.input)
    elif example.prompt is not None:
        asked = example.prompt
    else:
        asked = as_text({name: each for name, each in fields.items() if name not in hidden})
    text = output.text
    if not text.strip() and output.value is not None:
        text = as_text(output.value)
    return JudgeMaterial(
        input=asked,
        output=text,
        reference=None if reference is None else _column(fields, reference),
        more={} if context is None else {"context": _column(fields, context)},
    )


def as_text(value: Json) -> str:
    """A text as it is; lists of texts as paragraphs; anything else as JSON."""
    if isinstance(value, str):
        return value
    if isinstance(value, list | tuple) and value and all(isinstance(one, str) for one in value):
        return "\n\n".join(str(one) for one in value)
    try:
        return orjson.dumps(value, option=orjson.OPT_INDENT_2, default=dict).decode("utf-8")
    except TypeError:
        return str(value)


def without_reference(reason: str, reference: str | None) -> str:
    """The judge's reason without the reference's text, where it repeats it after all."""
    told = " ".join((reference or "").split())
    if not told:
        return reason
    pattern = r"\s+".join(re.escape(word) for word in told.split(" "))
    return re.sub(rf"(?<!\w){pattern}(?!\w)", "[reference]", reason, flags=re.IGNORECASE)


def _column(fields: Mapping[str, Json], name: str) -> str:
    value = fields.get(name)
    if value is None or (isinstance(value, str | list | dict) and not value):
        raise GraderFailed(
            f"the row has no '{name}' for the judge",
            fix=f"give every row the column '{name}', or name another one",
        )
    return as_text(value)
