"""Recorded interactions of providers, played again behind the endpoint."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from tau.ports.endpoint import LeaseTerms
from unit.proxy.upstreams import Scripted, model_at, placed, recording

PATHS = ("/chat/completions", "/responses", "/messages", "/embeddings")


@dataclass
class Played:
    """What came of it: `unlike` are those whose bytes or status were others."""

    count: int = 0
    unlike: list[str] = field(default_factory=list)
    uncounted: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)


def path_of(row: Mapping[str, Any]) -> str | None:
    """The path that the endpoint serves it at, None for what it does not serve."""
    if row["method"] != "POST" or not isinstance(row.get("request_body"), dict):
        return None
    if not isinstance(row["request_body"].get("model"), str):
        return None
    uri = str(row["uri"]).partition("?")[0]
    return next((path for path in PATHS if uri.endswith(path)), None)


async def played(rows: Iterable[Mapping[str, Any]]) -> Played:
    """Send each request and compare what comes with what upstream sent."""
    done = Played()
    async with Scripted() as up:
        for row in rows:
            path = path_of(row)
            said = row["response_body"]
            if path is None or said is None or str(said).startswith("binary:"):
                continue
            raw = said.encode() if isinstance(said, str) else orjson.dumps(said)
            kind = row["response_headers"].get("content-type", "application/json")
            kind = kind[0] if isinstance(kind, list) else kind
            up.status, up.kind = row["status"], kind
            up.pieces = [raw[at : at + 700] for at in range(0, len(raw), 700)]
            terms = LeaseTerms(calls=1, models=(row["request_body"]["model"],))
            record = recording()
            name = f"{row['path']} {row['i']}"
            done.count += 1
            async with (
                placed(model_at(up.base_url), terms, record) as place,
                place.post(path, row["request_body"]) as reply,
            ):
                came = await reply.read()
                if reply.status == 400 and row["status"] != 400:
                    done.refused.append(f"{name}: {came[:200]!r}")
                elif (reply.status, came) != (row["status"], raw):
                    done.unlike.append(name)
            told = row["status"] == 200 and b'"usage":{' in raw.replace(b" ", b"")
            if told and not record.spent.tokens:
                done.uncounted.append(name)
            record.close()
    return done
