"""How the simulated model rewrites an instruction, and how it explains failures."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from tau.domain.draws import below, uniform
from tau.sim.calls import CallKind, SimulatedCall
from tau.sim.catalogue import CATALOGUE
from tau.sim.constants import WorldConstants
from tau.sim.evidence import Evidence, EvidenceClarity, Lesson, gather
from tau.sim.rules import sentences
from tau.sim.world import START_PROMPT

_FILLER = (
    "Read the whole order before you answer.",
    "Work carefully and check your answer once more.",
    "Answer with nothing else.",
    "Keep the tone businesslike.",
    "Think about what the customer needs.",
    "Take your time over unusual orders.",
)
_MESSAGE = re.compile(r'(<message role="[^"]*">\n)(.*?)(\n</message>)', re.S)
"""Chat messages as a request may show them; the first of them is the one to rewrite."""
_ANSWER_TAG = re.compile(r"<(START|prompt|instruction|new_prompt|new_instruction|answer)>", re.I)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rewriter:
    """One rewriting; every chance in it is a hash of (seed, draw, what it is for)."""

    constants: WorldConstants
    seed: int
    draw: str

    def chance(self, purpose: str, probability: float, *about: int | str) -> bool:
        """Whether something of this probability happens."""
        return uniform(self.seed, purpose, self.draw, *about) < probability

    def phrase(self, slot: int, variant: int) -> str:
        """One way to say a rule."""
        phrasings = CATALOGUE.slots[slot].variants[variant].phrasings
        return phrasings[below(len(phrasings), self.seed, "phrasing", self.draw, slot)]

    def rewrite(self, evidence: Evidence) -> str:
        """The new instruction."""
        base = list(dict.fromkeys(s for text in evidence.instructions for s in sentences(text)))
        kept = list(self._kept(base or [START_PROMPT]))
        stated = {
            (s.slot, s.variant) for line in kept for s in CATALOGUE.statements(line)
            if not s.negated
        }  # fmt: skip
        lost = {
            (s.slot, s.variant) for line in base for s in CATALOGUE.statements(line)
        } - stated  # what was just dropped is not learnt again in the same breath
        fresh = [
            lesson for lesson in evidence.lessons
            if (lesson.slot, lesson.variant) not in stated | lost
        ]  # fmt: skip
        for lesson in fresh:
            kept = self._learn(kept, lesson, len(fresh))
        kept.extend(self._extras(evidence))
        return "\n".join(dict.fromkeys(kept)) or START_PROMPT

    def _kept(self, base: list[str]) -> Iterator[str]:
        """What is left of the old sentences."""
        constants = self.constants
        for number, sentence in enumerate(base):
            statements = CATALOGUE.statements(sentence)
            if not statements:
                if number == 0 or not self.chance("trim", constants.trim, sentence):
                    yield sentence
                continue
            first = statements[0]
            if self.chance("drop", constants.drop, sentence):
                continue
            if self.chance("garble", constants.garble, sentence):
                yield self._vague(first.slot)
            elif (
                len(statements) == 1
                and not first.negated
                and self.chance("rephrase", constants.rephrase, sentence)
            ):
                yield self.phrase(first.slot, first.variant)
            else:
                yield sentence

    def _learn(self, lines: list[str], lesson: Lesson, rivals: int) -> list[str]:
        """`lines` with what is made of one lesson; `rivals` lessons share the attention."""
        constants = self.constants
        probability = {
            EvidenceClarity.HINT: constants.learn_from_hint,
            EvidenceClarity.EXPECTED: constants.learn_from_expected,
            EvidenceClarity.SCORE: constants.learn_from_score,
        }[lesson.source] * min(1.0, constants.attention_span / rivals)
        slot, variant = lesson.slot, lesson.variant
        if not self.chance("learn", probability, slot, variant):
            vague = constants.vague * probability
            return [*lines, self._vague(slot)] if self.chance("vague", vague, slot) else lines
        if self.chance("misread", constants.misread, slot, variant):
            others = len(CATALOGUE.slots[slot].variants) - 1
            variant = (variant + 1 + below(others, self.seed, "misread as", self.draw, slot)) % (
                others + 1
            )
        if self.chance("correct", constants.correct_wrong, slot):
            lines = [line for line in lines if not _says_otherwise(line, slot, variant)]
        return [*lines, self.phrase(slot, variant)]

    def _extras(self, evidence: Evidence) -> Iterator[str]:
        """What people write that helps nobody."""
        constants = self.constants
        for case in evidence.cases:
            if self.chance("memorise", constants.memorise, case.id):
                yield f"If the shelf is {case.shelf}, the booking line is {case.answer}."
        if self.chance("filler", constants.filler):
            yield _FILLER[below(len(_FILLER), self.seed, "which filler", self.draw)]

    @staticmethod
    def _vague(slot: int) -> str:
        """A sentence about a field that says nothing of its form."""
        return f"Take special care with the field '{CATALOGUE.slots[slot].name}'."


def reflect(call: SimulatedCall, constants: WorldConstants, *, seed: int, draw: str) -> str:
    """The answer to a reflection or critique request, laid out as it was asked for."""
    evidence = gather(call.text, constants)
    writer = Rewriter(constants=constants, seed=seed, draw=draw)
    if call.kind is CallKind.CRITIQUE:
        return _critique(writer, evidence)
    return presented(call, _rewritten(writer, evidence))


def presented(call: SimulatedCall, instruction: str) -> str:
    """A new instruction between the marks that were asked for."""
    if call.output_fields:
        return instruction
    tag = _ANSWER_TAG.search(call.text)
    if tag:
        opening = tag[1]
        closing = "END" if opening.upper() == "START" else f"/{opening}"
        if f"<{closing}>" in call.text:
            return f"<{opening}>\n{instruction}\n<{closing}>"
    return f"```\n{instruction}\n```"


def _rewritten(writer: Rewriter, evidence: Evidence) -> str:
    """The new instruction; where it stands among chat messages, these stay as they are."""
    shown = "\n".join(evidence.instructions)
    first = _MESSAGE.search(shown)
    if first is None:
        return writer.rewrite(evidence)
    text = writer.rewrite(replace(evidence, instructions=(first[2],)))
    return shown[: first.start(2)] + text + shown[first.end(2) :]


def _critique(writer: Rewriter, evidence: Evidence) -> str:
    """Reasons for the failures, in which the rules that were understood are named."""
    kept = writer.rewrite(Evidence(instructions=(), lessons=evidence.lessons, cases=()))
    reasons = [line for line in kept.splitlines() if CATALOGUE.statements(line)]
    if not reasons:
        return "It is not said how the fields of an order must be written."
    return "\n".join(f"- It must be said: {reason}" for reason in reasons)


def _says_otherwise(line: str, slot: int, variant: int) -> bool:
    """Whether `line` asks for another form of the field."""
    statements = CATALOGUE.statements(line)
    return any(s.slot == slot and (s.variant != variant or s.negated) for s in statements)
