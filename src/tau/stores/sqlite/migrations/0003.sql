-- What is desired of a run: the latest word of its operators, or of the run itself.
CREATE TABLE desired_state (
  run INTEGER PRIMARY KEY REFERENCES run (key),
  sequence INTEGER NOT NULL CHECK (sequence > 0),
  lifecycle_state TEXT NOT NULL,
  last_action TEXT NOT NULL,
  principal TEXT NOT NULL,
  reason TEXT,
  updated_unix_ms INTEGER NOT NULL,
  rollback_checkpoint TEXT,
  rollback_hash TEXT,
  checkpoint BLOB
) STRICT;
