-- name: insert_alias
-- Point a name at a publication.
INSERT INTO alias (name, version, principal, reason, evidence, set_unix_ms, digest)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
RETURNING key;

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
WHERE ?1 IS NULL OR n.name = ?1
ORDER BY n.key DESC
LIMIT ?2 OFFSET ?3;

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
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
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
WHERE run.id = ?1;

-- name: insert_policy
-- Who may do what from now on.
INSERT INTO policy (number, content, principal, reason, installed_unix_ms, digest)
VALUES (?1, ?2, ?3, ?4, ?5, ?6);

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
WHERE run.id = ?1;

-- name: put_desired_state
-- What is desired of a run from now on, unless the record is another than that ?10 names.
INSERT INTO desired_state (
  run, sequence, lifecycle_state, last_action, principal, reason, updated_unix_ms,
  rollback_checkpoint, rollback_hash, checkpoint
)
VALUES (?1, 1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
ON CONFLICT (run) DO UPDATE SET
  sequence = desired_state.sequence + 1, lifecycle_state = excluded.lifecycle_state,
  last_action = excluded.last_action, principal = excluded.principal, reason = excluded.reason,
  updated_unix_ms = excluded.updated_unix_ms, rollback_checkpoint = excluded.rollback_checkpoint,
  rollback_hash = excluded.rollback_hash, checkpoint = excluded.checkpoint
WHERE ?10 IS NULL OR desired_state.sequence = ?10
RETURNING sequence;
