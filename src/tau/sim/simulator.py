"""The simulated model as a pure answerer: messages in, text out, repetitions numbered."""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tau.domain.chat import Message
from tau.domain.draws import uniform
from tau.domain.json import Json, canonical
from tau.sim.answering import answer
from tau.sim.calls import CallKind, SimulatedCall, understand
from tau.sim.constants import WORLD_CONSTANTS
from tau.sim.judge_requests import parsed
from tau.sim.judging import JudgeErrors, judgement
from tau.sim.reflecting import reflect
from tau.sim.rubrics import rewrite_rubric
from tau.sim.smalltalk import reply
from tau.sim.world import world

_ASIDE = "It follows from the rules."
"""What stands in fields that are asked for beside the answer, such as a reasoning."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedReply:
    """What was said, to which kind of call."""

    text: str
    kind: CallKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """The names under which chance is drawn for one request.

    `arrival` is unique; `answer` is shared by requests that must be answered alike.
    """

    arrival: str
    answer: str


class Simulator:
    """Answers requests; every draw is a hash of (seed, messages, number of the repetition).

    Equal requests are numbered from 0 in the order in which they arrive, so replicates differ and
    the set of answers to n equal requests is the same in any order. Which of several concurrent
    ones gets which number is up to their arrival. A request that carries its own `seed` (as in the
    OpenAI API) is not numbered: the same request with the same seed is answered the same, always.
    """

    def __init__(
        self, *, seed: int = 0, noise: float = 1.0, errors: JudgeErrors | None = None
    ) -> None:
        """`noise` 1 is the world as it is, 0 leaves only the rules; with `errors` it is a judge."""
        self.seed = seed
        self._errors = errors
        self.constants = WORLD_CONSTANTS.with_noise(noise)
        self._repetitions: Counter[bytes] = Counter()

    def number(self, messages: Sequence[Message], request_seed: int | None = None) -> Drawing:
        """Count this request and name what is drawn for it."""
        key = "".join(f"{m.role}:{len(m.content)}:{m.content}\n" for m in messages)
        digest = hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()
        self._repetitions[digest] += 1
        arrival = f"{digest.hex()}:{self._repetitions[digest] - 1}"
        seeded = f"{digest.hex()}:seed-{request_seed}"
        return Drawing(arrival=arrival, answer=arrival if request_seed is None else seeded)

    def happens(self, purpose: str, probability: float, drawing: Drawing) -> bool:
        """Whether a mishap of this probability befalls the request; a repetition may be spared."""
        return uniform(self.seed, purpose, drawing.arrival) < probability

    def answer(
        self,
        messages: Sequence[Message],
        drawing: Drawing,
        params: Mapping[str, Json] | None = None,
    ) -> SimulatedReply:
        """The answer of one drawing; the same arguments give the same answer."""
        if self._errors is not None:
            call = understand(messages, self.constants)
            if call.kind is CallKind.REFLECTION and '"verdict' not in call.text:
                told = rewrite_rubric(call, self.constants, seed=self.seed, draw=drawing.answer)
                return SimulatedReply(text=_laid_out(call, told), kind=call.kind)
            task = parsed(messages, params or {})
            said = judgement(task, self._errors, seed=self.seed, draw=drawing.answer)
            return SimulatedReply(text=said, kind=CallKind.JUDGEMENT)
        call = understand(messages, self.constants)
        text = self._say(call, messages, drawing.answer)
        return SimulatedReply(text=_laid_out(call, text), kind=call.kind)

    def _say(self, call: SimulatedCall, messages: Sequence[Message], draw: str) -> str:
        if call.case is not None:
            home = world(call.case.seed, self.constants)
            return answer(home, call, call.case, seed=self.seed, draw=draw)
        if call.kind is CallKind.OTHER:
            last = [m.content for m in messages if m.role not in {"assistant", "tool"}]
            return reply(last[-1] if last else "")
        return reflect(call, self.constants, seed=self.seed, draw=draw)


def _laid_out(call: SimulatedCall, text: str) -> str:
    """`text` as it is, or as the last of the named fields that were asked for."""
    if not call.output_fields:
        return text
    *others, last = call.output_fields
    fields = {**dict.fromkeys(others, _ASIDE), last: text}
    if call.as_json:
        return canonical(fields).decode()
    sections = [f"[[ ## {name} ## ]]\n{value}" for name, value in fields.items()]
    return "\n\n".join([*sections, "[[ ## completed ## ]]"])
