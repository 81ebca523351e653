//! Kafka to the backoffice database.
