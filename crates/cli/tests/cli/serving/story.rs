//! 20,000 events whose end is known beforehand: orders and their halves in two versions each, entries that carry no
//! version, and messages that can never be stored; all shuffled, the same each time.

use nsc_testkit::Record;
use serde_json::{Value, json};

/// Payment orders, each with a PAYMENT and a RECEIVE.
pub(crate) const ORDERS: i64 = 3_200;
/// Entries without a version: of these the last one in its partition counts.
pub(crate) const UNVERSIONED: i64 = 20;
/// How often each of them comes.
pub(crate) const UPDATES: i64 = 35;
/// Messages that can never be stored.
pub(crate) const POISON: i64 = 100;
const VERSIONS: i64 = 2;

/// Messages of the ledger's topic, and of the orders'.
pub(crate) const LEDGER_EVENTS: i64 = 2 * ORDERS * VERSIONS + UNVERSIONED * UPDATES + POISON;
pub(crate) const ORDER_EVENTS: i64 = ORDERS * VERSIONS;

/// A multiplicative generator: enough to shuffle with, and the same everywhere.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }

    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            let other = usize::try_from(self.below(last as u64 + 1)).unwrap();
            items.swap(last, other);
        }
    }
}

/// What the ledger's topic carries. The order of the versions of one entry is anything.
pub(crate) fn ledger(dice: &mut Dice) -> Vec<Record> {
    let halves = (0..ORDERS).flat_map(|n| (1..=VERSIONS).flat_map(move |v| [payment(n, v), receive(n, v)]));
    let mut events: Vec<Option<Value>> = halves.map(Some).collect();
    // Places of the entries without a version and of the poison; which of them it is, is known after the shuffle.
    let places = usize::try_from(UNVERSIONED * UPDATES + POISON).unwrap();
    events.extend(std::iter::repeat_n(None, places));
    dice.shuffle(&mut events);
    let mut place = 0..;
    let mut record = |event: Option<Value>| match event {
        Some(event) => Record::new(event["tx_id"].to_string(), event.to_string()),
        None => special(place.next().unwrap()),
    };
    events.into_iter().map(&mut record).collect()
}

/// What the orders' topic carries.
pub(crate) fn orders(dice: &mut Dice) -> Vec<Record> {
    let events = (0..ORDERS).flat_map(|n| (1..=VERSIONS).map(move |v| order(n, v)));
    let mut events: Vec<Record> = events
        .map(|event| Record::new(event["order_id"].to_string(), event.to_string()))
        .collect();
    dice.shuffle(&mut events);
    events
}

/// Every eighth place holds poison, each kind in turn; the others the entries without a version, counting up.
fn special(place: i64) -> Record {
    if place % 8 != 0 {
        let plain = place - place / 8 - 1;
        let (update, key) = (plain / UNVERSIONED, format!("plain-{}", plain % UNVERSIONED));
        let event = json!({
            "tx_id": key, "wallet_id": "w-0", "entry_type": "CHARGE", "amount": update + 1,
            "event_time": "2026-01-05T00:00:00Z",
        });
        return Record::new(event["tx_id"].to_string(), event.to_string());
    }
    let number = place / 8;
    let key = format!("poison-{number}");
    let with = |field: &str, value: Value| {
        let mut event = payment(number, 1);
        event["tx_id"] = key.clone().into();
        event[field] = value;
        event.to_string().into_bytes()
    };
    let payload = match number % 8 {
        0 => b"no JSON".to_vec(),
        1 => b"\xff\xfe{}".to_vec(),
        2 => with("amount", json!("NaN")),
        3 => with("amount", json!("1.005")),
        4 => with("wallet_id", json!(["w-1"])),
        5 => with("wallet_id", json!("w\u{0}1")),
        6 => with("event_time", Value::Null),
        _ => with("entry_type", json!("payment")),
    };
    Record::new(key, payload)
}

fn payment(order: i64, version: i64) -> Value {
    half(order, version, "pay", "PAYMENT", &format!("w-{}", order % 500))
}

fn receive(order: i64, version: i64) -> Value {
    half(order, version, "rec", "RECEIVE", &format!("shop-{}", order % 40))
}

fn half(order: i64, version: i64, name: &str, entry_type: &str, wallet: &str) -> Value {
    json!({
        "tx_id": format!("{name}-{order}"), "wallet_id": wallet, "entry_type": entry_type,
        "amount": amount(order, version), "related_id": format!("po-{order}"), "related_type": "PAYMENT_ORDER",
        "event_time": "2026-01-05T00:00:00Z", "updated_at": updated_at(order, version), "source_version": version,
    })
}

fn order(order: i64, version: i64) -> Value {
    json!({
        "order_id": format!("po-{order}"), "user_id": format!("w-{}", order % 500), "merchant_name": "m",
        "amount": amount(order, version), "status": if version == VERSIONS { "SETTLED" } else { "CREATED" },
        "created_at": "2026-01-05T00:00:00Z", "updated_at": updated_at(order, version), "source_version": version,
    })
}

/// The second version of order 7 is about 7.02.
fn amount(order: i64, version: i64) -> String {
    format!("{order}.0{version}")
}

/// Every other order's versions have one time: then the version decides.
fn updated_at(order: i64, version: i64) -> String {
    let second = if order % 2 == 0 { version } else { 1 };
    format!("2026-01-05T00:00:0{second}Z")
}

/// Entries that are not in their newest version, or not as it says.
pub(crate) const WRONG_ENTRIES: &str = "
    SELECT count(*) FROM generate_series(0, 3199) AS n
    CROSS JOIN (VALUES ('pay', 'PAYMENT', 'w', 500), ('rec', 'RECEIVE', 'shop', 40)) AS h (name, type, wallet, wallets)
    LEFT JOIN bo.ledger_entries AS e ON e.tx_id = h.name || '-' || n
    WHERE (e.wallet_id, e.entry_type, e.amount, e.related_id, e.source_version)
        IS DISTINCT FROM (h.wallet || '-' || n % h.wallets, h.type, n + 0.02, 'po-' || n, 2::bigint)";
/// Likewise for entries without a version: of these the last one counts.
pub(crate) const WRONG_PLAIN: &str = "
    SELECT count(*) FROM generate_series(0, 19) AS n
    LEFT JOIN bo.ledger_entries AS e ON e.tx_id = 'plain-' || n
    WHERE e.amount IS DISTINCT FROM 35";
/// Likewise for orders.
pub(crate) const WRONG_ORDERS: &str = "
    SELECT count(*) FROM generate_series(0, 3199) AS n
    LEFT JOIN bo.payment_orders AS o ON o.order_id = 'po-' || n
    WHERE (o.status, o.amount, o.source_version) IS DISTINCT FROM ('SETTLED', n + 0.02, 2::bigint)";
/// Pairs that are not complete, or wrong in any column that says something.
pub(crate) const WRONG_PAIRS: &str = "
    SELECT count(*) FROM generate_series(0, 3199) AS n
    LEFT JOIN bo.payment_ledger_pairs AS p ON p.payment_order_id = 'po-' || n
    WHERE (p.payment_tx_id, p.receive_tx_id, p.payer_wallet_id, p.payee_wallet_id, p.amount, p.status)
        IS DISTINCT FROM ('pay-' || n, 'rec-' || n, 'w-' || n % 500, 'shop-' || n % 40, n + 0.02, 'SETTLED')";
