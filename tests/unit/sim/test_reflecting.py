"""How instructions are rewritten from what a request shows."""

from statistics import fmean

import pytest

from tau.domain.chat import Message
from tau.domain.dataset import Split
from tau.sim.constants import WORLD_CONSTANTS
from tau.sim.evidence import EvidenceClarity, gather
from tau.sim.grading import FeedbackLevel, judge
from tau.sim.oracle import expected_score
from tau.sim.reading import read
from tau.sim.simulator import SimulatedReply, Simulator
from tau.sim.world import START_PROMPT, Case, World

HOME = World(6)

GEPA = """I provided an assistant with the following instructions to perform a task for me:
```
{instruction}
```

The following are examples of different task inputs provided to the assistant along with the \
assistant's response for each of them, and some feedback on how the assistant's response could be \
better:
```
{evidence}
```

Your task is to write a new instruction for the assistant.

Provide the new instructions within ``` blocks."""


def failures(level: FeedbackLevel, count: int, start: int = 0) -> list[tuple[Case, str, str]]:
    """Cases with a wrong output and the feedback on it."""
    made: list[tuple[Case, str, str]] = []
    for case in HOME.cases(Split.OPTIMIZE, 300)[start:]:
        if case.fields and len(made) < count:
            output = case.line([field.shown for field in case.fields])
            made.append((case, output, judge(case, output, level).feedback))
    return made


def request(instruction: str, level: FeedbackLevel, count: int = 3, start: int = 0) -> str:
    evidence = "\n\n".join(
        f"# Example {n}\n## Inputs\n{case.text}\n\n## Generated Outputs\n{output}\n\n"
        f"## Feedback\n{feedback}"
        for n, (case, output, feedback) in enumerate(failures(level, count, start), 1)
    )
    return GEPA.format(instruction=instruction, evidence=evidence)


def ask(text: str, seed: int = 0) -> SimulatedReply:
    simulator = Simulator(seed=seed)
    messages = [Message(role="user", content=text)]
    return simulator.answer(messages, simulator.number(messages))


def written(text: str, seed: int = 0) -> str:
    """The instruction in the answer's fence."""
    reply = ask(text, seed)
    assert reply.kind == "reflection"
    assert reply.text.startswith("```\n")
    assert reply.text.endswith("\n```")
    return reply.text[4:-4]


def learnt(level: FeedbackLevel, runs: int = 60) -> float:
    """Mean number of the world's rules stated after one reflection on three failures."""
    counts = []
    for n in range(runs):
        stated = read(written(request(START_PROMPT, level, start=3 * n), seed=n)).stated
        counts.append(len(stated & set(HOME.rules)))
    return fmean(counts)


def test_what_the_feedback_says_decides_how_much_is_learnt() -> None:
    rule, expected, score = learnt("rule"), learnt("expected"), learnt("score")

    assert rule > 1.2
    assert rule > expected + 0.2 > score + 0.4
    assert 0 < score < 0.3


def test_a_request_is_taken_apart() -> None:
    evidence = gather(request("Be brief.\n\nWork fast.", "expected"))

    assert evidence.instructions == ("Be brief.\n\nWork fast.",)
    assert evidence.cases == tuple(case for case, _, _ in failures("expected", 3))
    assert {lesson.source for lesson in evidence.lessons} == {EvidenceClarity.EXPECTED}
    assert {(x.slot, x.variant) for x in evidence.lessons} == {
        HOME.rules[field.rule] for case in evidence.cases for field in case.fields
    }


def test_rules_are_mostly_kept_and_sometimes_lost() -> None:
    full, rules = HOME.full_prompt(), set(HOME.rules)
    kept = [read(written(request(full, "rule"), seed)).stated & rules for seed in range(60)]
    share = fmean(len(each) / len(rules) for each in kept)

    assert share == pytest.approx(1 - WORLD_CONSTANTS.drop - WORLD_CONSTANTS.garble, abs=0.05)
    assert len({frozenset(each) for each in kept}) > 10


def test_reflection_climbs_but_one_step_is_not_enough() -> None:
    scores = []
    for seed in range(20):
        prompt = written(request(START_PROMPT, "rule", 8), seed)
        scores.append(expected_score(HOME, prompt))

    assert 0.1 < fmean(scores) < 0.6
    assert max(scores) < 0.8


def test_the_same_request_again_is_another_proposal() -> None:
    simulator = Simulator(seed=1)
    messages = [Message(role="user", content=request(START_PROMPT, "rule", 8))]
    texts = [simulator.answer(messages, simulator.number(messages)).text for _ in range(8)]

    assert len(set(texts)) > 4


def test_named_sections_and_tags_are_used_where_they_are_asked_for() -> None:
    sections = (
        "Your input fields are:\n1. `current_instruction` (str)\n2. `examples` (str)\n"
        "Your output fields are:\n1. `new_instruction` (str)\nAll interactions will be structured "
        "so.\n\n[[ ## current_instruction ## ]]\n{current_instruction}\n\n[[ ## completed ## ]]"
    )
    shown = f"[[ ## current_instruction ## ]]\n{HOME.full_prompt()}\n\n[[ ## examples ## ]]\nnone"
    simulator = Simulator()
    messages = [Message(role="system", content=sections), Message(role="user", content=shown)]
    text = simulator.answer(messages, simulator.number(messages)).text

    assert text.startswith("[[ ## new_instruction ## ]]\nYou are an order clerk")
    assert len(read(text).stated & set(HOME.rules)) >= 6

    tagged = ask("Write a better prompt than this:\n```\nBook it.\n```\nWrap it in <START> <END>.")
    assert tagged.text.startswith("<START>\nBook it.")
    assert tagged.text.endswith("<END>")


def test_two_parents_are_merged() -> None:
    hints = [HOME.hint(rule) for rule in range(10)]
    one, two = "\n".join(hints[:5]), "\n".join(hints[5:])
    text = (
        f"Combine the two prompts into one better prompt.\nPrompt 1:\n```\n{one}\n```\n"
        f"Prompt 2:\n```\n{two}\n```"
    )
    stated = [read(written(text, seed)).stated & set(HOME.rules) for seed in range(20)]

    assert fmean(len(each) for each in stated) > 7


def test_a_critique_names_rules_that_an_edit_can_use() -> None:
    asked = (
        f'My current prompt is:\n"{START_PROMPT}"\nBut it gets these examples wrong:\n'
        + "\n".join(f"{c.text}\nLabel: {c.answer}\nWrong: {o}" for c, o, _ in failures("score", 8))
        + "\nGive 4 reasons why the prompt could have gotten these examples wrong."
    )
    critiques = [ask(asked, seed) for seed in range(20)]
    named = [read(reply.text).stated & set(HOME.rules) for reply in critiques]
    best = max(range(20), key=lambda n: len(named[n]))
    edit = (
        f"The prompt is:\n```\n{START_PROMPT}\n```\nFeedback: {critiques[best].text}\n"
        "Write improved prompts."
    )

    assert {reply.kind for reply in critiques} == {"critique"}
    assert fmean(len(each) for each in named) > 1
    assert fmean(len(read(written(edit, n)).stated & named[best]) for n in range(20)) > 1


def test_a_request_without_anything_to_go_by_still_gets_an_instruction() -> None:
    assert "You are an order clerk." in written("Write a new instruction.")


def test_chat_messages_keep_their_shape() -> None:
    system = f'<message role="system">\n{START_PROMPT}\n</message>'
    user = '<message role="user">\n{prompt}\n</message>'
    text = written(request(f"{system}\n{user}", "rule"))
    assert text.startswith('<message role="system">\nYou are an order clerk.')
    assert text.endswith(f"</message>\n{user}")
    assert len(text) > len(system) + len(user), "and something was learnt"
