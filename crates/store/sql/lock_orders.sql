-- Takes the gates of the orders a batch touches, until the end of the transaction.
-- Grain: one row per gate, sorted by the caller, so that writers wait for each other in one direction only.
-- Contract: serving 3. Who brings legs shares a gate with others who do; who brings an order of which no pair is
-- known has it alone. So an order and a leg that come at the same instant cannot both miss the other.
SELECT CASE
    WHEN gate.alone THEN pg_advisory_xact_lock(1853055855, gate.number)
    ELSE pg_advisory_xact_lock_shared(1853055855, gate.number)
END
FROM unnest($1::integer[], $2::boolean[]) AS gate (number, alone)
