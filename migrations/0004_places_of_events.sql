-- Where in its topic an event without a version stood, and when it was taken from there (contract: serving 2): a consumer
-- that was frozen while another one took its partition over, and a dead letter that is replayed, bring an event that is
-- older than the stored one. Null for events that carry a version, and for those from a file.
--
-- Expand and contract: a program that knows only version 3 leaves the columns as they are.
ALTER TABLE bo.ledger_entries
    ADD COLUMN source_partition integer,
    ADD COLUMN source_offset bigint,
    ADD COLUMN source_taken_at timestamptz;
ALTER TABLE bo.payment_orders
    ADD COLUMN source_partition integer,
    ADD COLUMN source_offset bigint,
    ADD COLUMN source_taken_at timestamptz;
