"""Answers without fences: the whole prompt is taken, anything else is refused."""

import pytest

from tau.algorithms.bare import refuse_chatter
from tau.algorithms.prompts import PromptParseError, proposed, targets_of
from tau.domain.placeholders import Template, filled
from tau.domain.resources import Resources

LONG = (
    "You are a support agent of a bank. Classify the ticket as billing, access or other.\n"
    "Answer with one word."
)


def refuse(text: str, before: str = LONG) -> None:
    (target,) = targets_of(Resources(values={"a": before}), None)
    refuse_chatter(text, before, target)


@pytest.mark.parametrize(
    "text",
    [
        LONG + "\nA card that is locked is access.",
        LONG.replace("one word", "one word in lower case"),
        "# Task\n" + LONG + "\n\n## Rules\n- Refunds are billing.\n- Passwords are access.",
        "Classify the ticket as billing, access or other. You are an agent of a bank's support.\n"
        "Answer with one lower-case word, e.g. `billing`.",
    ],
)
def test_a_whole_prompt_without_chatter_is_taken(text: str) -> None:
    refuse(text)


@pytest.mark.parametrize(
    "text",
    [
        "I would rather not.",
        "billing",
        "Here is the improved prompt:\n\n" + LONG,
        "Sure! " + LONG,
        "**Improved prompt**\n" + LONG,
        "The prompt fails to say what a locked card is.\n" + LONG,
        LONG + "\n\nThis revision adds the rule for cards.",
        LONG + "\n\nLet me know if you want it shorter!",
        LONG + "\n\nI've added a rule for locked cards.",
        "Add a line: a locked card is access.",
        "Answer with one word.",
        "I'm sorry, but I can't help with that. " + LONG,
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(PromptParseError, match="no text"):
        refuse(text)


def test_placeholders_must_be_kept() -> None:
    before = "Answer the question {question} in one word."
    refuse("Answer the question {question} in one lower-case word.", before)
    with pytest.raises(PromptParseError, match="placeholders"):
        refuse("Answer the question in one lower-case word.", before)


@pytest.mark.parametrize("template", list(Template))
def test_braces_are_text_where_the_prompt_has_no_placeholders(template: Template) -> None:
    given = Resources(values={"a": "Answer."})
    (target,) = targets_of(given, None, template, {"prompt"})
    text = 'Answer with {label}, {{label}}, or {"label": 1}.'
    made = proposed(given, target, text, max_chars=200)

    def never(name: str) -> str:
        raise AssertionError(name)

    sent = filled(str(made.text("a")), never, template)
    assert "{label}" in sent


def test_a_column_is_no_text_even_there() -> None:
    given = Resources(values={"a": "Answer."})
    (target,) = targets_of(given, None, Template.PYTHON, {"prompt"})
    with pytest.raises(PromptParseError, match=r"meant as text, write \{\{prompt\}\}"):
        proposed(given, target, "Answer {prompt}.", max_chars=200)


def test_where_there_are_placeholders_a_new_one_is_refused_with_the_way_to_write_text() -> None:
    given = Resources(values={"a": "Answer {q}."})
    (target,) = targets_of(given, None)
    with pytest.raises(PromptParseError, match=r"write \{\{label\}\}"):
        proposed(given, target, "Answer {q} as {label}.", max_chars=200)
