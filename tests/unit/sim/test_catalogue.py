"""Rules are recognised in words, and each changes what it is about."""

from collections.abc import Iterator
from functools import partial
from itertools import combinations

import pytest

from tau.domain.dataset import Split
from tau.domain.draws import below
from tau.sim.catalogue import CATALOGUE
from tau.sim.rules import OrderField, Statement, sentences
from tau.sim.world import START_PROMPT, World

NAMES = {slot.name: index for index, slot in enumerate(CATALOGUE.slots)}


def phrasings() -> Iterator[tuple[str, Statement]]:
    for number, slot in enumerate(CATALOGUE.slots):
        for index, variant in enumerate(slot.variants):
            for text in variant.phrasings:
                yield text, Statement(slot=number, variant=index)


def said(sentence: str) -> set[tuple[str, str, bool]]:
    """Field, form, and whether it is denied."""
    found = CATALOGUE.statements(sentence)
    return {
        (slot.name, slot.variants[s.variant].name, s.negated)
        for s in found
        for slot in [CATALOGUE.slots[s.slot]]
    }


@pytest.mark.parametrize(("text", "statement"), list(phrasings()))
def test_every_phrasing_states_its_rule_and_no_other(text: str, statement: Statement) -> None:
    assert sentences(text) == (text,)
    assert CATALOGUE.statements(text) == (statement,)


@pytest.mark.parametrize(
    ("sentence", "field", "form"),
    [
        ("All weights should be in kg (round to the nearest integer)", "weight", "kilograms"),
        ("WEIGHT -> kilograms", "weight", "kilograms"),
        ("convert the Weight from pounds into kilos", "weight", "kilograms"),
        ("**Dates**: use ISO 8601", "due", "iso"),
        ("Make sure that the due date looks like 2025-03-14, i.e. YYYY-MM-DD", "due", "iso"),
        ("Always order items alphabetically before joining them", "items", "alphabetical"),
        ("The city must be in uppercase", "destination", "capitals"),
        ("Use 24-hour time of day", "pickup", "day_clock"),
        ("If something was returned, its count is negative", "returned", "negative"),
        ("phone: digits only", "phone", "digits"),
    ],
)  # fmt: skip
def test_free_wording_is_recognised(sentence: str, field: str, form: str) -> None:
    assert said(sentence) == {(field, form, False)}


@pytest.mark.parametrize(
    "sentence",
    ["Do not convert weights to kilograms", "Never give the weight in whole kilograms"],
)
def test_a_denied_rule_is_not_a_stated_one(sentence: str) -> None:
    assert said(sentence) == {("weight", "kilograms", True)}


def test_empty_phrases_and_cases_state_nothing() -> None:
    silent = [START_PROMPT, "Be careful with weights.", "Pay attention to the due date.", ""]
    cases = [c.text for seed in range(5) for c in World(seed).cases(Split.OPTIMIZE, 60)]

    for text in [*silent, *cases]:
        assert [CATALOGUE.statements(s) for s in sentences(text)] == [
            () for _ in sentences(text)
        ], text


def drawn(number: int, purpose: str, limit: int) -> int:
    return below(limit, 0, purpose, number)


@pytest.mark.parametrize("slot", CATALOGUE.slots, ids=lambda slot: slot.name)
def test_forms_of_a_field_differ_from_each_other_and_from_the_input(slot: OrderField) -> None:
    for number in range(200):
        value = slot.values(partial(drawn, number))
        forms = [slot.show(value), *(variant.apply(value) for variant in slot.variants)]

        assert all(form.strip() == form and "|" not in form for form in forms)
        assert all(a != b for a, b in combinations(forms, 2)), forms


def test_known_values() -> None:
    def form(field: str, name: str, *value: int) -> str:
        slot = CATALOGUE.slots[NAMES[field]]
        return next(v for v in slot.variants if v.name == name).apply(value)

    assert form("due", "iso", 2025, 3, 4) == "2025-03-04"
    assert form("weight", "kilograms", 230) == "104 kg"
    assert form("price", "cents", 1249, 5) == "124905 ct"
    assert form("keep at", "celsius", 68) == "20 C"
    assert form("pickup", "military", 16, 30) == "1630h"
    assert form("returned", "negative", 6) == "-6"
