"""Prompts are found in what an agent sends, however its client puts it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tau.domain.chat import Message, ModelRequest
from tau.domain.json import Json
from tau.domain.prompts_at_work import PromptTexts
from tau.domain.resources import Resources

PLAN = "Make a plan for {task}. Number its steps, and keep to {{limit}} of them."
WRITE = "Write the answer in one paragraph."
BOTH = f"You are careful.\n{WRITE}"
TEXTS: dict[str, Json] = {"planner": PLAN, "writer": WRITE, "both": BOTH, "tiny": "Be kind."}


def governing(*contents: str, tools: Json = None, texts: dict[str, Json] = TEXTS) -> list[str]:
    params: dict[str, Json] = {} if tools is None else {"tools": tools}
    messages = [Message(role="user", content=content) for content in contents]
    resources = Resources(values=texts)
    return list(PromptTexts(resources).governing(ModelRequest(messages=messages, params=params)))


@pytest.mark.parametrize(
    ("contents", "names"),
    [
        (["Make a plan for tea. Number its steps, and keep to 3 of them."], ["planner"]),
        (["  Make a plan\n for tea. Number its   steps, and keep to 3 of them.\n"], ["planner"]),
        (["Make a plan for tea."], []),
        (["and keep to 3 of them. Make a plan for Number its steps"], []),
        ([WRITE, "What?"], ["writer"]),
        ([BOTH], ["both"]),
        ([BOTH, WRITE], ["writer", "both"]),
        ([PLAN, BOTH], ["planner", "both"]),
        (["Be kind."], ["tiny"]),
        (["Always: Be kind. And more"], []),
        ([], []),
    ],
)
def test_by_the_literal_parts_in_their_order(contents: list[str], names: list[str]) -> None:
    assert governing(*contents) == names


def test_messages_and_descriptions_of_tools_are_texts_too() -> None:
    texts: dict[str, Json] = {
        "chat": [{"role": "system", "content": "You route requests."}],
        "tools": {"search": "Searches the whole archive"},
    }
    tool: Json = {"function": {"name": "s", "description": "Searches the whole archive"}}
    assert governing("You route requests.", texts=texts) == ["chat"]
    assert governing("Hi", tools=[tool], texts=texts) == ["tools"]


@given(
    st.lists(st.text("abc{} \n", min_size=1), min_size=1, max_size=4),
    st.text("xyz {}", max_size=20),
)
def test_a_prompt_sent_as_it_is_is_always_found(texts: list[str], around: str) -> None:
    named: dict[str, Json] = {str(i): f"{text} the words of {i}" for i, text in enumerate(texts)}
    for name, text in named.items():
        found = governing(f"{around}\n{text}\n{around}", texts=named)
        assert name in found or any(str(text).strip() in str(named[one]) for one in found)
