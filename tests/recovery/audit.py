"""The independent checker: raw SQL on a connection of its own, none of the store's code.

It knows the schema and the promises, and nothing of how the store keeps them.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import apsw

# Each selects what must not exist: (what is wrong, query).
FAULTS: tuple[tuple[str, str], ...] = (
    ("foreign key", "SELECT * FROM pragma_foreign_key_check"),
    (
        "status counters differ from the rollouts",
        """SELECT * FROM tally AS t WHERE EXISTS (
            SELECT 1 FROM (
                SELECT
                    count(*) FILTER (WHERE status = 'queuing') AS a,
                    count(*) FILTER (WHERE status = 'preparing') AS b,
                    count(*) FILTER (WHERE status = 'running') AS c,
                    count(*) FILTER (WHERE status = 'succeeded') AS d,
                    count(*) FILTER (WHERE status = 'failed') AS e,
                    count(*) FILTER (WHERE status = 'cancelled') AS f,
                    count(*) FILTER (WHERE status = 'requeuing') AS g
                FROM rollout WHERE run = t.run
            ) WHERE (a, b, c, d, e, f, g) IS NOT (
                t.queuing, t.preparing, t.running, t.succeeded, t.failed, t.cancelled, t.requeuing
            ))""",
    ),
    (
        "reservations differ from the attempts in flight",
        """SELECT * FROM tally AS t WHERE EXISTS (
            SELECT 1 FROM (
                SELECT
                    ifnull(sum(a.reserved_rollouts), 0) AS w, ifnull(sum(a.reserved_calls), 0) AS x,
                    ifnull(sum(a.reserved_tokens), 0) AS y, ifnull(sum(a.reserved_cost), 0) AS z
                FROM rollout AS r JOIN attempt AS a ON a.rollout = r.key
                WHERE r.run = t.run AND a.status IN ('preparing', 'running')
            ) WHERE (w, x, y, z) IS NOT
                (t.reserved_rollouts, t.reserved_calls, t.reserved_tokens, t.reserved_cost))""",
    ),
    (
        "spend differs from that of the attempts",
        """SELECT * FROM tally AS t WHERE EXISTS (
            SELECT 1 FROM (
                SELECT
                    ifnull(sum(a.spent_calls + ifnull(a.late_calls, 0)), 0) AS x,
                    ifnull(sum(a.spent_tokens + ifnull(a.late_tokens, 0)), 0) AS y,
                    ifnull(sum(a.spent_cost + ifnull(a.late_cost, 0)), 0) AS z
                FROM rollout AS r JOIN attempt AS a ON a.rollout = r.key
                WHERE r.run = t.run
            ) WHERE (x, y, z) IS NOT (t.spent_calls, t.spent_tokens, t.spent_cost))""",
    ),
    (
        "attempts are not numbered 1, 2, ...",
        """SELECT r.key, r.attempts FROM rollout AS r WHERE
            (SELECT count(*) FROM attempt AS a WHERE a.rollout = r.key) <> r.attempts
            OR (SELECT ifnull(max(n), 0) FROM attempt AS a WHERE a.rollout = r.key)
                <> r.attempts""",
    ),
    (
        "more counted attempts than the run allows",
        """SELECT r.key FROM rollout AS r JOIN run ON run.key = r.run
            WHERE r.counted > run.max_attempts""",
    ),
    (
        "a rollout in flight without its one live attempt, or a live attempt without its rollout",
        """SELECT r.key FROM rollout AS r WHERE
            (SELECT count(*) FROM attempt AS a
             WHERE a.rollout = r.key AND a.status IN ('preparing', 'running'))
            <> (r.status IN ('preparing', 'running'))""",
    ),
    (
        "more than one success",
        """SELECT rollout FROM attempt WHERE status = 'succeeded'
            GROUP BY rollout HAVING count(*) > 1""",
    ),
    (
        "a success whose rollout did not succeed, or the other way round",
        """SELECT r.key FROM rollout AS r WHERE
            (r.status = 'succeeded') <>
            EXISTS (SELECT 1 FROM attempt AS a WHERE a.rollout = r.key
                    AND a.status = 'succeeded' AND a.n = r.attempts)""",
    ),
    (
        "a success without its result, or a result of a rollout that waits",
        """SELECT r.key FROM rollout AS r LEFT JOIN result AS x ON x.rollout = r.key
            WHERE (r.status = 'succeeded' AND x.rollout IS NULL)
            OR (r.status IN ('queuing', 'requeuing', 'running') AND x.rollout IS NOT NULL)""",
    ),
    (
        "two rollouts with one key",
        """SELECT run, kind, resources, ifnull(example, subject), ordinal FROM rollout
            GROUP BY 1, 2, 3, 4, 5 HAVING count(*) > 1""",
    ),
    (
        "spans of an attempt that are not numbered 1, 2, ...",
        """SELECT rollout, n FROM span_block GROUP BY rollout, n
            HAVING min(first) <> 1 OR max(first + count - 1) <> sum(count)""",
    ),
    (
        "publications that are not numbered 1, 2, ...",
        """SELECT count(*) FROM resources_version
            HAVING count(*) <> ifnull(max(number), 0) OR min(number) <> 1""",
    ),
    (
        "checkpoints out of order",
        """SELECT a.key FROM checkpoint AS a JOIN checkpoint AS b
            ON a.run = b.run AND a.key < b.key AND a.waves >= b.waves""",
    ),
)

# What must be the same in the end however often the run was interrupted. Spend is not: an attempt
# that was lost is booked as what it had reserved.
FINAL = (
    """SELECT r.key, run.id, r.kind, s.hash, e.id, r.subject, r.ordinal, r.status, r.counted,
        hex(r.score), r.failure, r.duration_ms, x.output, x.rewards
        FROM rollout AS r JOIN run ON run.key = r.run JOIN resources AS s ON s.key = r.resources
        LEFT JOIN example AS e ON e.key = r.example LEFT JOIN result AS x ON x.rollout = r.key
        ORDER BY r.key""",
    """SELECT t.queuing, t.running, t.succeeded, t.failed, t.cancelled, t.requeuing,
        t.reserved_rollouts, t.reserved_calls, t.reserved_tokens, t.reserved_cost
        FROM tally AS t ORDER BY run""",
    "SELECT id, status, stop_reason FROM run ORDER BY key",
    """SELECT v.number, s.hash, s.content FROM resources_version AS v
        JOIN resources AS s ON s.key = v.resources ORDER BY v.number""",
    """SELECT c.waves, c.rollouts, c.hash, c.state, s.hash FROM checkpoint AS c
        JOIN resources AS s ON s.key = c.best ORDER BY c.key""",
)

_ROLLOUT = re.compile(r"-r(\d+)$")
_ATTEMPT = re.compile(r"-r(\d+):attempt-(\d+)$")


@contextmanager
def reading(path: Path) -> Iterator[apsw.Connection]:
    """The checker's own connection."""
    connection = apsw.Connection(str(path))
    try:
        yield connection
    finally:
        connection.close()


def faults(connection: apsw.Connection, *, thorough: bool = True) -> list[str]:
    """Every promise of the schema that the database breaks."""
    check = "integrity_check" if thorough else "quick_check"
    answer = [row[0] for row in connection.execute(f"PRAGMA {check}")]
    if answer != ["ok"]:
        return [f"{check}: {line}" for line in answer]
    if not _has_tables(connection):
        return []  # killed before the first commit
    found = [f"{what}: {rows[:3]}" for what, query in FAULTS if (rows := _all(connection, query))]
    for digest, content in _all(connection, "SELECT hash, content FROM resources"):
        if hashlib.sha256(content.encode()).hexdigest() != digest:
            found.append(f"resources {digest} do not match their hash")
    return found


def missing(connection: apsw.Connection, acknowledged: Iterable[str]) -> list[str]:
    """Lines of `testing.workload.Workload` that were acknowledged and are not in the database."""
    lines = list(acknowledged)
    if not _has_tables(connection):
        return lines
    ends = {
        (rollout, n): status
        for rollout, n, status in _all(connection, "SELECT rollout, n, status FROM attempt")
    }
    keys = {key for (key,) in _all(connection, "SELECT key FROM rollout")}
    return [
        line for line in lines if not _present(connection, *line.partition(" ")[::2], keys, ends)
    ]


def _has_tables(connection: apsw.Connection) -> bool:
    return bool(_all(connection, "SELECT 1 FROM sqlite_schema WHERE name = 'rollout'"))


def _present(
    connection: apsw.Connection,
    what: str,
    rest: str,
    keys: set[int],
    ends: dict[tuple[int, int], str],
) -> bool:
    if what == "submitted":
        return all(_number(_ROLLOUT, name)[0] in keys for name in rest.split())
    if what == "claimed":
        return _number(_ATTEMPT, rest) in ends
    if what == "completed":
        name, status = rest.split()
        return ends.get((_number(_ATTEMPT, name)[0], _number(_ATTEMPT, name)[1])) == status
    if what == "checkpoint":
        return bool(_all(connection, "SELECT 1 FROM checkpoint WHERE waves >= ?", (int(rest),)))
    if what == "created":
        return bool(_all(connection, "SELECT 1 FROM run"))
    if what == "finished":
        return bool(_all(connection, "SELECT 1 FROM run WHERE status = 'completed'"))
    return what == "lost"  # the worker was told that it had lost its lease


def final_state(connection: apsw.Connection) -> str:
    """A digest of everything that interruptions must not change."""
    digest = hashlib.sha256()
    for query in FINAL:
        for row in _all(connection, query):
            digest.update(repr(row).encode())
    return digest.hexdigest()


def _number(pattern: re.Pattern[str], name: str) -> tuple[int, ...]:
    match = pattern.search(name)
    assert match, name
    return tuple(int(group) for group in match.groups())


def _all(
    connection: apsw.Connection, query: str, bindings: tuple[Any, ...] = ()
) -> list[tuple[Any, ...]]:
    return connection.execute(query, bindings).fetchall()
