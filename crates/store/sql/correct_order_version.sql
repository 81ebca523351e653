-- Sets the version of one stored order, so that what was refused as older is taken again.
-- Grain: the order of $1; gives its former version, and the order itself. Contract: serving 2.
-- The hash, last level of the order of versions, becomes the lowest: an event of this very version is newer too.
UPDATE bo.payment_orders AS stored SET
    updated_at = $2::timestamptz,
    source_version = $3::bigint,
    payload_hash = decode(repeat('00', 16), 'hex')
FROM (
    SELECT o.order_id, o.updated_at, o.source_version
    FROM bo.payment_orders AS o
    WHERE o.order_id = $1::text
    FOR UPDATE
) AS former
WHERE stored.order_id = $1::text
RETURNING former.updated_at, former.source_version, stored.order_id AS payment_order_id
