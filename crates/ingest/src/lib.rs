//! nsc-ingest
