"""What a body says a call has used, whatever its provider calls it and wherever it stands.

Counts are read so that they are never less than the truth that can be known: what contradicts
itself is read at its largest, and what is no count is unknown, not nothing.
"""

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import orjson

from tau.domain.json import Json
from tau.domain.spend import Usage

_MOST_TOKENS = 1_000_000_000  # of one call; a larger number is no count
_INSIDE = ("usage", "usageMetadata", "usage_metadata", "tokens", "billed_units", "x_groq", "meta")
_DEPTH = 4
_INPUT = (
    "prompt_tokens", "promptTokens", "promptTokenCount", "prompt_token_count", "prompt_eval_count",
)  # fmt: skip
_INPUT_APART = ("input_tokens", "inputTokens")
"""Where cached tokens may be counted apart."""
_OUTPUT = (
    "completion_tokens", "output_tokens", "completionTokens", "outputTokens", "generated_tokens",
    "candidatesTokenCount", "candidates_token_count", "completion_token_count", "eval_count",
)  # fmt: skip
_TOTAL = ("total_tokens", "totalTokens", "totalTokenCount", "total_token_count")
_CACHED = (
    "prompt_tokens_details",
    "input_tokens_details",
    "prompt_cache_hit_tokens",  # DeepSeek
    "num_cached_tokens",  # Mistral
    "cached_tokens",  # Moonshot
    "cache_read_input_tokens",  # Anthropic
)
_REASONING = (
    "completion_tokens_details", "output_tokens_details", "reasoning_tokens", "thoughtsTokenCount",
)  # fmt: skip
_NUMBER = re.compile(r"\s*\+?(\d[\d,_ ]*(?:\.\d+)?(?:[eE]\+?\d{1,3})?)\b")


@dataclass(frozen=True, slots=True, kw_only=True)
class Metered:
    """What was used at least; `whole` where that is all of it. `cost_usd` is a provider's bill."""

    usage: Usage
    whole: bool
    cost_usd: float | None = None


UNKNOWN = Metered(usage=Usage(), whole=False)


def metered(body: Json, *, produced: bool) -> Metered:
    """Read it from wherever it stands in `body`: beside the choices, in one, in an error.

    `produced`: there is an answer, so that an output of no tokens is none that was counted.
    """
    first = body.get("usage") if isinstance(body, dict) else None
    found = _metered(first, produced) if isinstance(first, dict) else UNKNOWN
    if found.whole:  # where it belongs, as nearly always
        return found
    for place in _places(body):
        one = _metered(place, produced)
        if (one.whole, one.usage.total_tokens) > (found.whole, found.usage.total_tokens):
            found = one if one.cost_usd is not None else _with_cost(one, found.cost_usd)
        elif found.cost_usd is None:
            found = _with_cost(found, one.cost_usd)
    return found


def _with_cost(found: Metered, cost_usd: float | None) -> Metered:
    return Metered(usage=found.usage, whole=found.whole, cost_usd=cost_usd)


def _places(body: Json) -> Iterator[Mapping[str, Json]]:
    if isinstance(body, list) and len(body) == 1:
        body = body[0]
    if not isinstance(body, dict):
        return
    yield from _inside(body, 0)
    choices = body.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices else None
    holders = [choice, body.get("message"), body.get("error"), body.get("response")]
    if isinstance(choice, dict):
        holders += [choice.get("message"), choice.get("error")]
    if isinstance(error := body.get("error"), dict):
        holders.append(error.get("metadata"))
    for holder in holders:
        if isinstance(holder, dict):
            yield from _inside(holder, 0)


def _inside(value: Mapping[str, Json], depth: int) -> Iterator[Mapping[str, Json]]:
    yield value
    if depth == _DEPTH:
        return
    for name in _INSIDE:
        held = value.get(name)
        if isinstance(held, str) and held.lstrip().startswith("{"):
            held = _parsed(held)
        for one in held[:8] if isinstance(held, list) else (held,):
            if isinstance(one, dict):
                yield from _inside(one, depth + 1)


def _parsed(text: str) -> Json:
    try:
        value: Json = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    return value


def _metered(usage: Mapping[str, Json], produced: bool) -> Metered:
    """Counts in every provider's dialect."""
    cached = _most(usage, _CACHED, "cached_tokens") or 0
    given, made = _first_of(usage, _INPUT), _first_of(usage, _OUTPUT)
    if given is None:
        given = _first_of(usage, _INPUT_APART)
        if given is not None and "cache_read_input_tokens" in usage:  # Anthropic counts them apart
            given += cached + (_count(usage.get("cache_creation_input_tokens")) or 0)
    elif (other := _first_of(usage, _INPUT_APART)) is not None:
        given = max(given, other)
    total = _first_of(usage, _TOTAL) or 0
    reasoning = _most(usage, _REASONING, "reasoning_tokens") or 0
    given, made, whole = _balanced(given or None, made, total, produced=produced)
    # Where only the total is right, reasoning is in it and not in the output (xAI, Google).
    apart = max(0, total - given - made)
    made = max(made + apart, reasoning)
    reasoning = max(reasoning, apart)
    if cached > given:  # the report contradicts itself: all of it at the full price
        cached = 0
    return Metered(
        usage=Usage(
            input_tokens=given,
            output_tokens=made,
            cached_tokens=cached,
            reasoning_tokens=min(reasoning, made) if whole else 0,
        ),
        whole=whole,
        cost_usd=_cost_usd(usage),
    )


def _balanced(
    given: int | None, made: int | None, total: int, *, produced: bool
) -> tuple[int, int, bool]:
    """Input and output, the one that is missing taken from the total; and whether that is all.

    No call is made with nothing, so an input of 0 is none that was counted.
    """
    if given is None:
        # What is known as a total only is taken for output, which never costs less than input.
        if made:
            return max(0, total - made), made, total > made
        return 0, total, total > 0
    if made is None or (produced and not made):
        return given, max(0, total - given), total > given
    return given, made, True


def _first_of(usage: Mapping[str, Json], names: tuple[str, ...]) -> int | None:
    """The largest count under `names`; None where there is none."""
    counts = [c for name in names if name in usage and (c := _count(usage[name])) is not None]
    return max(counts, default=None)


def _most(usage: Mapping[str, Json], names: tuple[str, ...], inside: str) -> int | None:
    """As `_first_of`; where one is an object, its field `inside`."""
    counts = []
    for name in names:
        if name in usage:
            value = usage[name]
            counts.append(_count(value.get(inside) if isinstance(value, dict) else value))
    return max((c for c in counts if c is not None), default=None)


def _count(value: Json) -> int | None:
    """A number of tokens, None for anything that is none; a part of a token is a token."""
    if isinstance(value, str):
        match = _NUMBER.match(value)
        value = float(re.sub("[,_ ]", "", match[1])) if match and len(value) < 100 else None
    if isinstance(value, dict):
        value = value.get("total", value.get("count", value.get("total_tokens")))
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if not 0 <= value <= _MOST_TOKENS:  # NaN is not either
        return None
    return math.ceil(value)


def _cost_usd(usage: Mapping[str, Json]) -> float | None:
    """OpenRouter's own bill; with the user's key at the upstream, what that one takes is added."""
    cost = _amount(usage.get("cost"))
    if cost is not None and usage.get("is_byok") is True:
        details = usage.get("cost_details")
        upstream = details.get("upstream_inference_cost") if isinstance(details, dict) else None
        cost += _amount(upstream) or 0.0
    return cost


def _amount(value: Json) -> float | None:
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if 0 <= value < 1e6 else None
