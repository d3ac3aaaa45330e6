"""Placeholders are filled from data; everything else in a prompt stays as it is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tau.domain.json import Json
from tau.domain.placeholders import Template, escaped, foreign, placeholders
from tau.errors import ExampleInvalid, InputError
from tau.executors import template


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("Say {word}.", "Say hi."),
        ("{word}{word}", "hihi"),
        ("{{word}}", "{word}"),
        ('Answer {"a": {"b": 1}} about {word}', 'Answer {"a": {"b": 1}} about hi'),
        ('{"a": {{word}}}', '{"a": {hi}}'),
        ("{}", "{}"),
        ("{ word }", "{ word }"),
        ("{1} {a-b} {a.b} {word!r}", "{1} {a-b} {a.b} {word!r}"),
        ("n = {number}, {list}, {nothing}|", 'n = 3, ["a",{"b":true}], |'),
        ("{sly}", "{word} {{x}}"),
        ("{ünï}", "{ünï}"),
    ],
)
def test_fill(text: str, filled: str) -> None:
    fields: dict[str, Json] = {
        "word": "hi",
        "number": 3,
        "list": ["a", {"b": True}],
        "nothing": None,
        "sly": "{word} {{x}}",
    }

    assert template.fill(text, fields) == filled


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("{word}", "hi"),
        ("{{word}}", "{word}"),
        ("{{{word}}}", "{{hi}}"),
        ("{{{{word}}}}", "{{word}}"),
        ("{{{{{{word}}}}}}", "{{{word}}}"),
        ("{{word}}}", "{hi}}"),
        ("{{word}}}}", "{word}}"),
        ("{{ word }}", "{{ word }}"),
        (r"\frac{{a}}{{b}} of {word}", r"\frac{a}{b} of hi"),
    ],
)
def test_braces_around_names_in_the_habit_of_python(text: str, filled: str) -> None:
    assert template.fill(text, {"word": "hi"}) == filled


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("{{word}}", "hi"),
        ("{{ word }}{{\tword}}", "hihi"),
        ("{{{word}}}", "hi"),
        ("{{{{word}}}}", "{{word}}"),
        ("{{{{ word }}}}", "{{ word }}"),
        ("{{{{{{word}}}}}}", "{{{word}}}"),
        ("{word}", "{word}"),
        ('{"a": {{word}}}', '{"a": hi}'),
        (r"\frac{a}{word} \text{word}", r"\frac{a}{word} \text{word}"),
        ("{{#word}} {{word.x}} {{word | upper}}", "{{#word}} {{word.x}} {{word | upper}}"),
    ],
)
def test_braces_around_names_in_the_habit_of_mustache(text: str, filled: str) -> None:
    assert template.fill(text, {"word": "hi"}, Template.MUSTACHE) == filled


BRACED = st.lists(
    st.sampled_from(["{", "}", "{{", "}}", "{{{", "name", "a", " ", "\t", "{name}", "{{ x }}", "é"])
).map("".join)


@pytest.mark.parametrize("habit", list(Template))
@given(text=st.one_of(BRACED, st.text()))
def test_an_escaped_text_comes_out_as_it_is(habit: Template, text: str) -> None:
    written = escaped(text, habit)

    assert placeholders(written, habit) == ()
    assert template.fill(written, {}, habit) == text


@pytest.mark.parametrize("habit", list(Template))
@given(value=st.one_of(BRACED, st.text()))
def test_braces_of_a_row_are_never_altered(habit: Template, value: str) -> None:
    text = f"Say {habit.written('word')}, please"

    assert template.fill(text, {"word": value}, habit) == f"Say {value}, please"


@pytest.mark.parametrize("habit", list(Template))
def test_a_long_run_of_braces_takes_no_time(habit: Template) -> None:
    text = "{" * 200_000 + "name " + "{" * 200_000

    assert template.fill(text, {}, habit) == text


@pytest.mark.parametrize(
    ("habit", "text", "found"),
    [
        (Template.PYTHON, "{{ question }}", "{{ question }}"),
        (Template.PYTHON, "{{question}}", "{{question}}"),
        (Template.PYTHON, "{{ vars.question | upper }}", "{{ vars.question | upper }}"),
        (Template.PYTHON, "{{#question}}", "{{#question}}"),
        (Template.PYTHON, "{question!r}", "{question!r}"),
        (Template.PYTHON, "{question:>10}", "{question:>10}"),
        (Template.MUSTACHE, "{question}", "{question}"),
        (Template.MUSTACHE, "{{ question | upper }}", "{{ question | upper }}"),
        (Template.PYTHON, "{question} {{other}} {{{{question}}}}", None),
        (Template.PYTHON, '{"question": 1} {{"question": 2}} { question }', None),
        (Template.MUSTACHE, "{{question}} {{{question}}} {{{{question}}}} {other}", None),
    ],
)
def test_what_another_habit_asks_for(habit: Template, text: str, found: str | None) -> None:
    expected = {} if found is None else {"question": found}

    assert foreign(text, {"question"}, habit) == expected


@given(st.text())
def test_texts_without_names_stay_as_they_are(text: str) -> None:
    if "{" not in text:
        assert template.fill(text, {}) == text


def test_a_missing_field_is_the_examples_fault() -> None:
    with pytest.raises(ExampleInvalid, match="'colour'"):
        template.fill("{colour}", {"color": "red"})


def test_check_suggests_the_name_that_was_meant() -> None:
    with pytest.raises(InputError) as refused:
        template.check("Think about {questoin}.", ["question", "prompt"], where="resources.x")

    assert refused.value.where == "resources.x"
    assert refused.value.fix is not None
    assert "did you mean '{question}'?" in refused.value.fix
    assert "{{questoin}}" in refused.value.fix
