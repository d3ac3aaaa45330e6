"""`tau migrate`: is the prompt, or a better one, not worse on another model?"""

import asyncio
import shlex
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from tau.cli import figures
from tau.cli.lifecycle_control import policy_file, principal
from tau.cli.measuring import (
    RunPlace,
    Scores,
    StoppedEarly,
    carry_out,
    mean,
    on_rows,
    stored_scores,
)
from tau.cli.records.reading import print_json, print_lines
from tau.cli.running import RunArguments, loaded, placed
from tau.cli.surface import Exit, warn
from tau.cli.text import Column, facts, line, table
from tau.config.run_settings import RunConfig
from tau.domain.dataset import Example, Split
from tau.domain.ids import RunId, short_hash
from tau.domain.json import Json
from tau.domain.resources import Alias, Resources
from tau.errors import InputError, UsageError
from tau.lifecycle.asking import Asked
from tau.lifecycle.authorization import PROMOTE, PROMOTE_KEY
from tau.scoring.claims import Claim, ClaimKind, ClaimResult, PairedScores, decide
from tau.wiring.access import guarded
from tau.wiring.stores import open_store

_ALPHA = 0.05
_FEWEST = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """What to move where; limits in `arguments.budget` are for a search on the new model."""

    arguments: RunArguments
    to: str
    margin: float
    alias: str | None = None
    remeasure: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class _Try:
    """A prompt on the new model beside the old one on the old, and what was decided."""

    name: str
    resources: Resources
    scores: Scores
    result: ClaimResult

    @property
    def met(self) -> bool:
        return self.result.decision.value == "promote"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Moved:
    split: Split
    old: Scores
    stored: bool
    tries: tuple[_Try, ...]
    alpha: float
    notes: tuple[str, ...]
    alias: Alias | None = None

    @property
    def chosen(self) -> _Try | None:
        """What may be used on the new model: what a search found comes first."""
        return next((one for one in reversed(self.tries) if one.met), None)


def migrate(move: Move, *, as_json: bool) -> int:
    """Measure, decide, point the alias where the claim is met, and print it; 3 where it is not.

    Raises:
        InputError: it cannot be done; nothing was run.
    """
    arguments, old, new = _configured(move)
    try:
        moved = _moved(move, arguments, old, new)
    except StoppedEarly as stopped:
        return stopped.code
    if moved.chosen is not None and move.alias is not None:
        moved = replace(moved, alias=_point(move, arguments, moved, moved.chosen))
    if as_json:
        print_json(_fields(moved, move))
    else:
        print_lines(list(_lines(moved, move, old)))
    return Exit.OK if moved.chosen is not None else Exit.GATE


def _configured(move: Move) -> tuple[RunArguments, RunConfig, RunConfig]:
    """The arguments with their store, and the configuration with either model.

    Raises:
        InputError: there is nothing to move, or a search has no row to claim anything on.
    """
    measured = replace(move.arguments, instead="evaluate", budget={})
    old = loaded(measured)
    new = loaded(replace(measured, model=move.to))
    warn(new.warnings)
    if new.semantic["model"] == old.semantic["model"]:
        raise UsageError(
            f"'{move.to}' is the model that the configuration names",
            fix="name the old one by --model where CFG names the new one already",
        )
    if not old.resources.values:
        raise InputError("the configuration has no prompt to move", fix="add it to 'resources'")
    if move.arguments.budget and not new.examples[Split.TEST]:
        raise InputError(
            "a search needs rows that it does not see, to claim on",
            why="the configuration has no rows in 'test'",
            fix="add some to 'test', or leave out --budget-rollouts",
        )
    return placed(move.arguments, new), old, new


def _moved(move: Move, arguments: RunArguments, old: RunConfig, new: RunConfig) -> _Moved:
    place = _place(move, arguments)
    split = next(one for one in (Split.TEST, Split.VALIDATE, Split.OPTIMIZE) if new.examples[one])
    rows: Sequence[Example] = new.examples[split]
    notes = []
    before = stored_scores(place, old, rows)
    stored = before.known >= _FEWEST and not move.remeasure
    if stored and before.known < len(rows):
        known = before.known
        notes.append(
            f"the store has scores of the old model on {known:,} of {len(rows):,} rows: "
            "only these count (--remeasure asks the old model for all)"
        )
        rows = [row for row, score in zip(rows, before.scores, strict=True) if score is not None]
        before = stored_scores(place, old, rows)
    if not stored:
        before = _measured(place, old, rows, split, again=move.remeasure)
    alpha = _ALPHA / 2 if arguments.budget else _ALPHA
    claim = Claim(kind=ClaimKind.NOT_WORSE, margin=move.margin, alpha=alpha)
    tries = [_try("old prompt", new, before, _measured(place, new, rows, split), rows, claim)]
    if arguments.budget:
        found = _found(arguments, move, place)
        if found is None:
            notes.append("the search found no prompt that seemed better than the old one")
        else:
            best = replace(new, resources=found)
            scores = _measured(place, best, rows, split)
            tries.append(_try("best found", best, before, scores, rows, claim))
    return _Moved(
        split=split, old=before, stored=stored, tries=tuple(tries), alpha=alpha, notes=tuple(notes)
    )


def _measured(
    place: RunPlace,
    config: RunConfig,
    rows: Sequence[Example],
    split: Split,
    *,
    again: bool = False,
) -> Scores:
    """Scores of all rows: those that are stored, where they are complete, else new ones."""
    config = on_rows(config, rows, split=split)
    found = stored_scores(place, config, rows)
    if again or found.known < len(rows):
        carry_out(config, place)
        found = stored_scores(place, config, rows)
    return found


def _found(arguments: RunArguments, move: Move, place: RunPlace) -> Resources | None:
    """What a search on the new model has ahead at its end; None where that is the old prompt."""
    searching = replace(arguments, model=move.to, algorithm="reflect")
    config = loaded(searching)
    if config.algorithm.type == "evaluate":
        config = loaded(replace(searching, instead="reflect"))
    account = carry_out(config, place).account
    if account is None or account.leader.hash == account.baseline.hash:
        return None
    return account.leader


def _try(
    name: str,
    config: RunConfig,
    before: Scores,
    after: Scores,
    rows: Sequence[Example],
    claim: Claim,
) -> _Try:
    scores = PairedScores(
        ids=tuple(row.id for row in rows),
        baseline=_bounded(before),
        candidate=_bounded(after),
        groups=tuple(row.unit for row in rows),
    )
    return _Try(name=name, resources=config.resources, scores=after, result=decide(claim, scores))


def _bounded(scores: Scores) -> tuple[float | None, ...]:
    return tuple(None if one is None else max(0.0, one) for one in scores.scores)


def _place(move: Move, arguments: RunArguments) -> RunPlace:
    return RunPlace(
        store=arguments.location,
        principal=principal(arguments.principal),
        policy=policy_file(arguments.rbac_policy),
        origin=arguments.origin(),
        resume=_command(move, arguments),
    )


def _command(move: Move, arguments: RunArguments) -> str:
    words = ["tau", "migrate", arguments.config, "--to", move.to, "--margin", f"{move.margin:g}"]
    given = (
        ("--store", move.arguments.store), ("--model", arguments.model), ("--alias", move.alias),
        *((f"--budget-{name}", f"{value:g}") for name, value in arguments.budget.items()),
        ("--principal", arguments.principal), ("--rbac-policy", arguments.rbac_policy),
    )  # fmt: skip
    words += [word for name, value in given if value for word in (name, value)]
    return shlex.join(words)


def _point(move: Move, arguments: RunArguments, moved: _Moved, chosen: _Try) -> Alias:
    """Point the alias at what met the claim, with the claim as evidence."""
    assert move.alias is not None
    alias, place = move.alias, _place(move, arguments)
    reason = f"moved to {move.to}: not worse by {move.margin:g}"
    asked = Asked(
        action=PROMOTE, key=PROMOTE_KEY, principal=place.principal, reason=reason,
        detail=f"{alias} to {short_hash(chosen.resources.hash)}",
    )  # fmt: skip
    runs = chosen.scores.runs
    evidence: dict[str, Json] = {
        "run_id": runs[-1],
        "decision": chosen.result.decision.value,
        "model": chosen.scores.model,
        "old_model": moved.old.model,
        "claim": chosen.result.claim.value,
        "margin": move.margin,
    }

    async def act() -> Alias:
        async with await open_store(place.store) as opened:
            version = await opened.resources.publish(chosen.resources, run_id=RunId(runs[-1]))
            return await opened.aliases.point(
                alias, version.number, principal=place.principal, reason=reason, evidence=evidence
            )

    return asyncio.run(guarded(place.store, asked, place.policy, act))


# --- what is printed


_HEADER = (
    Column(name="prompt", least=10),
    Column(name="model", least=12),
    Column(name="score"),
    Column(name="usd a row"),
    Column(name="latency"),
)
_VERDICTS = {
    "promote": "not worse",
    "keep_baseline": "worse",
    "inconclusive": "these rows cannot tell",
}


def _lines(moved: _Moved, move: Move, old: RunConfig) -> Iterator[str]:
    chosen = moved.chosen
    if chosen is None:
        yield f"DO NOT MOVE   no prompt is proved not worse by {move.margin:g} on {line(move.to)}"
    else:
        yield f"MOVE   the {chosen.name} is not worse by {move.margin:g} on {line(move.to)}"
    yield ""
    rows = [_row("old prompt", moved.old), *(_row(one.name, one.scores) for one in moved.tries)]
    yield from table(_HEADER, rows)
    yield ""
    yield from facts(_said(moved))
    if chosen is None and not move.arguments.budget and old.examples[Split.TEST]:
        sys.stderr.write("next: a search on the new model may find a prompt that is not worse:\n")
        more = replace(move.arguments, budget={"rollouts": 600})
        sys.stderr.write(f"  {_command(replace(move, arguments=more), more)}\n")


def _row(name: str, scores: Scores) -> tuple[str, str, str, str, str]:
    score, usd, ms = scores.mean, mean(scores.usd), mean(scores.ms)
    return (
        name,
        scores.model,
        "-" if score is None else f"{score:.3f}",
        "-" if usd is None else f"{usd:.3g}",
        "-" if ms is None else figures.duration(ms / 1000),
    )


def _said(moved: _Moved) -> Iterator[tuple[str, str]]:
    for one in moved.tries:
        yield one.name, f"{_VERDICTS[one.result.decision.value]}: {one.result.words()}"
    first = moved.tries[0].result
    pairs = figures.count(first.pairs, "row")
    where = "stored scores" if moved.stored else "measured now"
    yield "evidence", f"{pairs} of '{moved.split}' on both; the old model: {where}"
    level = f"{100 * moved.alpha:g} %"
    both = " for each of two claims" if moved.alpha < _ALPHA else ""
    yield "level", f"a false claim is met in at most {level} of cases{both}"
    for note in dict.fromkeys([*moved.notes, *(c for t in moved.tries for c in t.result.caveats)]):
        yield "note", note
    if moved.alias is not None:
        yield "alias", f"{moved.alias.name} is {moved.alias.version.id}"


def _fields(moved: _Moved, move: Move) -> dict[str, Json]:
    return {
        "old_model": moved.old.model,
        "new_model": move.to,
        "margin": move.margin,
        "alpha": moved.alpha,
        "split": moved.split.value,
        "old_scores_stored": moved.stored,
        "met": moved.chosen is not None,
        "recommended": moved.chosen.resources.hash if moved.chosen else None,
        "old_on_old": _measures(moved.old),
        "tries": [
            {
                "name": one.name.replace(" ", "_"),
                "resources_hash": one.resources.hash,
                "resources": dict(one.resources.values),
                **_measures(one.scores),
                "claim": one.result.to_json(),
            }
            for one in moved.tries
        ],
        "alias": moved.alias.name if moved.alias else None,
        "version": moved.alias.version.id if moved.alias else None,
        "notes": list(moved.notes),
    }


def _measures(scores: Scores) -> dict[str, Json]:
    return {
        "model": scores.model,
        "score": scores.mean,
        "rows": scores.known,
        "cost_usd_per_row": mean(scores.usd),
        "latency_ms": mean(scores.ms),
        "runs": list(scores.runs),
    }
