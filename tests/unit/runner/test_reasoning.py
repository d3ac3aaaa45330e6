"""Reasoning in the text of an answer is told apart from the answer."""

import pytest

from tau.domain.reasoning import without_reasoning


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("<think>maybe 7</think>\n42", "42"),
        ("maybe 7\n</think>\n\n42", "42"),
        ("<thinking>7</thinking>42", "42"),
        ("<reasoning>7</reasoning>\n<answer>42</answer>", "<answer>42</answer>"),
        ("[THINK]7[/THINK]42", "42"),
        (
            "<|begin_of_thought|>7<|end_of_thought|>\n<|begin_of_solution|>42<|end_of_solution|>",
            "42",
        ),
        (
            "<|channel|>analysis<|message|>7<|end|><|start|>assistant<|channel|>final<|message|>42",
            "42",
        ),
        ("<think>a</think><think>b</think>\n42", "42"),
        ("<think>a <think> b </think> c </think>42", "42"),
        ("<think>7, and then", ""),
        ("Well.\n<think>7, and then", ""),
        ("<think>\n```\nDraft\n```\n</think>\n```\nWhole\n```", "```\nWhole\n```"),
        (
            "```\nReason in <think></think> first.\n```",
            "```\nReason in <think></think> first.\n```",
        ),
        ("Use the `<think>` tag.", "Use the `<think>` tag."),
        ('{"a": "<think>x</think>"}', '{"a": "<think>x</think>"}'),
        ("I think 42", "I think 42"),
    ],
)
def test_the_answer_is_what_is_left(text: str, answer: str) -> None:
    found, reasoning = without_reasoning(text)
    assert found == answer
    assert bool(reasoning) is (answer != text)
