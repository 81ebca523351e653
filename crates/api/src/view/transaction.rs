//! A ledger entry and all that is known around it.

use nsc_core::{MICROS_PER_SECOND, Money, UtcMicros};
use nsc_store::{EntryView, TxView};
use serde::Serialize;
use utoipa::ToSchema;

use super::amount::Amount;
use super::pairing::{Pairing, PairingFlag, PairingStatus};
use super::status_group::StatusGroup;

const PAYMENT_ORDER: &str = "PAYMENT_ORDER";
const UNKNOWN: &str = "UNKNOWN";

/// A ledger entry, the other leg of its payment, and the payment order it belongs to.
#[derive(Serialize, ToSchema)]
pub(crate) struct Transaction {
    /// Id of the ledger entry.
    #[schema(example = "tx-901")]
    tx_id: String,
    /// The wallet whose entry it is.
    #[schema(example = "user-1")]
    wallet_id: String,
    /// When it happened, UTC.
    #[schema(value_type = String, format = DateTime, example = "2026-01-05T01:00:00Z")]
    event_time: UtcMicros,
    /// What it is, as the source says.
    #[schema(example = "PAYMENT")]
    entry_type: String,
    #[schema(inline)]
    amount: Amount,
    /// The amount with its direction: as the source says, else by the entry's type; null when that has none.
    #[schema(required, inline)]
    amount_signed: Option<Amount>,
    /// Status of the payment order, as the source says.
    #[schema(required, example = "SETTLED")]
    status: Option<String>,
    #[schema(inline)]
    status_group: StatusGroup,
    /// The wallet the money leaves, when that is known.
    #[schema(required, example = "user-1")]
    sender_wallet_id: Option<String>,
    /// The wallet the money enters, when that is known.
    #[schema(required, example = "merchant-7")]
    receiver_wallet_id: Option<String>,
    related: Related,
    /// The other leg of the payment.
    #[schema(required, example = "tx-902")]
    paired_tx_id: Option<String>,
    /// From the payment order.
    #[schema(required, example = "Coffee")]
    merchant_name: Option<String>,
    #[schema(inline)]
    pairing_status: PairingStatus,
    /// Why the other leg should be looked at before it is believed; nearly always empty.
    #[schema(inline)]
    pairing_flags: Vec<PairingFlag>,
    /// Whole seconds since this entry happened or was stored, whichever is later.
    #[schema(minimum = 0, example = 1)]
    data_lag_sec: i64,
}

/// What an entry belongs to.
#[derive(Serialize, ToSchema)]
pub(crate) struct Related {
    /// Its id.
    #[schema(required, example = "po-77")]
    related_id: Option<String>,
    /// What kind of thing it is: as the source says, else `PAYMENT_ORDER` when there is such an order, else `UNKNOWN`.
    #[schema(example = "PAYMENT_ORDER")]
    related_type: String,
}

impl Transaction {
    pub(crate) fn new(view: TxView, now: UtcMicros) -> Self {
        let pairing = Pairing::of(&view);
        let TxView {
            entry, order, flags, ..
        } = view;
        let amount_signed = signed(&entry);
        let related_type = match (entry.related_type, &order) {
            (Some(own), _) => own,
            (None, Some(_)) => PAYMENT_ORDER.to_owned(),
            (None, None) => UNKNOWN.to_owned(),
        };
        let (status, merchant_name) = order.map_or((None, None), |o| (Some(o.status), o.merchant_name));
        Self {
            amount_signed,
            tx_id: entry.tx_id,
            wallet_id: entry.wallet_id,
            event_time: entry.event_time,
            entry_type: entry.entry_type,
            amount: Amount(entry.amount),
            status_group: StatusGroup::of(status.as_deref()),
            status,
            sender_wallet_id: pairing.sender_wallet_id,
            receiver_wallet_id: pairing.receiver_wallet_id,
            related: Related {
                related_id: entry.related_id,
                related_type,
            },
            paired_tx_id: pairing.paired_tx_id,
            merchant_name,
            pairing_status: pairing.status,
            pairing_flags: PairingFlag::of(flags),
            data_lag_sec: lag_seconds(now, entry.ingested_at.max(entry.event_time)),
        }
    }
}

/// An amount with its direction: as the source says, else by the sign of its type (lakehouse contract 3).
pub(super) fn signed(entry: &EntryView) -> Option<Amount> {
    let derived = || {
        let sign = i128::from(nsc_core::sign_of(&entry.entry_type)?);
        Money::from_units(entry.amount.units().checked_mul(sign)?)
    };
    entry.amount_signed.or_else(derived).map(Amount)
}

/// Whole seconds that have passed, never negative: an event from the future does not lag.
pub(super) fn lag_seconds(now: UtcMicros, since: UtcMicros) -> i64 {
    now.micros().saturating_sub(since.micros()).max(0) / MICROS_PER_SECOND
}

#[cfg(test)]
mod tests {
    use nsc_core::{Money, UtcMicros};
    use nsc_store::EntryView;

    use super::{lag_seconds, signed};

    #[test]
    fn lag_is_in_seconds_and_never_negative() {
        let at = UtcMicros::new;
        assert_eq!(lag_seconds(at(1_999_999), at(0)), 1);
        assert_eq!(lag_seconds(at(0), at(1)), 0);
        assert_eq!(lag_seconds(at(i64::MIN), at(i64::MAX)), 0);
    }

    #[test]
    fn an_amount_that_came_without_direction_has_that_of_its_type() {
        let shown = |entry_type: &str, said: Option<&str>| {
            let entry = EntryView {
                tx_id: String::new(),
                wallet_id: String::new(),
                entry_type: entry_type.to_owned(),
                amount: Money::parse("5.10")?,
                amount_signed: said.map(Money::parse).transpose()?,
                related_id: None,
                related_type: None,
                event_time: UtcMicros::new(0),
                ingested_at: UtcMicros::new(0),
            };
            Ok::<_, nsc_core::MoneyError>(signed(&entry).map(|amount| amount.0.to_string()))
        };
        let text = |amount: &str| Ok(Some(amount.to_owned()));
        assert_eq!(shown("CHARGE", None), text("5.10"));
        assert_eq!(shown("PAYMENT", None), text("-5.10"));
        assert_eq!(shown("HOLD", None), text("0.00"));
        assert_eq!(shown("AIRDROP", None), Ok(None));
        assert_eq!(shown("PAYMENT", Some("-7.00")), text("-7.00"));
    }
}
