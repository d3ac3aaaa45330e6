"""Scripts, styles and the icon: read once, named by their content, kept by browsers."""

import hashlib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from starlette.requests import Request
from starlette.responses import Response

from tau.gateway.answers import Refused

_KINDS = {"js": "text/javascript; charset=utf-8", "css": "text/css; charset=utf-8",
          "svg": "image/svg+xml"}  # fmt: skip
NAMES = (
    "vendor/uPlot.iife.min.js",
    "vendor/uPlot.min.css",
    "tau.js",
    "tau.css",
    "icon.svg",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class StaticFile:
    """One file as it is sent."""

    content: bytes
    media_type: str
    digest: str


@cache
def static_files() -> dict[str, StaticFile]:
    """Every file by name."""
    return {name: _load(name) for name in NAMES}


def address(name: str) -> str:
    """Where a browser finds a file; another content has another address."""
    return f"/static/{name}?v={static_files()[name].digest}"


async def serve(request: Request) -> Response:
    """One of the files."""
    found = static_files().get(request.path_params["name"])
    if found is None:
        raise Refused(404, "not_found", "there is no such file")
    current = request.query_params.get("v") == found.digest
    keep = "public, max-age=31536000, immutable" if current else "no-cache"
    headers = {"Cache-Control": keep, "ETag": f'"{found.digest}"'}
    if request.headers.get("if-none-match") == headers["ETag"]:
        return Response(status_code=304, headers=headers)
    return Response(found.content, media_type=found.media_type, headers=headers)


def _load(name: str) -> StaticFile:
    content = files("tau.gateway").joinpath("static", *name.split("/")).read_bytes()
    return StaticFile(
        content=content,
        media_type=_KINDS[name.rpartition(".")[2]],
        digest=hashlib.sha256(content).hexdigest()[:16],
    )
