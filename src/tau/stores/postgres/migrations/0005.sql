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
