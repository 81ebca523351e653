//! Tests of the transforms: small tables in, whole outputs compared.

mod analytics;
mod controls;
mod functions;
mod guardrail;
mod support;
