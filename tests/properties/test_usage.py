"""Usage is read from anything, and never as less than what is said."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tau.models.usage import metered

COUNT = st.integers(1, 10**6)
FORM = st.sampled_from([int, str, float, lambda n: f" {n} ", lambda n: f"{n:,}"])
NAMES = st.sampled_from(
    [
        ("prompt_tokens", "completion_tokens", "total_tokens"),
        ("input_tokens", "output_tokens", "total_tokens"),
        ("inputTokens", "outputTokens", "totalTokens"),
        ("promptTokenCount", "candidatesTokenCount", "totalTokenCount"),
    ]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(
            ["usage", "prompt_tokens", "completion_tokens", "total_tokens", "choices", "error",
             "input_tokens", "cached_tokens", "prompt_tokens_details", "cost", "message", "tokens"]
        )
        | st.text(max_size=5),
        inner,
        max_size=5,
    ),
    max_leaves=20,
)  # fmt: skip


def places(usage: Any) -> list[Any]:  # noqa: ANN401
    choice = {"message": {"content": "a"}}
    return [
        {"choices": [choice], "usage": usage},
        {"choices": [{**choice, "usage": usage}]},
        {"choices": [choice], "usage": {"tokens": usage}},
        {"error": {"message": "x", "usage": usage}},
        [{"error": {"message": "x"}, "usage": usage}],
    ]


@given(JSON, st.booleans())
def test_nothing_breaks_the_reading(body: Any, produced: bool) -> None:  # noqa: ANN401
    found = metered(body, produced=produced)
    usage = found.usage

    assert 0 <= usage.cached_tokens <= usage.input_tokens
    assert 0 <= usage.reasoning_tokens <= usage.output_tokens
    assert not found.whole or usage.total_tokens > 0
    assert found.cost_usd is None or found.cost_usd >= 0


@given(COUNT, COUNT, st.integers(0, 10**6), FORM, NAMES)
def test_all_that_is_said_is_counted(
    given_: int,
    made: int,
    apart: int,
    form: Any,  # noqa: ANN401
    names: tuple[str, str, str],
) -> None:
    usage = {
        names[0]: form(given_),
        names[1]: form(made),
        names[2]: form(given_ + made + apart),
    }
    for body in places(usage):
        found = metered(body, produced=True)
        assert found.whole
        assert found.usage.input_tokens == given_
        assert found.usage.output_tokens == made + apart


@given(COUNT, NAMES, st.sampled_from([0, None, -1, "?", 1e300, {}, [1], True]))
def test_half_of_it_is_not_all_of_it(count: int, names: tuple[str, str, str], other: Any) -> None:  # noqa: ANN401
    for usage in ({names[0]: count, names[1]: other}, {names[0]: other, names[1]: count}):
        for body in places(usage):
            found = metered(body, produced=True)
            assert not found.whole
            assert found.usage.total_tokens == count
