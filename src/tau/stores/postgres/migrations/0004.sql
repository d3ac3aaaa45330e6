-- Big tables are only added to, small ones are what changes: what is asked stays as it was asked
-- (request), what can be claimed is in `waiting`, what workers have in `held`, each try that is over
-- in `ended`, and what came of a request in `outcome`. A request is in exactly one of waiting, held
-- and outcome. `rollout`, `attempt` and `result` are views of them, to be read.

CREATE TABLE waiting (
  run bigint NOT NULL,
  rollout bigint NOT NULL,
  ready_ms bigint NOT NULL DEFAULT 0,
  reserve_rollouts bigint NOT NULL,
  reserve_calls bigint NOT NULL,
  reserve_tokens bigint NOT NULL,
  reserve_cost bigint NOT NULL,
  attempts bigint NOT NULL DEFAULT 0,
  counted bigint NOT NULL DEFAULT 0,
  since_unix_ms bigint NOT NULL,
  again boolean NOT NULL DEFAULT false,
  charged boolean NOT NULL DEFAULT false,
  PRIMARY KEY (run, rollout),
  CHECK (attempts >= counted AND (ready_ms = 0 OR again))
) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000);
CREATE INDEX waiting_again ON waiting (run, rollout) WHERE again;
CREATE INDEX waiting_due ON waiting (run, ready_ms) WHERE ready_ms > 0;

-- `spans` is the number of the last one that was added on the way.
CREATE TABLE held (
  rollout bigint PRIMARY KEY,
  run bigint NOT NULL,
  n bigint NOT NULL,
  worker bigint NOT NULL,
  started_unix_ms bigint NOT NULL,
  counted bigint NOT NULL,
  reserved_rollouts bigint NOT NULL,
  reserved_calls bigint NOT NULL,
  reserved_tokens bigint NOT NULL,
  reserved_cost bigint NOT NULL,
  spans bigint,
  CHECK (n > counted)
) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000);

CREATE TABLE outcome (
  rollout bigint PRIMARY KEY,
  run bigint NOT NULL,
  updated_unix_ms bigint NOT NULL,
  attempts bigint NOT NULL,
  counted bigint NOT NULL,
  duration_ms bigint NOT NULL DEFAULT 0,
  score double precision,
  charged boolean NOT NULL DEFAULT true,
  status text NOT NULL CHECK (status IN ('succeeded', 'failed', 'cancelled')),
  failure text,
  output text,
  rewards text,
  digest bytea,
  CHECK (attempts >= counted)
);

INSERT INTO waiting (
  run, rollout, ready_ms, reserve_rollouts, reserve_calls, reserve_tokens, reserve_cost, attempts,
  counted, since_unix_ms, again, charged
)
SELECT
  run, key, ready_ms, reserve_rollouts, reserve_calls, reserve_tokens, reserve_cost, attempts,
  counted, updated_unix_ms, status = 'requeuing', charged
FROM rollout
WHERE status IN ('queuing', 'requeuing');

INSERT INTO held (
  rollout, run, n, worker, started_unix_ms, counted,
  reserved_rollouts, reserved_calls, reserved_tokens, reserved_cost, spans
)
SELECT
  r.key, r.run, a.n, a.worker, a.started_unix_ms, r.counted,
  a.reserved_rollouts, a.reserved_calls, a.reserved_tokens, a.reserved_cost,
  (SELECT max(b.first + b.count - 1) FROM span_block AS b WHERE b.rollout = a.rollout AND b.n = a.n)
FROM rollout AS r
JOIN attempt AS a ON a.rollout = r.key AND a.n = r.live
WHERE r.status IN ('preparing', 'running');

INSERT INTO outcome (
  rollout, run, updated_unix_ms, attempts, counted, duration_ms, score, charged, status, failure,
  output, rewards, digest
)
SELECT
  r.key, r.run, r.updated_unix_ms, r.attempts, r.counted, r.duration_ms, r.score, r.charged,
  r.status, r.failure, x.output, x.rewards, x.digest
FROM rollout AS r
LEFT JOIN result AS x ON x.rollout = r.key
WHERE r.status IN ('succeeded', 'failed', 'cancelled');

-- Dashboards follow a run by the first.
CREATE INDEX outcome_settled ON outcome (run, updated_unix_ms, rollout);
CREATE INDEX outcome_unsuccessful ON outcome (run, rollout) WHERE status <> 'succeeded';

DROP TABLE result;
ALTER TABLE span_block DROP CONSTRAINT span_block_rollout_n_fkey;
DELETE FROM attempt WHERE status IN ('preparing', 'running');
DROP INDEX attempt_success, attempt_live;
ALTER TABLE attempt RENAME TO ended;
ALTER TABLE ended
  DROP CONSTRAINT attempt_check, DROP CONSTRAINT attempt_status_check,
  ADD CHECK (status IN ('failed', 'succeeded', 'timeout', 'unresponsive')),
  ALTER ended_unix_ms SET NOT NULL;
ALTER INDEX attempt_pkey RENAME TO ended_pkey;
ALTER TABLE ended SET (fillfactor = 100);

DROP INDEX rollout_ready, rollout_held, rollout_failed, rollout_settled, rollout_due;
ALTER TABLE rollout RENAME TO request;
ALTER TABLE request
  DROP COLUMN status, DROP COLUMN live, DROP COLUMN attempts, DROP COLUMN counted,
  DROP COLUMN charged, DROP COLUMN ready_ms, DROP COLUMN score, DROP COLUMN failure,
  DROP COLUMN duration_ms, DROP COLUMN updated_unix_ms;
ALTER INDEX rollout_pkey RENAME TO request_pkey;
ALTER TABLE request SET (fillfactor = 100);

-- LIMIT 1: a rollout is looked up in `held`, which is small but full of dead rows when much is done.
CREATE VIEW rollout AS
SELECT
  r.key, r.run, r.kind, r.resources, r.example, r.subject, r.ordinal, r.proposal,
  r.reserve_rollouts, r.reserve_calls, r.reserve_tokens, r.reserve_cost,
  CASE
    WHEN o.rollout IS NOT NULL THEN o.status
    WHEN h.rollout IS NOT NULL THEN 'running'
    WHEN w.again THEN 'requeuing'
    WHEN w.rollout IS NOT NULL THEN 'queuing'
  END AS status,
  h.n AS live,
  coalesce(o.attempts, h.n, w.attempts) AS attempts,
  coalesce(o.counted, h.counted, w.counted) AS counted,
  coalesce(o.charged, w.charged, true) AS charged,
  coalesce(w.ready_ms, 0) AS ready_ms,
  o.score, o.failure, coalesce(o.duration_ms, 0) AS duration_ms, r.created_unix_ms,
  coalesce(o.updated_unix_ms, h.started_unix_ms, w.since_unix_ms) AS updated_unix_ms
FROM request AS r
LEFT JOIN outcome AS o ON o.rollout = r.key
LEFT JOIN LATERAL (SELECT * FROM held WHERE held.rollout = r.key LIMIT 1) AS h ON true
LEFT JOIN waiting AS w ON w.run = r.run AND w.rollout = r.key;

CREATE VIEW attempt AS
SELECT
  rollout, n, worker, status, counted, started_unix_ms, ended_unix_ms, failure,
  reserved_rollouts, reserved_calls, reserved_tokens, reserved_cost,
  spent_rollouts, spent_calls, spent_tokens, spent_cost, assumed, taken,
  late_calls, late_tokens, late_cost
FROM ended
UNION ALL
SELECT
  rollout, n, worker, 'running'::text, false, started_unix_ms, NULL::bigint, NULL::text,
  reserved_rollouts, reserved_calls, reserved_tokens, reserved_cost,
  0::bigint, 0::bigint, 0::bigint, 0::bigint, false, false,
  NULL::bigint, NULL::bigint, NULL::bigint
FROM held;

CREATE VIEW result AS
SELECT rollout, output, rewards, digest FROM outcome WHERE digest IS NOT NULL;
CREATE TRIGGER result_stays INSTEAD OF INSERT OR UPDATE OR DELETE ON result
FOR EACH ROW EXECUTE FUNCTION stays();

-- Whoever could work with the tables before can with these.
DO $$
DECLARE
  given record;
BEGIN
  FOR given IN
    SELECT DISTINCT
      right_.privilege_type AS what,
      CASE WHEN right_.grantee = 0 THEN 'PUBLIC' ELSE quote_ident(role.rolname) END AS who
    FROM pg_class AS class
    CROSS JOIN aclexplode(class.relacl) AS right_
    LEFT JOIN pg_roles AS role ON role.oid = right_.grantee
    WHERE
      class.oid = to_regclass('request') AND right_.grantee <> class.relowner
      AND right_.privilege_type IN ('SELECT', 'INSERT', 'UPDATE', 'DELETE')
  LOOP
    EXECUTE format('GRANT %s ON waiting, held, outcome TO %s', given.what, given.who);
    IF given.what = 'SELECT' THEN
      EXECUTE format('GRANT SELECT ON rollout, attempt, result TO %s', given.who);
    END IF;
  END LOOP;
END
$$;

INSERT INTO schema_meta (name, value) VALUES ('oldest', '4')
ON CONFLICT (name) DO UPDATE SET value = excluded.value;
