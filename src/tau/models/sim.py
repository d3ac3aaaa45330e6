"""The embedded simulated models `sim/rules` and `sim/judge`: no key and no network."""

import asyncio
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, get_args, get_type_hints
from urllib.parse import parse_qsl

from annotated_types import Ge, Le

from tau.domain.chat import Completion, Message, ModelRequest
from tau.domain.json import Json
from tau.domain.spend import Usage
from tau.errors import InputError, ModelTimeout, Overloaded, RateLimited, RequestRejected
from tau.ports.model import ModelContext
from tau.sim.calls import CallKind
from tau.sim.judging import JudgeErrors
from tau.sim.simulator import Drawing, SimulatedReply, Simulator

RULES, JUDGE = "rules", "judge"
WORLDS = (RULES, JUDGE)

_TOKEN = re.compile(r"\w+|[^\w\s]")
_MESSAGE_TOKENS = 4
"""What the layout of one message counts for, as with real chat models."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatorSettings:
    """What can be simulated besides the world; also given in the name, `sim/rules?seed=3`.

    `seed` is that of chance, not of the world, which is read from the input. `noise` 1 is the
    world as it is, 0 leaves only its rules. A call takes `latency_ms`. `error_rate` of the calls
    are refused as overloaded and `rate_limit_rate` as rate-limited, before they are answered.
    The rest is what `sim/judge` gets wrong (see `tau.sim.judging.JudgeErrors`), as in
    `sim/judge?length_bias=0.4&random_error=0.1`.
    """

    seed: Annotated[int, Ge(0)] = 0
    noise: Annotated[float, Ge(0), Le(5)] = 1.0
    latency_ms: Annotated[float, Ge(0), Le(600_000)] = 0.0
    error_rate: Annotated[float, Ge(0), Le(1)] = 0.0
    rate_limit_rate: Annotated[float, Ge(0), Le(1)] = 0.0
    length_bias: Annotated[float, Ge(0), Le(1)] = 0.0
    position_bias: Annotated[float, Ge(0), Le(1)] = 0.0
    style_bias: Annotated[float, Ge(0), Le(1)] = 0.0
    random_error: Annotated[float, Ge(0), Le(1)] = 0.0
    obedience: Annotated[float, Ge(0), Le(1)] = 0.0

    @property
    def errors(self) -> JudgeErrors:
        """What a judge of these settings gets wrong."""
        return JudgeErrors(
            length=self.length_bias, position=self.position_bias, style=self.style_bias,
            error=self.random_error, obedience=self.obedience,
        )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedAnswer:
    """A completion with the kind of call it answered."""

    completion: Completion
    kind: CallKind


class SimulatedModel:
    """Does the task of the simulated world and writes its prompts, by chance drawn from hashes."""

    Settings = SimulatorSettings

    def __init__(self, ref: str, settings: SimulatorSettings) -> None:
        self._ref = ref
        self._settings = settings
        judges = _world(ref.partition("/")[2]) == JUDGE
        self._simulator = Simulator(
            seed=settings.seed, noise=settings.noise, errors=settings.errors if judges else None
        )

    @classmethod
    def check(cls, settings: SimulatorSettings, context: ModelContext) -> None:
        options(context.name, settings)

    @classmethod
    def build(cls, settings: SimulatorSettings, context: ModelContext) -> "SimulatedModel":
        return cls(f"{context.provider}/{context.name}", options(context.name, settings))

    @property
    def ref(self) -> str:
        return self._ref

    @property
    def provider(self) -> str:
        return "sim"

    async def complete(self, request: ModelRequest) -> Completion:
        return (await self.answer(request)).completion

    def price(self, usage: Usage) -> int:
        return 0

    async def aclose(self) -> None:
        """There is nothing to release."""

    async def answer(self, request: ModelRequest) -> SimulatedAnswer:
        """One call, with its kind.

        Raises:
            ModelError: a simulated mishap, or a request that asks for several answers.
        """
        if not request.messages:
            raise RequestRejected("a request needs at least one message", status=400)
        if request.params.get("n") not in {None, 1}:
            raise RequestRejected("the simulated model gives one answer a call", status=400)
        drawing = self._simulator.number(request.messages, _integer(request.params, "seed"))
        await self._take_time(request.timeout_s)
        self._mishap(drawing)
        reply = self._simulator.answer(request.messages, drawing, request.params)
        return SimulatedAnswer(
            completion=self._completion(request, reply, drawing), kind=reply.kind
        )

    async def _take_time(self, timeout_s: float | None) -> None:
        latency_s = self._settings.latency_ms / 1000
        if timeout_s is not None and latency_s >= timeout_s > 0:
            await asyncio.sleep(timeout_s)
            raise ModelTimeout("no answer in time", why=f"simulated, after {timeout_s:g} s")
        if latency_s:
            await asyncio.sleep(latency_s)

    def _mishap(self, drawing: Drawing) -> None:
        if self._simulator.happens("overloaded", self._settings.error_rate, drawing):
            raise Overloaded("the simulated model is overloaded", status=503)
        if self._simulator.happens("rate limit", self._settings.rate_limit_rate, drawing):
            raise RateLimited("too many requests, simulated", status=429, retry_after_s=0.05)

    def _completion(
        self, request: ModelRequest, reply: SimulatedReply, drawing: Drawing
    ) -> Completion:
        text, finish_reason = _bounded(reply.text, request.params)
        digest, _, number = drawing.arrival.partition(":")
        return Completion(
            text=text,
            finish_reason=finish_reason,
            model=self._ref.partition("/")[2],
            usage=Usage(input_tokens=prompt_tokens(request.messages), output_tokens=tokens(text)),
            cost_nano_usd=0,
            response_id=f"sim-{digest[:24]}-{number}",
        )


def options(name: str, settings: SimulatorSettings) -> SimulatorSettings:
    """The settings with those of the model's name (`rules?seed=3&noise=0`) put over them.

    Raises:
        InputError: no such world or option, or a value out of range.
    """
    query, world = name.partition("?")[2], _world(name)
    if world not in WORLDS:
        raise InputError(
            f"there is no simulated world '{world}'", fix="write sim/rules, or sim/judge"
        )
    changes: dict[str, Any] = {}
    for key, text in parse_qsl(query, keep_blank_values=True):
        changes[key] = _option(key, text)
    found = replace(settings, **changes)
    if world != JUDGE and found.errors != settings.errors:
        raise InputError(
            f"sim/{world} is no judge: it has none of a judge's errors", fix="write sim/judge?..."
        )
    return found


def _world(name: str) -> str:
    return name.partition("?")[0]


def _option(key: str, text: str) -> int | float:
    """One option of a name as the number it stands for, within the limits of its field."""
    hints = get_type_hints(SimulatorSettings, include_extras=True)
    if key not in hints:
        raise InputError(
            f"the simulated model has no option '{key}'", fix=f"known: {', '.join(hints)}"
        )
    kind, *limits = get_args(hints[key])
    try:
        value: int | float = kind(text)
    except ValueError as error:
        raise InputError(
            f"'{text}' cannot be the {key} of a simulated model", fix="write a number"
        ) from error
    for limit in limits:
        low, high = getattr(limit, "ge", None), getattr(limit, "le", None)
        if low is not None and not value >= low:  # put so that a NaN is refused as well
            raise InputError(f"{key} of a simulated model is at least {low}, not {text}")
        if high is not None and not value <= high:
            raise InputError(f"{key} of a simulated model is at most {high}, not {text}")
    return value


def tokens(text: str) -> int:
    """Words and signs: simple, the same everywhere, and about what real tokenizers count."""
    return len(_TOKEN.findall(text))


def prompt_tokens(messages: Sequence[Message]) -> int:
    """Tokens of a request."""
    return sum(_MESSAGE_TOKENS + tokens(m.content) for m in messages)


def _bounded(text: str, params: Mapping[str, Json]) -> tuple[str, str]:
    """`text` up to a stop sequence and the limit of tokens, and why it ended."""
    stop = params.get("stop")
    for end in (stop,) if isinstance(stop, str) else stop if isinstance(stop, Sequence) else ():
        if isinstance(end, str) and end:
            text = text.partition(end)[0]
    limit = _integer(params, "max_completion_tokens") or _integer(params, "max_tokens")
    if limit is not None:
        ends = [match.end() for match in _TOKEN.finditer(text)]
        if len(ends) > limit:
            return text[: ends[limit - 1]], "length"
    return text, "stop"


def _integer(params: Mapping[str, Json], name: str) -> int | None:
    value = params.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) else None
