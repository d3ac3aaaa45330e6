"""Answers of the simulated endpoint against OpenAI's own description of its API."""

import datetime
import gzip
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import jsonschema_rs
import orjson
import pytest
import yaml

from tau.domain.dataset import Split
from tau.models.sim_server import serve_sim
from tau.sim.world import World

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(120)]


def with_nulls(schema: Any) -> Any:  # noqa: ANN401
    """The description says `nullable`, which JSON Schema does not know, as `anyOf` with null."""
    if isinstance(schema, list):
        return [with_nulls(each) for each in schema]
    if isinstance(schema, datetime.date):  # YAML's reading of dates in examples
        return schema.isoformat()
    if not isinstance(schema, dict):
        return schema
    rest = {key: with_nulls(value) for key, value in schema.items() if key != "nullable"}
    return {"anyOf": [rest, {"type": "null"}]} if schema.get("nullable") is True else rest


@pytest.fixture(scope="module")
def components(acceptance_data: Path) -> Any:  # noqa: ANN401
    packed = acceptance_data / "conformance" / "openai-openapi.yaml.gz"
    document = yaml.load(gzip.decompress(packed.read_bytes()), Loader=yaml.CSafeLoader)
    return with_nulls(document["components"])


def problems(components: Any, name: str, value: Any) -> list[str]:  # noqa: ANN401
    schema = {"$ref": f"#/components/schemas/{name}", "components": components}
    validator = jsonschema_rs.Draft202012Validator(schema)
    return [f"{error.instance_path}: {error.message}" for error in validator.iter_errors(value)]


@pytest.fixture
async def url() -> AsyncIterator[str]:
    async with serve_sim() as base_url:
        yield base_url


BODY = {
    "model": "rules",
    "messages": [
        {"role": "system", "content": World(0).full_prompt()},
        {"role": "user", "content": World(0).cases(Split.TEST, 1)[0].text},
    ],
}


@pytest.mark.parametrize("more", [{}, {"n": 3}, {"max_tokens": 2}, {"stop": ["|"]}, {"seed": 1}])
async def test_answers(components: Any, url: str, more: dict[str, Any]) -> None:  # noqa: ANN401
    body = {**BODY, **more}
    assert problems(components, "CreateChatCompletionRequest", body) == []
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{url}/chat/completions", json=body) as response,
    ):
        assert response.status == 200
        answer = await response.json()

    assert problems(components, "CreateChatCompletionResponse", answer) == []


async def test_streams(components: Any, url: str) -> None:  # noqa: ANN401
    body = {**BODY, "stream": True, "stream_options": {"include_usage": True}}
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{url}/chat/completions", json=body) as response,
    ):
        events = (await response.text()).split("\n\n")[:-2]

    assert len(events) >= 4
    for event in events:
        chunk = orjson.loads(event.removeprefix("data: "))
        assert problems(components, "CreateChatCompletionStreamResponse", chunk) == []


async def test_models_and_errors(components: Any, url: str) -> None:  # noqa: ANN401
    async with aiohttp.ClientSession() as session:
        async with session.get(f"{url}/models") as response:
            models = await response.json()
        errors = []
        for body in ({}, {**BODY, "model": "gpt-4o"}, {**BODY, "model": "rules?error_rate=1"}):
            async with session.post(f"{url}/chat/completions", json=body) as response:
                errors.append(await response.json())

    assert problems(components, "ListModelsResponse", models) == []
    assert [problems(components, "ErrorResponse", error) for error in errors] == [[], [], []]


async def test_the_check_can_fail(components: Any) -> None:  # noqa: ANN401
    assert problems(components, "CreateChatCompletionResponse", {"id": "x", "choices": []})
