-- name: insert_resources
-- Store resources unless they are there.
INSERT INTO resources (hash, parent, content, digest) VALUES (?1, ?2, ?3, ?4)
ON CONFLICT (hash) DO NOTHING;

-- name: resources_key
-- The integer key of resources.
SELECT key FROM resources WHERE hash = ?1;

-- name: resources_by_hash
-- Resources by their whole hash.
SELECT hash, parent, content, digest FROM resources WHERE hash = ?1;

-- name: resources_by_prefix
-- Resources whose hash lies in a range; two are enough to know that a prefix is not unique.
SELECT hash, parent, content, digest FROM resources WHERE hash >= ?1 AND hash < ?2 LIMIT 2;

-- name: insert_version
-- The next publication.
INSERT INTO resources_version (number, resources, run, published_unix_ms)
SELECT ifnull(max(number), 0) + 1, ?1, ?2, ?3 FROM resources_version
RETURNING number;

-- name: published
-- The newest publication of some resources.
SELECT max(number) FROM resources_version WHERE resources = ?1;

-- name: version
-- One publication.
SELECT
  v.number, v.published_unix_ms, run.id AS run_id, s.hash, s.parent, s.content, s.digest,
  v.number = (SELECT max(number) FROM resources_version) AS latest
FROM resources_version AS v
JOIN resources AS s ON s.key = v.resources
LEFT JOIN run ON run.key = v.run
WHERE v.number = ?1;

-- name: versions
-- Publications, newest first.
SELECT
  v.number, v.published_unix_ms, run.id AS run_id, s.hash, s.parent, s.content, s.digest,
  v.number = (SELECT max(number) FROM resources_version) AS latest
FROM resources_version AS v
JOIN resources AS s ON s.key = v.resources
LEFT JOIN run ON run.key = v.run
ORDER BY v.number DESC
LIMIT ?1 OFFSET ?2;

-- name: insert_checkpoint
-- An algorithm's state after whole waves.
INSERT INTO checkpoint (run, algorithm, waves, rollouts, state, best, saved_unix_ms, hash)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8);

-- name: prune_checkpoints
-- Keep the newest few of a run.
DELETE FROM checkpoint
WHERE run = ?1 AND key NOT IN (
  SELECT key FROM checkpoint WHERE run = ?1 ORDER BY key DESC LIMIT ?2
);

-- name: checkpoints
-- Checkpoints of a run, newest first.
SELECT
  c.key, run.id AS run_id, c.algorithm, c.waves, c.rollouts, c.state, c.saved_unix_ms,
  c.hash AS checkpoint_hash, s.hash, s.parent, s.content, s.digest
FROM run
JOIN checkpoint AS c ON c.run = run.key
JOIN resources AS s ON s.key = c.best
WHERE run.id = ?1
ORDER BY c.key DESC;

-- name: insert_candidate
-- A candidate of a wave; one that was abandoned comes back.
INSERT INTO candidate (run, resources, wave) VALUES (?1, ?2, ?3)
ON CONFLICT (run, resources) DO UPDATE SET wave = excluded.wave, abandoned = 0
WHERE candidate.abandoned;

-- name: abandon_candidates
-- Candidates of later waves than this are abandoned.
UPDATE candidate SET abandoned = 1 WHERE run = ?1 AND wave > ?2;

-- name: retire_proposals
-- Set a run's proposals aside: who asks again gets another answer. Slots are never negative.
UPDATE rollout SET ordinal = -key WHERE run = ?1 AND kind = 'propose' AND ordinal >= 0;

-- name: candidates
-- Candidates of a run, in order of their waves.
SELECT c.wave, c.abandoned, s.hash, s.parent, s.content, s.digest
FROM run
JOIN candidate AS c ON c.run = run.key
JOIN resources AS s ON s.key = c.resources
WHERE run.id = ?1
ORDER BY c.wave, c.resources
LIMIT ?2 OFFSET ?3;
