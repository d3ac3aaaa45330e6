"""How the simulated judge rewrites a rubric when it is asked to: a sentence of advice is added."""

from tau.domain.draws import below
from tau.sim.calls import SimulatedCall
from tau.sim.constants import WorldConstants
from tau.sim.evidence import gather
from tau.sim.reflecting import presented

_ADVICE = (
    "Ignore length: a longer answer is no better for it.",
    "Look at what is said and at nothing else.",
    "Be strict.",
    "Read the whole answer before you decide.",
)
"""Only the first helps, and only a judge that is biased for length."""


def rewrite_rubric(call: SimulatedCall, constants: WorldConstants, *, seed: int, draw: str) -> str:
    """The rubric shown in the request with one more sentence, drawn by hash."""
    shown = gather(call.text, constants).instructions
    base = shown[0].strip() if shown else "Is the answer right?"
    advice = _ADVICE[below(len(_ADVICE), seed, "advice", draw)]
    text = base if advice in base else f"{base}\n{advice}"
    return presented(call, text)
