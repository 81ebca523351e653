-- The backoffice database (contract: serving 5): five tables and their indexes.
--
-- Keys and other texts compare by their bytes (COLLATE "C"): the order in which writers lock rows is then the same
-- everywhere, and comparing is cheap. 255 characters are at most 1,020 bytes, well under a B-tree entry's limit.
-- Amounts are never NaN and times never infinite, so that whatever is stored can be given back.

CREATE TABLE bo.ledger_entries (
    tx_id varchar(255) COLLATE "C" PRIMARY KEY,
    wallet_id varchar(255) COLLATE "C" NOT NULL,
    entry_type varchar(255) COLLATE "C" NOT NULL,
    amount numeric(18, 2) NOT NULL,
    amount_signed numeric(18, 2),
    related_id varchar(255) COLLATE "C",
    related_type varchar(255) COLLATE "C",
    event_time timestamptz NOT NULL,
    created_at timestamptz,
    updated_at timestamptz,
    source_version bigint,
    ingested_at timestamptz NOT NULL,
    -- last level of the order of versions: 16 bytes over what the event says
    payload_hash bytea NOT NULL,
    CONSTRAINT ledger_entries_amount CHECK (amount > 0 AND amount <> 'NaN'),
    CONSTRAINT ledger_entries_amount_signed CHECK (amount_signed <> 'NaN'),
    CONSTRAINT ledger_entries_times CHECK (
        isfinite(event_time) AND isfinite(created_at) AND isfinite(updated_at) AND isfinite(ingested_at)
    ),
    CONSTRAINT ledger_entries_payload_hash CHECK (octet_length(payload_hash) = 16)
);
CREATE INDEX ledger_entries_related_id ON bo.ledger_entries (related_id);
CREATE INDEX ledger_entries_wallet_id_event_time ON bo.ledger_entries (wallet_id, event_time);
CREATE INDEX ledger_entries_event_time ON bo.ledger_entries (event_time);

CREATE TABLE bo.payment_orders (
    order_id varchar(255) COLLATE "C" PRIMARY KEY,
    user_id varchar(255) COLLATE "C",
    merchant_name varchar(255) COLLATE "C",
    amount numeric(18, 2) NOT NULL,
    status varchar(255) COLLATE "C" NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz,
    source_version bigint,
    ingested_at timestamptz NOT NULL,
    payload_hash bytea NOT NULL,
    CONSTRAINT payment_orders_amount CHECK (amount > 0 AND amount <> 'NaN'),
    CONSTRAINT payment_orders_times CHECK (
        isfinite(created_at) AND isfinite(updated_at) AND isfinite(ingested_at)
    ),
    CONSTRAINT payment_orders_payload_hash CHECK (octet_length(payload_hash) = 16)
);
CREATE INDEX payment_orders_user_id ON bo.payment_orders (user_id);
CREATE INDEX payment_orders_merchant_name ON bo.payment_orders (merchant_name);
CREATE INDEX payment_orders_status ON bo.payment_orders (status);
CREATE INDEX payment_orders_created_at ON bo.payment_orders (created_at);

-- updated_at is the latest updated_at of the halves and the order, so that it does not depend on arrival.
CREATE TABLE bo.payment_ledger_pairs (
    payment_order_id varchar(255) COLLATE "C" PRIMARY KEY,
    payment_tx_id varchar(255) COLLATE "C",
    receive_tx_id varchar(255) COLLATE "C",
    payer_wallet_id varchar(255) COLLATE "C",
    payee_wallet_id varchar(255) COLLATE "C",
    amount numeric(18, 2) NOT NULL,
    status varchar(255) COLLATE "C",
    event_time timestamptz NOT NULL,
    updated_at timestamptz,
    ingested_at timestamptz NOT NULL,
    CONSTRAINT payment_ledger_pairs_amount CHECK (amount <> 'NaN'),
    CONSTRAINT payment_ledger_pairs_payment CHECK ((payment_tx_id IS NULL) = (payer_wallet_id IS NULL)),
    CONSTRAINT payment_ledger_pairs_receive CHECK ((receive_tx_id IS NULL) = (payee_wallet_id IS NULL))
) WITH (fillfactor = 85);
-- How many pairs wait for a half, and since when, without reading all of them.
CREATE INDEX payment_ledger_pairs_incomplete ON bo.payment_ledger_pairs (event_time)
    WHERE payment_tx_id IS NULL OR receive_tx_id IS NULL;

-- Everything a client can choose is bounded: an index entry holds at most 2,704 bytes.
CREATE TABLE bo.admin_audit_logs (
    audit_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    actor_id varchar(255),
    actor_roles varchar(1000) NOT NULL,
    action varchar(64) NOT NULL,
    resource_type varchar(64),
    resource_id varchar(255) COLLATE "C",
    result varchar(64) NOT NULL,
    status_code integer NOT NULL,
    request_method varchar(16) NOT NULL,
    request_path varchar(2000) NOT NULL,
    request_query varchar(2000),
    client_ip varchar(64),
    user_agent varchar(500),
    correlation_id varchar(128) NOT NULL,
    duration_ms bigint NOT NULL,
    result_count integer,
    requested_at timestamptz NOT NULL
);
CREATE INDEX admin_audit_logs_requested_at ON bo.admin_audit_logs (requested_at);
CREATE INDEX admin_audit_logs_resource_id ON bo.admin_audit_logs (resource_id);
CREATE INDEX admin_audit_logs_resource_id_requested_at ON bo.admin_audit_logs (resource_id, requested_at);

-- content_hash tells one message from another that has its place after a topic was made anew.
CREATE TABLE bo.consumer_dlq_events (
    dlq_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    topic varchar(255) COLLATE "C" NOT NULL,
    partition integer NOT NULL,
    "offset" bigint NOT NULL,
    key bytea,
    payload bytea,
    error_class varchar(64) COLLATE "C" NOT NULL,
    error varchar(4000) NOT NULL,
    correlation_id varchar(128),
    ingested_at timestamptz NOT NULL,
    replayed_at timestamptz,
    content_hash bytea NOT NULL,
    -- a message that is delivered again is not stored again
    CONSTRAINT consumer_dlq_events_message UNIQUE (topic, partition, "offset", content_hash)
);
CREATE INDEX consumer_dlq_events_ingested_at ON bo.consumer_dlq_events (ingested_at);
