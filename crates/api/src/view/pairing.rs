//! The two legs of a payment, as far as they are known.

use nsc_store::{EntryView, OrderView, PairFlags, PairView, PeerView, TxView};
use serde::Serialize;
use utoipa::ToSchema;

const PAYMENT: &str = "PAYMENT";
const RECEIVE: &str = "RECEIVE";

/// How much of a payment is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum PairingStatus {
    /// The PAYMENT and the RECEIVE entry.
    Complete,
    /// One of them.
    Incomplete,
    /// None, or the entry is not part of a payment order.
    Unknown,
}

impl PairingStatus {
    const fn of(payment: bool, receive: bool) -> Self {
        match (payment, receive) {
            (true, true) => Self::Complete,
            (false, false) => Self::Unknown,
            _ => Self::Incomplete,
        }
    }

    /// Of an order, from its pair and what entries it has.
    pub(super) fn of_order(order: &OrderView) -> Self {
        let pair = order.pair.as_ref();
        Self::of(
            order.payment.is_some() || pair.is_some_and(|p| p.payment_tx_id.is_some()),
            order.receive.is_some() || pair.is_some_and(|p| p.receive_tx_id.is_some()),
        )
    }
}

/// Why a pair should be looked at before it is believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum PairingFlag {
    /// The amounts of the two legs differ.
    AmountDiffers,
    /// The legs are more than 24 hours apart, or one is more than 24 hours before its order was made.
    OrderReused,
    /// One `tx_id` was told as both sides of the order: only one of the two is stored.
    SameTx,
}

impl PairingFlag {
    /// Those that are set, always in one order.
    pub(super) fn of(flags: PairFlags) -> Vec<Self> {
        let all = [
            (flags.amount_differs, Self::AmountDiffers),
            (flags.order_reused, Self::OrderReused),
            (flags.same_tx, Self::SameTx),
        ];
        all.into_iter()
            .filter_map(|(set, flag)| set.then_some(flag))
            .collect()
    }
}

/// What an entry and its surroundings say of the payment.
pub(super) struct Pairing {
    pub(super) status: PairingStatus,
    pub(super) sender_wallet_id: Option<String>,
    pub(super) receiver_wallet_id: Option<String>,
    pub(super) paired_tx_id: Option<String>,
}

/// Whether an entry is shown as part of a payment order: its kind says so, or the order is known.
fn is_of_an_order(entry: &EntryView, order_known: bool) -> bool {
    entry.may_be_of_an_order() && (order_known || entry.related_type.is_some())
}

impl Pairing {
    pub(super) fn of(view: &TxView) -> Self {
        Self::new(
            &view.entry,
            view.order.is_some(),
            view.pair.as_ref(),
            view.peer.as_ref(),
        )
    }

    /// Of an entry of an order, as a lookup of the entry alone tells it.
    pub(super) fn within(order: &OrderView, entry: &EntryView) -> Self {
        let pair = order.pair.as_ref();
        let (opposite, other_leg) = match entry.entry_type.as_str() {
            PAYMENT => (
                order.receive.as_ref(),
                pair.and_then(|p| p.receive_tx_id.as_ref()),
            ),
            RECEIVE => (
                order.payment.as_ref(),
                pair.and_then(|p| p.payment_tx_id.as_ref()),
            ),
            _ => (None, None),
        };
        // What an entry was before a correction is not its own other leg.
        let pair = pair.filter(|_| other_leg != Some(&entry.tx_id));
        let peer = opposite.filter(|_| !pair.is_some_and(PairView::is_complete));
        Self::new(entry, true, pair, peer)
    }

    /// The other leg is the pair's; without a complete pair, the opposite entry.
    fn new(entry: &EntryView, order_known: bool, pair: Option<&PairView>, peer: Option<&PeerView>) -> Self {
        let of_an_order = is_of_an_order(entry, order_known);
        let own = Some(entry.wallet_id.clone());
        let pair = pair.filter(|_| of_an_order);
        let peer = peer.filter(|_| of_an_order);
        let leg = |tx_id: Option<&String>, wallet: Option<&String>| {
            (
                tx_id.or(peer.map(|p| &p.tx_id)).cloned(),
                wallet.or(peer.map(|p| &p.wallet_id)).cloned(),
            )
        };
        let payment = pair.and_then(|p| p.payment_tx_id.as_ref());
        let receive = pair.and_then(|p| p.receive_tx_id.as_ref());
        let status = |payment: bool, receive: bool| {
            if of_an_order {
                PairingStatus::of(payment, receive)
            } else {
                PairingStatus::Unknown
            }
        };
        match entry.entry_type.as_str() {
            PAYMENT => {
                let (paired_tx_id, payee) = leg(receive, pair.and_then(|p| p.payee_wallet_id.as_ref()));
                Self {
                    status: status(true, paired_tx_id.is_some()),
                    sender_wallet_id: own,
                    receiver_wallet_id: payee,
                    paired_tx_id,
                }
            }
            RECEIVE => {
                let (paired_tx_id, payer) = leg(payment, pair.and_then(|p| p.payer_wallet_id.as_ref()));
                Self {
                    status: status(paired_tx_id.is_some(), true),
                    sender_wallet_id: payer,
                    receiver_wallet_id: own,
                    paired_tx_id,
                }
            }
            // No leg itself: the money leaves or enters its wallet, and where the other end is nobody says.
            other => {
                let sign = nsc_core::sign_of(other).unwrap_or(0);
                Self {
                    status: status(payment.is_some(), receive.is_some()),
                    sender_wallet_id: own.clone().filter(|_| sign < 0),
                    receiver_wallet_id: own.filter(|_| sign > 0),
                    paired_tx_id: None,
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use nsc_core::{Money, UtcMicros};
    use nsc_store::{EntryView, OrderInfo, OrderView, PairFlags, PairView, PeerView, TxView};

    use super::{Pairing, PairingFlag, PairingStatus};

    fn entry(entry_type: &str, related: Option<&str>, related_type: Option<&str>) -> EntryView {
        EntryView {
            tx_id: "own".to_owned(),
            wallet_id: "w-own".to_owned(),
            entry_type: entry_type.to_owned(),
            amount: Money::ZERO,
            amount_signed: None,
            related_id: related.map(str::to_owned),
            related_type: related_type.map(str::to_owned),
            event_time: UtcMicros::new(0),
            ingested_at: UtcMicros::new(0),
        }
    }

    fn pair(payment: Option<&str>, receive: Option<&str>) -> PairView {
        PairView {
            payment_tx_id: payment.map(str::to_owned),
            receive_tx_id: receive.map(str::to_owned),
            payer_wallet_id: payment.map(|p| format!("w-{p}")),
            payee_wallet_id: receive.map(|r| format!("w-{r}")),
            amount: Money::ZERO,
            status: None,
        }
    }

    fn order(order_id: String) -> OrderInfo {
        OrderInfo {
            order_id,
            user_id: None,
            merchant_name: None,
            amount: Money::ZERO,
            status: "PAID".to_owned(),
            created_at: UtcMicros::new(0),
            ingested_at: UtcMicros::new(0),
        }
    }

    fn order_with(payment: Option<&str>, receive: Option<&str>, pair: Option<PairView>) -> OrderView {
        let leg = |tx_id: &str| PeerView {
            tx_id: tx_id.to_owned(),
            wallet_id: format!("w-{tx_id}"),
        };
        OrderView {
            order: order("po".to_owned()),
            entries: vec![],
            pair,
            payment: payment.map(leg),
            receive: receive.map(leg),
            flags: PairFlags::default(),
        }
    }

    fn shown(entry: EntryView, pair: Option<PairView>, peer: Option<&str>) -> String {
        let known = entry.related_id.clone().map(order);
        shown_with(known, entry, pair, peer)
    }

    fn shown_with(
        order: Option<OrderInfo>,
        entry: EntryView,
        pair: Option<PairView>,
        peer: Option<&str>,
    ) -> String {
        let view = TxView {
            entry,
            order,
            pair,
            peer: peer.map(|tx_id| PeerView {
                tx_id: tx_id.to_owned(),
                wallet_id: format!("w-{tx_id}"),
            }),
            flags: PairFlags::default(),
        };
        let p = Pairing::of(&view);
        let or_dash = |id: Option<String>| id.unwrap_or_else(|| "-".to_owned());
        format!(
            "{:?} {} -> {}, other leg {}",
            p.status,
            or_dash(p.sender_wallet_id),
            or_dash(p.receiver_wallet_id),
            or_dash(p.paired_tx_id)
        )
    }

    #[test]
    fn a_complete_pair_tells_both_sides() {
        let both = || Some(pair(Some("own"), Some("other")));
        let payment = entry("PAYMENT", Some("po"), Some("PAYMENT_ORDER"));
        assert_eq!(
            shown(payment, both(), None),
            "Complete w-own -> w-other, other leg other"
        );
        let both = Some(pair(Some("other"), Some("own")));
        let receive = entry("RECEIVE", Some("po"), None);
        assert_eq!(
            shown(receive, both, None),
            "Complete w-other -> w-own, other leg other"
        );
    }

    #[test]
    fn without_a_complete_pair_the_opposite_entry_is_the_other_leg() {
        let payment = || entry("PAYMENT", Some("po"), None);
        assert_eq!(
            shown(payment(), Some(pair(Some("own"), None)), None),
            "Incomplete w-own -> -, other leg -"
        );
        assert_eq!(
            shown(payment(), Some(pair(Some("own"), None)), Some("peer")),
            "Complete w-own -> w-peer, other leg peer"
        );
        assert_eq!(
            shown(payment(), None, Some("peer")),
            "Complete w-own -> w-peer, other leg peer"
        );
        assert_eq!(shown(payment(), None, None), "Incomplete w-own -> -, other leg -");
    }

    #[test]
    fn a_second_payment_of_an_order_is_paired_with_its_receive() {
        let second = entry("PAYMENT", Some("po"), None);
        let first = Some(pair(Some("first"), Some("other")));
        assert_eq!(
            shown(second, first, None),
            "Complete w-own -> w-other, other leg other"
        );
    }

    #[test]
    fn outside_a_payment_order_nothing_is_known() {
        for lone in [
            entry("PAYMENT", None, None),
            entry("PAYMENT", Some("x"), Some("COUPON")),
        ] {
            assert_eq!(
                shown(lone, Some(pair(Some("own"), Some("other"))), Some("peer")),
                "Unknown w-own -> -, other leg -"
            );
        }
        assert_eq!(
            shown(entry("CHARGE", None, None), None, None),
            "Unknown - -> w-own, other leg -"
        );
        assert_eq!(
            shown(entry("WITHDRAW", None, None), None, None),
            "Unknown w-own -> -, other leg -"
        );
        assert_eq!(
            shown(entry("HOLD", None, None), None, None),
            "Unknown - -> -, other leg -"
        );
    }

    #[test]
    fn an_unknown_order_pairs_only_what_names_its_kind() {
        let both = || Some(pair(Some("own"), Some("other")));
        let nameless = entry("PAYMENT", Some("po"), None);
        assert_eq!(
            shown_with(None, nameless, both(), Some("peer")),
            "Unknown w-own -> -, other leg -"
        );
        let named = entry("PAYMENT", Some("po"), Some("PAYMENT_ORDER"));
        assert_eq!(
            shown_with(None, named, both(), None),
            "Complete w-own -> w-other, other leg other"
        );
    }

    #[test]
    fn an_entry_that_is_no_leg_shows_what_its_order_has() {
        let refund = entry("REFUND_IN", Some("po"), Some("PAYMENT_ORDER"));
        assert_eq!(
            shown(refund.clone(), Some(pair(Some("p"), Some("r"))), None),
            "Complete - -> w-own, other leg -"
        );
        assert_eq!(shown(refund, None, None), "Unknown - -> w-own, other leg -");
    }

    #[test]
    fn an_entry_of_an_order_is_paired_as_a_lookup_of_it_alone() {
        let mut payment = entry("PAYMENT", Some("po"), None);
        payment.tx_id = "p".to_owned();
        let mut receive = entry("RECEIVE", Some("po"), None);
        receive.tx_id = "r".to_owned();
        let mut later = receive.clone();
        (later.tx_id, later.event_time) = ("r2".to_owned(), UtcMicros::new(1));
        let hold = entry("HOLD", Some("po"), None);
        let entries = [later, receive, payment, hold];
        // Whatever page the entry is on: the order's earliest legs are known to each.
        let told = |pair: Option<PairView>| {
            let order = order_with(Some("p"), Some("r"), pair);
            let told = entries.iter().map(|e| {
                let p = Pairing::within(&order, e);
                format!(
                    "{:?} {}",
                    p.status,
                    p.paired_tx_id.unwrap_or_else(|| "-".to_owned())
                )
            });
            told.collect::<Vec<_>>()
        };
        let complete = ["Complete p", "Complete p", "Complete r", "Complete -"];
        assert_eq!(told(Some(pair(Some("p"), Some("r")))), complete);
        assert_eq!(told(Some(pair(Some("p"), None)))[2], "Complete r");
        assert_eq!(
            told(None),
            ["Complete p", "Complete p", "Complete r", "Unknown -"]
        );
        // `r` was a PAYMENT before it was corrected.
        assert_eq!(told(Some(pair(Some("r"), None)))[1], "Complete p");
    }

    #[test]
    fn an_order_is_as_complete_as_its_legs_on_whatever_page_they_are() {
        let status = |payment: bool, receive: bool, pair| {
            let (payment, receive) = (payment.then_some("p"), receive.then_some("r"));
            PairingStatus::of_order(&order_with(payment, receive, pair))
        };
        assert_eq!(status(false, false, None), PairingStatus::Unknown);
        assert_eq!(status(true, false, None), PairingStatus::Incomplete);
        assert_eq!(status(true, true, None), PairingStatus::Complete);
        let leg = Some(pair(Some("p"), None));
        assert_eq!(status(false, false, leg.clone()), PairingStatus::Incomplete);
        assert_eq!(status(false, true, leg), PairingStatus::Complete);
        let both = Some(pair(Some("p"), Some("r")));
        assert_eq!(status(false, false, both), PairingStatus::Complete);
    }

    #[test]
    fn flags_are_written_by_their_names_in_one_order() {
        let all = PairFlags {
            amount_differs: true,
            order_reused: true,
            same_tx: true,
        };
        let json = |flags| serde_json::to_string(&PairingFlag::of(flags)).unwrap();
        assert_eq!(json(all), r#"["amount_differs","order_reused","same_tx"]"#);
        assert_eq!(json(PairFlags::default()), "[]");
    }
}
