"""Demonstrations: from rows that may be shown alone, as text, and only where they help."""

import pytest

from tau.algorithms.demonstrations import HEADING, demonstrable, demonstrating
from tau.algorithms.evidence import TriedExample, deal
from tau.algorithms.few_shot import FewShot, FewShotSettings
from tau.algorithms.pool import Candidate
from tau.algorithms.prompts import PromptTarget
from tau.algorithms.reflect import Reflect, ReflectSettings
from tau.domain.dataset import Split, examples
from tau.domain.decision import Decision
from tau.domain.draws import uniform
from tau.domain.ids import ExampleId
from tau.domain.json import Json
from tau.domain.placeholders import Template
from tau.domain.resources import Resources
from tau.domain.rollout import RolloutKind, RolloutRequest
from tau.errors import InputError
from tau.executors.template import fill
from tau.ports.algorithm import Algorithm
from unit.algorithms.pretended import START, answering, drive, learning, problem, proposals

TARGET = PromptTarget(name="system_prompt", placeholders=frozenset({"tone"}))


def text_of(request: RolloutRequest) -> str:
    return request.resources.text("system_prompt") or ""


def helped(request: RolloutRequest) -> float:
    """Each demonstration helps as much; instructions do nothing."""
    known = text_of(request).count("\n=> ")
    return float(uniform(7, "toss", *request.key) < 0.1 + 0.1 * min(known, 8))


SEARCHES: dict[str, Algorithm] = {
    "reflect": Reflect.build(
        ReflectSettings(evaluations=200, proposals=6, demonstrations=8), problem(30, 20, 20)
    ),
    "few_shot": FewShot.build(FewShotSettings(evaluations=200, shots=8), problem(30, 20, 20)),
}


@pytest.mark.parametrize("name", list(SEARCHES))
def test_they_win_where_they_help_and_come_from_optimize_rows_alone(name: str) -> None:
    algorithm = SEARCHES[name]
    waves = drive(algorithm, answering(helped))
    best = algorithm.best()

    assert best.decision is Decision.PROMOTE
    assert "optimize " in (best.resources.text("system_prompt") or "")
    everything = [one for wave in waves for one in wave]
    assert not any("validate " in text_of(one) or "test " in text_of(one) for one in everything)
    for one in everything:
        shown = one.example is not None and f"{one.example.prompt}\n=>" in text_of(one)
        assert not shown, "a row is never asked with its own answer in the prompt"


def harmed(request: RolloutRequest) -> float:
    """As `learning`, but demonstrations lead astray in a third of the cases."""
    astray = "\n=> " in text_of(request) and uniform(7, "astray", *request.key) < 0.33
    return 0.0 if astray else learning(3)(request) or 0.0


def test_they_take_no_proposal_and_are_not_kept_where_they_harm() -> None:
    def run(demonstrations: int) -> tuple[int, str]:
        settings = ReflectSettings(evaluations=300, proposals=9, demonstrations=demonstrations)
        algorithm = Reflect.build(settings, problem(60, 20, 20, seed=3))
        asked = proposals(drive(algorithm, answering(harmed)))
        return asked, algorithm.best().resources.text("system_prompt") or ""

    plain, with_them = run(0), run(8)
    assert plain[0] == with_them[0] == 9
    assert "=>" not in plain[1]
    assert "=>" not in with_them[1]


def test_what_stands_in_braces_in_a_row_is_no_placeholder() -> None:
    rows: list[Json] = [{"prompt": "Write {name}", "expected": "{name}"}, {"prompt": "no answer"}]
    base = Candidate(resources=Resources(values={"system_prompt": "In {tone}."}), origin="given")

    known = demonstrable(examples(Split.OPTIMIZE, rows), {})
    made = demonstrating(base, TARGET, known, max_chars=500, generation=1)

    assert made is not None
    assert (made.resources.text("system_prompt") or "").endswith("Write {{name}}\n=> {{name}}")
    assert made.seen_examples == {known[0].example.id}


@pytest.mark.parametrize("template", list(Template))
@pytest.mark.parametrize(
    "asked",
    [
        "use {{name}} 6",
        "{{{{name}}}}",
        "{{{name}}}",
        "{x} {{ y }}",
        '{"a": {x}}',
        r"\frac{a}{b}",
        "}{",
    ],
)
def test_a_demonstration_shows_the_row_itself(template: Template, asked: str) -> None:
    start = f"In {template.written('tone')}."
    target = PromptTarget(name="system_prompt", placeholders=frozenset({"tone"}), template=template)
    base = Candidate(resources=Resources(values={"system_prompt": start}), origin="given")
    known = demonstrable(examples(Split.OPTIMIZE, [{"prompt": asked, "expected": asked}]), {})

    made = demonstrating(base, target, known, max_chars=500, generation=1)

    assert made is not None
    sent = fill(made.resources.text("system_prompt") or "", {"tone": "T"}, template)
    assert sent == f"In T.\n\n{HEADING}\n\n{asked}\n=> {asked}"


def test_a_demonstration_has_the_columns_that_the_prompt_asks_for() -> None:
    rows: list[Json] = [{"subject": "s {x}", "body": "b", "id": 7, "expected": "high"}]
    start = "Sort {subject}: {body}"
    target = PromptTarget(name="system_prompt", placeholders=frozenset({"subject", "body"}))
    base = Candidate(resources=Resources(values={"system_prompt": start}), origin="given")

    known = demonstrable(examples(Split.OPTIMIZE, rows), {})
    made = demonstrating(base, target, known, max_chars=500, generation=1)

    assert made is not None
    text = made.resources.text("system_prompt") or ""
    assert text.endswith("subject: s {{x}}\nbody: b\n=> high")


def test_as_many_as_fit_are_taken() -> None:
    rows: list[Json] = [{"prompt": f"row {n}", "expected": "x" * 20} for n in range(9)]
    base = Candidate(resources=Resources(values={"system_prompt": "In {tone}."}), origin="given")
    known = demonstrable(examples(Split.OPTIMIZE, rows), {})

    made = demonstrating(base, TARGET, known, max_chars=200, generation=1)
    assert made is not None
    assert 0 < len(made.seen_examples) < 9
    assert demonstrating(base, TARGET, known, max_chars=60, generation=1) is None


def test_of_several_prompts_the_system_prompt_takes_them() -> None:
    values: dict[str, Json] = {"a_style": "Be brief.", "system_prompt": START}
    settings = ReflectSettings(evaluations=200, proposals=6, demonstrations=8)
    algorithm = Reflect.build(settings, problem(30, 20, 20, values=values))
    waves = drive(algorithm, answering(helped))

    assert any("\n=> " in text_of(one) for wave in waves for one in wave)
    assert not any("=>" in (one.resources.text("a_style") or "") for wave in waves for one in wave)


def test_chat_messages_are_refused_before_anything_is_spent() -> None:
    values: dict[str, Json] = {"chat": [{"role": "system", "content": START}]}
    with pytest.raises(InputError, match="no text to put demonstrations into") as refused:
        Reflect.build(ReflectSettings(evaluations=200, demonstrations=4), problem(values=values))
    assert refused.value.where == "algorithm.demonstrations"


def test_siblings_are_shown_other_failures_as_long_as_there_are_some() -> None:
    failures = [
        TriedExample(
            example=ExampleId(f"optimize:{n}:1"), score=0, output="", feedback=f"mode {n % 3}"
        )
        for n in range(10)
    ]
    hands = deal(failures, 1, "x", hands=3, count=4)
    assert [len(hand) for hand in hands] == [4, 4, 4]
    assert {one.example for hand in hands for one in hand} == {one.example for one in failures}
    assert deal([], 1, "x", hands=2) == [(), ()]


def test_proposals_are_evaluations_no_more_than_the_plan_says() -> None:
    algorithm = FewShot.build(FewShotSettings(evaluations=100), problem(30, 20, 20))
    waves = drive(algorithm, answering(learning(1)))
    kinds = [one.kind for wave in waves for one in wave]
    assert kinds.count(RolloutKind.PROPOSE) <= 4
    assert kinds.count(RolloutKind.EVALUATE) <= 100
