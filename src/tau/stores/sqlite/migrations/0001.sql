-- Runs, the queue with its attempts and leases, contents by hash, publications, checkpoints.
--
-- Where rows are written often, a choice of more than two values is spelled with OR: for IN, SQLite
-- makes a table of them each time, which took half of its time for a rollout.

CREATE TABLE schema_meta (
  name TEXT PRIMARY KEY,
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- One row per claiming loop, trainer or host and process start. Times of decisions are monotonic.
CREATE TABLE worker (
  key INTEGER PRIMARY KEY,
  name TEXT NOT NULL,
  role TEXT NOT NULL CHECK (role IN ('worker', 'trainer', 'host')),
  offers TEXT NOT NULL DEFAULT '[]',
  host TEXT NOT NULL,
  boot_id TEXT NOT NULL,
  pid_namespace TEXT NOT NULL,
  pid INTEGER NOT NULL,
  started_ticks INTEGER NOT NULL,
  lease_ms INTEGER NOT NULL CHECK (lease_ms > 0),
  registered_unix_ms INTEGER NOT NULL,
  heartbeat_unix_ms INTEGER NOT NULL,
  heartbeat_ms INTEGER NOT NULL,
  state TEXT NOT NULL DEFAULT 'live' CHECK (state IN ('live', 'lost', 'retired'))
) STRICT;
CREATE INDEX worker_live ON worker (key) WHERE state = 'live';

CREATE TABLE run (
  key INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  config_hash TEXT NOT NULL,
  model_ref TEXT NOT NULL,
  seed TEXT NOT NULL,
  algorithm TEXT NOT NULL,
  config TEXT NOT NULL,
  limit_rollouts INTEGER,
  limit_calls INTEGER,
  limit_tokens INTEGER,
  limit_cost INTEGER,
  limit_seconds REAL,
  max_attempts INTEGER NOT NULL CHECK (max_attempts >= 1),
  status TEXT NOT NULL
    CHECK (status IN ('running', 'paused', 'completed', 'failed', 'cancelled')),
  stop_reason TEXT,
  stop_detail TEXT,
  created_unix_ms INTEGER NOT NULL,
  updated_unix_ms INTEGER NOT NULL,
  active_s REAL NOT NULL DEFAULT 0,
  trainer INTEGER REFERENCES worker (key),
  digest BLOB NOT NULL
) STRICT;
CREATE INDEX run_config ON run (config_hash);
CREATE INDEX run_running ON run (key) WHERE status = 'running';

-- Counters of a run, so that no question scans the queue. `brought`: what it had spent when it went
-- on here from a checkpoint file, its store being lost; part of `spent`.
CREATE TABLE tally (
  run INTEGER PRIMARY KEY REFERENCES run (key),
  queuing INTEGER NOT NULL DEFAULT 0 CHECK (queuing >= 0),
  preparing INTEGER NOT NULL DEFAULT 0 CHECK (preparing >= 0),
  running INTEGER NOT NULL DEFAULT 0 CHECK (running >= 0),
  succeeded INTEGER NOT NULL DEFAULT 0 CHECK (succeeded >= 0),
  failed INTEGER NOT NULL DEFAULT 0 CHECK (failed >= 0),
  cancelled INTEGER NOT NULL DEFAULT 0 CHECK (cancelled >= 0),
  requeuing INTEGER NOT NULL DEFAULT 0 CHECK (requeuing >= 0),
  spent_rollouts INTEGER NOT NULL DEFAULT 0,
  spent_calls INTEGER NOT NULL DEFAULT 0,
  spent_tokens INTEGER NOT NULL DEFAULT 0,
  spent_cost INTEGER NOT NULL DEFAULT 0,
  brought_rollouts INTEGER NOT NULL DEFAULT 0,
  brought_calls INTEGER NOT NULL DEFAULT 0,
  brought_tokens INTEGER NOT NULL DEFAULT 0,
  brought_cost INTEGER NOT NULL DEFAULT 0,
  reserved_rollouts INTEGER NOT NULL DEFAULT 0 CHECK (reserved_rollouts >= 0),
  reserved_calls INTEGER NOT NULL DEFAULT 0 CHECK (reserved_calls >= 0),
  reserved_tokens INTEGER NOT NULL DEFAULT 0 CHECK (reserved_tokens >= 0),
  reserved_cost INTEGER NOT NULL DEFAULT 0 CHECK (reserved_cost >= 0)
) STRICT;

CREATE TABLE resources (
  key INTEGER PRIMARY KEY,
  hash TEXT NOT NULL UNIQUE,
  parent TEXT,
  content TEXT NOT NULL,
  digest BLOB NOT NULL
) STRICT;
CREATE TRIGGER resources_stay BEFORE UPDATE ON resources
BEGIN SELECT raise(ABORT, 'resources never change'); END;
CREATE TRIGGER resources_remain BEFORE DELETE ON resources
BEGIN SELECT raise(ABORT, 'resources are never deleted'); END;

-- Publications count 1, 2, ... without a gap; the highest is the latest.
CREATE TABLE resources_version (
  number INTEGER PRIMARY KEY,
  resources INTEGER NOT NULL REFERENCES resources (key),
  run INTEGER REFERENCES run (key),
  published_unix_ms INTEGER NOT NULL
) STRICT;
CREATE TRIGGER resources_version_counts BEFORE INSERT ON resources_version
WHEN new.number IS NOT (SELECT ifnull(max(number), 0) + 1 FROM resources_version)
BEGIN SELECT raise(ABORT, 'publications count 1, 2, ...'); END;
CREATE TRIGGER resources_version_stays BEFORE UPDATE ON resources_version
BEGIN SELECT raise(ABORT, 'publications never change'); END;
CREATE TRIGGER resources_version_remains BEFORE DELETE ON resources_version
BEGIN SELECT raise(ABORT, 'publications are never deleted'); END;

CREATE TABLE example (
  key INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  split TEXT NOT NULL CHECK (split = 'optimize' OR split = 'validate' OR split = 'test'),
  content TEXT NOT NULL,
  digest BLOB NOT NULL
) STRICT;

-- `live` is the number of the attempt that holds the rollout. `ready_ms` is the monotonic time of
-- a scheduled retry, 0 when ready now. `charged`: its share of the rollout limit is taken.
CREATE TABLE rollout (
  key INTEGER PRIMARY KEY,
  run INTEGER NOT NULL REFERENCES run (key),
  kind TEXT NOT NULL CHECK (kind IN ('evaluate', 'propose')),
  resources INTEGER NOT NULL REFERENCES resources (key),
  example INTEGER REFERENCES example (key),
  subject TEXT,
  ordinal INTEGER NOT NULL,
  proposal TEXT,
  reserve_rollouts INTEGER NOT NULL,
  reserve_calls INTEGER NOT NULL,
  reserve_tokens INTEGER NOT NULL,
  reserve_cost INTEGER NOT NULL,
  status TEXT NOT NULL DEFAULT 'queuing' CHECK (
    status = 'queuing' OR status = 'preparing' OR status = 'running' OR status = 'succeeded'
    OR status = 'failed' OR status = 'cancelled' OR status = 'requeuing'
  ),
  live INTEGER,
  attempts INTEGER NOT NULL DEFAULT 0 CHECK (attempts >= counted),
  counted INTEGER NOT NULL DEFAULT 0,
  charged INTEGER NOT NULL DEFAULT 0 CHECK (charged IN (0, 1)),
  ready_ms INTEGER NOT NULL DEFAULT 0,
  score REAL,
  failure TEXT,
  duration_ms INTEGER NOT NULL DEFAULT 0,
  created_unix_ms INTEGER NOT NULL,
  updated_unix_ms INTEGER NOT NULL,
  CHECK ((status IN ('preparing', 'running')) = (live IS NOT NULL)),
  CHECK (live IS NULL OR live = attempts),
  CHECK ((kind = 'evaluate') = (example IS NOT NULL)),
  CHECK ((kind = 'propose') = (subject IS NOT NULL)),
  CHECK (ready_ms = 0 OR status = 'requeuing')
) STRICT;
CREATE UNIQUE INDEX rollout_evaluate ON rollout (run, resources, example, ordinal)
WHERE kind = 'evaluate';
CREATE UNIQUE INDEX rollout_propose ON rollout (run, resources, subject, ordinal)
WHERE kind = 'propose';
CREATE INDEX rollout_run ON rollout (run);
CREATE INDEX rollout_ready ON rollout (run)
WHERE status IN ('queuing', 'requeuing') AND ready_ms = 0;
CREATE INDEX rollout_delayed ON rollout (run, ready_ms)
WHERE status = 'requeuing' AND ready_ms > 0;
CREATE INDEX rollout_failed ON rollout (run) WHERE status = 'failed';
-- Written once per rollout: dashboards follow a run by it.
CREATE INDEX rollout_settled ON rollout (run, updated_unix_ms)
WHERE status = 'succeeded' OR status = 'failed' OR status = 'cancelled';

-- `assumed`: the spend is what was reserved, because nobody knows what was really made.
CREATE TABLE attempt (
  rollout INTEGER NOT NULL REFERENCES rollout (key),
  n INTEGER NOT NULL CHECK (n >= 1),
  worker INTEGER NOT NULL REFERENCES worker (key),
  status TEXT NOT NULL CHECK (
    status = 'preparing' OR status = 'running' OR status = 'failed' OR status = 'succeeded'
    OR status = 'timeout' OR status = 'unresponsive'
  ),
  counted INTEGER NOT NULL DEFAULT 0 CHECK (counted IN (0, 1)),
  started_unix_ms INTEGER NOT NULL,
  ended_unix_ms INTEGER,
  failure TEXT,
  reserved_rollouts INTEGER NOT NULL,
  reserved_calls INTEGER NOT NULL,
  reserved_tokens INTEGER NOT NULL,
  reserved_cost INTEGER NOT NULL,
  spent_rollouts INTEGER NOT NULL DEFAULT 0,
  spent_calls INTEGER NOT NULL DEFAULT 0,
  spent_tokens INTEGER NOT NULL DEFAULT 0,
  spent_cost INTEGER NOT NULL DEFAULT 0,
  assumed INTEGER NOT NULL DEFAULT 0 CHECK (assumed IN (0, 1)),
  taken INTEGER NOT NULL DEFAULT 0 CHECK (taken IN (0, 1)),
  late_calls INTEGER,
  late_tokens INTEGER,
  late_cost INTEGER,
  PRIMARY KEY (rollout, n),
  CHECK ((status IN ('preparing', 'running')) = (ended_unix_ms IS NULL))
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX attempt_success ON attempt (rollout) WHERE status = 'succeeded';
CREATE INDEX attempt_live ON attempt (worker) WHERE status IN ('preparing', 'running');

-- What the last attempt of a settled rollout produced.
CREATE TABLE result (
  rollout INTEGER PRIMARY KEY REFERENCES rollout (key),
  output TEXT,
  rewards TEXT NOT NULL,
  digest BLOB NOT NULL
) STRICT;

-- Spans `first`.. of an attempt, as compressed JSON.
CREATE TABLE span_block (
  rollout INTEGER NOT NULL,
  n INTEGER NOT NULL,
  first INTEGER NOT NULL CHECK (first >= 1),
  count INTEGER NOT NULL CHECK (count >= 1),
  data BLOB NOT NULL,
  digest BLOB NOT NULL,
  PRIMARY KEY (rollout, n, first),
  FOREIGN KEY (rollout, n) REFERENCES attempt (rollout, n)
) STRICT, WITHOUT ROWID;

CREATE TABLE checkpoint (
  key INTEGER PRIMARY KEY,
  run INTEGER NOT NULL REFERENCES run (key),
  algorithm TEXT NOT NULL,
  waves INTEGER NOT NULL,
  rollouts INTEGER NOT NULL,
  state BLOB NOT NULL,
  best INTEGER NOT NULL REFERENCES resources (key),
  saved_unix_ms INTEGER NOT NULL,
  hash TEXT NOT NULL
) STRICT;
CREATE INDEX checkpoint_run ON checkpoint (run);

-- Resources that a run's algorithm has proposed; those of waves that were rolled back are abandoned.
CREATE TABLE candidate (
  run INTEGER NOT NULL REFERENCES run (key),
  resources INTEGER NOT NULL REFERENCES resources (key),
  wave INTEGER NOT NULL CHECK (wave >= 0),
  abandoned INTEGER NOT NULL DEFAULT 0 CHECK (abandoned IN (0, 1)),
  PRIMARY KEY (run, resources)
) STRICT, WITHOUT ROWID;

-- Names for publications: the newest row of a name counts, the others are its history.
CREATE TABLE alias (
  key INTEGER PRIMARY KEY,
  name TEXT NOT NULL,
  version INTEGER NOT NULL REFERENCES resources_version (number),
  principal TEXT NOT NULL,
  reason TEXT NOT NULL,
  evidence TEXT NOT NULL,
  set_unix_ms INTEGER NOT NULL,
  digest BLOB NOT NULL
) STRICT;
CREATE INDEX alias_name ON alias (name);
CREATE TRIGGER alias_stays BEFORE UPDATE ON alias
BEGIN SELECT raise(ABORT, 'what an alias was pointed at never changes'); END;
CREATE TRIGGER alias_remains BEFORE DELETE ON alias
BEGIN SELECT raise(ABORT, 'the history of aliases is never deleted'); END;

-- What a run recommended when it last ended.
CREATE TABLE verdict (
  run INTEGER PRIMARY KEY REFERENCES run (key),
  resources INTEGER NOT NULL REFERENCES resources (key),
  decision TEXT,
  evidence TEXT NOT NULL,
  caveats TEXT NOT NULL,
  reached_unix_ms INTEGER NOT NULL,
  digest BLOB NOT NULL
) STRICT;
