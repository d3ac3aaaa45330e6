"""What a reflection model is told, and what becomes of its answers."""

from dataclasses import dataclass, replace
from typing import Any

import pytest

from tau.algorithms.apo import Apo, ApoSettings
from tau.algorithms.evidence import TriedExample, choose, modes
from tau.algorithms.gepa import Gepa, GepaSettings
from tau.algorithms.pool import Candidate, CandidatePool
from tau.algorithms.prompts import targets_of
from tau.algorithms.reflect import Reflect, ReflectSettings
from tau.algorithms.select import Select, SelectSettings
from tau.algorithms.templates import EMPHASES
from tau.algorithms.versions import described_versions, tried_versions
from tau.domain.claim import Aim, ClaimTerms, CostMeasure
from tau.domain.dataset import Split, examples
from tau.domain.ids import ExampleId
from tau.domain.json import Json
from tau.domain.resources import Resources
from tau.domain.rollout import Output, RolloutKind, RolloutRequest, RolloutResult
from tau.errors import InputError
from tau.ports.algorithm import Recommendation
from unit.algorithms.pretended import Answer, answering, drive, learning, problem, settled


def told(request: RolloutRequest) -> str:
    proposal = request.proposal
    assert isinstance(proposal, dict)
    messages = proposal["messages"]
    assert isinstance(messages, list)
    return "\n".join(str(message["content"]) for message in messages if isinstance(message, dict))


def saying(text: str) -> Answer:
    """Every proposal is answered by `text`."""
    plain = answering(learning(1))

    def answer(request: RolloutRequest) -> RolloutResult:
        proposed = request.kind is RolloutKind.PROPOSE
        return settled(request, text) if proposed else plain(request)

    return answer


SETTINGS = ReflectSettings(evaluations=200, proposals=6)


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    best: Recommendation
    asked: list[str]


def run(
    answer: Answer,
    values: dict[str, Json] | None = None,
    settings: ReflectSettings = SETTINGS,
) -> Search:
    algorithm = Reflect.build(settings, problem(30, 10, 10, values=values))
    waves = drive(algorithm, answer)
    texts = [told(one) for wave in waves for one in wave if one.kind is RolloutKind.PROPOSE]
    return Search(best=algorithm.best(), asked=texts)


def test_a_proposer_sees_the_prompt_and_failures_from_the_optimize_rows_alone() -> None:
    texts = run(answering(learning(1))).asked
    assert texts
    for text in texts:
        assert "You answer questions.\nBe brief." in text
        assert "optimize " in text
        assert "You must mention" in text
        assert "validate " not in text
        assert "test " not in text.replace("contest ", "")


def test_an_unusable_answer_is_asked_for_once_more_and_then_fails() -> None:
    algorithm = run(saying("I would rather not."))
    texts = algorithm.asked
    assert len(texts) == 6, "the proposals that were allowed, repairs among them"
    repairs = [text for text in texts if "I cannot use that answer" in text]
    assert len(repairs) == 3
    assert all("I would rather not." in text for text in repairs)
    assert algorithm.best.evidence["failed_proposals"] == 3
    assert algorithm.best.decision == "inconclusive"
    certificate = algorithm.best.evidence["certificate"]
    assert isinstance(certificate, dict)
    assert "no proposal was usable" in str(certificate["reason"])
    assert "no text between fences" in str(certificate["reason"]), "and why"


def test_a_lost_placeholder_is_said_to_the_model() -> None:
    values: dict[str, Json] = {"system_prompt": "Answer.\n{prompt}"}
    texts = run(saying("```\nAnswer well.\n```"), values).asked
    assert any("placeholders are missing: {prompt}" in text for text in texts)


def test_braces_in_examples_are_not_taken_for_parts_of_the_template() -> None:
    def answer(request: RolloutRequest) -> RolloutResult:
        if request.kind is RolloutKind.PROPOSE:
            return saying("```\nx\n```")(request)
        return settled(request, "{prompt} {rules} ``` {evidence}", 0.0)

    texts = run(answer).asked
    assert all("{prompt} {rules} ``` {evidence}" in text for text in texts)
    assert all("````" in text for text in texts), "the fence is longer than any in the material"


def test_several_prompts_take_turns() -> None:
    values: dict[str, Json] = {"system_prompt": "One.", "style": "Two."}
    texts = run(answering(learning(1)), values, replace(SETTINGS, width=4)).asked
    assert any("prompt 'system_prompt'" in text for text in texts)
    assert any("prompt 'style'" in text for text in texts)
    # Of the first generation alone: the pretended model gives each of them the text of the first.
    assert all("One." in text and "Two." in text for text in texts[:4])


def test_templates_can_be_replaced() -> None:
    settings = replace(SETTINGS, templates={"reflect": "MINE {prompt} {evidence}"})
    texts = run(answering(learning(1)), settings=settings).asked
    assert texts
    assert all(text.startswith("MINE") for text in texts)


def test_a_template_without_the_prompt_is_refused() -> None:
    settings = replace(SETTINGS, templates={"reflect": "Write something better."})
    with pytest.raises(InputError, match=r"no \{prompt\}"):
        Reflect.build(settings, problem(30, 10, 10))


def failure(number: int, feedback: str) -> TriedExample:
    return TriedExample(
        example=ExampleId(f"optimize:{number}:1"), score=0.0, output="x", feedback=feedback
    )


def test_failures_are_grouped_by_what_is_wrong() -> None:
    dates = [failure(n, f"Order R4-{n:06d}: wrong. Dates must be in ISO form.") for n in range(5)]
    units = [failure(9, "Order R4-000009: wrong. Weights belong in kilograms, without decimals.")]
    assert [len(mode) for mode in modes([*units, *dates])] == [5, 1]


def test_evidence_covers_every_mode_before_it_repeats_one() -> None:
    dates = [failure(n, "Dates must be in ISO form.") for n in range(20)]
    units = [failure(30 + n, "Weights belong in kilograms.") for n in range(2)]
    chosen = choose([*dates, *units], 1, "x", count=4)
    assert len(chosen) == 4
    assert {one.feedback for one in chosen[:2]} == {dates[0].feedback, units[0].feedback}
    assert sum(one.feedback == units[0].feedback for one in chosen) == 2


def test_what_is_right_is_counted_and_not_what_is_left_of_the_failures_that_are_kept() -> None:
    plain = answering(learning(1))

    def wrong(request: RolloutRequest) -> RolloutResult:
        if request.kind is RolloutKind.PROPOSE:
            return plain(request)
        return settled(request, "said", 0.0)

    settings = ReflectSettings(evaluations=400, proposals=3, block=40)
    algorithm = Reflect.build(settings, problem(80, 10, 10))
    texts = [
        told(one)
        for wave in drive(algorithm, wrong)
        for one in wave
        if one.kind is RolloutKind.PROPOSE
    ]
    assert all("does well on 0 of the " in text for text in texts)
    assert any("0 of the 80 examples" in text for text in texts), "more than are kept"


def test_a_longer_fence_is_asked_for() -> None:
    assert all("make the outer ones longer" in text for text in run(answering(learning(1))).asked)


def test_a_whole_prompt_without_fences_is_taken_with_a_note() -> None:
    best = run(saying("You answer questions.\nBe brief.\nMention tea.")).best
    assert best.evidence["candidates"] == 1
    noted = best.evidence["noted_answers"]
    assert isinstance(noted, dict)
    assert any("between no fences" in note for note in noted)


def test_a_critique_that_was_cut_leads_to_nothing() -> None:
    plain = answering(learning(1))

    def answer(request: RolloutRequest) -> RolloutResult:
        done = plain(request)
        if request.kind is not RolloutKind.PROPOSE:
            return done
        return replace(done, output=Output(text="It fails to", finish_reason="length"))

    algorithm = Apo.build(ApoSettings(evaluations=300, proposals=6), problem(30, 10, 10))
    asked = [one for wave in drive(algorithm, answer) for one in wave]
    assert all("It fails to" not in told(one) for one in asked if one.proposal)
    evidence = algorithm.best().evidence
    assert evidence["candidates"] == 0
    reasons = evidence["unusable_answers"]
    assert isinstance(reasons, dict)
    assert all("the critique: it was cut" in why for why in reasons)


def test_given_prompts_are_tried_as_they_are_written() -> None:
    given = "\nAnswer well.\n\n"
    algorithm = Select.build(SelectSettings(prompts=(given,)), problem(30, 10, 10))
    tried = {
        one.resources.text("system_prompt")
        for wave in drive(algorithm, answering(learning(1)))
        for one in wave
    }
    assert given in tried


OBJECTIVES = {
    CostMeasure.PROMPT_LENGTH: ("the prompt is to be shorter",),
    CostMeasure.OUTPUT_TOKENS: ("answers are to be shorter",),
    CostMeasure.LATENCY: ("answers are to come sooner",),
    CostMeasure.USD: ("is to cost less", "fewer words", "shortest form"),
}


@pytest.mark.parametrize(
    ("measure", "plugin", "settings"),
    [
        *((measure, Reflect, SETTINGS) for measure in CostMeasure),
        (CostMeasure.USD, Apo, ApoSettings(evaluations=200, proposals=12)),
        (CostMeasure.USD, Gepa, GepaSettings(evaluations=200, proposals=6)),
    ],
)
def test_new_prompts_are_asked_to_cost_less_where_that_is_the_objective(
    measure: CostMeasure,
    plugin: Any,  # noqa: ANN401
    settings: Any,  # noqa: ANN401
) -> None:
    def asked(terms: ClaimTerms) -> list[str]:
        algorithm = plugin.build(settings, replace(problem(30, 10, 10), claim=terms))
        waves = drive(algorithm, answering(learning(1)))
        texts = [told(one) for wave in waves for one in wave if one.kind is RolloutKind.PROPOSE]
        return [text for text in texts if "Put the whole" in text]

    cheaper = asked(ClaimTerms(aim=Aim.CHEAPER, margin=0.1, minimize=measure))
    assert cheaper
    for text in cheaper:
        assert all(one in text for one in OBJECTIVES[measure])
        assert "What is right now must stay right" in text
    plain = asked(ClaimTerms())
    assert plain
    assert not any("Above all" in text for text in plain)


def test_what_the_application_is_for_and_what_is_rewarded_is_told() -> None:
    given = replace(
        problem(30, 10, 10), purpose="Sorts tickets.", metric=("exact: 1 if it is the answer.",)
    )
    waves = drive(Reflect.build(SETTINGS, given), answering(learning(1)))
    texts = [told(one) for wave in waves for one in wave if one.kind is RolloutKind.PROPOSE]

    assert texts
    for text in texts:
        assert "This is what it is for: Sorts tickets." in text
        assert "An answer is scored from 0 to 1 by:\n- exact: 1 if it is the answer." in text


def test_every_fact_is_asked_for_and_single_answers_are_not() -> None:
    text = run(answering(learning(1))).asked[0]

    assert "Put in every fact and rule that the examples reveal" in text
    assert "Do not list single inputs with their answers." in text


def test_siblings_are_to_look_at_different_things() -> None:
    algorithm = Reflect.build(replace(SETTINGS, width=3), problem(30, 10, 10))
    waves = drive(algorithm, answering(learning(1)))
    first = next(wave for wave in waves if wave[0].kind is RolloutKind.PROPOSE)

    assert [
        [emphasis for emphasis in EMPHASES if emphasis and emphasis in told(one)] for one in first
    ] == [[], [EMPHASES[1]], [EMPHASES[2]]]


def test_what_goes_right_is_shown_beside_what_goes_wrong() -> None:
    texts = run(answering(learning(1))).asked

    assert any("These it does well, and they must stay so:" in text for text in texts)


def test_versions_that_did_better_are_told_and_worse_ones_where_nothing_else_is_said() -> None:
    pool = CandidatePool.of(Resources(values={"a": "One.\nTwo."}))
    better, worse = Resources(values={"a": "One.\nThree."}), Resources(values={"a": "One."})
    for resources in (better, worse):
        pool = pool.adding(Candidate(resources=resources, origin="reflect"))
    rows = examples(Split.OPTIMIZE, [{"prompt": f"q{n}"} for n in range(6)])
    for resources, score in ((pool[pool.baseline].resources, 0.5), (better, 1.0), (worse, 0.0)):
        asked = [
            RolloutRequest(kind=RolloutKind.EVALUATE, resources=resources, example=row)
            for row in rows
        ]
        pool = pool.recording([settled(one, "x", score) for one in asked])
    (target,) = targets_of(Resources(values={"a": "One."}), None)

    found = tried_versions(pool, pool.baseline, target, worse=False)
    assert [(one.added, one.removed, one.rows) for one in found] == [(("Three.",), ("Two.",), 6)]
    both = described_versions(tried_versions(pool, pool.baseline, target, worse=True))
    assert "### Version 1: mean score 1.00, and 0.50 of the prompt as it stands" in both
    assert "### Version 2: mean score 0.00, and 0.50 of the prompt as it stands" in both
    assert "It does not say:\nTwo." in both
