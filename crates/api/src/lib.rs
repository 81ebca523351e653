//! The admin API: what happened to this transaction, this payment order, in this wallet (serving contract 6 and 7).
//!
//! [`ApiOptions`] and a [`nsc_store::Store`] make an [`Api`], which serves until it is told to stop. Every attempt on
//! an admin route is audited, and nothing is answered whose audit row is not committed.
//!
//! The parsers of what strangers send are public, so that they can be fuzzed: [`params`], [`cursor`], and those of [`nsc_auth`].

mod app;
mod attempt;
mod client_ip;
mod context;
pub mod cursor;
mod edge;
mod endpoint;
mod error;
mod gauges;
mod guard;
mod loopback_host;
mod openapi;
mod options;
pub mod params;
mod problem;
mod readiness;
mod router;
mod routes;
mod server;
mod tls;
mod view;

pub use client_ip::TrustedProxies;
pub use error::ApiError;
pub use nsc_auth::{AuthOptions, ClaimPath, KeyLocation, OidcOptions};
pub use openapi::openapi_text;
pub use options::{ApiOptions, Limits, TlsOptions};
pub use server::Api;
