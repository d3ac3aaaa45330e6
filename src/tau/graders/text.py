"""Graders that compare texts: equality, containment, overlap, length."""

import math
import re
import string
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

import regex
from annotated_types import Ge, Le, MinLen

from tau.domain.dataset import Example
from tau.domain.reward import Reward
from tau.domain.rollout import Output
from tau.errors import InputError
from tau.graders.comparable import UnicodeForm, comparable, trimmed, unix_lines
from tau.graders.deterministic import Deterministic
from tau.graders.excerpt import excerpt
from tau.graders.reference import no_reference, reference_texts
from tau.ports.grader import GraderContext

NonEmpty = Annotated[str, MinLen(1)]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExactMatchSettings:
    """It has none."""


class ExactMatch(Deterministic[ExactMatchSettings]):
    """1 if the output is the row's `expected`, both trimmed, case-sensitively; else 0.

    Line ends of all systems are the same, and invisible characters at the ends are trimmed too.
    """

    Settings: ClassVar[type[Any]] = ExactMatchSettings

    def judge(self, example: Example, output: Output) -> Reward:
        expected = self._expected(example)
        passed = unix_lines(trimmed(output.text)) == unix_lines(trimmed(expected))
        return self.reward(
            1.0 if passed else 0.0,
            passed=passed,
            reason="equal to the expected answer"
            if passed
            else f"expected exactly {excerpt(expected)}, got {excerpt(output.text)}",
        )

    def check_reference(self, example: Example) -> None:
        self._expected(example)

    def _expected(self, example: Example) -> str:
        if not isinstance(example.expected, str):
            raise no_reference(example.expected, "a text")
        return example.expected


@dataclass(frozen=True, slots=True, kw_only=True)
class ExactSettings:
    """How texts are made comparable before they are compared."""

    trim: bool = True
    """Ignore white space at both ends."""
    casefold: bool = False
    """Ignore case, in every script."""
    unicode: UnicodeForm = "NFC"
    """Compare equal what looks equal: NFC joins accents and leaves out invisible characters, NFKC
    also joins widths and ligatures."""
    accepted: tuple[str, ...] = ()
    """Answers that are right in every row, beside the row's own `expected`."""


class Exact(Deterministic[ExactSettings]):
    """1 if the output equals one of the accepted answers; `expected` may be a list."""

    Settings: ClassVar[type[Any]] = ExactSettings

    def judge(self, example: Example, output: Output) -> Reward:
        accepted = self._accepted(example)
        passed = self._comparable(output.text) in map(self._comparable, accepted)
        return self.reward(
            1.0 if passed else 0.0,
            passed=passed,
            reason="equal to an accepted answer"
            if passed
            else f"expected {listing(accepted, 'or')}, got {excerpt(output.text)}",
        )

    def check_reference(self, example: Example) -> None:
        self._accepted(example)

    def _accepted(self, example: Example) -> tuple[str, ...]:
        if example.expected is None and self.settings.accepted:
            return self.settings.accepted
        return reference_texts(example) + self.settings.accepted

    def _comparable(self, text: str) -> str:
        text = comparable(text, form=self.settings.unicode, casefold=self.settings.casefold)
        return trimmed(text) if self.settings.trim else text


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainsSettings:
    """What is looked for, and where."""

    values: tuple[NonEmpty, ...] = ()
    """What to look for; without it, the row's `expected` (a text or a list)."""
    mode: Literal["all", "any", "starts", "ends"] = "all"
    """All of them or any, anywhere; or any at the start or the end of the trimmed output."""
    casefold: bool = False
    """Ignore case, in every script."""
    unicode: UnicodeForm = "NFC"
    """Compare equal what looks equal: NFC joins accents and leaves out invisible characters, NFKC
    also joins widths and ligatures."""
    partial: bool = False
    """With `all`: the score is the share that was found, instead of 1 or 0."""


class Contains(Deterministic[ContainsSettings]):
    """1 if the output holds what it has to.

    A single blank stands for a line break and for several blanks too, as text is wrapped; line
    breaks and runs of blanks in what is looked for are taken as they are.
    """

    Settings: ClassVar[type[Any]] = ContainsSettings

    def judge(self, example: Example, output: Output) -> Reward:
        mode = self.settings.mode
        wanted = self._wanted(example)
        text = trimmed(self._comparable(output.text))
        absent = [value for value in wanted if not self._holds(text, self._comparable(value))]
        found = len(wanted) - len(absent)
        passed = not absent if mode == "all" else found > 0
        score = found / len(wanted) if mode == "all" and self.settings.partial else float(passed)
        where = {"starts": "at its start", "ends": "at its end"}.get(mode, "in the output")
        lacking = listing(absent, "and" if mode == "all" else "or")
        return self.reward(
            score,
            passed=passed,
            reason=f"found what was expected {where}"
            if passed
            else f"expected {lacking} {where}, got {excerpt(output.text)}",
            metrics={"found": float(found), "wanted": float(len(wanted))},
        )

    def check_reference(self, example: Example) -> None:
        self._wanted(example)

    def _wanted(self, example: Example) -> tuple[str, ...]:
        if self.settings.values:
            return self.settings.values
        wanted = reference_texts(example)
        if not all(value.strip() for value in wanted):
            raise no_reference(example.expected, "a text that is not blank")
        return wanted

    def _comparable(self, text: str) -> str:
        return comparable(text, form=self.settings.unicode, casefold=self.settings.casefold)

    def _holds(self, text: str, value: str) -> bool:
        texts = [text]
        if " " in value and _GAPS.sub(_unwrapped, value) == value:
            texts.append(_GAPS.sub(_unwrapped, text))
        if self.settings.mode == "starts":
            return any(each.startswith(value.lstrip()) for each in texts)
        if self.settings.mode == "ends":
            return any(each.endswith(value.rstrip()) for each in texts)
        return any(value in each for each in texts)


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenF1Settings:
    """When the overlap is good enough."""

    pass_at: Annotated[float, Ge(0), Le(1)] | None = None
    """The least score that passes; without it, passing does not apply."""


class TokenF1(Deterministic[TokenF1Settings]):
    """Overlap of words with the best fitting reference, as SQuAD measures it.

    Lower case, without punctuation and English articles; harmonic mean of precision and recall over
    words with their counts (Rajpurkar et al., EMNLP 2016, and the official evaluation script 2.0,
    by which two empty texts are equal). Beyond the script, punctuation of all scripts is left out,
    and each Chinese, Japanese, Thai, Lao, Khmer or Burmese character is a word, as those scripts
    put no blanks between words.
    """

    Settings: ClassVar[type[Any]] = TokenF1Settings

    def judge(self, example: Example, output: Output) -> Reward:
        said = squad_words(output.text)
        references = reference_texts(example)
        overlaps = [_overlap(said, squad_words(reference)) for reference in references]
        best = max(range(len(overlaps)), key=lambda i: overlaps[i][0])
        score, precision, recall = overlaps[best]
        closest = excerpt(references[best])
        pass_at = self.settings.pass_at
        return self.reward(
            score,
            passed=None if pass_at is None else score >= pass_at,
            reason=f"word overlap {score:.2f} with {closest}",
            feedback=f"expected {closest}, got {excerpt(output.text)}; {precision:.0%} of its "
            f"words were expected, {recall:.0%} of the expected words were there",
            metrics={"precision": precision, "recall": recall},
        )

    def check_reference(self, example: Example) -> None:
        reference_texts(example)


@dataclass(frozen=True, slots=True, kw_only=True)
class LengthSettings:
    """The limits, both inclusive; at least one is needed."""

    unit: Literal["words", "characters", "tokens"] = "words"
    """What is counted. Words stand between blanks; each Chinese, Japanese, Thai, Lao, Khmer or
    Burmese character is one. Tokens are an estimate: a quarter of the bytes in UTF-8."""
    min: Annotated[int, Ge(0)] | None = None
    """The fewest that are right."""
    max: Annotated[int, Ge(0)] | None = None
    """The most that are right."""
    falloff: Annotated[float, Ge(0), Le(100)] = 0.0
    """How far beyond a limit, as a share of it, the score falls from 1 to 0; 0: at once."""


class Length(Deterministic[LengthSettings]):
    """1 while the output's length is within the limits."""

    Settings: ClassVar[type[Any]] = LengthSettings

    @classmethod
    def check(cls, settings: Any, context: GraderContext, example: Example | None) -> None:  # noqa: ANN401
        if settings.min is None and settings.max is None:
            raise InputError("the length grader has no limit", fix="give 'min', 'max' or both")
        if None not in (settings.min, settings.max) and settings.min > settings.max:
            raise InputError(f"'min' {settings.min} is more than 'max' {settings.max}")

    def judge(self, example: Example, output: Output) -> Reward:
        unit, low, high = self.settings.unit, self.settings.min, self.settings.max
        length = _length(output.text, unit)
        beyond, limit, said = 0, 0, ""
        if low is not None and length < low:
            beyond, limit, said = low - length, low, f"at least {low}"
        elif high is not None and length > high:
            beyond, limit, said = length - high, high, f"at most {high}"
        room = self.settings.falloff * limit
        score = 1.0 if not beyond else max(0.0, 1 - beyond / room) if room else 0.0
        return self.reward(
            score,
            passed=not beyond,
            reason=f"{length} {unit}" + (f", expected {said}" if beyond else ""),
            metrics={unit: float(length)},
        )


def listing(texts: Sequence[str], word: str) -> str:
    """The first few of `texts` as excerpts, joined for a sentence."""
    shown = [excerpt(text, 80 if len(texts) > 1 else 240) for text in texts[:5]]
    if len(texts) > 5:
        shown.append(f"{len(texts) - 5} more")
    return f" {word} ".join(shown)


_GAPS = re.compile(r"\s+")
_PUNCTUATION = str.maketrans("", "", string.punctuation)
_MARK_OR_UNSEEN = regex.compile(r"[\p{P}\p{Cf}]+")
_UNBROKEN = regex.compile(
    r"[\p{Han}\p{Hiragana}\p{Katakana}\u30fc\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}]\p{M}*+"
)
"""A character of a script without blanks between words."""

_ARTICLES = re.compile(r"\b(a|an|the)\b")


def squad_words(text: str) -> list[str]:
    """The words SQuAD compares: punctuation goes before articles, as in its script.

    Characters of scripts that put no blanks between words are words of their own.
    """
    text = text.lower().translate(_PUNCTUATION)
    if not text.isascii():
        text = _UNBROKEN.sub(r" \g<0> ", _MARK_OR_UNSEEN.sub("", text))
    return _ARTICLES.sub(" ", text).split()


def _unwrapped(gap: re.Match[str]) -> str:
    """A blank for any gap within a paragraph; paragraphs stay apart."""
    return "\n\n" if gap[0].count("\n") > 1 else " "


def _overlap(said: Iterable[str], expected: Iterable[str]) -> tuple[float, float, float]:
    """F1, precision and recall over words with their counts."""
    ours, theirs = Counter(said), Counter(expected)
    if not ours or not theirs:
        equal = float(ours == theirs)
        return equal, equal, equal
    common = (ours & theirs).total()
    precision, recall = common / ours.total(), common / theirs.total()
    return (2 * common / (ours.total() + theirs.total()), precision, recall)


def _words(text: str) -> int:
    """Words between blanks; of scripts without blanks each character that is no punctuation."""
    spread = _UNBROKEN.sub(r" \g<0> ", text)
    parts = spread.split()
    if len(spread) == len(text):
        return len(parts)
    return sum(1 for part in parts if _MARK_OR_UNSEEN.sub("", part))


def _length(text: str, unit: str) -> int:
    if unit == "words":
        return len(text.split()) if text.isascii() else _words(text)
    if unit == "characters":
        return len(text)
    return math.ceil(len(text.encode("utf-8", "surrogatepass")) / 4)
