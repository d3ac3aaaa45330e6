"""Placeholders are filled from data; everything else in a prompt stays as it is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tau.domain.json import Json
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
