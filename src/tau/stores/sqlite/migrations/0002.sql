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

-- Whether the final report of a run was delivered: one that was not is delivered by the next start.
-- Of runs that are over already nobody knows better than that they were seen.

ALTER TABLE run ADD COLUMN reported INTEGER NOT NULL DEFAULT 0 CHECK (reported IN (0, 1));
UPDATE run SET reported = 1 WHERE status = 'completed' OR status = 'cancelled';
