"""Answers to what belongs to no world: plain arithmetic, and a short reply to the rest."""

import ast
import operator
import re
from collections.abc import Callable
from fractions import Fraction

_EXPRESSION = re.compile(r"(?<![\w.])[-+(\d][\d\s.,()+\-*/×÷^−]*[\d)]")
_SIGNS = str.maketrans({"×": "*", "÷": "/", "−": "-", ",": None})
_WORDS = (
    (re.compile(r"\bplus\b", re.I), "+"),
    (re.compile(r"\bminus\b", re.I), "-"),
    (re.compile(r"\b(?:times|multiplied by)\b", re.I), "*"),
    (re.compile(r"\bdivided by\b", re.I), "/"),
)
_OPERATIONS: dict[type[ast.operator], Callable[[Fraction, Fraction], Fraction]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}
_LONGEST = 200
_READ = 2000
"""Characters at the end of a question that are looked at."""


def reply(text: str) -> str:
    """The result of the sum in `text`, or a sentence that says what is speaking."""
    result = arithmetic(text[-_READ:])
    if result is not None:
        return result
    return "I am Tau's simulated model: I book orders of my own world and do sums."


def arithmetic(text: str) -> str | None:
    """The value of the last sum in `text`, None where there is none."""
    for pattern, sign in _WORDS:
        text = pattern.sub(sign, text)
    sums = [m[0] for m in _EXPRESSION.finditer(text) if re.search(r"\d\s*[-+*/×÷−]\s*[(\d-]", m[0])]
    if not sums or len(sums[-1]) > _LONGEST:
        return None
    try:
        tree = ast.parse(sums[-1].translate(_SIGNS).strip(), mode="eval")
        return _written(_value(tree.body))
    except (SyntaxError, ZeroDivisionError, ValueError):
        return None


def _value(node: ast.expr) -> Fraction:
    match node:
        case ast.Constant(value=int() | float() as number):
            return Fraction(str(number))
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_value(operand)
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATIONS:
            return _OPERATIONS[type(op)](_value(left), _value(right))
        case _:
            raise ValueError("not plain arithmetic")


def _written(value: Fraction) -> str:
    if value.denominator == 1:
        return str(value.numerator)
    return f"{float(value):.6g}"
