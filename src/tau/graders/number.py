"""The number grader: is the number the output comes to the expected one?"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

from annotated_types import Ge, MinLen

from tau.domain.dataset import Example
from tau.domain.reward import Reward
from tau.domain.rollout import Output
from tau.errors import GraderFailed
from tau.graders.closeness import Quantity, close, metrics, quantity, written
from tau.graders.deterministic import Deterministic
from tau.graders.excerpt import excerpt
from tau.graders.number_reference import one_quantity
from tau.graders.numerals import DecimalMark, Numeral, numerals, reading
from tau.graders.reference import no_reference

_FINAL = re.compile(
    r"(?:\A|.*\n)[ \t]*(?:####|\**(?:A|(?:final\s+)?answer)\**:"
    r"|(?:so\s+)?the\s+(?:final\s+)?answer\s+is)"
    r"(?P<answer>[^\n]+)\s*\Z",
    re.DOTALL | re.IGNORECASE,
)
"""The last line of a worked solution, as in GSM8K, if it says that it is the answer."""

Marker = Annotated[str, MinLen(1)]


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberSettings:
    """Which number counts and how near it must be.

    Numbers are read in digits of all scripts, with separators of thousands (commas, blanks,
    apostrophes, Indian groups), currencies, units, exponents, powers, fractions, words of size of
    many languages (million, lakh, dozen, ล้าน, 万; k and M) and, where they are all there is, in
    words. Units are not compared. `(1,234)` and `($5)` are negative, `3rd` is 3; of `5, not 7` it
    is 5. Dates, times, ranges, shares (`4 out of 5`), sums, roots, variables (`3 x`), `3!`, bounds
    (`at most 5`, `5 or more`), denials (`not 5`, `5 is wrong`), `5K` and other things with no or
    several meanings are wrong in their place. A reference is one number with a label in front
    (`Answer: 5`) or a unit behind (`5 km/h`) and nothing else, or the last line of a worked
    solution (`#### 5`); any other is told by `tau check`.
    """

    which: Literal["last", "first", "only"] = "last"
    """Which number of the text counts; `only` wants all of its numbers to be the same."""
    after: Marker | tuple[Marker, ...] = ()
    """Markers such as "A:" or "####", case ignored: only the line after the last one counts."""
    absolute: Annotated[float, Ge(0)] = 0.0
    """The difference that is still right."""
    relative: Annotated[float, Ge(0)] | None = None
    """The same as a share of the expected number; the larger one counts. Between two integers it
    counts only from a millionth on. Unset: integers, fractions and decimals of as many places are
    equal or not; further digits may be rounding; with an exponent a billionth is allowed."""
    decimal: DecimalMark = "."
    """The decimal mark; the other one separates thousands."""
    percent: Literal["keep", "divide"] = "keep"
    """Whether 50% stands for 50 or for 0.5."""


_READ_CHARS = 8_000
"""Of a longer text only the end (or, for the first number, the beginning) is read: whatever a
model writes, grading it must not hold up the event loop."""


class Number(Deterministic[NumberSettings]):
    """1 if the output's number is the expected one within the tolerance, else 0.

    What can be read in more than one way, or is a date, a range or a formula and not a number, is
    wrong and is told so: it is never passed over for another number. `expected` is a number or a
    text holding one, which is read like an output; the marker may be missing there.
    """

    Settings: ClassVar[type[Any]] = NumberSettings

    def __init__(self, name: str, settings: NumberSettings) -> None:
        super().__init__(name, settings)
        after = (settings.after,) if isinstance(settings.after, str) else settings.after
        self._markers = after
        starts = (rf"(?<!\w){re.escape(m)}" if m[0].isalnum() else re.escape(m) for m in after)
        self._marker = re.compile("|".join(starts), re.IGNORECASE) if after else None

    def judge(self, example: Example, output: Output) -> Reward:
        wanted = self._expected(example)
        expected = written(wanted.value)
        part = self._answer_part(output.text)
        if part is None:
            marker = " or ".join(f'"{m}"' for m in self._markers)
            return self._wrong(f"expected {expected} after {marker}, which the output lacks")
        if len(part) > _READ_CHARS and self.settings.which == "only":
            return self._wrong(f"expected {expected} alone, the output is too long to hold one")
        found = self._numerals(_near(part, self.settings.which))
        if not found:
            return self._wrong(f"expected {expected}, found no number in {excerpt(part)}")
        chosen = self._chosen(found)
        if chosen is None:
            several = ", ".join(excerpt(numeral.text, 60)[1:-1] for numeral in found[:5])
            return self._wrong(f"expected {expected} alone, found several numbers: {several}")
        if chosen.value is None:
            said = f"{excerpt(chosen.text, 60)}, which {chosen.why}"
            return self._wrong(f"expected {expected}, got {said}")
        return self._compared(chosen, wanted)

    def check_reference(self, example: Example) -> None:
        self._expected(example)

    def _compared(self, given: Numeral, wanted: Quantity) -> Reward:
        found, expected = given.quantity, written(wanted.value)
        right = close(
            found, wanted, absolute=self.settings.absolute, relative=self.settings.relative
        )
        reason = (
            f"is {expected}" if right else f"expected {expected}, got {excerpt(given.text, 60)}"
        )
        return self.reward(
            1.0 if right else 0.0,
            passed=right,
            reason=reason,
            metrics=metrics(found.value, wanted.value),
        )

    def _wrong(self, reason: str) -> Reward:
        return self.reward(0.0, passed=False, reason=reason)

    def _answer_part(self, text: str) -> str | None:
        """The line after the last marker, the next one where that is blank; None without marker."""
        if self._marker is None:
            return text
        end = None
        for match in self._marker.finditer(text):
            end = match.end()
        return None if end is None else text[end:].lstrip().partition("\n")[0]

    def _numerals(self, text: str) -> list[Numeral]:
        divide = self.settings.percent == "divide"
        return list(numerals(text, decimal=self.settings.decimal, divide_percent=divide))

    def _chosen(self, found: Sequence[Numeral]) -> Numeral | None:
        if self.settings.which == "only":
            return found[0] if all(each.value == found[0].value for each in found) else None
        return found[-1 if self.settings.which == "last" else 0]

    def _expected(self, example: Example) -> Quantity:
        expected = example.expected
        if isinstance(expected, int | float) and not isinstance(expected, bool):
            value = quantity(expected)
            if value is None:
                raise _unusable("is not a finite number")
            return value
        if not isinstance(expected, str):
            raise no_reference(expected, "a number or a text holding one")
        part = self._answer_part(expected)
        if part is None or self._marker is None:
            final = _FINAL.match(expected)
            part = final["answer"] if final else expected
        return self._one(part)

    def _one(self, text: str) -> Quantity:
        """What a reference comes to: it is one number, and nothing may be left over."""
        if len(text) > _READ_CHARS:
            raise _unusable(f"has {len(text):,} characters: more than a number and its unit")
        divide = self.settings.percent == "divide"
        shown, found = reading(text, decimal=self.settings.decimal, divide_percent=divide)
        if not found:
            raise _unusable("holds no number")
        one = found[0]
        if len(found) == 1 and one.numeral.value is None:
            raise _unusable(f"holds {excerpt(one.numeral.text, 60)}, which {one.numeral.why}")
        if len(found) > 1:
            raise _unusable(f"is {excerpt(text, 80)}, which holds several different numbers")
        if not one_quantity(shown, one.start, one.digits, one.end):
            raise _unusable(f"is {excerpt(text, 80)}, which is more than one number with its unit")
        return one.numeral.quantity


def _near(text: str, which: str) -> str:
    """The part of a long text that the number wanted stands in; it begins and ends at a blank."""
    if len(text) <= _READ_CHARS:
        return text
    if which == "first":
        return text[:_READ_CHARS].rpartition(" ")[0] or text[:_READ_CHARS]
    return text[-_READ_CHARS:].partition(" ")[2] or text[-_READ_CHARS:]


def _unusable(why: str) -> GraderFailed:
    return GraderFailed(
        "the row's reference answer cannot be used",
        why=f"'expected' {why}",
        fix="give 'expected' as a number or a text holding one",
    )
