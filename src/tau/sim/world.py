"""A world: which rules hold, and the cases that need them. Fixed by its seed and the constants."""

import re
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate

from tau.domain.dataset import Split
from tau.domain.draws import below, uniform
from tau.domain.json import Json
from tau.sim.catalogue import CATALOGUE
from tau.sim.constants import WORLD_CONSTANTS, WorldConstants
from tau.sim.rules import Draw, OrderField, Value, Variant

START_PROMPT = "You are an order clerk. Write the booking line for the order you are given."
"""Says what the job is and states none of the rules."""

CASE_ID = re.compile(r"\bR(\d{1,9})-(\d{6})\b")
"""How a case is recognised in any text: world seed and number, readable for everyone."""

_FIRST_NUMBER = {Split.OPTIMIZE: 0, Split.VALIDATE: 300_000, Split.TEST: 600_000}
_MOST = 300_000
_LIMIT = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One field of a case that falls under a rule: index into the world's rules, and its value."""

    rule: int
    slot: OrderField
    variant: Variant
    value: Value

    @property
    def shown(self) -> str:
        """As the order has it, and as an answer has it that does not apply the rule."""
        return self.slot.show(self.value)

    @property
    def right(self) -> str:
        """As the rule wants it."""
        return self.variant.apply(self.value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One order. `slip` is the chance to get it wrong whatever the prompt says."""

    seed: int
    number: int
    shelf: int
    fields: tuple[Field, ...]
    slip: float

    @property
    def id(self) -> str:
        """As it is written in the text."""
        return f"R{self.seed}-{self.number:06d}"

    @property
    def text(self) -> str:
        """The input of the task, self-contained but for the rules."""
        parts = [f"shelf: {self.shelf}", *(f"{f.slot.name}: {f.shown}" for f in self.fields)]
        return (
            f"Order {self.id}. Answer with its fields in this order, without their names, "
            f"separated by ' | '.\n{' | '.join(parts)}"
        )

    @property
    def answer(self) -> str:
        """The right answer, all rules applied."""
        return self.line([f.right for f in self.fields])

    def line(self, parts: Sequence[str]) -> str:
        """The answer made of these parts, one per field."""
        return " | ".join([str(self.shelf), *parts])


class World:
    """The rulebook and the cases of one seed."""

    def __init__(self, seed: int, constants: WorldConstants = WORLD_CONSTANTS) -> None:
        """Choose the rules in force; cases are made when asked for."""
        if seed < 0:
            raise ValueError(f"the seed of a world is not negative, got {seed}")
        self.seed = seed
        self.constants = constants
        self.rules = _choose_rules(seed, constants.rules)
        self.case = lru_cache(maxsize=1 << 12)(self._case)

    def variant(self, rule: int) -> Variant:
        """The form that rule number `rule` asks for."""
        slot, variant = self.rules[rule]
        return CATALOGUE.slots[slot].variants[variant]

    def hint(self, rule: int) -> str:
        """The rule in words."""
        return self.variant(rule).phrasings[0]

    def full_prompt(self) -> str:
        """The start prompt with every rule of the book."""
        hints = "\n".join(f"- {self.hint(rule)}" for rule in range(len(self.rules)))
        return f"{START_PROMPT}\n{hints}"

    def cases(self, split: Split, count: int) -> tuple[Case, ...]:
        """The first `count` cases of a split; splits share none."""
        if not 0 <= count <= _MOST:
            raise ValueError(f"a split has 0 to {_MOST} cases, not {count}")
        first = _FIRST_NUMBER[split]
        return tuple(self.case(number) for number in range(first, first + count))

    def examples(self, split: Split, count: int) -> tuple[Mapping[str, Json], ...]:
        """Dataset rows: `prompt`, `expected`, and for people the `case` id."""
        return tuple(
            {"prompt": case.text, "expected": case.answer, "case": case.id}
            for case in self.cases(split, count)
        )

    def _case(self, number: int) -> Case:
        """Case `number` in [0, 1,000,000)."""

        def draw(purpose: str, limit: int) -> int:
            return below(limit, self.seed, "case", number, purpose)

        def draw_for(slot: OrderField) -> Draw:
            return lambda purpose, limit: draw(f"{slot.name}/{purpose}", limit)

        constants = self.constants
        fields = []
        for rule in self._needed(number):
            slot_index, variant = self.rules[rule]
            slot = CATALOGUE.slots[slot_index]
            value = slot.values(draw_for(slot))
            fields.append(Field(rule=rule, slot=slot, variant=slot.variants[variant], value=value))
        share = uniform(self.seed, "slip", number)
        slip = constants.easy_slip + (constants.hard_slip - constants.easy_slip) * share
        return Case(
            seed=self.seed,
            number=number,
            shelf=10 + draw("shelf", 90),
            fields=tuple(fields),
            slip=slip,
        )

    def _needed(self, number: int) -> tuple[int, ...]:
        """The rules a case needs, drawn without replacement by their frequency."""
        constants = self.constants
        bounds = tuple(accumulate(constants.rules_per_case))[:-1]
        count = bisect_right(bounds, uniform(self.seed, "count", number))
        total = len(self.rules)
        slope = (1 - constants.rarest_rule) / max(1, total - 1)
        keys = [
            (uniform(self.seed, "need", number, rule) ** (1 / (1 - slope * rule)), rule)
            for rule in range(total)
        ]
        return tuple(rule for _, rule in sorted(keys, reverse=True)[:count])


@lru_cache(maxsize=256)
def world(seed: int, constants: WorldConstants = WORLD_CONSTANTS) -> World:
    """The world of `seed`, made once."""
    return World(seed, constants)


def case_of(identity: re.Match[str], constants: WorldConstants = WORLD_CONSTANTS) -> Case:
    """The case that a match of CASE_ID names."""
    return world(int(identity[1]), constants).case(int(identity[2]) % _LIMIT)


def _choose_rules(seed: int, count: int) -> tuple[tuple[int, int], ...]:
    """(slot, variant) of each rule, the commonest first."""
    total = len(CATALOGUE.slots)
    order = sorted(range(total), key=lambda slot: uniform(seed, "rule", slot))
    return tuple(
        (slot, below(len(CATALOGUE.slots[slot].variants), seed, "variant", slot))
        for slot in order[:count]
    )
