-- Indexes that carry what the statements ask for, in its order (contract: serving 5), so that no statement's work grows
-- with the entries of one related_id (a placeholder such as "0" on a million of them) or of one instant.
--
-- Expand and contract: the indexes that go were prefixes of these, so a program that knows only version 2 goes on as it
-- was. While an index is built, writers wait and readers do not.

-- 16 characters tell every type apart that a statement asks for, and keep an entry of three texts under the 2,704 bytes of
-- a B-tree.
CREATE INDEX ledger_entries_order ON bo.ledger_entries (related_id, "left"(entry_type, 16), event_time, tx_id)
    WHERE related_id IS NOT NULL AND (related_type IS NULL OR related_type = 'PAYMENT_ORDER');
CREATE INDEX ledger_entries_wallet ON bo.ledger_entries (wallet_id, event_time, tx_id);
CREATE INDEX moved_halves_first ON bo.moved_halves (payment_order_id, entry_type, event_time, tx_id);
DROP INDEX bo.ledger_entries_related_id;
DROP INDEX bo.ledger_entries_wallet_id_event_time;
