"""Rows that look as if they belonged together where no group is named."""

import re
import zlib
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence

from tau.config.run_settings import RunConfig
from tau.domain.dataset import Example, Split

_WINDOW = 12
"""Words; a passage in common is many windows in common."""
_SAMPLED = 4
"""One window in so many is looked at, chosen by its text: equal passages give equal ones."""
_SHARED_WINDOWS = 4
_MOST_WORDS = 300_000
_MOST_ROWS = 5_000
_LEAST_VALUES, _LEAST_SIZE, _MOST_SIZE = 4, 1.5, 30.0
_MANY_VALUES = 12
_LONG_TEXT = 80
_WORD = re.compile(r"\w+")
_NAMED = re.compile(
    r"(^|_|\b)(id|key|doc|document|conversation|session|thread|customer|user|client|patient|author|"
    r"source|file|filename|url|article|page|template|context|passage|paper|book|repo|group)s?$",
    re.IGNORECASE,
)
_NEVER = frozenset({"prompt", "messages", "expected", "label", "answer", "split", "difficulty",
                    "language", "category", "type", "weight", "score"})  # fmt: skip


def resemblances(config: RunConfig) -> Iterator[str]:
    """A sentence for each split that certifies or chooses and looks grouped; the fix included."""
    for split, rows in config.examples.items():
        if split is Split.OPTIMIZE and config.examples[Split.TEST]:
            continue
        if config.groups.get(split) or len(rows) < 2:
            continue
        column = _repeating(rows[:_MOST_ROWS])
        if column is not None:
            name, values, sharing = column
            yield (
                f"{sharing:,} of {len(rows):,} rows of '{split}' share their '{name}' with another "
                f"row ({values:,} different values): if such rows belong together, say "
                f'"group": "{name}", else the claim takes them for independent'
            )
            continue
        sharing = _passages([row.prompt or "" for row in rows[:_MOST_ROWS]])
        if sharing:
            yield (
                f"{sharing:,} of {len(rows):,} prompts of '{split}' have a long passage in common "
                "with others: if they are about the same document, give rows a column that names "
                'it and say "group": that column, else the claim takes them for independent'
            )


def _repeating(rows: Sequence[Example]) -> tuple[str, int, int] | None:
    """The column that most looks like a group: its name, values, and rows that share theirs."""
    found = []
    values: Mapping[str, Counter[str]] = defaultdict(Counter)
    for row in rows:
        for name, value in row.fields.items():
            if name.lower() not in _NEVER and isinstance(value, str | int) and value != "":
                values[name][str(value)] += not isinstance(value, bool)
    for name, counts in values.items():
        total = sum(counts.values())
        sharing = sum(count for count in counts.values() if count > 1)
        typical = total / len(counts) if total else 0.0
        long = sum(map(len, counts)) / len(counts) >= _LONG_TEXT
        telling = long or _NAMED.search(name) or len(counts) >= _MANY_VALUES
        if (
            telling
            and len(counts) >= _LEAST_VALUES
            and _LEAST_SIZE <= typical <= _MOST_SIZE
            and 2 * sharing >= total >= len(rows) / 2
        ):
            found.append((bool(_NAMED.search(name)), sharing, name, len(counts)))
    if not found:
        return None
    _, sharing, name, count = max(found)
    return name, count, sharing


def _passages(prompts: Sequence[str]) -> int:
    """How many prompts have a passage in common with others, what most of them say left out."""
    at: dict[int, list[int]] = defaultdict(list)
    left = _MOST_WORDS
    for number, prompt in enumerate(prompts):
        words = _WORD.findall(prompt[: 16 * left])[:left]
        left -= len(words)
        for window in _windows(words):
            at[window].append(number)
        if left <= 0:
            break
    shared: Counter[tuple[int, int]] = Counter()
    common = max(2, len(prompts) // 2)
    for numbers in at.values():
        if 1 < len(numbers) <= common:
            shared.update((numbers[0], other) for other in numbers[1:])
    alike = {row for pair, count in shared.items() if count >= _SHARED_WINDOWS for row in pair}
    return len(alike)


def _windows(words: Sequence[str]) -> set[int]:
    found = set()
    for start in range(len(words) - _WINDOW + 1):
        digest = zlib.crc32(" ".join(words[start : start + _WINDOW]).encode())
        if digest % _SAMPLED == 0:
            found.add(digest)
    return found
