-- Runs, the queue with its attempts and leases, contents by hash, publications, checkpoints.
-- All times are milliseconds of the store's clock.

CREATE TABLE schema_meta (
  name text PRIMARY KEY,
  value text NOT NULL
);
INSERT INTO schema_meta (name, value) VALUES ('publications', '');

-- One row per connection that writes: the number of its last committed transaction. It settles a
-- commit whose answer was lost, and its lock tells when that transaction is over.
CREATE TABLE receipt (
  key bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  last bigint NOT NULL DEFAULT 0,
  seen_ms bigint NOT NULL
) WITH (fillfactor = 50);

-- One row per claiming loop, trainer or host and process start.
CREATE TABLE worker (
  key bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  name text NOT NULL,
  role text NOT NULL CHECK (role IN ('worker', 'trainer', 'host')),
  offers text NOT NULL DEFAULT '[]',
  host text NOT NULL,
  boot_id text NOT NULL,
  pid_namespace text NOT NULL,
  pid bigint NOT NULL,
  started_ticks bigint NOT NULL,
  lease_ms bigint NOT NULL CHECK (lease_ms > 0),
  registered_unix_ms bigint NOT NULL,
  heartbeat_unix_ms bigint NOT NULL,
  heartbeat_ms bigint NOT NULL,
  state text NOT NULL DEFAULT 'live' CHECK (state IN ('live', 'lost', 'retired'))
) WITH (fillfactor = 50);
CREATE INDEX worker_live ON worker (key) WHERE state = 'live';

CREATE TABLE run (
  key bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  id text NOT NULL UNIQUE,
  config_hash text NOT NULL,
  model_ref text NOT NULL,
  seed text NOT NULL,
  algorithm text NOT NULL,
  config text NOT NULL,
  limit_rollouts bigint,
  limit_calls bigint,
  limit_tokens bigint,
  limit_cost bigint,
  limit_seconds double precision,
  max_attempts bigint NOT NULL CHECK (max_attempts >= 1),
  status text NOT NULL
    CHECK (status IN ('running', 'paused', 'completed', 'failed', 'cancelled')),
  stop_reason text,
  stop_detail text,
  created_unix_ms bigint NOT NULL,
  updated_unix_ms bigint NOT NULL,
  active_s double precision NOT NULL DEFAULT 0,
  trainer bigint REFERENCES worker (key),
  digest bytea NOT NULL
);
CREATE INDEX run_config ON run (config_hash);
CREATE INDEX run_running ON run (key) WHERE status = 'running';

-- Counters of a run in a few slots, so that no question scans the queue and no two connections
-- wait for each other; only their sums mean something. `brought`: what it had spent when it went
-- on here from a checkpoint file, its store being lost; part of `spent`.
CREATE TABLE tally (
  run bigint NOT NULL REFERENCES run (key),
  slot integer NOT NULL,
  queuing bigint NOT NULL DEFAULT 0,
  preparing bigint NOT NULL DEFAULT 0,
  running bigint NOT NULL DEFAULT 0,
  succeeded bigint NOT NULL DEFAULT 0,
  failed bigint NOT NULL DEFAULT 0,
  cancelled bigint NOT NULL DEFAULT 0,
  requeuing bigint NOT NULL DEFAULT 0,
  spent_rollouts bigint NOT NULL DEFAULT 0,
  spent_calls bigint NOT NULL DEFAULT 0,
  spent_tokens bigint NOT NULL DEFAULT 0,
  spent_cost bigint NOT NULL DEFAULT 0,
  reserved_rollouts bigint NOT NULL DEFAULT 0,
  reserved_calls bigint NOT NULL DEFAULT 0,
  reserved_tokens bigint NOT NULL DEFAULT 0,
  reserved_cost bigint NOT NULL DEFAULT 0,
  brought_rollouts bigint NOT NULL DEFAULT 0,
  brought_calls bigint NOT NULL DEFAULT 0,
  brought_tokens bigint NOT NULL DEFAULT 0,
  brought_cost bigint NOT NULL DEFAULT 0,
  PRIMARY KEY (run, slot)
) WITH (fillfactor = 50);

CREATE VIEW run_tally AS
SELECT
  run, sum(queuing)::bigint AS queuing, sum(preparing)::bigint AS preparing,
  sum(running)::bigint AS running, sum(succeeded)::bigint AS succeeded,
  sum(failed)::bigint AS failed, sum(cancelled)::bigint AS cancelled,
  sum(requeuing)::bigint AS requeuing, sum(spent_rollouts)::bigint AS spent_rollouts,
  sum(spent_calls)::bigint AS spent_calls, sum(spent_tokens)::bigint AS spent_tokens,
  sum(spent_cost)::bigint AS spent_cost, sum(reserved_rollouts)::bigint AS reserved_rollouts,
  sum(reserved_calls)::bigint AS reserved_calls, sum(reserved_tokens)::bigint AS reserved_tokens,
  sum(reserved_cost)::bigint AS reserved_cost, sum(brought_rollouts)::bigint AS brought_rollouts,
  sum(brought_calls)::bigint AS brought_calls, sum(brought_tokens)::bigint AS brought_tokens,
  sum(brought_cost)::bigint AS brought_cost
FROM tally
GROUP BY run;

CREATE FUNCTION stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% never changes', TG_TABLE_NAME;
END
$$;

CREATE TABLE resources (
  key bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  hash text COLLATE "C" NOT NULL UNIQUE,
  parent text,
  content text NOT NULL,
  digest bytea NOT NULL
);
CREATE TRIGGER resources_stay BEFORE UPDATE OR DELETE ON resources
FOR EACH ROW EXECUTE FUNCTION stays();

-- Publications count 1, 2, ... without a gap; the highest is the latest.
CREATE TABLE resources_version (
  number bigint PRIMARY KEY,
  resources bigint NOT NULL REFERENCES resources (key),
  run bigint REFERENCES run (key),
  published_unix_ms bigint NOT NULL
);
CREATE TRIGGER resources_version_stays BEFORE UPDATE OR DELETE ON resources_version
FOR EACH ROW EXECUTE FUNCTION stays();

CREATE TABLE example (
  key bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  id text NOT NULL UNIQUE,
  split text NOT NULL CHECK (split IN ('optimize', 'validate', 'test')),
  content text NOT NULL,
  digest bytea NOT NULL
);

-- `live` is the number of the attempt that holds the rollout. `ready_ms` is the time of a scheduled
-- retry, 0 when ready now. `charged`: its share of the rollout limit is taken.
CREATE TABLE rollout (
  key bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  run bigint NOT NULL REFERENCES run (key),
  kind text NOT NULL CHECK (kind IN ('evaluate', 'propose')),
  resources bigint NOT NULL REFERENCES resources (key),
  example bigint REFERENCES example (key),
  subject text,
  ordinal bigint NOT NULL,
  proposal text,
  reserve_rollouts bigint NOT NULL,
  reserve_calls bigint NOT NULL,
  reserve_tokens bigint NOT NULL,
  reserve_cost bigint NOT NULL,
  status text NOT NULL DEFAULT 'queuing' CHECK (
    status IN
    ('queuing', 'preparing', 'running', 'succeeded', 'failed', 'cancelled', 'requeuing')
  ),
  live bigint,
  attempts bigint NOT NULL DEFAULT 0 CHECK (attempts >= counted),
  counted bigint NOT NULL DEFAULT 0,
  charged boolean NOT NULL DEFAULT false,
  ready_ms bigint NOT NULL DEFAULT 0,
  score double precision,
  failure text,
  duration_ms bigint NOT NULL DEFAULT 0,
  created_unix_ms bigint NOT NULL,
  updated_unix_ms bigint NOT NULL,
  CHECK ((status IN ('preparing', 'running')) = (live IS NOT NULL)),
  CHECK (live IS NULL OR live = attempts),
  CHECK ((kind = 'evaluate') = (example IS NOT NULL)),
  CHECK ((kind = 'propose') = (subject IS NOT NULL)),
  CHECK (ready_ms = 0 OR status = 'requeuing')
) WITH (fillfactor = 70);
CREATE UNIQUE INDEX rollout_evaluate ON rollout (run, resources, example, ordinal)
WHERE kind = 'evaluate';
CREATE UNIQUE INDEX rollout_propose ON rollout (run, resources, subject, ordinal)
WHERE kind = 'propose';
CREATE INDEX rollout_run ON rollout (run, key);
CREATE INDEX rollout_ready ON rollout (run, key) INCLUDE (ready_ms)
WHERE status IN ('queuing', 'requeuing');
CREATE INDEX rollout_held ON rollout (run, key) WHERE status IN ('preparing', 'running');
CREATE INDEX rollout_failed ON rollout (run) WHERE status = 'failed';
-- Written once per rollout: dashboards follow a run by it.
CREATE INDEX rollout_settled ON rollout (run, updated_unix_ms, key)
WHERE status IN ('succeeded', 'failed', 'cancelled');

-- `assumed`: the spend is what was reserved, because nobody knows what was really made.
CREATE TABLE attempt (
  rollout bigint NOT NULL REFERENCES rollout (key),
  n bigint NOT NULL CHECK (n >= 1),
  worker bigint NOT NULL REFERENCES worker (key),
  status text NOT NULL CHECK (
    status IN ('preparing', 'running', 'failed', 'succeeded', 'timeout', 'unresponsive')
  ),
  counted boolean NOT NULL DEFAULT false,
  started_unix_ms bigint NOT NULL,
  ended_unix_ms bigint,
  failure text,
  reserved_rollouts bigint NOT NULL,
  reserved_calls bigint NOT NULL,
  reserved_tokens bigint NOT NULL,
  reserved_cost bigint NOT NULL,
  spent_rollouts bigint NOT NULL DEFAULT 0,
  spent_calls bigint NOT NULL DEFAULT 0,
  spent_tokens bigint NOT NULL DEFAULT 0,
  spent_cost bigint NOT NULL DEFAULT 0,
  assumed boolean NOT NULL DEFAULT false,
  taken boolean NOT NULL DEFAULT false,
  late_calls bigint,
  late_tokens bigint,
  late_cost bigint,
  PRIMARY KEY (rollout, n),
  CHECK ((status IN ('preparing', 'running')) = (ended_unix_ms IS NULL))
) WITH (fillfactor = 70);
CREATE UNIQUE INDEX attempt_success ON attempt (rollout) WHERE status = 'succeeded';
CREATE INDEX attempt_live ON attempt (worker) WHERE status IN ('preparing', 'running');

-- What the last attempt of a settled rollout produced.
CREATE TABLE result (
  rollout bigint PRIMARY KEY REFERENCES rollout (key),
  output text,
  rewards text NOT NULL,
  digest bytea NOT NULL
);

-- Spans `first`.. of an attempt, as compressed JSON.
CREATE TABLE span_block (
  rollout bigint NOT NULL,
  n bigint NOT NULL,
  first bigint NOT NULL CHECK (first >= 1),
  count bigint NOT NULL CHECK (count >= 1),
  data bytea NOT NULL,
  digest bytea NOT NULL,
  PRIMARY KEY (rollout, n, first),
  FOREIGN KEY (rollout, n) REFERENCES attempt (rollout, n)
);
ALTER TABLE span_block ALTER data SET STORAGE EXTERNAL;

CREATE TABLE checkpoint (
  key bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  run bigint NOT NULL REFERENCES run (key),
  algorithm text NOT NULL,
  waves bigint NOT NULL,
  rollouts bigint NOT NULL,
  state bytea NOT NULL,
  best bigint NOT NULL REFERENCES resources (key),
  saved_unix_ms bigint NOT NULL,
  hash text NOT NULL
);
CREATE INDEX checkpoint_run ON checkpoint (run, key);

-- Resources that a run's algorithm has proposed; those of waves that were rolled back are abandoned.
CREATE TABLE candidate (
  run bigint NOT NULL REFERENCES run (key),
  resources bigint NOT NULL REFERENCES resources (key),
  wave bigint NOT NULL CHECK (wave >= 0),
  abandoned boolean NOT NULL DEFAULT false,
  PRIMARY KEY (run, resources)
);

-- Names for publications: the newest row of a name counts, the others are its history.
CREATE TABLE alias (
  key bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  name text COLLATE "C" NOT NULL,
  version bigint NOT NULL REFERENCES resources_version (number),
  principal text NOT NULL,
  reason text NOT NULL,
  evidence text NOT NULL,
  set_unix_ms bigint NOT NULL,
  digest bytea NOT NULL
);
CREATE INDEX alias_name ON alias (name, key);
CREATE TRIGGER alias_stays BEFORE UPDATE OR DELETE ON alias
FOR EACH ROW EXECUTE FUNCTION stays();

-- What a run recommended when it last ended.
CREATE TABLE verdict (
  run bigint PRIMARY KEY REFERENCES run (key),
  resources bigint NOT NULL REFERENCES resources (key),
  decision text,
  evidence text NOT NULL,
  caveats text NOT NULL,
  reached_unix_ms bigint NOT NULL,
  digest bytea NOT NULL
);
