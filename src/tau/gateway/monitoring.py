"""For machines that watch: is it up, is it ready, and numbers for Prometheus."""

from collections.abc import Iterator
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from tau import __version__
from tau.domain.rollout import RolloutStatus
from tau.gateway.admission import Permission
from tau.gateway.alerts import alerts, health_state, paused
from tau.gateway.answers import JsonAnswer
from tau.gateway.context import gateway_of
from tau.gateway.credentials import Identity
from tau.gateway.permissions import admitted, opened
from tau.gateway.watch import Snapshot

router = APIRouter(include_in_schema=False)


@router.get("/healthz", dependencies=[Depends(opened())])
async def healthz(request: Request) -> Response:
    """The process answers."""
    return JsonAnswer({"status": "ok"})


@router.get("/readyz", dependencies=[Depends(opened())])
async def readyz(request: Request) -> Response:
    """The store can be read; says no more than that to strangers."""
    gateway = gateway_of(request)
    snapshot = await gateway.watch.snapshot()
    ready = snapshot.trouble is None
    return JsonAnswer({"status": "ready" if ready else "unavailable"}, 200 if ready else 503)


@router.get("/metrics")
async def metrics(
    request: Request, caller: Annotated[Identity, Depends(admitted(Permission.READ))]
) -> Response:
    """The current run in Prometheus' text format."""
    gateway = gateway_of(request)
    snapshot = await gateway.watch.snapshot()
    lines = "".join(f"{text}\n" for text in metric_lines(snapshot, streams=gateway.hub.listeners))
    return Response(lines, media_type="text/plain; version=0.0.4")


def metric_lines(snapshot: Snapshot, *, streams: int) -> Iterator[str]:
    """The lines, each metric with its help and type."""
    yield from _metric("tau_info", "gauge", "Version of Tau.", [({"version": __version__}, 1)])
    up = 0 if snapshot.trouble else 1
    yield from _metric("tau_store_up", "gauge", "Whether the store can be read.", [({}, up)])
    yield from _metric("tau_streams", "gauge", "Open event streams.", [({}, streams)])
    state, _ = health_state(snapshot)
    yield from _metric("tau_health", "gauge", "The run's health.", [({"state": state}, 1)])
    held = int(paused(snapshot))
    yield from _metric("tau_paused", "gauge", "Whether an operator holds the run.", [({}, held)])
    yield from _metric(
        "tau_alerts", "gauge", "Alerts by code.",
        [({"code": a.code, "severity": a.severity}, 1) for a in alerts(snapshot)],
    )  # fmt: skip
    yield from _run_metrics(snapshot)


def _run_metrics(snapshot: Snapshot) -> Iterator[str]:
    run = snapshot.run
    if run is None:
        return
    own: dict[str, str] = {"run": run.id}
    yield from _metric(
        "tau_rollouts", "gauge", "Rollouts of the run by status.",
        [({**own, "status": str(s)}, snapshot.counts[s]) for s in RolloutStatus],
    )  # fmt: skip
    yield from _metric(
        "tau_rollout_failures", "gauge", "Final failures of the run by class.",
        [({**own, "class": kind}, n) for kind, n in snapshot.failures.items()],
    )  # fmt: skip
    yield from _metric("tau_calls", "gauge", "Model calls paid for.", [(own, run.spent.calls)])
    yield from _metric("tau_tokens", "gauge", "Tokens paid for.", [(own, run.spent.tokens)])
    yield from _metric("tau_cost_usd", "gauge", "Dollars spent.", [(own, run.spent.cost_usd)])
    yield from _metric(
        "tau_tokens_assumed", "gauge", "Tokens of those that no provider told: as reserved.",
        [(own, run.spent.assumed_tokens)],
    )  # fmt: skip
    yield from _metric(
        "tau_cost_assumed_usd", "gauge", "Dollars of those that no provider told: as reserved.",
        [(own, run.spent.assumed_cost_usd)],
    )  # fmt: skip
    live = len(snapshot.workers)
    yield from _metric("tau_workers", "gauge", "Registered loops.", [({}, live)])


def _metric(
    name: str, kind: str, about: str, values: list[tuple[dict[str, str], float]]
) -> Iterator[str]:
    if not values:
        return
    yield f"# HELP {name} {about}"
    yield f"# TYPE {name} {kind}"
    for labels, value in values:
        inner = ",".join(f'{label}="{_escaped(text)}"' for label, text in labels.items())
        yield f"{name}{{{inner}}} {value:g}" if inner else f"{name} {value:g}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
