"""That a worker process is there, and what it offers, as others see it in the store."""

from collections.abc import Mapping, Sequence

from tau import plugins
from tau.domain.ids import WorkerId
from tau.domain.worker import WorkerRole
from tau.models.providers import PROVIDERS
from tau.ports.clock import SystemClock
from tau.ports.processes import SystemProcesses
from tau.ports.store import Work
from tau.runner.heartbeat import Heartbeat

_HEARTBEAT_MS = 5_000
_LEASE_MS = 3 * _HEARTBEAT_MS

CODE = frozenset({"python", "command"})
"""Executors and graders that run code which a configuration names."""

_NEEDS = {"json-schema": "jsonschema_rs"}
"""Graders that need an extra's module."""


def offers(environ: Mapping[str, str], *, trust_store: bool) -> tuple[str, ...]:
    """What a process can run of the runs in a store, as `executor:NAME`, `grader:...`, `model:...`.

    Models are those that need no key or whose key is here; code is run where the store is trusted.
    """
    forbidden = frozenset() if trust_store else CODE
    found = [
        f"executor:{name}" for name in plugins.names(plugins.EXECUTORS) if name not in forbidden
    ]
    forbidden |= {name for name, module in _NEEDS.items() if not plugins.is_installed(module)}
    found += [f"grader:{name}" for name in plugins.names(plugins.GRADERS) if name not in forbidden]
    found += [f"model:{name}" for name in plugins.names(plugins.MODELS) if _has_key(name, environ)]
    return tuple(found)


def _has_key(model: str, environ: Mapping[str, str]) -> bool:
    provider = PROVIDERS.get(model)
    if provider is None or not provider.key_needed:
        return True
    return any(environ.get(variable, "").strip() for variable in provider.key_variables)


class Presence:
    """Keeps one process on the list of workers while it has nothing to do.

    It holds no work itself; the workers it starts for a run register for themselves.
    """

    def __init__(self, work: Work, offered: Sequence[str]) -> None:
        """Not there yet."""
        self._work = work
        self._offered = offered
        self._me: WorkerId | None = None
        self._heartbeat: Heartbeat | None = None

    async def keep(self) -> None:
        """Be on the list, again where it was given up; cheap where it is.

        Raises:
            StoreError: not this time.
        """
        if self._me is not None:
            return
        registered = await self._work.register(
            name="tau-worker",
            role=WorkerRole.HOST,
            process=SystemProcesses().this(),
            lease_ms=_LEASE_MS,
            offers=self._offered,
        )
        self._me = registered.id
        if self._heartbeat is None:
            self._heartbeat = Heartbeat(
                work=self._work,
                clock=SystemClock(),
                interval_ms=_HEARTBEAT_MS,
                lease_ms=_LEASE_MS,
                on_lost=self._lost,
            )
            self._heartbeat.start()
        self._heartbeat.add(registered.id)

    async def aclose(self) -> None:
        """Leave the list."""
        if self._heartbeat is not None:
            await self._heartbeat.aclose()
        if self._me is not None:
            await self._work.retire([self._me])

    def _lost(self, worker: WorkerId, _: str) -> None:
        if self._heartbeat is not None:
            self._heartbeat.remove(worker)
        self._me = None
