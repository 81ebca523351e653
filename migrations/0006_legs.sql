-- What makes a ledger entry a leg of a payment order's pair, said once for every statement (contract: serving 3).
--
-- Expand and contract: a program that knows only version 5 says the same in its own statements.

-- The types are those of the columns, and it has no setting of its own: only then is its text put into a statement in its
-- place, so that the index on the legs of an order, which has these words as its condition, fits.
CREATE FUNCTION bo.is_leg(related_id varchar, entry_type varchar, related_type varchar) RETURNS boolean
LANGUAGE sql
IMMUTABLE
PARALLEL SAFE
AS $$
    SELECT related_id IS NOT NULL
        AND entry_type IN ('PAYMENT', 'RECEIVE')
        AND (related_type IS NULL OR related_type = 'PAYMENT_ORDER')
$$;

DROP TRIGGER keep_moved_half ON bo.ledger_entries;

CREATE TRIGGER keep_moved_half
AFTER UPDATE ON bo.ledger_entries
FOR EACH ROW
WHEN (
    bo.is_leg(OLD.related_id, OLD.entry_type, OLD.related_type)
    AND (
        NOT bo.is_leg(NEW.related_id, NEW.entry_type, NEW.related_type)
        OR (OLD.related_id, OLD.entry_type) <> (NEW.related_id, NEW.entry_type)
    )
)
EXECUTE FUNCTION bo.keep_moved_half();
