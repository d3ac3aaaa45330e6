"""What clients send: bounded, parsed strictly, refused in the contract's words."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs

import orjson
from pydantic import BaseModel
from starlette.requests import Request

from tau.domain.json import Json
from tau.gateway.answers import Refused
from tau.gateway.guard import MOST_BODY_BYTES


class JsonObject:
    """A JSON object in a request's body, whatever the body calls itself."""

    @staticmethod
    def schema(model: type[BaseModel]) -> dict[str, Any]:
        """How OpenAPI describes such a body."""
        content = {"application/json": {"schema": model.model_json_schema()}}
        return {"requestBody": {"required": True, "content": content}}

    @staticmethod
    async def of(request: Request) -> Mapping[str, Json]:
        """The object.

        Raises:
            Refused: 413 or 400 `malformed_json`.
        """
        try:
            value = orjson.loads(await body_of(request))
        except orjson.JSONDecodeError as error:
            raise Refused(400, "malformed_json", "the body is not JSON") from error
        if not isinstance(value, dict):
            raise Refused(400, "malformed_json", "the body must be a JSON object")
        return value


async def form_of(request: Request) -> Mapping[str, str]:
    """The last value of each field of a form."""
    data = await body_of(request)
    fields = parse_qs(data.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=50)
    return {name: values[-1] for name, values in fields.items()}


async def body_of(request: Request) -> bytes:
    """The whole body.

    Raises:
        Refused: 413 where it is too long.
    """
    data = bytearray()
    async for chunk in request.stream():
        data += chunk
        if len(data) > MOST_BODY_BYTES:
            raise Refused(413, "body_too_large", f"the body is longer than {MOST_BODY_BYTES} bytes")
    return bytes(data)


def text_field(body: Mapping[str, Json], name: str, code: str) -> str:
    """A text that must be there.

    Raises:
        Refused: 400 with `code`.
    """
    value = body.get(name)
    if not isinstance(value, str) or not value:
        raise Refused(400, code, f"'{name}' must be a text")
    return value


def optional_text(body: Mapping[str, Json], name: str, most: int) -> str | None:
    """A text that may be missing, at most `most` characters.

    Raises:
        Refused: 400.
    """
    value = body.get(name)
    if value is None or value == "":
        return None
    if not isinstance(value, str) or len(value) > most:
        raise Refused(
            400, "invalid_request", f"'{name}' must be a text of at most {most} characters"
        )
    return value
