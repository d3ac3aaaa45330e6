-- name: insert_run
-- A new run, running; the caller has seen that its id is free.
INSERT INTO run (
  id, config_hash, model_ref, seed, algorithm, config, limit_rollouts, limit_calls, limit_tokens,
  limit_cost, limit_seconds, max_attempts, status, created_unix_ms, updated_unix_ms, active_s, digest
)
VALUES (
  :id, :config_hash, :model_ref, :seed, :algorithm, :config, :limit_rollouts, :limit_calls,
  :limit_tokens, :limit_cost, :limit_seconds, :max_attempts, 'running', :now, :now, :active_s,
  :digest
)
RETURNING key;

-- name: insert_tally
-- Counters of a new run, with what it brings along from a store that was lost.
INSERT INTO tally (
  run, spent_rollouts, spent_calls, spent_tokens, spent_cost,
  brought_rollouts, brought_calls, brought_tokens, brought_cost, assumed_tokens, assumed_cost
)
VALUES (
  :run, :rollouts, :calls, :tokens, :cost_nano_usd, :rollouts, :calls, :tokens, :cost_nano_usd,
  :assumed_tokens, :assumed_cost_nano_usd
);

-- name: run_by_id
-- One run with its spend and its driver.
SELECT run.*, tally.*
FROM run JOIN tally ON tally.run = run.key
WHERE run.id = :id;

-- name: runs_by_config
-- All runs of a configuration, newest first.
SELECT run.*, tally.*
FROM run JOIN tally ON tally.run = run.key
WHERE run.config_hash = :config_hash
ORDER BY run.key DESC;

-- name: runs_page
-- Runs, newest first, of one status or of any.
SELECT run.*, tally.*
FROM run JOIN tally ON tally.run = run.key
WHERE :status IS NULL OR run.status = :status
ORDER BY run.key DESC
LIMIT :limit OFFSET :offset;

-- name: update_run_status
-- A legal change of status, already checked against the table of transitions.
UPDATE run
SET status = :status, stop_reason = :reason, stop_detail = :detail, updated_unix_ms = :now
WHERE key = :key;

-- name: add_run_time
-- Time spent running.
UPDATE run SET active_s = active_s + ?2, updated_unix_ms = ?3 WHERE key = ?1;

-- name: mark_reported
-- The final report of a run was delivered.
UPDATE run SET reported = 1 WHERE key = ?1;

-- name: update_run_driver
-- Adoption: the trainer drives the run under these limits, and it runs.
UPDATE run
SET
  trainer = :trainer, status = 'running', stop_reason = NULL, stop_detail = NULL,
  limit_rollouts = :limit_rollouts, limit_calls = :limit_calls, limit_tokens = :limit_tokens,
  limit_cost = :limit_cost, limit_seconds = :limit_seconds, max_attempts = :max_attempts,
  updated_unix_ms = :now
WHERE key = :key;

-- name: add_to_tally
-- What a transaction changed of a run's counters and spend, at once.
UPDATE tally
SET
  queuing = queuing + ?2, preparing = preparing + ?3, running = running + ?4,
  succeeded = succeeded + ?5, failed = failed + ?6, cancelled = cancelled + ?7,
  requeuing = requeuing + ?8,
  spent_rollouts = spent_rollouts + ?9, spent_calls = spent_calls + ?10,
  spent_tokens = spent_tokens + ?11, spent_cost = spent_cost + ?12,
  reserved_rollouts = reserved_rollouts + ?13, reserved_calls = reserved_calls + ?14,
  reserved_tokens = reserved_tokens + ?15, reserved_cost = reserved_cost + ?16,
  assumed_tokens = assumed_tokens + ?17, assumed_cost = assumed_cost + ?18
WHERE run = ?1;
