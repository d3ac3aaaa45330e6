"""What must not be found in a PostgreSQL store; plain SQL, none of the store's code."""

from pg_cluster import Cluster

FAULTS: dict[str, str] = {
    "status counters differ from the rollouts": """
        SELECT t.run FROM run_tally AS t WHERE
          (t.queuing, t.preparing, t.running, t.succeeded, t.failed, t.cancelled, t.requeuing)
          IS DISTINCT FROM (
            SELECT (count(*) FILTER (WHERE status = 'queuing'),
              count(*) FILTER (WHERE status = 'preparing'),
              count(*) FILTER (WHERE status = 'running'),
              count(*) FILTER (WHERE status = 'succeeded'),
              count(*) FILTER (WHERE status = 'failed'),
              count(*) FILTER (WHERE status = 'cancelled'),
              count(*) FILTER (WHERE status = 'requeuing'))
            FROM rollout WHERE run = t.run)""",
    "reservations differ from the attempts in flight": """
        SELECT t.run FROM run_tally AS t WHERE
          (t.reserved_rollouts, t.reserved_calls, t.reserved_tokens, t.reserved_cost)
          IS DISTINCT FROM (
            SELECT (coalesce(sum(a.reserved_rollouts), 0)::bigint,
              coalesce(sum(a.reserved_calls), 0)::bigint,
              coalesce(sum(a.reserved_tokens), 0)::bigint,
              coalesce(sum(a.reserved_cost), 0)::bigint)
            FROM rollout AS r JOIN attempt AS a ON a.rollout = r.key
            WHERE r.run = t.run AND a.status IN ('preparing', 'running'))""",
    "spend differs from that of the attempts": """
        SELECT t.run FROM run_tally AS t WHERE
          (t.spent_calls - t.brought_calls, t.spent_tokens - t.brought_tokens)
          IS DISTINCT FROM (
            SELECT (coalesce(sum(a.spent_calls + coalesce(a.late_calls, 0)), 0)::bigint,
              coalesce(sum(a.spent_tokens + coalesce(a.late_tokens, 0)), 0)::bigint)
            FROM rollout AS r JOIN attempt AS a ON a.rollout = r.key WHERE r.run = t.run)""",
    "attempts are not numbered 1, 2, ...": """
        SELECT r.key FROM rollout AS r WHERE r.attempts <>
          (SELECT count(*) FROM attempt AS a WHERE a.rollout = r.key)""",
    "a rollout was recorded twice, or not": """
        SELECT r.key FROM rollout AS r WHERE (r.status = 'succeeded')::integer <>
          (SELECT count(*) FROM attempt AS a WHERE a.rollout = r.key AND a.status = 'succeeded')""",
    "a settled rollout has no result": """
        SELECT r.key FROM rollout AS r LEFT JOIN result AS x ON x.rollout = r.key
        WHERE (r.status IN ('succeeded', 'failed')) <> (x.rollout IS NOT NULL)""",
    "a rollout is nowhere or in two places": """
        SELECT r.key FROM request AS r WHERE 1 <>
          (SELECT count(*) FROM waiting AS w WHERE w.run = r.run AND w.rollout = r.key)
          + (SELECT count(*) FROM held AS h WHERE h.rollout = r.key)
          + (SELECT count(*) FROM outcome AS o WHERE o.rollout = r.key)""",
    "publications are not numbered 1, 2, ...": """
        SELECT max(number) FROM resources_version HAVING max(number) <> count(*)""",
}

FINAL: tuple[str, ...] = (
    """SELECT run.id, r.kind, s.hash, e.id, r.subject, r.ordinal, r.status, r.score,
      r.failure, r.duration_ms, x.output, x.rewards
    FROM rollout AS r JOIN run ON run.key = r.run JOIN resources AS s ON s.key = r.resources
    LEFT JOIN example AS e ON e.key = r.example LEFT JOIN result AS x ON x.rollout = r.key
    ORDER BY r.key""",
    "SELECT id, status, stop_reason FROM run ORDER BY key",
    """SELECT v.number, s.hash, s.content FROM resources_version AS v
    JOIN resources AS s ON s.key = v.resources ORDER BY v.number""",
    """SELECT c.waves, c.rollouts, c.hash, c.state, s.hash FROM checkpoint AS c
    JOIN resources AS s ON s.key = c.best ORDER BY c.key""",
)


def final_state(server: Cluster, schema: str) -> list[str]:
    """All that interruptions must not change.

    Spend is not of it: what was lost is assumed. Nor is `counted`: on a busy machine a lease runs
    out before anybody has seen that its process is dead, and only then the attempt counts.
    """
    return [
        row for query in FINAL
        for row in server.sql(f'SET search_path TO "{schema}"; {query}').splitlines()[1:]
    ]  # fmt: skip


def faults(server: Cluster, schema: str) -> list[str]:
    """Everything that is wrong."""
    found = []
    for what, query in FAULTS.items():
        answer = server.sql(f'SET search_path TO "{schema}"; {query}').splitlines()[1:]
        found += [f"{what}: {row}" for row in answer]
    return found
