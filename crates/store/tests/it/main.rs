//! The backoffice database.
