"""Prompts as texts: what may be changed, and what must stay as it is."""

import re

import pytest

from tau.algorithms.fences import answer_in, fence, whole
from tau.algorithms.lines import joined, restored, rivals, without_copied
from tau.algorithms.prompts import PromptParseError, edited, proposed, shown, targets_of
from tau.domain.json import Json
from tau.domain.placeholders import Template
from tau.domain.resources import Resources
from tau.domain.rollout import Output
from tau.errors import InputError

CHAT: list[Json] = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "{question}"},
]


def resources(**values: Json) -> Resources:
    return Resources(values=values)


def test_all_texts_and_message_lists_are_targets() -> None:
    given = resources(a="x", chat=CHAT, limit=3, odd=[1], map={"role": "user"})
    assert [one.name for one in targets_of(given, None)] == ["a", "chat"]


@pytest.mark.parametrize("name", ["limit", "nothing"])
def test_a_target_that_is_no_prompt_is_refused(name: str) -> None:
    with pytest.raises(InputError, match=name):
        targets_of(resources(a="x", limit=3), [name])


def test_without_any_prompt_there_is_nothing_to_optimize() -> None:
    with pytest.raises(InputError, match="no prompt"):
        targets_of(resources(limit=3), None)


def test_an_edit_changes_one_prompt_and_names_its_parent() -> None:
    given = resources(a="x {q}", b="y")
    (target, _) = targets_of(given, None)
    made = edited(given, target, " better {q} ", max_chars=100)
    assert made.values == {"a": "better {q}", "b": "y"}
    assert made.parent == given.hash


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("no placeholder", "missing: {q}"),
        ("{q} and {other}", "not in the prompt: {other}"),
        ("  ", "empty"),
        ("{q} " + "x" * 100, "100 are allowed"),
    ],
)
def test_an_edit_that_breaks_an_invariant_is_refused(text: str, why: str) -> None:
    given = resources(a="x {q}")
    (target,) = targets_of(given, None)
    with pytest.raises(PromptParseError, match=why.replace("{", r"\{")):
        edited(given, target, text, max_chars=100)


def test_escaped_braces_are_no_placeholders() -> None:
    given = resources(a="x {q} {{literal}}")
    (target,) = targets_of(given, None)
    assert edited(given, target, "{q} {{other}}", max_chars=100).text("a") == "{q} {{other}}"


def test_chat_messages_are_shown_and_read_back() -> None:
    given = resources(chat=CHAT)
    (target,) = targets_of(given, None)
    text = shown(given, target)
    assert edited(given, target, text, max_chars=500).values == given.values
    changed = text.replace("Be brief.", "Be kind.\nAnd brief.")
    made = edited(given, target, changed, max_chars=500)
    first = made.values["chat"]
    assert isinstance(first, list)
    assert first[0] == {"role": "system", "content": "Be kind.\nAnd brief."}


@pytest.mark.parametrize(
    "text",
    [
        '<message role="user">\n{question}\n</message>',
        '<message role="user">\nx\n</message>\n<message role="user">\n{question}\n</message>',
        'Here: <message role="system">\nx\n</message>\n'
        '<message role="user">\n{question}\n</message>',
    ],
)
def test_messages_keep_their_number_and_roles(text: str) -> None:
    given = resources(chat=CHAT)
    (target,) = targets_of(given, None)
    with pytest.raises(PromptParseError, match="every message"):
        edited(given, target, text, max_chars=500)


def test_the_answer_is_the_one_fenced_text() -> None:
    assert answer_in("Here it is:\n```text\n a\nb \n```\nDone.") == " a\nb "


@pytest.mark.parametrize(
    ("said", "text"),
    [
        ("~~~\na\n~~~", "a"),
        ("<prompt>\na\n</prompt>", "a"),
        ("```a```", "a"),
        ("```\nSay:\n```json\n{}\n```\nEnd.\n```", "Say:\n```json\n{}\n```\nEnd."),
        ("```\na\u2028b\x0cc\n```", "a\u2028b\x0cc"),
        ("```\r\na\r\n```", "a"),
    ],
)
def test_other_forms_with_one_reading_are_read(said: str, text: str) -> None:
    assert answer_in(said) == text


def test_a_prompt_keeps_the_blanks_around_it() -> None:
    given = resources(a="\nx\n\n")
    (target,) = targets_of(given, None)
    assert edited(given, target, "y", max_chars=100).text("a") == "\ny\n\n"


def test_an_answer_cut_at_the_token_limit_is_no_candidate() -> None:
    with pytest.raises(PromptParseError, match="token limit"):
        whole(Output(text="```\nDraft\n```", finish_reason="length"))
    whole(Output(text="```\nWhole\n```", finish_reason="stop"))


def test_a_longer_fence_may_hold_a_shorter_one() -> None:
    text = "Say:\n```\ncode\n```"
    marks = fence(text)
    assert marks == "````"
    assert answer_in(f"{marks}\n{text}\n{marks}") == text


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("no fence", "no text"),
        ("```\na\n```\n```\nb\n```", "2 texts"),
        ("```\nnever closed", "not closed"),
    ],
)
def test_any_other_answer_cannot_be_used(said: str, why: str) -> None:
    with pytest.raises(PromptParseError, match=why):
        answer_in(said)


def test_lines_that_a_rewrite_dropped_are_put_back_in_place() -> None:
    before = "You are a clerk.\nWrite dates as ISO.\nGive weights in kilograms."
    after = "You are a clerk.\nGive weights in kilograms.\nPrices are in cents."
    assert restored(before, after).splitlines() == [
        "You are a clerk.",
        "Write dates as ISO.",
        "Give weights in kilograms.",
        "Prices are in cents.",
    ]


def test_lines_with_a_successor_stay_replaced() -> None:
    before = "You are a clerk.\nWrite dates as DD.MM.\nBe kind."
    after = "You are a clerk.\nBe kind.\nEvery date is in ISO form."
    assert restored(before, after) == after


def test_a_line_that_only_moved_is_not_put_back() -> None:
    before = "# R\nX.\n- alpha: 1\n- bravo: 2\n- gamma: 3\n- delta: 4"
    after = "# R\nX.\n- delta: 4\n- gamma: 3\n- alpha: 1\n- bravo: 2\n- omega: 5"

    assert restored(before, after) == after


def test_a_little_that_was_left_out_stays_out() -> None:
    lines = [f"- word{chr(97 + n) * 3}: {n}" for n in range(8)]

    assert restored("\n".join(lines), "\n".join(lines[1:])) == "\n".join(lines[1:])
    assert restored("\n".join(lines), "\n".join(lines[4:])) == "\n".join(lines)


def test_joining_prefers_the_first_where_both_speak_of_one_thing() -> None:
    first = "You are a clerk.\nWrite dates as ISO."
    second = "You are a clerk.\nDates have dots.\nPrices are in cents."
    assert joined(first, second).splitlines() == [
        "You are a clerk.",
        "Write dates as ISO.",
        "Prices are in cents.",
    ]


def test_rivals_are_lines_about_one_thing() -> None:
    text = "Be kind.\nPrices are in cents.\nDates have dots.\nRound every price up."
    assert rivals(text) == (("Prices are in cents.", "Round every price up."),)


@pytest.mark.parametrize(
    ("template", "start", "text", "why"),
    [
        (Template.PYTHON, "Say {q}.", "{q} {{question}}", "'{{question}}' is no placeholder"),
        (Template.PYTHON, "Say {q}.", "{{ q }} {q}", "write '{q}'"),
        (Template.PYTHON, "Say {q}.", "{{q}}", "write '{q}'"),
        (Template.MUSTACHE, "Say {{q}}.", "{q}", "write '{{q}}'"),
        (Template.MUSTACHE, "Say {{q}}.", "{{q}} {question}", "leave it out"),
        (Template.MUSTACHE, "Say {{q}}.", "nothing", "missing: {{q}}"),
        (Template.MUSTACHE, "Say {{q}}.", "{{q}} {{other}}", "not in the prompt: {{other}}"),
    ],
)
def test_a_proposal_in_another_habit_is_told(
    template: Template, start: str, text: str, why: str
) -> None:
    given = resources(a=start)
    (target,) = targets_of(given, None, template, {"question", "q"})

    with pytest.raises(PromptParseError, match=re.escape(why)):
        proposed(given, target, text, max_chars=100)


@pytest.mark.parametrize(
    ("template", "start", "text"),
    [
        (Template.PYTHON, "Say {q}.", r"\frac{{a}}{{b}} of {q}"),
        (Template.PYTHON, "Say {q}, not {{question}}.", "{{question}} is kept as {q}"),
        (Template.PYTHON, "Say {q}.", '{"question": 1, "b": {c: 1}} {q}'),
        (Template.MUSTACHE, "Say {{q}}.", r"\frac{a}{b} of {{ q }}"),
        (Template.MUSTACHE, "Say {{q}}.", '{"a": {{q}}}'),
    ],
)
def test_a_proposal_in_the_prompts_habit_is_taken(
    template: Template, start: str, text: str
) -> None:
    given = resources(a=start)
    (target,) = targets_of(given, None, template, {"question", "q"})

    assert proposed(given, target, text, max_chars=100).values == {"a": text}


def test_answers_learnt_by_heart_are_left_out() -> None:
    before = "Say the code.\nA is 65 | P3 | 290 K."
    after = before + "\nCodes are in capitals.\nFor shelf 9 say 17 | P1 | 80 K."

    assert without_copied(before, after, {"17 | P1 | 80 K", "65 | P3 | 290 K"}) == (
        before + "\nCodes are in capitals."
    )
    assert without_copied("x", "17 | P1 | 80 K", {"17 | P1 | 80 K"}) == "17 | P1 | 80 K"
