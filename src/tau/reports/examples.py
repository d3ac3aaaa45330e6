"""Single examples in the HTML report: what failed, and with leave every text."""

from collections.abc import Iterator, Sequence

from tau.charts.svg import clean
from tau.domain.rollout import RolloutStatus
from tau.domain.visible import clipped
from tau.reports.account import Account, resource_text
from tau.reports.rows import EvaluationRow
from tau.reports.wording import capital, counted

NEWLINE = "\n"
_MOST = 50
_MOST_TEXTS = 1_000
_LONGEST = 20_000
_TOLD = frozenset({"id", "expected"})
_NOT_SETTLED = frozenset({RolloutStatus.QUEUING, RolloutStatus.PREPARING, RolloutStatus.RUNNING,
                          RolloutStatus.REQUEUING})  # fmt: skip


def failing(
    account: Account, evaluations: Sequence[EvaluationRow], *, content: bool
) -> Iterator[str]:
    """What the best got wrong, what it broke first; why, and the texts with `content`."""
    broken = set(account.gain.broken) if account.gain else set()
    found = [one for one in evaluations if _failed(one, account)]
    found.sort(key=lambda one: one.measurement.example not in broken)
    if not found:
        return
    yield f"<h2>Failing examples</h2><p>{counted(len(found), 'evaluation')}{_whose(account)} "
    yield "did not score 1" + (
        f"; the first {_MOST} are shown.</p>" if len(found) > _MOST else ".</p>"
    )
    for one in found[:_MOST]:
        yield from _block(one, broken, content=content)
    if not content:
        yield '<p class="dim">Texts are left out; <code>tau export --to html --content</code> '
        yield "puts them in.</p>"


def texts(account: Account, evaluations: Sequence[EvaluationRow]) -> Iterator[str]:
    """Every evaluation of the best with what was asked, wanted and answered."""
    mine = [one for one in evaluations if one.measurement.resources == account.leader.hash]
    if not mine:
        return
    yield f"<h2>Texts</h2><details><summary>{counted(len(mine), 'evaluation')}{_whose(account)}"
    yield f"; the first {_MOST_TEXTS:,} are here" if len(mine) > _MOST_TEXTS else ""
    yield "</summary>"
    for one in mine[:_MOST_TEXTS]:
        score = "unscored" if one.measurement.score is None else f"{one.measurement.score:.3f}"
        yield f"<h3>{clean(_place(one, named=True))} · {one.measurement.split} · {score}</h3>"
        yield f'<div class="pair">{_example(one)}{_output(one)}</div>'
    yield "</details>"


def _failed(one: EvaluationRow, account: Account) -> bool:
    found = one.measurement
    if found.resources != account.leader.hash or found.status in _NOT_SETTLED:
        return False
    return found.score is None or found.score < 1


def _block(one: EvaluationRow, broken: set[str], *, content: bool) -> Iterator[str]:
    found = one.measurement
    score = "unscored" if found.score is None else f"{found.score:.3f}"
    yield f'<div class="case"><p><strong>{clean(_place(one, named=content))}</strong> '
    yield f"{found.split} · {score}"
    yield ' · <span class="wrong">newly wrong</span></p>' if found.example in broken else "</p>"
    why = _why(one)
    yield f'<p class="dim">{clean(why)}</p>' if why else ""
    if content:
        yield f'<div class="pair">{_example(one)}{_output(one)}</div>'
    yield "</div>"


def _why(one: EvaluationRow) -> str:
    """The failure, else what the graders said."""
    if one.result is None:
        return ""
    if one.result.failure is not None:
        return f"{one.result.failure.kind}: {clipped(one.result.failure.message, 300)}"
    said = (each.error or each.reason or "" for each in one.result.rewards)
    return " · ".join(capital(clipped(text, 300)) for text in said if text)


def _example(one: EvaluationRow) -> str:
    example = one.result.request.example if one.result else None
    if example is None:
        return ""
    asked = (
        f"{name}: {resource_text(value)}"
        for name, value in example.fields.items()
        if name not in _TOLD
    )
    wanted = example.fields.get("expected")
    return _pre("asked", NEWLINE.join(asked)) + (
        "" if wanted is None else _pre("wanted", resource_text(wanted))
    )


def _output(one: EvaluationRow) -> str:
    output = one.result.output if one.result else None
    return _pre("answered", output.text) if output else ""


def _pre(name: str, text: str) -> str:
    inner = clean(clipped(text, _LONGEST))
    return f'<div><span class="dim">{name}</span><pre dir="auto">{inner}</pre></div>'


def _place(one: EvaluationRow, *, named: bool) -> str:
    """The rollout's number, after the row's own name where that may be shown."""
    number = one.measurement.rollout_id.rpartition("-")[2]
    example = one.result.request.example if one.result else None
    name = example.fields.get("id") if example and named else None
    return f"{clipped(str(name), 80)} ({number})" if isinstance(name, str | int) else number


def _whose(account: Account) -> str:
    """Nothing where only the given prompt was measured."""
    return " of the best" if account.tried else ""
