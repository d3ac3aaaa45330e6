"""A claim that was decided, for people, pull requests and build servers."""

import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence

from tau.cli import figures
from tau.cli.text import line
from tau.domain.json import Json
from tau.domain.visible import clipped
from tau.reports.gain import p_text
from tau.reports.junit import attribute
from tau.reports.junit import text as element
from tau.scores.certifying import CertifiedClaim
from tau.scoring.claims import ClaimKind, EstimateKind
from tau.scoring.wording import settling_text

_WIDTH = 80
_NAMED = 10
_FOLDED = 200
_TITLE = 12

_OURS = re.compile(r"((?:\w+:)?[0-9a-f]{8})(?:[0-9a-f]{24}:\d+|[0-9a-f]{56})")
"""An example by split, content and occurrence, or the hash of resources."""

_VERDICTS = {
    "promote": "claim met",
    "keep_baseline": "claim not met: keep the baseline",
    "inconclusive": "claim not met: these rows cannot tell",
}


def lines(found: CertifiedClaim) -> list[str]:
    """For a terminal: the words first, the figures behind, at most 80 columns."""
    said = [*_wrapped("", _VERDICTS[found.decision.value]), *_wrapped("", found.words()), ""]
    for title, value in _facts(found):
        said += _wrapped(title, value)
    for title, names in (("fixed", found.fixed), ("broken", found.broken)):
        said += _wrapped(title, _names(names))
    for note in (*found.caveats, *found.notes):
        said += _wrapped("note", note)
    return said


def markdown(found: CertifiedClaim) -> str:
    """For a pull request: a table, with long lists folded."""
    said = [
        f"### {_VERDICTS[found.decision.value].capitalize()}",
        "",
        _plain(found.words()),
        "",
        "| | |",
        "|---|---|",
        *(f"| {title} | {_plain(value)} |" for title, value in _facts(found)),
        "",
    ]
    for title, names in (("fixed", found.fixed), ("broken", found.broken)):
        said += _folded(title, names)
    said += [f"- {_plain(note)}" for note in (*found.caveats, *found.notes)]
    return "\n".join(said).rstrip("\n") + "\n"


def junit(found: CertifiedClaim) -> str:
    """For a build server: one case, which fails where the claim is not met."""
    name = attribute(claim_text(found))
    failures = 0 if found.met else 1
    out = "\n".join(lines(found))
    failed = (
        ""
        if found.met
        else f"<failure message={attribute(found.words())}>{element(found.reason)}</failure>\n"
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<testsuites>\n'
        f'<testsuite name="tau certify" tests="1" failures="{failures}" errors="0" skipped="0">\n'
        f'<testcase classname="tau.certify" name={name}>\n{failed}'
        f"<system-out>{element(out)}</system-out>\n</testcase>\n</testsuite>\n</testsuites>\n"
    )


def claim_text(found: CertifiedClaim) -> str:
    """What was claimed, in a few words."""
    ours, theirs = (line(clipped(_short(name), 160)) for name in (found.candidate, found.baseline))
    margin = f"{found.margin:g}" if found.margin is not None else ""
    match found.claim:
        case ClaimKind.BETTER:
            return f"'{ours}' is better than '{theirs}'"
        case ClaimKind.NOT_WORSE:
            return f"'{ours}' is not worse than '{theirs}' by {margin} or more"
        case _:
            return f"'{ours}' is cheaper than '{theirs}' and not worse by {margin} or more"


def _facts(found: CertifiedClaim) -> Iterator[tuple[str, str]]:
    yield "claim", claim_text(found)
    if found.difference is not None:
        yield "difference", _difference(found)
    if found.reason != found.words():
        yield "why", found.reason
    yield "level", f"alpha {found.alpha:.3g}" + _account(found)
    yield "rows", _rows(found)
    if found.groups is not None:
        effect = "" if found.design_effect is None else (
            f", design effect {found.design_effect:.2f}"
        )  # fmt: skip
        yield "groups", f"{found.groups:,} of rows that belong together{effect}"
    if found.estimate is not EstimateKind.PLAIN or found.labels is not None:
        yield "people", _people(found)
    if found.cost is not None:
        yield "cost", _cost(found.cost)
    if found.rows_to_settle is not None:
        wanted = settling_text(found.rows_to_settle, found.groups_to_settle)
        yield "to settle", f"{wanted} would decide it"
    if found.labels_to_settle is not None:
        labels = figures.count(found.labels_to_settle, "row")
        yield "to settle", f"about {labels} labelled by people would decide it"


def _difference(found: CertifiedClaim) -> str:
    text = f"{found.difference:+.3f}"
    if found.low is not None and found.high is not None:
        level = f"{100 * found.level:.3g} %"
        text += f" ({level} interval {found.low:+.3f} to {found.high:+.3f})"
    return text if found.p_value is None else f"{text}, p {p_text(found.p_value)}"


def _account(found: CertifiedClaim) -> str:
    if found.earlier_claims is None:
        return ""
    if not found.earlier_claims:
        return ", the first claim on these rows"
    return f", after {figures.count(found.earlier_claims, 'earlier claim')} on these rows"


def _rows(found: CertifiedClaim) -> str:
    parts = [
        f"{figures.count(found.pairs, 'pair')} by {line(found.paired_by)}",
        f"{len(found.fixed):,} fixed",
        f"{len(found.broken):,} broken",
    ]
    return ", ".join(parts + ([f"{found.missing:,} missing"] if found.missing else []))


def _people(found: CertifiedClaim) -> str:
    labelled = f"{figures.count(found.labels or 0, 'row')} labelled by people"
    return labelled + {
        EstimateKind.CORRECTED: "; the difference is corrected by them",
        EstimateKind.AS_JUDGED: "; the difference is as the judge has it",
    }.get(found.estimate, "")


def _cost(cost: Mapping[str, Json]) -> str:
    """Totals, and the saving per row, which is what is tested."""
    known = {name: value for name, value in cost.items() if isinstance(value, int | float)}
    parts = [f"{name} {known[name]:.4g}" for name in ("baseline", "candidate") if name in known]
    if {"saving", "low", "high"} <= set(known):
        saving, low, high = (known[name] for name in ("saving", "low", "high"))
        parts.append(f"saving a row {saving:.4g} ({low:.4g} to {high:.4g})")
    if "p_value" in known:
        parts.append(f"p {p_text(known['p_value'])}")
    if known.get("missing"):
        parts.append(f"{known['missing']:,} missing")
    return ", ".join(parts)


def _names(names: Sequence[str]) -> str:
    """The first names and how many there are besides; nothing where there are none."""
    if not names:
        return ""
    rest = len(names) - _NAMED
    shown = ", ".join(line(clipped(_short(name), 70)) for name in names[:_NAMED])
    return f"{shown}, and {rest:,} more" if rest > 0 else shown


def _short(name: str) -> str:
    """A name of ours by its first digits; anybody else's as it is."""
    return _OURS.sub(r"\1", name)


def _folded(title: str, names: Sequence[str]) -> Iterator[str]:
    if not names:
        return
    yield f"<details><summary>{figures.count(len(names), 'row')} {title}</summary>"
    yield ""
    yield from (f"- {_code(name)}" for name in names[:_FOLDED])
    if len(names) > _FOLDED:
        yield f"- and {len(names) - _FOLDED:,} more"
    yield ""
    yield "</details>"
    yield ""


def _code(name: str) -> str:
    """A name as code, out of which it cannot break."""
    return f"`{line(clipped(name, 200)).replace('`', chr(39))}`"


def _plain(text: str) -> str:
    """Text in which nothing is markup, a link or a mention."""
    safe = line(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    for sign in "\\`*_[]|@#":
        safe = safe.replace(sign, f"&#{ord(sign)};")
    return safe.replace("://", ":&#47;&#47;")


def _wrapped(title: str, value: str) -> list[str]:
    if not value:
        return []
    indent = " " * _TITLE if title else ""
    return textwrap.wrap(
        line(value),
        _WIDTH,
        initial_indent=f"{title:{_TITLE}}" if title else "",
        subsequent_indent=indent,
        break_on_hyphens=False,
    )
