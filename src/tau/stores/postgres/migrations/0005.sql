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

-- Who may do what: the newest row holds, the others are its history.
CREATE TABLE policy (
  number bigint PRIMARY KEY,
  content text NOT NULL,
  principal text NOT NULL,
  reason text NOT NULL,
  installed_unix_ms bigint NOT NULL,
  digest bytea NOT NULL
);
CREATE TRIGGER policy_stays BEFORE UPDATE OR DELETE ON policy
FOR EACH ROW EXECUTE FUNCTION stays();

-- Whoever could work with the tables before can with this one.
DO $$
DECLARE
  given record;
BEGIN
  FOR given IN
    SELECT grantee, privilege_type FROM information_schema.table_privileges
    WHERE table_schema = current_schema() AND table_name = 'alias'
      AND privilege_type IN ('SELECT', 'INSERT') AND grantee <> current_user
  LOOP
    EXECUTE format(
      'GRANT %s ON policy TO %s', given.privilege_type,
      CASE given.grantee WHEN 'PUBLIC' THEN 'PUBLIC' ELSE quote_ident(given.grantee) END
    );
  END LOOP;
END
$$;

-- Whether the final report of a run was delivered: one that was not is delivered by the next start.
-- Of runs that are over already nobody knows better than that they were seen.

ALTER TABLE run ADD COLUMN reported bigint NOT NULL DEFAULT 0 CHECK (reported IN (0, 1));
UPDATE run SET reported = 1 WHERE status = 'completed' OR status = 'cancelled';
