-- What is desired of a run: the latest word of its operators, or of the run itself.
CREATE TABLE desired_state (
  run bigint PRIMARY KEY REFERENCES run (key),
  sequence bigint NOT NULL CHECK (sequence > 0),
  lifecycle_state text NOT NULL,
  last_action text NOT NULL,
  principal text NOT NULL,
  reason text,
  updated_unix_ms bigint NOT NULL,
  rollback_checkpoint text,
  rollback_hash text,
  checkpoint bytea
);

-- Whoever could steer runs by their rows before can with this one.
DO $$
DECLARE
  given record;
BEGIN
  FOR given IN
    SELECT grantee, privilege_type FROM information_schema.table_privileges
    WHERE table_schema = current_schema() AND table_name = 'run'
      AND privilege_type IN ('SELECT', 'INSERT', 'UPDATE') AND grantee <> current_user
  LOOP
    EXECUTE format(
      'GRANT %s ON desired_state TO %s', given.privilege_type,
      CASE given.grantee WHEN 'PUBLIC' THEN 'PUBLIC' ELSE quote_ident(given.grantee) END
    );
  END LOOP;
END
$$;
