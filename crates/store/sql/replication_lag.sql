-- Seconds a replica is behind; 0 when it has replayed all it received, null when it has replayed nothing yet.
-- Grain: one row. Contract: serving 8 (db_replication_lag_seconds).
SELECT CASE
    WHEN NOT pg_is_in_recovery() THEN 0
    WHEN pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn() THEN 0
    ELSE extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp())
END::double precision AS lag_seconds
