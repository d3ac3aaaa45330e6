"""A run as one HTML page that needs nothing else: no script, no font, no request."""

from collections.abc import Iterator, Sequence

from tau.charts.intervals import Interval, interval_chart
from tau.charts.outcomes import ExampleOutcome, Fate, outcome_chart
from tau.charts.progress import Trial, progress_chart
from tau.charts.svg import clean
from tau.domain.dataset import Split
from tau.reports import shortfalls
from tau.reports.account import Account
from tau.reports.examples import failing, texts
from tau.reports.front_html import front_section
from tau.reports.gain import Gain, p_text
from tau.reports.judges_html import JudgeReport, judge_section
from tau.reports.outcome import Ending, outcome
from tau.reports.refused import refused_lines
from tau.reports.rows import EvaluationRow
from tau.reports.trials import search_trials, selecting_split
from tau.reports.wording import capital, counted, dollars, sentence, signed
from tau.reports.words import Change, Piece
from tau.scoring.aggregate import Estimate

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
_STYLE = """
:root { color-scheme: light dark; --ink: #1b1f24; --dim: #5b6470; --paper: #fff; --rule: #d9dee4;
  --best: #1a7f37; --base: #1f5fbf; --other: #8a6d1a; --bad: #b42318; --wash: #f4f6f8; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9ed; --dim: #9aa4b0; --paper: #14171b;
  --rule: #313840; --best: #4cc26e; --base: #78a9ff; --other: #d9b44a; --bad: #ff8a7a;
  --wash: #1c2127; } }
body { margin: 2rem auto; max-width: 62rem; padding: 0 1rem; background: var(--paper);
  color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.5rem; margin: 0; } h2 { font-size: 1.1rem; margin: 2rem 0 .5rem; }
.dim { color: var(--dim); } .decision { font-size: 1.2rem; font-weight: 600; margin: 1rem 0 .3rem; }
.promote { color: var(--best); } .part, .inconclusive { color: var(--other); }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: .3rem .6rem .3rem 0; border-bottom: 1px solid var(--rule);
  vertical-align: top; }
th { font-weight: 600; color: var(--dim); }
.scroll { overflow-x: auto; } h1 { overflow-wrap: anywhere; }
.scroll > .chart { max-width: none; width: 100%; min-width: 26rem; }
.scroll > .chart.intervals { max-width: 38rem; min-width: 0; }
td, p { overflow-wrap: break-word; } th { overflow-wrap: normal; white-space: nowrap; }
details { margin: .6rem 0; } summary { cursor: pointer; }
.case { border-bottom: 1px solid var(--rule); padding: .3rem 0 .6rem; }
.case p { margin: .2rem 0; }
.wrong { color: var(--bad); font-weight: 600; } .pair { display: grid; gap: .2rem 1rem;
  grid-template-columns: repeat(auto-fit, minmax(min(20rem, 100%), 1fr)); }
.pair > * { min-width: 0; } .pair pre { margin: .1rem 0; max-height: 20rem; overflow-y: auto; }
@media (max-width: 40rem) { body { margin: 1rem auto; font-size: 15px; }
  .scroll > .chart { min-width: 0; } }
pre { background: var(--wash); padding: .8rem; border-radius: 6px; white-space: pre-wrap;
  overflow-wrap: anywhere; font: 13px/1.5 ui-monospace, monospace; }
ins { color: var(--best); text-decoration: underline; } del { color: var(--bad); }
.chart { max-width: 100%; height: auto; }
.chart text { fill: currentColor; font: 12px system-ui, sans-serif; }
.chart .tick { fill: var(--dim); font-size: 11px; } .chart .figure { font-weight: 600; }
.chart .axis { stroke: var(--rule); } .chart .zero { stroke: var(--dim); }
.range { stroke-width: 2; stroke: var(--other); } .point, .dot { fill: var(--other); }
.dot { fill-opacity: .55; }
.range.baseline { stroke: var(--base); } .point.baseline, .dot.baseline { fill: var(--base); }
.range.best { stroke: var(--best); } .point.best, .dot.best { fill: var(--best); fill-opacity: 1; }
.cell { fill: var(--rule); } .cell.fixed { fill: var(--best); } .cell.broken { fill: var(--bad); }
.dot.accepted { fill: var(--best); fill-opacity: 1; }
.dot.discarded { fill: none; stroke: var(--dim); stroke-width: 1.5; fill-opacity: 1; }
.dot.gated { fill: none; stroke: var(--bad); stroke-width: 2; }
.spread { stroke: var(--dim); stroke-opacity: .35; } .spread.accepted { stroke-opacity: .7; }
.spread.strong { stroke-width: 2; stroke-opacity: .8; } .spread.baseline { stroke: var(--base); }
.spread.best { stroke: var(--best); }
.line.best { fill: none; stroke: var(--best); stroke-width: 1.5; stroke-opacity: .6; }
.scroll > .chart.front { max-width: 40rem; min-width: 0; } .nowrap { white-space: nowrap; }
.key .chart, td .chart { vertical-align: -.15em; } .key span { margin-right: 1rem; }
.front .dot, .mark-key .dot { fill-opacity: 1; }
@media (max-width: 40rem) { .chart.front text { font-size: 14px; } }
.chart .mark { fill: var(--paper); font-size: 11px; font-weight: 700; }
"""
_MOST_CANDIDATES = 20
_ROLES = {"baseline": "baseline", "best": "best"}
_UNSAID = frozenset({Ending.MEASURED, Ending.NOT_DECIDED, Ending.RUNNING})


def html(
    account: Account,
    evaluations: Sequence[EvaluationRow] = (),
    *,
    content: bool = False,
    judges: Sequence[JudgeReport] = (),
) -> str:
    """The page. `evaluations` are looked through for what failed; texts only with `content`.

    `judges` is what is known of the judges whose verdicts the scores are.
    """
    body = "\n".join(_body(account, evaluations, judges, content=content))
    title = clean(f"Tau: {account.run.id}")
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        f"<title>{title}</title>\n<style>{_STYLE}</style>\n</head>\n"
        f"<body>\n{body}\n</body>\n</html>\n"
    )


def _body(
    account: Account,
    evaluations: Sequence[EvaluationRow],
    judges: Sequence[JudgeReport],
    *,
    content: bool,
) -> Iterator[str]:
    run = account.run
    yield f"<h1>{clean(run.id)}</h1>"
    yield (
        f'<p class="dim">{clean(run.model_ref)} · {clean(run.algorithm)} · {run.status} · '
        f"{counted(account.counts.settled, 'rollout')}</p>"
    )
    if run.model_ref.startswith("sim/"):
        yield '<p class="dim">The model was simulated: this says nothing of a real one.</p>'
    yield from _decision(account)
    yield from judge_section(judges)
    yield from _scores(account)
    yield from _missing(account)
    yield from _search(account)
    yield from front_section(account)
    yield from _diffs(account)
    yield from failing(account, evaluations, content=content)
    yield from _candidates(account)
    yield from _cost(account)
    if content:
        yield from texts(account, evaluations)


def _decision(account: Account) -> Iterator[str]:
    found = outcome(account)
    if account.decision is None and found.ending in _UNSAID:
        return
    partial = account.partial
    tone, part = (" part", f", on {partial.rows} rows") if partial else ("", "")
    bad = " wrong" if found.ending in (Ending.NOTHING_SCORED, Ending.FAILED) else ""
    kind = clean(account.decision or "undecided")
    yield f'<p class="decision {kind}{tone}{bad}">{clean(found.headline(part))}</p>'
    yield from (f"<p>{clean(sentence(text))}</p>" for text in found.under)
    if partial is not None:
        cases = "; ".join(f"{when}, it would be {then}" for when, then in partial.cases)
        yield f'<p class="partial">Only {partial.rows} rows were compared: {clean(cases)}.</p>'
    why = found.why or account.reason
    if found.ending is Ending.NOTHING_SCORED:
        why = shortfalls.commonest(account.shortfalls)
    if why:
        yield f"<p>{clean(sentence(why))}</p>"
    gain = account.gain
    if gain is not None:
        yield f'<div class="scroll">{_gain_chart(gain)}</div>'
        yield f"<p>{clean(_gain_words(gain))}</p>"
        yield from _outcomes(account, gain)
    for caveat in account.verdict.caveats if account.verdict else ():
        yield f'<p class="dim">Note: {clean(sentence(caveat))}</p>'
    for told in refused_lines(account.evidence):
        yield f'<p class="dim">{clean(sentence(told))}</p>'


def _gain_chart(gain: Gain) -> str:
    row = Interval(
        label="best − baseline",
        low=gain.low,
        middle=gain.difference,
        high=gain.high,
        tone="best",
        figure=f"{signed(gain.difference)} ({signed(gain.low)} to {signed(gain.high)})",
    )
    return interval_chart("Paired difference with its interval", [row], start=-1, end=1)


def _gain_words(gain: Gain) -> str:
    side = " (one-sided)" if gain.one_sided else ""
    words = (
        f"Paired difference {signed(gain.difference)} on {counted(gain.n, 'example')}, "
        f"{100 * (1 - gain.alpha):.3g} % interval {signed(gain.low)} to {signed(gain.high)}, "
        f"p {p_text(gain.p_value)}{side}; {len(gain.fixed):,} fixed, {len(gain.broken):,} broken."
    )
    if gain.groups is not None and gain.design_effect is not None:
        words += f" They are {gain.groups:,} groups, design effect {gain.design_effect:.2f}."
    if gain.rows_to_settle is not None:
        words += f" {capital(gain.settling)} would settle it."
    return words


def _outcomes(account: Account, gain: Gain) -> Iterator[str]:
    """Certified examples in the order in which they were measured."""
    fixed: set[str] = set(gain.fixed)
    broken: set[str] = set(gain.broken)
    table = account.table()
    known = table[account.leader.hash].by_example.keys() & table[account.baseline.hash].by_example
    splits: dict[str, Split] = {one.example: one.split for one in account.measurements}
    wanted = {splits[name] for name in fixed | broken if name in splits}
    names = [name for name in splits if name in known and splits[name] in wanted]
    if not names or len(names) != gain.n:
        return
    outcomes = [
        ExampleOutcome(
            label=name,
            fate=Fate.FIXED if name in fixed else Fate.BROKEN if name in broken else Fate.SAME,
        )
        for name in names
    ]
    yield f'<div class="scroll">{outcome_chart("Examples fixed and broken", outcomes)}</div>'


def _scores(account: Account) -> Iterator[str]:
    rows = list(_interval_rows(account))
    if rows:
        yield "<h2>Scores</h2>"
        yield f'<div class="scroll">{interval_chart("Mean scores with 95 % intervals", rows)}</div>'
        yield (
            '<p class="dim">The splits optimize and validate chose the prompt, so its scores there '
            "are flattered; the paired difference above is not.</p>"
            if account.tried
            else ""
        )


def _missing(account: Account) -> Iterator[str]:
    rows = list(shortfalls.table(account.shortfalls))
    if not rows:
        return
    yield '<h2>What is missing</h2><div class="scroll"><table>'
    yield "<tr><th>how many</th><th>what</th><th>why</th></tr>"
    yield from (
        f"<tr><td>{number:,}</td><td>{clean(what)}</td><td>{clean(capital(why))}</td></tr>"
        for what, why, number in rows
    )
    yield "</table></div>"


def _interval_rows(account: Account) -> Iterator[Interval]:
    for split in account.splits():
        if split.baseline is not None:
            name = f"{split.split} baseline" if account.tried else str(split.split)
            yield _interval(name, split.baseline, "baseline")
        if split.best is not None and account.leader.hash != account.baseline.hash:
            yield _interval(f"{split.split} best", split.best, "best")


def _interval(label: str, estimate: Estimate, tone: str) -> Interval:
    return Interval(
        label=label,
        low=estimate.low,
        middle=estimate.mean,
        high=estimate.high,
        tone=tone,
        figure=f"{estimate.mean:.3f} ({estimate.low:.3f} to {estimate.high:.3f})",
    )


def _search(account: Account) -> Iterator[str]:
    trials = search_trials(account)
    if len(trials) > 1:
        split = selecting_split(account)
        baseline = account.estimate(account.baseline.hash, split)
        chart = progress_chart(
            f"Candidates by score on {split}",
            trials,
            baseline=baseline.mean if baseline else None,
        )
        yield f'<h2>Search</h2><div class="scroll">{chart}</div>'
        yield (
            f'<p class="dim">Means on {split}, by the number of evaluations before: a dot per '
            "candidate, larger the more rows it has; the line is the baseline.</p>"
        )


def _diffs(account: Account) -> Iterator[str]:
    for name, pieces in account.diffs().items():
        yield f"<h2>{clean(name)}: what changed</h2><pre>{_marked(pieces)}</pre>"


def _marked(pieces: Sequence[Piece]) -> str:
    tags = {Change.SAME: ("", ""), Change.ADDED: ("<ins>", "</ins>"),
            Change.REMOVED: ("<del>", "</del>")}  # fmt: skip
    return "".join(
        tags[p.change][0] + clean(p.text) + tags[p.change][1]
        if p.text.strip()
        else clean(p.text) * (p.change is not Change.REMOVED)
        for p in pieces
    )


def _candidates(account: Account) -> Iterator[str]:
    trials = search_trials(account)
    if len(trials) < 2:
        return
    named = [trial for trial in trials if trial.tone != "other"]
    others = [trial for trial in trials if trial.tone == "other"]
    others.sort(key=lambda trial: -trial.mean)
    room = max(0, _MOST_CANDIDATES - len(named))
    shown = {id(trial) for trial in (*named, *others[:room])}
    split = selecting_split(account)
    yield "<h2>Candidates</h2>"
    yield _candidate_table([one for one in trials if id(one) in shown], split)
    if others[room:]:
        yield f"<details><summary>{counted(len(others[room:]), 'candidate')} more, "
        yield "which scored lower</summary>"
        yield _candidate_table(others[room:], split)
        yield "</details>"


def _candidate_table(trials: Sequence[Trial], split: Split) -> str:
    head = (
        '<div class="scroll"><table><tr><th>resources</th><th></th><th>first tried after</th>'
        f"<th>mean on {split}</th><th>rows</th></tr>"
    )
    rows = (
        f"<tr><td>{clean(trial.label)}</td><td>{_ROLES.get(trial.tone, '')}</td>"
        f"<td>{counted(trial.rollouts, 'rollout')}</td>"
        f"<td>{trial.mean:.3f}</td><td>{trial.rows:,}</td></tr>"
        for trial in trials
    )
    return head + "".join(rows) + "</table></div>"


def _cost(account: Account) -> Iterator[str]:
    run = account.run
    facts = [
        ("rollouts", f"{run.spent.rollouts:,}"),
        ("calls", f"{run.spent.calls:,}"),
        ("tokens", f"{run.spent.tokens:,}"),
        ("cost", dollars(run.spent.cost_usd)),
        ("running time", f"{run.active_s:,.1f} s"),
        ("seed", str(run.seed)),
        ("configuration", run.config_hash[:16]),
    ]
    if account.reused:
        facts.insert(1, ("reused", f"{account.reused:,} more evaluations, paid for by a probe"))
    facts += [(f"failed: {kind}", f"{count:,}") for kind, count in account.failures.items()]
    yield '<h2>Cost</h2><div class="scroll"><table>'
    yield from (f"<tr><th>{clean(name)}</th><td>{clean(value)}</td></tr>" for name, value in facts)
    yield "</table></div>"
