-- What of a run's spend no provider has told: counted as it was reserved.
ALTER TABLE tally ADD COLUMN assumed_tokens INTEGER NOT NULL DEFAULT 0;
ALTER TABLE tally ADD COLUMN assumed_cost INTEGER NOT NULL DEFAULT 0;

-- Who may do what: the newest row holds, the others are its history.
CREATE TABLE policy (
  number INTEGER PRIMARY KEY,
  content TEXT NOT NULL,
  principal TEXT NOT NULL,
  reason TEXT NOT NULL,
  installed_unix_ms INTEGER NOT NULL,
  digest BLOB NOT NULL
) STRICT;
CREATE TRIGGER policy_stays BEFORE UPDATE ON policy
BEGIN SELECT raise(ABORT, 'a policy never changes: install another'); END;
CREATE TRIGGER policy_remains BEFORE DELETE ON policy
BEGIN SELECT raise(ABORT, 'the history of policies is never deleted'); END;
