"""Answers as models write them, made up, each with whether it is right; for measuring graders.

Every draw is a hash of its purpose and number, so that the answers are the same on every machine.
`KINDS` maps the name of a kind to its maker. `CHOICE_KINDS` is the same for the choice grader.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from tau.domain.json import Json

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An answer to a row with the reference `expected`, and whether it is right."""

    grader: str
    text: str
    expected: Json
    right: bool
    settings: dict[str, Any] = field(default_factory=dict)


def draw(purpose: str, number: int, count: int) -> int:
    """A number below `count`."""
    digest = hashlib.sha256(f"{purpose}:{number}".encode()).digest()
    return int.from_bytes(digest[:8], "big") % count


def one_of(items: Sequence[T], purpose: str, number: int) -> T:
    """One of the items."""
    return items[draw(purpose, number, len(items))]


def _indian(n: int) -> str:
    head, tail = str(n)[:-3], str(n)[-3:]
    pairs: list[str] = []
    while head:
        pairs.insert(0, head[-2:])
        head = head[:-2]
    return ",".join([*pairs, tail])


def _shifted(zero: str) -> Callable[[int], str]:
    return lambda n: "".join(chr(ord(zero) + int(digit)) for digit in str(n))


WRITTEN: dict[str, Callable[[int], str]] = {
    "plain": str,
    "commas": lambda n: f"{n:,}",
    "blanks": lambda n: f"{n:,}".replace(",", " "),
    "narrow": lambda n: f"{n:,}".replace(",", "\u202f"),
    "thin": lambda n: f"{n:,}".replace(",", "\u2009"),
    "hard": lambda n: f"{n:,}".replace(",", "\u00a0"),
    "swiss": lambda n: f"{n:,}".replace(",", "'"),
    "quoted": lambda n: f"{n:,}".replace(",", "\u2019"),
    "underscores": lambda n: f"{n:_}",
    "latex": lambda n: f"{n:,}".replace(",", "{,}"),
    "latex thin": lambda n: f"{n:,}".replace(",", "\\,"),
    "indian": _indian,
    "wide": _shifted("\uff10"),
    "arabic": _shifted("\u0660"),
    "devanagari": _shifted("\u0966"),
    "point": lambda n: f"{n}.00",
    "scientific": lambda n: f"{str(n)[0]}.{str(n)[1:] or 0}e{len(str(n)) - 1}",
    "times": lambda n: f"{str(n)[0]}.{str(n)[1:] or 0} \u00d7 10^{len(str(n)) - 1}",
    "latex times": lambda n: rf"{str(n)[0]}.{str(n)[1:] or 0} \times 10^{{{len(str(n)) - 1}}}",
    "fraction": lambda n: rf"\frac{{{2 * n}}}{{2}}",
    "slash": lambda n: f"{4 * n}/4",
}

SENTENCES = (
    "{}", "{}.", "**{}**", "`{}`", "The answer is {}.", "The answer is **{}**.", "Answer: {}",
    "**Answer:** {}", "**Final answer: {}**", "#### {}", "So the total is {}.", "x = {}",
    "$$x = {}$$", r"\boxed{{{}}}", r"$\boxed{{{}}}$", r"\[ \boxed{{{}}} \]", r"\(x = {}\)",
    "<answer>{}</answer>", "<b>{}</b>", "Step 1: 3 + 4 = 7\nStep 2: 7 - 2 = 5\nAnswer: {}",
    "1. Add 3 and 4.\n2. Double it.\n\nIt is {}.", "| total | {} |", "I get about {}", "~{}",
    "There were 3 boxes on 2024-01-15, so {}", "By 10:45 we have {}", "Therefore, the result = {}",
    "答案是{}", "答案：{}。", "答えは{}です", "정답은 {}입니다", "คำตอบคือ{}", "La réponse est {}.",
    "Die Antwort lautet {}.", "La respuesta es {}.", "Ответ: {}", "الجواب هو {}", "उत्तर {} है",
    "Result \u2192 {}", "It equals {} (see step 2).", "- 7 pears\n- {} apples in all",
)  # fmt: skip

UNITS = (
    " cm^2", " cm\u00b2", " m/s", " m/s^2", r"\text{ cm}^2", r"\,\text{m}^{3}", " kg", "kg",
    " apples", " people", " km/h", " m s^{-1}",
    "%", " %", "°C",
    r"^\circ", " ft^3", " kg m-3", " dollars", " EUR",
    " N\u00b7m", " J/(kg\u00b7K)", " square feet", "-year-old",
)  # fmt: skip


def numbers() -> Iterator[Answer]:
    """Integers in every way of writing and every sentence: the same one, and others."""
    for i in range(1600):
        n = 2 + draw("digits", i, 10 ** (1 + draw("size", i, 13)))
        way = one_of(list(WRITTEN), "way", i)
        sentence = one_of(SENTENCES, "sentence", i)
        other = one_of((n + 1, n - 1, n * 10, n + 1000, n * 1000, n // 2), "other", i)
        text = sentence.format(WRITTEN[way](n))
        expected: Json = n if draw("reference", i, 2) else WRITTEN["commas"](n)
        yield Answer(grader="number", text=text, expected=expected, right=True)
        yield Answer(grader="number", text=text, expected=other, right=False)
        yield Answer(grader="number", text=text, expected=-n, right=False)


def quantities() -> Iterator[Answer]:
    """Numbers with units; the unit's exponent is no answer."""
    for i in range(400):
        n = 4 + draw("amount", i, 3000)
        unit = one_of(UNITS, "unit", i)
        text = one_of(SENTENCES[:13], "about", i).format(f"{n}{unit}")
        yield Answer(grader="number", text=text, expected=n, right=True)
        yield Answer(
            grader="number", text=text, expected=one_of((2, 3, n + 1), "no", i), right=False
        )
        yield Answer(grader="number", text=text, expected=f"{n + 1}{unit}", right=False)


SIGNED = ("-{}", "\u2212{}", "\u2013{}", "-${}", "$-{}", "minus {}", "negative {}", "(${})")
SIZES = (
    (" thousand", 3),
    (" million", 6),
    (" billion", 9),
    (" trillion", 12),
    (" lakh", 5),
    (" crore", 7),
    ("万", 4),
    ("亿", 8),
    ("億", 8),
)
MONEY = (("${}k", 3), ("${}M", 6), ("\u20ac{} bn", 9), ("${}B", 9))


def signs_and_sizes() -> Iterator[Answer]:
    """Signs and words of size change the number."""
    for i in range(300):
        n = 2 + draw("signed", i, 900)
        text = one_of(SENTENCES[:12], "around", i).format(one_of(SIGNED, "sign", i).format(n))
        yield Answer(grader="number", text=text, expected=-n, right=True)
        yield Answer(grader="number", text=text, expected=n, right=False)
        word, power = one_of(SIZES, "size word", i)
        text = one_of(SENTENCES[:12], "beside", i).format(f"{n}{word}")
        yield Answer(grader="number", text=text, expected=n * 10**power, right=True)
        yield Answer(grader="number", text=text, expected=n, right=False)
        yield Answer(grader="number", text=text, expected=n * 10 ** (power - 1), right=False)
        form, power = one_of(MONEY, "money", i)
        yield Answer(grader="number", text=form.format(n), expected=n * 10**power, right=True)
        yield Answer(grader="number", text=form.format(n), expected=n, right=False)


UNREADABLE = (
    r"\sqrt{{{}}}", r"{}\pi", "{}!", "{}x", "x + {}", "2^{{{}x}}", r"\frac{{{}}}{{x}}", "10:{:02}",
    "2024-01-{:02}", "{}.5.2024", "3-{}", "3 to {}", "3 or {}", "7 \u00b1 {}", "(3, {})", "v1.2.{}",
    "192.168.0.{}", "555-10{}", "GPT-{}", "not {}", "x > {}", r"\log {}", "7 + {}", "3 \u00d7 {}",
    "1 h {} min", "{}/0", "March {}, 2024", "twice {}", "5 apples + {} apples", "1,2,{}",
)  # fmt: skip


def no_numbers() -> Iterator[Answer]:
    """Formulas, dates, ranges and names that end with or hold the reference."""
    for i in range(300):
        n = 11 + draw("piece", i, 17)
        text = one_of(UNREADABLE, "form", i).format(n)
        text = one_of(("{}", "The answer is {}", "**{}**", "Answer: {}"), "frame", i).format(text)
        yield Answer(grader="number", text=text, expected=n, right=False)


FENCES = (
    "{}", "```json\n{}\n```", "```\n{}\n```", "```json {} ```", "```json\n{}```",
    "Here:\n```JSON\n{}\n```\nDone.",
    "\ufeff{}", "\u200b{}", "1. So:\n\n    ```json\n    {}\n    ```", '```json title="x"\n{}\n```',
    "~~~json\n{}\n~~~", "> ```json\n> {}\n> ```", "{}\r\n", "Sure: ```json {} ``` as asked.",
)  # fmt: skip


def documents() -> Iterator[Answer]:
    """JSON in every fence, with integers of any length."""
    for i in range(300):
        n = draw("id", i, 10 ** (1 + draw("id size", i, 18))) * 10 ** draw("id zeros", i, 12)
        value = {"id": n, "name": one_of(("Jos\u00e9", "a\nb", "```", "x"), "name", i)}
        fence = one_of(FENCES, "fence", i)
        text = fence.format(json.dumps(value, ensure_ascii=bool(draw("escape", i, 2))))
        wrong = json.dumps({**value, "id": n + 1 + draw("near", i, 3)})
        yield Answer(grader="json-fields", text=text, expected=json.dumps(value), right=True)
        yield Answer(grader="json-fields", text=text, expected=wrong, right=False)
        yield Answer(grader="is-json", text=text, expected=None, right=True)
        yield Answer(grader="is-json", text=text.replace("}", "", 1), expected=None, right=False)


UNSEEN = ("{}", " {}\n", "\ufeff{}", "{}\u200b", "\u200e{}", "{}\r\n", "\u00a0{}")
NAMES = (
    "Paris",
    "Jos\u00e9",
    "a\nb",
    "New York",
    "\u5317\u4eac",
    "x\u0323\u0307",
    "caf\u00e9 au lait",
)


def texts() -> Iterator[Answer]:
    """Texts with differences nobody sees, and with those everybody does."""
    for i in range(200):
        name = one_of(NAMES, "text", i)
        shown = one_of(UNSEEN, "around it", i).format(name.replace("\n", "\r\n"))
        seen = one_of(("{}!", "x{}", "{} x"), "change", i).format(name)
        for grader in ("exact", "exact_match"):
            yield Answer(grader=grader, text=shown, expected=name, right=True)
            yield Answer(grader=grader, text=seen, expected=name, right=False)
        yield Answer(grader="contains", text=f"It is {shown}, I think", expected=name, right=True)
        yield Answer(grader="contains", text=f"It is {shown[:-3]}", expected=name, right=False)


KINDS: dict[str, Callable[[], Iterator[Answer]]] = {
    "numbers": numbers,
    "quantities": quantities,
    "signs and sizes": signs_and_sizes,
    "no numbers": no_numbers,
    "documents": documents,
    "texts": texts,
}


LABELLED = (
    "{}", "{}.", "({})", "**{}**", "Answer: {}", "**Answer: {}**", "**Answer:** {}", "#### {}",
    r"\boxed{{{}}}", "The answer is {}.", "The answer is **{}**.", "Answer: Option {}",
    "Option A is too small and C ignores the rate.\nAnswer: {}",
    "The answer is {} because the others are smaller.",
)  # fmt: skip


def choices() -> Iterator[Answer]:
    """Labels in markup."""
    for i in range(100):
        label = one_of("ABCD", "label", i)
        other = one_of([each for each in "ABCD" if each != label], "other label", i)
        text = one_of(LABELLED, "labelled", i).format(label)
        yield Answer(grader="choice", text=text, expected=label, right=True)
        yield Answer(grader="choice", text=text, expected=other, right=False)


CHOICE_KINDS: dict[str, Callable[[], Iterator[Answer]]] = {"choices": choices}
