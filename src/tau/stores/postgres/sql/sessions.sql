-- name: open_receipt
-- A connection that is about to write.
INSERT INTO receipt (seen_ms)
VALUES ((extract(epoch FROM clock_timestamp()) * 1000)::bigint)
RETURNING key;

-- name: sign_receipt
-- The first statement of a transaction: its number, and the time by the database's clock.
UPDATE receipt
SET last = $2, seen_ms = (extract(epoch FROM clock_timestamp()) * 1000)::bigint
WHERE key = $1
RETURNING seen_ms;

-- name: settle_receipt
-- The number of a connection's last commit, once its transaction in doubt is over.
SELECT last FROM receipt WHERE key = $1 FOR UPDATE;

-- name: close_receipt
-- A connection that was closed in order.
DELETE FROM receipt WHERE key = $1;

-- name: prune_receipts
-- Receipts of connections that nobody will ask about any more.
DELETE FROM receipt
WHERE key IN (
  SELECT key FROM receipt
  WHERE seen_ms < (extract(epoch FROM clock_timestamp()) * 1000)::bigint - 86400000
  FOR UPDATE SKIP LOCKED
);

-- name: end_session
-- End what is left of a connection that was lost, if it is still there.
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE pid = $1 AND application_name = $2;

-- name: clock
-- The database's clock.
SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint;

-- name: meta
-- One fact about the store itself.
SELECT value FROM schema_meta WHERE name = $1;

-- name: set_meta
-- Set a fact about the store itself.
INSERT INTO schema_meta (name, value) VALUES ($1, $2)
ON CONFLICT (name) DO UPDATE SET value = excluded.value;

-- name: tell
-- Wake those who wait elsewhere.
SELECT pg_notify($1, topic) FROM unnest($2::text[]) AS topic;
