//! The sample world: a deterministic payment platform that writes the six JSONL source files.
//!
//! The same options give the same bytes, so a test, a benchmark and a tutorial can all talk about
//! one data set without storing it.
//!
//! The world
//! * A wallet is a user or a merchant; `wallet_id` of the ledger equals `user_id` of `user_wallets`.
//! * On the first day every wallet starts from 0 and is funded by CHARGE (80 %) or MINT (20 %). On
//!   later days a few wallets sign up: a snapshot of 0 at sign-up, then a CHARGE.
//! * A payment is PAYMENT + RECEIVE and one payment order, whose id is both entries' `related_id`.
//! * A refund is REFUND_OUT + REFUND_IN of a payment at least 15 minutes older, and a second version
//!   of its order (status REFUNDED, same `created_at`, newer extraction).
//! * HOLD and RELEASE move money between available and frozen, under ids of their own.
//! * Failed, cancelled and pending orders have no ledger entries.
//! * 30 % of the payment orders belong to a commerce order: `order_id` is the decimal text of
//!   `orders.order_id`, with one to four `order_items` of known products.
//! * HOLD, RELEASE, MINT and BURN come from `crypto-svc`, which writes `entry_type` and `event_time`
//!   in place of `type` and `created_at`.
//! * Snapshots: every wallet at 00:00:00 KST and at 23:59:59.999999 KST, some during the day, at
//!   least one per 100 s. A snapshot at `t` holds every entry with an event time before `t`.
//!
//! Two laws hold to the last hundredth: per wallet, the change between two snapshots is the net flow
//! between them; and MINT + CHARGE - BURN - WITHDRAW so far is the sum of all balances at each day's
//! end. A day closes with the next day's 00:00:00 snapshot, the last day with its own closing one.
//!
//! With [`SampleOptions::faults`] a seeded mix of faults is added and `faults.json` says what was
//! injected on which line and what a right reader must find. Bad lines are always extra lines, never
//! a world line spoilt, so quarantining them leaves both laws exact; faults of the laws themselves
//! (drift, unknown wallets, an orphan payment) are injected apart and listed with their amounts.

mod accounts;
mod bad;
mod calendar;
mod clock_text;
mod day;
mod emit;
mod error;
mod faults;
mod money_moves;
mod options;
mod output;
mod owned;
mod payments;
mod recent_payments;
mod record;
mod report;
mod rng;
mod run;
mod shape;
mod source;
mod text;
mod today;
mod trading;
mod vocab;
mod world;

pub use error::SampleError;
pub use options::SampleOptions;
pub use report::{DaySummary, Expected, SampleSummary};
pub use run::generate;
pub use source::{PerSource, Source};
