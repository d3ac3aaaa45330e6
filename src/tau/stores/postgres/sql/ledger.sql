-- name: insert_resources
-- Store resources unless they are there.
INSERT INTO resources (hash, parent, content, digest)
SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::bytea[]) AS g (h, p, c, d)
ORDER BY h
ON CONFLICT (hash) DO NOTHING;

-- name: resources_keys
-- Integer keys of resources.
SELECT hash, key FROM resources WHERE hash = ANY($1::text[]);

-- name: resources_by_hash
-- Resources by their whole hash.
SELECT hash, parent, content, digest FROM resources WHERE hash = $1;

-- name: resources_by_prefix
-- Resources whose hash lies in a range; two are enough to know that a prefix is not unique.
SELECT hash, parent, content, digest FROM resources WHERE hash >= $1 AND hash < $2 LIMIT 2;

-- name: lock_publications
-- Publications are numbered by one transaction at a time.
SELECT value FROM schema_meta WHERE name = 'publications' FOR NO KEY UPDATE;

-- name: insert_version
-- The next publication.
INSERT INTO resources_version (number, resources, run, published_unix_ms)
SELECT coalesce(max(number), 0) + 1, $1, $2, $3 FROM resources_version
RETURNING number;

-- name: published
-- The newest publication of some resources.
SELECT max(number) FROM resources_version WHERE resources = $1;

-- name: version
-- One publication.
SELECT
  v.number, v.published_unix_ms, run.id AS run_id, s.hash, s.parent, s.content, s.digest,
  v.number = (SELECT max(number) FROM resources_version) AS latest
FROM resources_version AS v
JOIN resources AS s ON s.key = v.resources
LEFT JOIN run ON run.key = v.run
WHERE v.number = $1;

-- name: versions
-- Publications, newest first.
SELECT
  v.number, v.published_unix_ms, run.id AS run_id, s.hash, s.parent, s.content, s.digest,
  v.number = (SELECT max(number) FROM resources_version) AS latest
FROM resources_version AS v
JOIN resources AS s ON s.key = v.resources
LEFT JOIN run ON run.key = v.run
ORDER BY v.number DESC
LIMIT $1 OFFSET $2;

-- name: insert_checkpoint
-- An algorithm's state after whole waves.
INSERT INTO checkpoint (run, algorithm, waves, rollouts, state, best, saved_unix_ms, hash)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8);

-- name: prune_checkpoints
-- Keep the newest few of a run.
DELETE FROM checkpoint
WHERE run = $1 AND key NOT IN (
  SELECT key FROM checkpoint WHERE run = $1 ORDER BY key DESC LIMIT $2
);

-- name: checkpoints
-- Checkpoints of a run, newest first.
SELECT
  c.key, run.id AS run_id, c.algorithm, c.waves, c.rollouts, c.state, c.saved_unix_ms,
  c.hash AS checkpoint_hash, s.hash, s.parent, s.content, s.digest
FROM run
JOIN checkpoint AS c ON c.run = run.key
JOIN resources AS s ON s.key = c.best
WHERE run.id = $1
ORDER BY c.key DESC;

-- name: insert_candidates
-- Candidates of a wave; those that were abandoned come back.
INSERT INTO candidate (run, resources, wave)
SELECT $1, key, $3 FROM unnest($2::bigint[]) AS key ORDER BY key
ON CONFLICT (run, resources) DO UPDATE SET wave = excluded.wave, abandoned = false
WHERE candidate.abandoned;

-- name: abandon_candidates
-- Candidates of later waves than this are abandoned.
UPDATE candidate SET abandoned = true WHERE run = $1 AND wave > $2;

-- name: retire_proposals
-- Set a run's proposals aside: who asks again gets another answer. Slots are never negative.
UPDATE request SET ordinal = -key WHERE run = $1 AND kind = 'propose' AND ordinal >= 0;

-- name: candidates
-- Candidates of a run, in order of their waves.
SELECT c.wave, c.abandoned, s.hash, s.parent, s.content, s.digest
FROM run
JOIN candidate AS c ON c.run = run.key
JOIN resources AS s ON s.key = c.resources
WHERE run.id = $1
ORDER BY c.wave, c.resources
LIMIT $2 OFFSET $3;

-- name: insert_alias
-- Point a name at a publication.
INSERT INTO alias (name, version, principal, reason, evidence, set_unix_ms, digest)
VALUES ($1, $2, $3, $4, $5, $6, $7);

-- name: alias_history
-- What was pointed, of one name or of all, newest first.
SELECT
  n.name, n.principal, n.reason, n.evidence, n.set_unix_ms, n.digest AS alias_digest,
  v.number, v.published_unix_ms, run.id AS run_id, s.hash, s.parent, s.content, s.digest,
  v.number = (SELECT max(number) FROM resources_version) AS latest
FROM alias AS n
JOIN resources_version AS v ON v.number = n.version
JOIN resources AS s ON s.key = v.resources
LEFT JOIN run ON run.key = v.run
WHERE $1::text IS NULL OR n.name = $1
ORDER BY n.key DESC
LIMIT $2 OFFSET $3;

-- name: aliases
-- Where every name points now, by name.
SELECT
  n.name, n.principal, n.reason, n.evidence, n.set_unix_ms, n.digest AS alias_digest,
  v.number, v.published_unix_ms, run.id AS run_id, s.hash, s.parent, s.content, s.digest,
  v.number = (SELECT max(number) FROM resources_version) AS latest
FROM (SELECT max(key) AS key FROM alias GROUP BY name) AS newest
JOIN alias AS n ON n.key = newest.key
JOIN resources_version AS v ON v.number = n.version
JOIN resources AS s ON s.key = v.resources
LEFT JOIN run ON run.key = v.run
ORDER BY n.name;

-- name: save_verdict
-- What a run recommends now.
INSERT INTO verdict (run, resources, decision, evidence, caveats, reached_unix_ms, digest)
VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (run) DO UPDATE SET
  resources = excluded.resources, decision = excluded.decision, evidence = excluded.evidence,
  caveats = excluded.caveats, reached_unix_ms = excluded.reached_unix_ms, digest = excluded.digest;

-- name: verdict
-- What a run recommended.
SELECT
  run.id AS run_id, d.decision, d.evidence, d.caveats, d.reached_unix_ms,
  d.digest AS verdict_digest, s.hash, s.parent, s.content, s.digest
FROM run
JOIN verdict AS d ON d.run = run.key
JOIN resources AS s ON s.key = d.resources
WHERE run.id = $1;

-- name: insert_policy
-- Who may do what from now on.
INSERT INTO policy (number, content, principal, reason, installed_unix_ms, digest)
VALUES ($1, $2, $3, $4, $5, $6);

-- name: set_oldest
-- Programs of an older schema know nothing of this one: they may not go on with the store.
UPDATE schema_meta SET value = $1::text WHERE name = 'oldest' AND value::int < $1::text::int;

-- name: policy
-- The policy that holds.
SELECT number, content, principal, reason, installed_unix_ms, digest FROM policy
ORDER BY number DESC
LIMIT 1;

-- name: desired_state
-- What is desired of a run.
SELECT
  d.sequence, d.lifecycle_state, d.last_action, d.principal, d.reason, d.updated_unix_ms,
  d.rollback_checkpoint, d.rollback_hash, d.checkpoint
FROM desired_state AS d
JOIN run ON run.key = d.run
WHERE run.id = $1;

-- name: put_desired_state
-- What is desired of a run from now on, unless the record is another than that $10 names.
INSERT INTO desired_state (
  run, sequence, lifecycle_state, last_action, principal, reason, updated_unix_ms,
  rollback_checkpoint, rollback_hash, checkpoint
)
VALUES ($1, 1, $2, $3, $4, $5, $6, $7, $8, $9)
ON CONFLICT (run) DO UPDATE SET
  sequence = desired_state.sequence + 1, lifecycle_state = excluded.lifecycle_state,
  last_action = excluded.last_action, principal = excluded.principal, reason = excluded.reason,
  updated_unix_ms = excluded.updated_unix_ms, rollback_checkpoint = excluded.rollback_checkpoint,
  rollback_hash = excluded.rollback_hash, checkpoint = excluded.checkpoint
WHERE $10::bigint IS NULL OR desired_state.sequence = $10
RETURNING sequence;
