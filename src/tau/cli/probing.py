"""`tau probe`: how loud is the noise, how much is there to gain, and will a search pay?"""

import asyncio
import math
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist, fmean

from tau.algorithms.evaluate import EvaluateSettings
from tau.algorithms.parts import divide, parted
from tau.algorithms.reflect import ReflectSettings
from tau.algorithms.search_settings import SearchSettings
from tau.cli import figures, probed
from tau.cli.lifecycle_control import policy_file, principal
from tau.cli.measuring import RunPlace, StoppedEarly, carry_out, is_there
from tau.cli.probed import Noise, Probe
from tau.cli.records.reading import print_json, print_lines, read
from tau.cli.regrading import answers_of, judged_again, may_vary
from tau.cli.running import RunArguments, loaded, placed
from tau.cli.surface import Exit, warn
from tau.config.identity import identified
from tau.config.run_settings import PluginChoice, RunConfig
from tau.domain.claim import BETTER
from tau.domain.dataset import Example, Split
from tau.domain.ids import RunId
from tau.domain.resources import Resources
from tau.domain.run import RunStatus
from tau.errors import InputError
from tau.ports.algorithm import Problem
from tau.ports.store import Store
from tau.reports.account import Account, gather
from tau.scoring.claims import Claim, ClaimResult, PairedScores, decide
from tau.scoring.student import t_quantile
from tau.wiring.planning import forecast
from tau.wiring.reuse import PROBE

_FEWEST = 10
_BUDGETS = (200, 400, 600, 1_000, 2_000, 4_000)
_PER_REWRITE = 10
"""Evaluations a rewrite has, with those of the prompts it is raced against."""
_LEVEL = 0.95

Columns = dict[str, dict[int, float]]
"""Scores by row and replicate."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeTerms:
    """How much to spend: `rows` that measure, `rewrites` that are tried; `new`: measure again."""

    rows: int
    rewrites: int
    new: bool = False


def probe(arguments: RunArguments, terms: ProbeTerms, *, as_json: bool) -> int:
    """Measure, try rewrites, and print what a search would find.

    Raises:
        InputError: there are too few rows beside those that certify; nothing was run.
    """
    config = loaded(arguments)
    warn(config.warnings)
    arguments = placed(arguments, config)
    measuring, searching = _rows(config, terms.rows)
    if terms.rewrites:  # what cannot be searched is refused before anything is run
        asyncio.run(forecast(_race(config, searching, terms.rewrites)))
    place = RunPlace(
        store=arguments.location,
        principal=principal(arguments.principal),
        policy=policy_file(arguments.rbac_policy),
        origin=arguments.origin(),
        resume=_command(arguments, terms),
    )
    try:
        found = _probed(config, terms, place, measuring, searching)
    except StoppedEarly as stopped:
        return stopped.code
    if as_json:
        print_json(probed.fields(found))
    else:
        print_lines(list(probed.lines(found, arguments)))
    return Exit.OK


def _command(arguments: RunArguments, terms: ProbeTerms) -> str:
    words = ["tau", "probe", arguments.config, "--rows", str(terms.rows)]
    words += ["--rewrites", str(terms.rewrites)]
    given = (
        ("--store", arguments.store), ("--model", arguments.model),
        ("--principal", arguments.principal), ("--rbac-policy", arguments.rbac_policy),
    )  # fmt: skip
    words += [word for name, value in given if value for word in (name, value)]
    return shlex.join(words)


def _rows(config: RunConfig, most: int) -> tuple[tuple[Example, ...], tuple[Example, ...]]:
    """The rows that measure, and those that rewrites are made and chosen on.

    None is one that would certify. They are the same where there are too few of either.
    """
    problem = Problem(seed_resources=config.resources, examples=config.examples, seed=config.seed)
    parts = divide(problem, alpha=0.05)
    if len(parts.select) >= _FEWEST:
        measuring, searching = parts.select, parts.feedback
    else:
        searching, measuring = parted(parts.feedback, 0.5)  # whole groups
        if len(parts.feedback) < 3 * _FEWEST or min(len(searching), len(measuring)) < _FEWEST:
            measuring = searching = parts.feedback
    fewest = min(len(measuring), len(searching))
    if fewest < _FEWEST:
        raise InputError(
            f"{figures.count(fewest, 'row')} are too few to probe with",
            why="rows that certify are left alone, and so are those of their groups",
            fix=f"give at least {_FEWEST} rows in 'optimize', better 30 to 50, and a 'test' split",
        )
    if len({row.unit for row in measuring}) < 2:
        raise InputError(
            "all rows that would measure belong to one group: nothing can be said of one",
            why="rows of a group may err together, so the group is what counts",
            fix="give rows of more groups, or name another column in 'group'",
        )
    return measuring[:most], searching[:most]


def _probed(
    config: RunConfig,
    terms: ProbeTerms,
    place: RunPlace,
    measuring: Sequence[Example],
    searching: Sequence[Example],
) -> Probe:
    twice = _settled(_measures(config, measuring, replicates=2), place, terms)
    before = _by_replicate(twice, config.resources)
    groups: dict[str, str] = {row.id: row.unit for row in measuring}
    noise = noise_of(before, terms.rewrites, groups)
    runs = [str(twice.run.id)]
    if may_vary(config.graders):
        again = _judged_again(config, measuring, twice, place, terms)
        runs.append(str(again.run.id))
        noise = replace(noise, grader=_grader_noise(before, again, terms.rewrites, groups))
    found = Probe(noise=noise, runs=tuple(runs))
    if not terms.rewrites or noise.saturated:
        return found
    raced = _settled(_race(config, searching, terms.rewrites), place, terms)
    runs.append(str(raced.run.id))
    leader, headroom = raced.leader, None
    ahead = leader.hash != raced.baseline.hash
    if ahead:
        after = replace(config, resources=leader)
        once = _settled(_measures(after, measuring, replicates=1), place, terms)
        runs.append(str(once.run.id))
        headroom = _headroom(measuring, before, _by_replicate(once, leader))
    gain = headroom.difference if headroom is not None else None
    return replace(
        found,
        tried=raced.tried,
        ahead=ahead,
        headroom=headroom,
        apart=not {row.id for row in measuring} & {row.id for row in searching},
        budgets=tuple(_budgets(config)) if gain is not None and gain > 0 else (),
        runs=tuple(runs),
    )


def _measures(config: RunConfig, rows: Sequence[Example], *, replicates: int) -> RunConfig:
    """A run that measures the prompt on these rows."""
    choice = PluginChoice(
        type="evaluate",
        settings=EvaluateSettings(replicates=replicates),
        options={"replicates": replicates},
    )
    return _only(replace(config, algorithm=choice, replicates=replicates), rows)


def _judged_again(
    config: RunConfig, rows: Sequence[Example], twice: Account, place: RunPlace, terms: ProbeTerms
) -> Account:
    """What the graders say to the first answers when they see them once more."""
    run = twice.run.id
    answers = read(place.store, lambda store: answers_of(store, run, twice.measurements, rows))
    once = _measures(config, rows, replicates=1)
    return _settled(judged_again(once, run, answers, rows), place, terms)


def _grader_noise(
    before: Columns, again: Account, rewrites: int, groups: Mapping[str, str]
) -> Noise | None:
    """The noise of two judgements of the same answers; None where there are not two."""
    second = _by_replicate(again, again.baseline)
    pairs = {
        row: {0: scores[0], 1: second[row][0]}
        for row, scores in before.items()
        if 0 in scores and row in second
    }
    return noise_of(pairs, rewrites, groups) if len(pairs) > 1 else None


def _race(config: RunConfig, rows: Sequence[Example], rewrites: int) -> RunConfig:
    """A small search that certifies nothing."""
    own = config.algorithm.settings
    told = own if isinstance(own, SearchSettings) else SearchSettings()
    limits = {"proposals": rewrites, "evaluations": (rewrites + 2) * _PER_REWRITE}
    settings = ReflectSettings(
        targets=told.targets, max_chars=told.max_chars, templates=told.templates,
        columns=told.columns, certification=0, width=max(1, math.ceil(rewrites / 3)),
        block=_PER_REWRITE // 2, finalists=3, **limits,
    )  # fmt: skip
    choice = PluginChoice(type="reflect", settings=settings, options=dict(limits))
    return _only(replace(config, algorithm=choice, claim=BETTER, replicates=1), rows)


def _only(config: RunConfig, rows: Sequence[Example]) -> RunConfig:
    """The configuration with no other rows, each in its own split."""
    examples = {split: tuple(row for row in rows if row.split is split) for split in Split}
    return identified(replace(config, examples=examples, command=PROBE))


def _settled(config: RunConfig, place: RunPlace, terms: ProbeTerms) -> Account:
    """What a run of this configuration came to: one that has ended already, else a new one."""

    async def ended(store: Store) -> Account | None:
        for run in await store.runs.find(config.config_hash):
            if run.status is RunStatus.COMPLETED:
                return await gather(store, run.id)
        return None

    known = None if terms.new or not is_there(place.store) else read(place.store, ended)
    if known is not None:
        return known
    run_id = RunId(carry_out(config, place).run_id)
    return read(place.store, lambda store: gather(store, run_id))


def _by_replicate(account: Account, resources: Resources) -> Columns:
    """Scores by row and replicate."""
    found: Columns = {}
    for one in account.measurements:
        score = one.compared_score
        if one.resources == resources.hash and score is not None:
            found.setdefault(one.example, {})[one.replicate] = max(0.0, score)
    return found


def noise_of(scores: Columns, rewrites: int, groups: Mapping[str, str] | None = None) -> Noise:
    """The noise in two replicates of each row; rows of one of `groups` may err together.

    Raises:
        InputError: there are not two rows with two scores.
    """
    pairs = {row: (found[0], found[1]) for row, found in scores.items() if len(found) == 2}
    both = list(pairs.values())
    if len(both) < 2:
        raise InputError(
            f"{figures.count(len(both), 'row')} have two scores: nothing can be said of so few",
            fix="see why the others have none: tau rollouts ls",
        )
    n = len(both)
    # Either order of a group's two scores is as likely, so this is the mean's own spread.
    sums: dict[str, float] = {}
    for row, (one, other) in pairs.items():
        unit = (groups or {}).get(row, row)
        sums[unit] = sums.get(unit, 0.0) + one - other
    spread = math.sqrt(sum(each * each for each in sums.values())) / n
    normal = NormalDist()
    grouped = len(sums) < n
    beyond = t_quantile(1 - _LEVEL, max(1, len(sums) - 1)) if grouped else normal.inv_cdf(_LEVEL)
    lucky = normal.inv_cdf((rewrites - 0.375) / (rewrites + 0.25)) if rewrites > 1 else 0.0
    return Noise(
        rows=n,
        mean=fmean(fmean(pair) for pair in both),
        flipped=sum(one != other for one, other in both),
        alone=beyond * spread,
        luckiest=lucky * spread / math.sqrt(2),
        groups=len(sums),
        variance=sum((one - other) ** 2 for one, other in both) / (2 * n),
    )


def _headroom(rows: Sequence[Example], before: Columns, after: Columns) -> ClaimResult:
    def column(scores: Columns) -> tuple[float | None, ...]:
        return tuple(fmean(scores[row.id].values()) if row.id in scores else None for row in rows)

    return decide(
        Claim(),
        PairedScores(
            ids=tuple(row.id for row in rows),
            baseline=column(before),
            candidate=column(after),
            groups=tuple(row.unit for row in rows),
        ),
    )


def _budgets(config: RunConfig) -> Iterator[tuple[int, float]]:
    """What searches of usual sizes would prove, where that can be told."""
    for rollouts in _BUDGETS:
        try:
            planned = asyncio.run(
                forecast(replace(config, budget=replace(config.budget, rollouts=rollouts)))
            )
        except InputError:
            continue
        if planned is not None and planned.plan.detectable is not None:
            yield rollouts, planned.plan.detectable
