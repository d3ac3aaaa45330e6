"""What a prompt tells its reader: the rules it states, what it contradicts, how diluted it is."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import exp

from tau.sim.catalogue import CATALOGUE
from tau.sim.constants import WorldConstants
from tau.sim.rules import sentences
from tau.sim.world import Case, World

_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What a prompt says, whatever the world. `stated` and `denied` hold (slot, variant)."""

    stated: frozenset[tuple[int, int]]
    denied: frozenset[tuple[int, int]]
    words: int
    idle_sentences: int

    def attention(self, constants: WorldConstants) -> float:
        """What dilution leaves of following rules, up to 1."""
        extra = max(0, self.words - constants.free_words)
        idle = max(0, self.idle_sentences - constants.free_idle_sentences)
        kept = exp(-extra / constants.words_scale) * constants.idle_keeps**idle
        return max(constants.least_attention, kept)


def read(prompt: str) -> Reading:
    """Read instructions, demonstrations already taken out."""
    return _read(prompt) if len(prompt) > _REMEMBERED else _remembered(prompt)


def _read(prompt: str) -> Reading:
    stated: set[tuple[int, int]] = set()
    denied: set[tuple[int, int]] = set()
    idle = 0
    for sentence in sentences(prompt):
        statements = CATALOGUE.statements(sentence)
        idle += not statements
        for statement in statements:
            (denied if statement.negated else stated).add((statement.slot, statement.variant))
    return Reading(
        stated=frozenset(stated),
        denied=frozenset(denied),
        words=len(_WORD.findall(prompt)),
        idle_sentences=idle,
    )


_remembered = lru_cache(maxsize=1024)(_read)
_REMEMBERED = 32_768
"""The longest prompt, in characters, whose reading is kept."""


def chances(world: World, reading: Reading, demonstrated: Mapping[int, int]) -> tuple[float, ...]:
    """For each rule of `world` the chance that it is applied where it is needed.

    `demonstrated` counts, per rule, the right demonstrations that apply it.
    """
    constants = world.constants
    attention = reading.attention(constants)
    contested = {slot for slot, _ in reading.denied}
    made = []
    for rule, (slot, variant) in enumerate(world.rules):
        grasp = 1 - (1 - constants.demonstration) ** demonstrated.get(rule, 0)
        if (slot, variant) in reading.stated:
            grasp = 1.0
        others = any(s == slot and v != variant for s, v in reading.stated)
        if others or (slot in contested and (slot, variant) in reading.denied):
            grasp *= constants.contradicted
        known = constants.follow * attention * grasp
        made.append(max(constants.guess, known))
    return tuple(made)


def demonstrated(cases: Sequence[Case]) -> Counter[int]:
    """How often each rule is applied in the demonstrations `cases`."""
    return Counter(field.rule for case in cases for field in case.fields)
