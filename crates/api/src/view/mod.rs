//! What the store knows, as clients see it (contract section 6).

mod amount;
mod pairing;
mod payment_order;
mod status_group;
mod transaction;
mod wallet;

pub(crate) use payment_order::PaymentOrder;
pub(crate) use transaction::Transaction;
pub(crate) use wallet::WalletTransactions;
