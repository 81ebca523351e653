//! nsc-testkit
