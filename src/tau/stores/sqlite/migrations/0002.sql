-- What of a run's spend no provider has told: counted as it was reserved.
ALTER TABLE tally ADD COLUMN assumed_tokens INTEGER NOT NULL DEFAULT 0;
ALTER TABLE tally ADD COLUMN assumed_cost INTEGER NOT NULL DEFAULT 0;
