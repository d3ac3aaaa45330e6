"""What `tau probe` has measured and paid for, taken over by runs of the same configuration."""

import inspect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tau import plugins
from tau.config.run_settings import GraderChoice, PluginChoice, RunConfig
from tau.domain.ids import RolloutId, RunId
from tau.domain.rollout import Outcome, RolloutRequest, RolloutStatus, reused_outcome
from tau.domain.run import Run
from tau.errors import PluginError
from tau.ports.store import Store
from tau.reports.conditions import Conditions

PROBE = "probe"
"""What `RunConfig.command` is of a probe's runs."""
_PAGE = 200
_MOST_RUNS = 60
_CHUNK = 500

Key = tuple[str, str, int]
Known = tuple[RolloutRequest, Outcome]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reusable:
    """Evaluations that may be taken over, by resources, example and replicate.

    Each is of one replicate and answers that one alone: two replicates are never the same answer.
    `note` says why some that there are may not.
    """

    store: Store
    found: dict[Key, tuple[RunId, RolloutId]] = field(default_factory=dict)
    note: str = ""

    async def __call__(self, wave: Sequence[RolloutRequest]) -> list[Known]:
        """Those of `wave` that are known, with what they came to."""
        asked: dict[RunId, list[tuple[RolloutRequest, RolloutId]]] = {}
        for request in wave if self.found else ():
            place = self.found.get(_key(request)) if request.reusable else None
            if place is not None:
                asked.setdefault(place[0], []).append((request, place[1]))
        known: list[Known] = []
        for run, pairs in asked.items():
            for start in range(0, len(pairs), _CHUNK):
                known += await self._collected(run, pairs[start : start + _CHUNK])
        return known

    async def _collected(
        self, run: RunId, pairs: Sequence[tuple[RolloutRequest, RolloutId]]
    ) -> Iterator[Known]:
        results = await self.store.queue.collect(run, [rollout for _, rollout in pairs])
        made = [None if result is None else reused_outcome(result) for result in results]
        told = zip((request for request, _ in pairs), made, strict=True)
        return iter([(request, outcome) for request, outcome in told if outcome is not None])


async def reusable(store: Store, config: RunConfig, run: Run) -> Reusable:
    """What probes that began before `run` did measured under the same conditions.

    Nothing where the configuration says so, and nothing older than the code that it names.
    """
    if not config.reuse or config.command == PROBE:
        return Reusable(store=store)
    probes = await _probes(store, run)
    changed_ms = code_changed_ms(config) if probes else 0
    fresh = [one for one in probes if changed_ms is not None and one.created_unix_ms > changed_ms]
    found: dict[Key, tuple[RunId, RolloutId]] = {}
    for probe in fresh:
        for one in await store.insights.measurements(run=probe.id):
            if one.status is RolloutStatus.SUCCEEDED and one.score is not None:
                key = (one.resources, one.example, one.replicate)
                found.setdefault(key, (probe.id, one.rollout_id))
    return Reusable(store=store, found=found, note=_CHANGED if len(fresh) < len(probes) else "")


_CHANGED = (
    "what an earlier `tau probe` measured is measured anew: a function or a program that the "
    "configuration names may have changed since"
)


async def _probes(store: Store, run: Run) -> list[Run]:
    """The newest runs of probes from before `run` under its conditions, the newest first."""
    wanted = Conditions.of(run.model_ref, run.config)
    found: list[Run] = []
    offset = 0
    while page := await store.insights.runs(limit=_PAGE, offset=offset):
        offset += len(page)
        found += [
            one
            for one in page
            if one.config.get("purpose") == PROBE
            and one.created_unix_ms <= run.created_unix_ms
            and Conditions.of(one.model_ref, one.config) == wanted
        ]
        if len(found) >= _MOST_RUNS:
            break
    return found[:_MOST_RUNS]


def _key(request: RolloutRequest) -> Key:
    return request.resources.hash, request.subject, request.replicate


def code_changed_ms(config: RunConfig) -> int | None:
    """When code that the configuration names changed last, 0 without any; None: nobody can tell.

    A store does not know code: whoever edits a function or a program gets new answers from it.
    """
    newest = 0
    named: tuple[PluginChoice | GraderChoice, ...] = (config.executor, *_all(config.graders))
    for choice in named:
        if choice.type not in ("python", "command"):
            continue
        files = list(_files(choice, config.base_dir))
        if not files:
            return None
        try:
            times = [int(file.stat().st_mtime * 1000) for file in files]
        except OSError:
            return None
        newest = max(newest, *times)
    return newest


def _all(graders: Sequence[GraderChoice]) -> Iterator[GraderChoice]:
    for grader in graders:
        yield grader
        yield from _all(grader.children)


def _files(choice: PluginChoice | GraderChoice, base_dir: Path) -> Iterator[Path]:
    """The files of a function or a program, and their neighbours of the same kind."""
    if choice.type == "python":
        try:
            source = inspect.getsourcefile(
                plugins.load_callable(choice.settings.function, base_dir)
            )
        except (PluginError, TypeError):
            return
        named = [Path(source)] if source else []
    else:
        words = [base_dir / word for word in choice.settings.command]
        named = [word for word in words if word.is_file()]
    for file in named:
        yield file
        yield from (one for one in file.parent.glob(f"*{file.suffix}") if one.is_file())
