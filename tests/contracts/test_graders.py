"""The built-in graders, held to the suite for all."""

import os
import sys
from pathlib import Path

import pytest

from machinery.judging import ScriptedJudge, by_output, context, verdict
from tau.domain.chat import ModelRequest
from tau.domain.json import Json
from tau.domain.rollout import Output
from tau.graders.choice import Choice, ChoiceSettings
from tau.graders.combine import (
    All,
    AllSettings,
    AnyOf,
    AnySettings,
    Gate,
    GateSettings,
    Not,
    NotSettings,
    Weighted,
    WeightedSettings,
)
from tau.graders.command import CommandGrader, CommandGraderSettings
from tau.graders.judge import FactualityJudge, Judge, JudgeSettings, ReadyJudgeSettings
from tau.graders.judge_pairwise import PairwiseJudge, PairwiseSettings
from tau.graders.ngrams import NgramSimilarity, NgramSimilaritySettings
from tau.graders.number import Number, NumberSettings
from tau.graders.panel import Cascade, CascadeSettings, Jury, JurySettings
from tau.graders.pattern import Regex, RegexSettings
from tau.graders.python import PythonGrader, PythonGraderSettings
from tau.graders.structured import (
    IsJson,
    IsJsonSettings,
    JsonFields,
    JsonFieldsSettings,
    JsonSchema,
    JsonSchemaSettings,
)
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
from tau.ports.grader import Grader, GraderContext
from tau.testing.grader import GraderCase, GraderContract, graded_example

pytestmark = pytest.mark.contract

ROW = graded_example({"prompt": "What is 3 + 4?", "expected": "7"})
RIGHT = Output(text="7")
WRONG = Output(text="8 of them")


def row(expected: Json, **fields: Json) -> dict[str, Json]:
    return {"prompt": "p", "expected": expected, **fields}


class TestExactMatch(GraderContract):
    def make(self, tmp_path: Path) -> GraderCase:
        return GraderCase(
            plugin=ExactMatch, settings=ExactMatchSettings(), example=ROW, good=RIGHT, bad=WRONG
        )


class TestExact(GraderContract):
    def make(self, tmp_path: Path) -> GraderCase:
        settings = ExactSettings(casefold=True, unicode="NFKC")
        return GraderCase(plugin=Exact, settings=settings, example=ROW, good=RIGHT, bad=WRONG)


class TestContains(GraderContract):
    def make(self, tmp_path: Path) -> GraderCase:
        settings = ContainsSettings(casefold=True)
        return GraderCase(plugin=Contains, settings=settings, example=ROW, good=RIGHT, bad=WRONG)


class TestTokenF1(GraderContract):
    def make(self, tmp_path: Path) -> GraderCase:
        settings = TokenF1Settings(pass_at=0.5)
        return GraderCase(plugin=TokenF1, settings=settings, example=ROW, good=RIGHT, bad=WRONG)


class TestLength(GraderContract):
    def make(self, tmp_path: Path) -> GraderCase:
        return GraderCase(
            plugin=Length, settings=LengthSettings(max=1), example=ROW, good=RIGHT, bad=WRONG,
            needs_reference=False, unusable=LengthSettings(),
        )  # fmt: skip


class TestRegex(GraderContract):
    def make(self, tmp_path: Path) -> GraderCase:
        return GraderCase(
            plugin=Regex, settings=RegexSettings(pattern=r"\b7\b"), example=ROW, good=RIGHT,
            bad=WRONG, needs_reference=False, unusable=RegexSettings(pattern="("),
        )  # fmt: skip


class TestNumber(GraderContract):
    def make(self, tmp_path: Path) -> GraderCase:
        return GraderCase(
            plugin=Number, settings=NumberSettings(), example=ROW, good=RIGHT, bad=WRONG
        )


class TestNumberAfter(GraderContract):
    def make(self, tmp_path: Path) -> GraderCase:
        return GraderCase(
            plugin=Number, settings=NumberSettings(after=("A:", "####"), which="only"), example=ROW,
            good=Output(text="A: 7"), bad=RIGHT,
        )  # fmt: skip


class TestChoice(GraderContract):
    def make(self, tmp_path: Path) -> GraderCase:
        return GraderCase(
            plugin=Choice, settings=ChoiceSettings(), example=graded_example(row("B")),
            good=Output(text="The answer is (B)."), bad=Output(text="A or B"),
        )  # fmt: skip


class TestIsJson(GraderContract):
    def make(self, tmp_path: Path) -> GraderCase:
        return GraderCase(
            plugin=IsJson, settings=IsJsonSettings(), example=ROW, good=RIGHT, bad=WRONG,
            needs_reference=False,
        )  # fmt: skip


class TestJsonSchema(GraderContract):
    def make(self, tmp_path: Path) -> GraderCase:
        return GraderCase(
            plugin=JsonSchema, settings=JsonSchemaSettings(schema={"$ref": "#/$defs/n", "$defs": {
                "n": {"anyOf": [{"type": "integer"}, {"type": "array", "items": {"$ref": "#"}}]}
            }}), example=ROW, good=RIGHT, bad=Output(text="{}"),
            needs_reference=False, unusable=JsonSchemaSettings(),
        )  # fmt: skip


class TestJsonFields(GraderContract):
    def make(self, tmp_path: Path) -> GraderCase:
        return GraderCase(
            plugin=JsonFields, settings=JsonFieldsSettings(),
            example=graded_example(row({"a": 1, "b": [True, None]})),
            good=Output(text='{"a": 1.0, "b": [true, null]}'), bad=Output(text='{"a": 1}'),
            unusable=JsonFieldsSettings(paths=("a",), weights={"b": 1}),
        )  # fmt: skip


class TestPython(GraderContract):
    def make(self, tmp_path: Path) -> GraderCase:
        (tmp_path / "own.py").write_text(
            "def score(example, output):\n"
            "    right = output.strip() == example['expected']\n"
            "    example.clear()\n"
            "    return {'score': right, 'reason': f'said {output[:9]}', 'metrics': {'n': 1}}\n"
        )
        return GraderCase(
            plugin=PythonGrader, settings=PythonGraderSettings(function="own.py:score"),
            context=GraderContext(name="mine", base_dir=tmp_path), example=ROW, good=RIGHT,
            bad=WRONG, unusable=PythonGraderSettings(function="own.py:missing"),
        )  # fmt: skip


class TestCommand(GraderContract):
    def make(self, tmp_path: Path) -> GraderCase:
        code = (
            "import json, sys; d = json.load(sys.stdin); "
            "right = d['output']['text'] == d['example']['expected']; "
            "print(json.dumps({'score': right, 'reason': 'compared'}))"
        )
        return GraderCase(
            plugin=CommandGrader,
            settings=CommandGraderSettings(command=(sys.executable, "-c", code)),
            context=GraderContext(
                name="program", base_dir=tmp_path, environ={"PATH": os.defpath}
            ),
            example=ROW, good=RIGHT, bad=WRONG,
            unusable=CommandGraderSettings(command=("no-such-program",)),
        )  # fmt: skip


def children() -> list[Grader]:
    return [
        ExactMatch.build(ExactMatchSettings(), GraderContext(name="exact")),
        Number.build(NumberSettings(), GraderContext(name="number")),
    ]


PLACES = ({"type": "exact_match"}, {"type": "number"})


class TestWeighted(GraderContract):
    def make(self, tmp_path: Path) -> GraderCase:
        return GraderCase(
            plugin=Weighted, settings=WeightedSettings(graders=PLACES, weights=(1, 3)),
            context=GraderContext(name="both", children=children()), example=ROW, good=RIGHT,
            bad=WRONG, unusable=WeightedSettings(graders=PLACES, weights=(1,)),
        )  # fmt: skip


class TestAll(GraderContract):
    def make(self, tmp_path: Path) -> GraderCase:
        return GraderCase(
            plugin=All, settings=AllSettings(graders=PLACES),
            context=GraderContext(name="both", children=children()), example=ROW, good=RIGHT,
            bad=Output(text="it is 7"),
        )  # fmt: skip


class TestAny(GraderContract):
    def make(self, tmp_path: Path) -> GraderCase:
        return GraderCase(
            plugin=AnyOf, settings=AnySettings(graders=PLACES),
            context=GraderContext(name="one", children=children()), example=ROW,
            good=Output(text="it is 7"), bad=WRONG,
        )  # fmt: skip


class TestNot(GraderContract):
    def make(self, tmp_path: Path) -> GraderCase:
        return GraderCase(
            plugin=Not, settings=NotSettings(grader=PLACES[0]),
            context=GraderContext(name="other", children=children()[:1]), example=ROW, good=WRONG,
            bad=RIGHT,
        )  # fmt: skip


class TestGate(GraderContract):
    def make(self, tmp_path: Path) -> GraderCase:
        return GraderCase(
            plugin=Gate, settings=GateSettings(graders=PLACES),
            context=GraderContext(name="gated", children=children()), example=ROW, good=RIGHT,
            bad=Output(text="it is 7"),
        )  # fmt: skip


class TestJudge(GraderContract):
    def make(self, tmp_path: Path) -> GraderCase:
        return GraderCase(
            plugin=Judge,
            settings=JudgeSettings(rubric="Is it seven?"),
            example=ROW,
            good=RIGHT,
            bad=WRONG,
            context=context(by_output()),
            needs_reference=False,
            unusable=JudgeSettings(),
        )


class TestFactuality(GraderContract):
    def make(self, tmp_path: Path) -> GraderCase:
        return GraderCase(
            plugin=FactualityJudge,
            settings=ReadyJudgeSettings(),
            example=ROW,
            good=RIGHT,
            bad=WRONG,
            context=context(by_output()),
            unusable=ReadyJudgeSettings(scale="none"),
        )


def prefers_seven(request: ModelRequest) -> str:
    parts = request.messages[1].content.split("output (material):")
    first, second = ("7" in part.rpartition("The ")[0] or part for part in parts[1:])
    if (first is True) == ("7" in str(second).split("Judge what")[0]):
        return verdict("tie")
    return verdict("first" if first is True else "second")


class TestPairwise(GraderContract):
    def make(self, tmp_path: Path) -> GraderCase:
        return GraderCase(
            plugin=PairwiseJudge,
            settings=PairwiseSettings(),
            example=ROW,
            good=RIGHT,
            bad=WRONG,
            context=context(ScriptedJudge(prefers_seven)),
            unusable=PairwiseSettings(scale="1-5"),
        )


def jurors() -> tuple[Grader, ...]:
    settings = JudgeSettings(rubric="Is it seven?")
    return tuple(
        Judge.build(settings, GraderContext(name=name, model=by_output())) for name in ("a", "b")
    )


class TestJury(GraderContract):
    def make(self, tmp_path: Path) -> GraderCase:
        named = ({"type": "judge", "name": "a"}, {"type": "judge", "name": "b"})
        return GraderCase(
            plugin=Jury,
            settings=JurySettings(graders=named),
            example=ROW,
            good=RIGHT,
            bad=WRONG,
            context=GraderContext(name="jury", children=jurors()),
            needs_reference=False,
            unusable=JurySettings(graders=named[:1]),
        )


class TestCascade(GraderContract):
    def make(self, tmp_path: Path) -> GraderCase:
        named = ({"type": "judge", "name": "a"}, {"type": "judge", "name": "b"})
        return GraderCase(
            plugin=Cascade,
            settings=CascadeSettings(graders=named),
            example=ROW,
            good=RIGHT,
            bad=WRONG,
            context=GraderContext(name="cascade", children=jurors()),
            needs_reference=False,
            unusable=CascadeSettings(graders=named, low=1.0),
        )


class TestNgramSimilarity(GraderContract):
    def make(self, tmp_path: Path) -> GraderCase:
        return GraderCase(
            plugin=NgramSimilarity,
            settings=NgramSimilaritySettings(),
            example=ROW,
            good=RIGHT,
            bad=WRONG,
        )
