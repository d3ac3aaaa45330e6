-- Whether the final report of a run was delivered: one that was not is delivered by the next start.
-- Of runs that are over already nobody knows better than that they were seen.

ALTER TABLE run ADD COLUMN reported INTEGER NOT NULL DEFAULT 0 CHECK (reported IN (0, 1));
UPDATE run SET reported = 1 WHERE status = 'completed' OR status = 'cancelled';
