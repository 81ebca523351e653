//! What each route answers.

mod health;
mod metrics;
mod payment_order;
mod tx;
mod unknown;
mod wallet_tx;
