-- What of a run's spend no provider has told: counted as it was reserved.
ALTER TABLE tally
  ADD COLUMN assumed_tokens bigint NOT NULL DEFAULT 0,
  ADD COLUMN assumed_cost bigint NOT NULL DEFAULT 0;

CREATE OR REPLACE VIEW run_tally AS
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
  sum(brought_cost)::bigint AS brought_cost, sum(assumed_tokens)::bigint AS assumed_tokens,
  sum(assumed_cost)::bigint AS assumed_cost
FROM tally
GROUP BY run;
