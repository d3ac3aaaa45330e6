"""Which rows a selection meets first, by what earlier runs in the store measured on them."""

from dataclasses import replace

import orjson
import pytest

from tau.algorithms.search import Search
from tau.algorithms.select import Select, SelectSettings, SelectState
from tau.domain.ids import ResourcesHash
from tau.domain.json import canonical
from tau.domain.resources import Resources
from tau.ports.algorithm import EarlierScores, Problem
from unit.algorithms.pretended import START, answering, drive, learning, problem

PROMPTS = ("Mention apples.", "Mention figs.", "Hm.")
OTHERS = (ResourcesHash("0" * 64), ResourcesHash("1" * 64))


def settings(**fields: object) -> SelectSettings:
    return SelectSettings(prompts=PROMPTS, share=0.3, certification=8, **fields)  # type: ignore[arg-type]


def disagreeing(given: Problem, names: tuple[ResourcesHash, ...] = OTHERS) -> EarlierScores:
    """Both were right everywhere but on the rows of `contested`, where only the first was."""
    return {
        row.content: {name: float(not contested(row.id) or name == names[0]) for name in names}
        for rows in given.examples.values()
        for row in rows
    }


def contested(row: str) -> bool:
    return int(row.split(":")[1], 16) % 4 == 0


def first_rows(select: Search[SelectState]) -> list[str]:
    """The rows of the first wave, in order."""
    met = [one.example.id for one in select.ask() if one.example is not None]
    return list(dict.fromkeys(met))


def test_rows_that_others_differed_on_are_met_first() -> None:
    given = problem(30, 30, 20)
    plain = Select.build(settings(), given)
    known = Select.build(settings(), replace(given, earlier=disagreeing(given)))

    assert sorted(known.own.rows) == sorted(plain.own.rows)
    count = sum(map(contested, known.own.rows))
    assert 5 < count < 25
    assert all(map(contested, known.own.rows[:count]))
    assert list(known.own.rows[:count]) == [row for row in plain.own.rows if contested(row)]
    assert first_rows(known) == list(known.own.rows[: len(first_rows(known))])
    assert first_rows(plain) == list(plain.own.rows[: len(first_rows(plain))])
    assert len(first_rows(plain)) == len(first_rows(known)) >= 3


@pytest.mark.parametrize("fields", [{"method": "race"}, {"order": "hashed"}])
def test_racing_and_whoever_wants_it_keep_the_order_by_chance(fields: dict[str, object]) -> None:
    given = problem(30, 30, 20)
    known = Select.build(settings(**fields), replace(given, earlier=disagreeing(given)))
    assert known.own.rows == Select.build(settings(**fields), given).own.rows


def test_scores_of_those_who_compete_do_not_choose_the_rows() -> None:
    given = problem(30, 30, 20)
    ours = [START, *PROMPTS][:2]
    names = tuple(Resources(values={"system_prompt": text}).hash for text in ours)
    known = Select.build(settings(), replace(given, earlier=disagreeing(given, names)))
    assert set(names) <= set(known.state.pool.members)
    assert known.own.rows == Select.build(settings(), given).own.rows


def test_a_resumed_selection_keeps_its_order_whatever_else_has_been_measured_since() -> None:
    given = problem(30, 30, 20)
    known = Select.build(settings(), replace(given, earlier=disagreeing(given)))
    answer = answering(learning(1))
    known.tell([answer(request) for request in known.ask()])
    state = orjson.loads(canonical(known.state_dict()))

    again = Select.build(settings(), given)
    assert again.own.rows != known.own.rows
    again.load_state_dict(state)
    assert again.own.rows == known.own.rows
    assert drive(again, answer) == drive(known, answer)
    assert again.best() == known.best()
    assert "contested rows first" in str(again.best().evidence["stopped"])
