"""The json-schema grader on the official JSON Schema test suite, draft 2020-12."""

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from tau.domain.rollout import Output
from tau.errors import InputError
from tau.graders.structured import JsonSchema, JsonSchemaSettings
from tau.ports.grader import GraderContext
from tau.testing.grader import grade, graded_example

pytestmark = pytest.mark.acceptance

ROW = graded_example("p")
CONTEXT = GraderContext(name="schema")


@pytest.fixture(scope="module")
def groups(acceptance_data: Path) -> list[dict[str, Any]]:
    """The mandatory groups; `optional/` holds what implementations may leave out."""
    archive = acceptance_data / "conformance" / "json-schema-test-suite-draft2020-12.zip"
    with zipfile.ZipFile(archive) as file:
        names = [n for n in file.namelist() if n.endswith(".json") and "/optional/" not in n]
        return [
            {**group, "file": name.rpartition("/")[2]}
            for name in sorted(names)
            for group in json.loads(file.read(name))
        ]


def refers_elsewhere(group: dict[str, Any]) -> bool:
    return "localhost:1234" in json.dumps(group["schema"]) and not _usable(group["schema"])


def _usable(schema: Any) -> bool:  # noqa: ANN401
    try:
        JsonSchema.check(JsonSchemaSettings(schema=schema, formats=False), CONTEXT, None)
    except InputError:
        return False
    return True


async def test_verdicts_equal_the_suites(groups: list[dict[str, Any]]) -> None:
    verdicts = 0
    wrong = []
    for group in groups:
        if refers_elsewhere(group):
            continue
        settings = JsonSchemaSettings(schema=group["schema"], formats=False)
        grader = JsonSchema.build(settings, CONTEXT)
        for case in group["tests"]:
            output = Output(text=json.dumps(case["data"]))
            reward = await grade(grader, ROW, output)
            verdicts += 1
            if reward.passed is not case["valid"]:
                wrong.append(f"{group['file']}: {group['description']}: {case['description']}")

    assert wrong == []
    assert verdicts > 1200


def test_only_what_refers_to_other_documents_cannot_be_used(groups: list[dict[str, Any]]) -> None:
    refused = {group["file"] for group in groups if refers_elsewhere(group)}

    assert "refRemote.json" in refused
    assert all(_usable(group["schema"]) or refers_elsewhere(group) for group in groups)
    assert len([group for group in groups if refers_elsewhere(group)]) < 40
