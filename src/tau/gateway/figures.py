"""Numbers and times as people read them."""

from datetime import UTC, datetime

from tau.domain.visible import clipped
from tau.reports.wording import sentence as sentence_of
from tau.scoring.aggregate import Estimate

NOTHING = "–"


def score(value: float | None) -> str:
    """Three decimals."""
    return NOTHING if value is None else f"{value:.3f}"


def interval(estimate: Estimate | None) -> str:
    """`0.512 to 0.634`."""
    return NOTHING if estimate is None else f"{estimate.low:.3f} to {estimate.high:.3f}"


def signed(value: float) -> str:
    """`+0.125`, with a true minus."""
    return f"{value:+.3f}".replace("-", "−")


def count(value: float) -> str:
    """With separators."""
    return f"{value:,.0f}"


def counted(value: float, noun: str) -> str:
    """`1 rollout`, `2 rollouts`."""
    return f"{count(value)} {noun}{'' if value == 1 else 's'}"


def ago(age_ms: float) -> str:
    """How long since; what is recent stays the same word, so that a page need not change for it."""
    if age_ms < 5_000:
        return "just now"
    return f"{seconds(5 * (age_ms // 5_000))} ago"


def amount(value: float) -> str:
    """Short, for axes: `950`, `2.5`, `12k`, `3.4M`."""
    if value >= 1_000_000:
        return f"{value / 1_000_000:.3g}M"
    if value >= 10_000:
        return f"{value / 1000:.3g}k"
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}".removesuffix(".0")


def dollars(nano_usd: int | None) -> str:
    """Small amounts with more decimals."""
    if nano_usd is None:
        return NOTHING
    usd = nano_usd / 1e9
    if usd >= 1 or usd == 0:
        return f"${usd:,.2f}"
    if usd < 0.000001:
        return "<$0.000001"
    whole, _, rest = f"{usd:.6f}".rstrip("0").partition(".")
    return f"${whole}.{rest:0<2}"


def seconds(value: float | None) -> str:
    """`42 ms`, `4.2 s`, `3 min 05 s`, `2 h 10 min`."""
    if value is None:
        return NOTHING
    if 0 < value < 1:
        return f"{1000 * value:.0f} ms"
    if value < 59.5:
        return f"{value:.0f} s" if value >= 10 or value == int(value) else f"{value:.1f} s"
    minutes, rest = divmod(round(value), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min"


def moment(unix_ms: int | None) -> str:
    """A time in UTC, to the second."""
    if not unix_ms:
        return NOTHING
    return datetime.fromtimestamp(unix_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")


def clock(unix_ms: int) -> str:
    """A time of the day in UTC."""
    return datetime.fromtimestamp(unix_ms / 1000, UTC).strftime("%H:%M:%S")


def stamp(unix_ms: int | None) -> str:
    """A time for programs."""
    if not unix_ms:
        return ""
    return datetime.fromtimestamp(unix_ms / 1000, UTC).isoformat(timespec="seconds")


def short(text: str, most: int = 12) -> str:
    """The beginning of a hash or a text."""
    return text[:most] if text.isascii() and " " not in text else clipped(text, most)


def percent(share: float) -> str:
    """`42 %`."""
    return f"{100 * share:.0f} %"


def place(rollout: str) -> str:
    """`r304`: a rollout where the run is known."""
    return rollout.rpartition("-")[2]


def sentence(text: str) -> str:
    """A reason as a sentence begins; how it ends is the page's."""
    return sentence_of(text).removesuffix(".") if text else ""
