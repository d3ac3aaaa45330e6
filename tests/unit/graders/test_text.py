from typing import Any

import pytest

from tau.domain.json import Json
from tau.domain.reward import Reward
from tau.domain.rollout import Output
from tau.errors import GraderFailed, InputError
from tau.graders.deterministic import Deterministic
from tau.graders.excerpt import excerpt
from tau.graders.text import (
    Contains,
    ContainsSettings,
    Exact,
    ExactMatch,
    ExactMatchSettings,
    ExactSettings,
    Length,
    LengthSettings,
    TokenF1,
    TokenF1Settings,
)
from tau.ports.grader import GraderContext
from tau.testing.grader import graded_example


def judged(grader: Deterministic[Any], text: str, expected: Json = None) -> Reward:
    return grader.judge(graded_example({"prompt": "p", "expected": expected}), Output(text=text))


@pytest.mark.parametrize(
    ("text", "expected", "score"),
    [
        ("Paris", "Paris", 1.0),
        ("  Paris\n", " Paris", 1.0),
        ("paris", "Paris", 0.0),
        ("Paris.", "Paris", 0.0),
        ("", "", 1.0),
        ("e\u0301", "\u00e9", 0.0),
        ("a\nb", "a\r\nb", 1.0),
        ("a\rb", "a\nb", 1.0),
        ("Paris\u200b", "Paris", 1.0),
        ("\ufeffParis", "Paris", 1.0),
        ("Pa\u200bris", "Paris", 0.0),
    ],
)
def test_exact_match_is_the_contracts(text: str, expected: str, score: float) -> None:
    reward = judged(ExactMatch("exact_match", ExactMatchSettings()), text, expected)

    assert (reward.name, reward.score, reward.passed) == ("exact_match", score, score == 1)


def test_exact_match_tells_the_proposer_what_was_expected() -> None:
    reward = judged(ExactMatch("exact_match", ExactMatchSettings()), "Lyon", "Paris")

    assert reward.feedback == 'expected exactly "Paris", got "Lyon"'


@pytest.mark.parametrize("expected", [None, 7, ["Paris"], {"a": "Paris"}])
def test_exact_match_needs_a_text(expected: Json) -> None:
    with pytest.raises(GraderFailed, match="reference answer"):
        judged(ExactMatch("exact_match", ExactMatchSettings()), "Paris", expected)


@pytest.mark.parametrize(
    ("settings", "text", "expected", "right"),
    [
        (ExactSettings(), " Paris ", "Paris", True),
        (ExactSettings(trim=False), " Paris ", "Paris", False),
        (ExactSettings(), "paris", "Paris", False),
        (ExactSettings(casefold=True), "STRASSE", "straße", True),
        (ExactSettings(), "e\u0301", "\u00e9", True),
        (ExactSettings(unicode="none"), "e\u0301", "\u00e9", False),
        (ExactSettings(), "\uff11\uff12", "12", False),
        (ExactSettings(unicode="NFKC"), "\uff11\uff12", "12", True),
        (ExactSettings(), "Lutetia", ["Paris", "Lutetia"], True),
        (ExactSettings(accepted=("none",)), "none", "Paris", True),
        (ExactSettings(accepted=("none",)), "none", None, True),
        (ExactSettings(), "42", 42, True),
        (ExactSettings(), "true", True, True),
        (ExactSettings(), "1.5", 1.5, True),
        (ExactSettings(), "Rome", ["Paris", "Lutetia"], False),
        (ExactSettings(), "a\nb", "a\r\nb", True),
        (ExactSettings(unicode="none"), "a\nb", "a\r\nb", True),
        (ExactSettings(), "Paris\u200b", "Paris", True),
        (ExactSettings(), "\ufeffParis", "Paris", True),
        (ExactSettings(), "Pa\u00adris", "Paris", True),
        (ExactSettings(), "\u200bParis \ufeff\n", "Paris", True),
        (ExactSettings(), "\u0646\u200c\u0645", "\u0646\u0645", False),
        (ExactSettings(unicode="none"), "Pa\u200bris", "Paris", False),
        (ExactSettings(), "New  York", "New York", False),
    ],
)
def test_exact(settings: ExactSettings, text: str, expected: Json, right: bool) -> None:
    assert judged(Exact("exact", settings), text, expected).passed is right


@pytest.mark.parametrize(
    ("settings", "text", "expected", "score"),
    [
        (ContainsSettings(), "so Paris it is", "Paris", 1.0),
        (ContainsSettings(), "so paris it is", "Paris", 0.0),
        (ContainsSettings(casefold=True), "so paris it is", "Paris", 1.0),
        (ContainsSettings(), "a b", ["a", "c"], 0.0),
        (ContainsSettings(partial=True), "a b", ["a", "c"], 0.5),
        (ContainsSettings(mode="any"), "a b", ["a", "c"], 1.0),
        (ContainsSettings(mode="any", partial=True), "b", ["a", "c"], 0.0),
        (ContainsSettings(mode="starts"), "  Paris, yes", "Paris", 1.0),
        (ContainsSettings(mode="starts"), "In Paris", "Paris", 0.0),
        (ContainsSettings(mode="ends"), "In Paris\n", "Paris", 1.0),
        (ContainsSettings(mode="ends"), "Paris, yes", ["no", "yes"], 1.0),
        (ContainsSettings(values=("x",)), "x", None, 1.0),
        (ContainsSettings(values=("x",)), "y", "y", 0.0),
    ],
)
def test_contains(settings: ContainsSettings, text: str, expected: Json, score: float) -> None:
    assert judged(Contains("contains", settings), text, expected).score == score


def test_contains_names_what_is_lacking() -> None:
    reward = judged(Contains("contains", ContainsSettings()), "a b", ["a", "c", "d"])

    assert reward.feedback == 'expected "c" and "d" in the output, got "a b"'


def test_a_blank_reference_would_be_contained_in_everything() -> None:
    with pytest.raises(GraderFailed, match="empty text"):
        judged(Contains("contains", ContainsSettings()), "a", " ")


@pytest.mark.parametrize(
    ("text", "expected", "score"),
    [
        ("The cat, sat!", "a cat sat", 1.0),
        ("cat sat on mat", "cat sat", 2 * 0.5 * 1 / 1.5),
        ("cat cat", "cat", 2 * 0.5 * 1 / 1.5),
        ("dog", "cat", 0.0),
        ("", "", 1.0),
        ("the", "", 1.0),
        ("", "cat", 0.0),
        ("cat sat", ["dog", "sat cat"], 1.0),
        ("anthem", "them", 0.0),
    ],
)
def test_token_f1(text: str, expected: Json, score: float) -> None:
    reward = judged(TokenF1("f1", TokenF1Settings()), text, expected)

    assert reward.score == pytest.approx(score)
    assert reward.passed is None


def test_token_f1_may_pass() -> None:
    grader = TokenF1("f1", TokenF1Settings(pass_at=0.5))

    assert judged(grader, "cat sat on mat", "cat sat").passed is True
    assert judged(grader, "cat", "a b c d cat").passed is False


@pytest.mark.parametrize(
    ("settings", "text", "score"),
    [
        (LengthSettings(max=2), "one two", 1.0),
        (LengthSettings(max=2), "one two three", 0.0),
        (LengthSettings(min=2), "one", 0.0),
        (LengthSettings(min=2, max=2), "one two", 1.0),
        (LengthSettings(max=4, falloff=0.5), "1 2 3 4 5", 0.5),
        (LengthSettings(max=4, falloff=0.5), "1 2 3 4 5 6", 0.0),
        (LengthSettings(min=4, falloff=1), "1 2 3", 0.75),
        (LengthSettings(max=0, falloff=1), "1", 0.0),
        (LengthSettings(max=3, unit="characters"), "äöü", 1.0),
        (LengthSettings(max=3, unit="characters"), "äöü ", 0.0),
        (LengthSettings(max=1, unit="tokens"), "four", 1.0),
        (LengthSettings(max=1, unit="tokens"), "five5", 0.0),
    ],
)
def test_length(settings: LengthSettings, text: str, score: float) -> None:
    assert judged(Length("length", settings), text).score == pytest.approx(score)


def test_length_limits_must_make_sense() -> None:
    with pytest.raises(InputError, match="more than"):
        Length.check(LengthSettings(min=3, max=2), GraderContext(name="l"), None)


def test_an_excerpt_is_short_and_harmless() -> None:
    text = excerpt("\x1b[31m red \u202e\ud800\n line")
    assert text == '"\ufffd[31m red \ufffd\ufffd line"'

    long = excerpt("start" + "x" * 10_000 + "end", 60)
    assert len(long) == 62
    assert long.startswith('"start')
    assert long.endswith('end"')


@pytest.mark.parametrize(
    ("text", "expected", "right"),
    [
        ("It is a\nb.", "a\r\nb", True),
        ("in Par\u200bis", "Paris", True),
        ("New\nYork", "New York", True),
        ("New  York", "New York", True),
        ("New\u00a0York", "New York", True),
        ("New\n\nYork", "New York", False),
        ("NewYork", "New York", False),
        ("if x:\n  y", "if x:\n    y", False),
        ("a b", "a  b", False),
    ],
)
def test_texts_may_be_wrapped(text: str, expected: str, right: bool) -> None:
    assert judged(Contains("contains", ContainsSettings()), text, expected).passed is right


@pytest.mark.parametrize(
    ("text", "expected", "score"),
    [
        ("北京", "北京。", 1.0),
        ("北京", "在北京", 0.8),
        ("東京です", "東京", pytest.approx(2 / 3)),
        ("«Paris»", "Paris", 1.0),
        ("\u201cthe Seine\u201d", "Seine", 1.0),
        ("กรุงเทพ", "กรุงเทพ", 1.0),
    ],
)
def test_overlap_in_scripts_without_blanks(text: str, expected: str, score: float) -> None:
    assert judged(TokenF1("f1", TokenF1Settings()), text, expected).score == score


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("北京是中国的首都。", 8),
        ("GPT 是模型", 4),
        ("one two \u2014 three", 4),
        ("caf\u00e9 au lait", 3),
        ("서울은 수도", 2),
        ("東京タワー", 5),
    ],
)
def test_words_in_scripts_without_blanks(text: str, words: int) -> None:
    assert judged(Length("length", LengthSettings(max=0)), text).metrics == {"words": words}
