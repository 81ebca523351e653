//! Payment orders that carry a fault.

use super::catalogue::Fault;
use crate::calendar::utc;
use crate::clock_text::Arrival;
use crate::emit::OrderVersion;
use crate::record::Record;
use crate::source::Source;
use crate::text::money;
use crate::world::World;

const ORDERS: Source = Source::PaymentOrders;
/// How long the payment of a PENDING order takes.
const PAID_AFTER_S: usize = 30;

impl World<'_> {
    /// Writes an order with its fault, and whatever other line the fault needs.
    pub(crate) fn faulted_order(&mut self, fault: Fault, order: &OrderVersion, arrival: Arrival) {
        let mut record = self.order_record(order, arrival);
        match fault {
            Fault::LateOrder => return self.hold_back(fault, ORDERS, record, order.updated_us),
            Fault::NullMerchant => match self.journal.count(fault.name()) % 4 {
                0 => record.raw("merchant_name", "null"),
                1 => record.remove("merchant_name"),
                2 => record.text("merchant_name", ""),
                _ => record.text("merchant_name", "   "),
            },
            Fault::StatusUnknownOrder => record.text("status", "ON_HOLD"),
            Fault::OrderVersions | Fault::OrderOldVersionLast => {
                let first;
                (first, record) = self.two_versions(fault, order, record, arrival);
                self.extra_version(&first);
            }
            Fault::OrderTieByLine => {
                let mut pending = record.clone();
                pending.text("status", "PENDING");
                self.extra_version(&pending);
            }
            _ => {}
        }
        let line = if fault == Fault::EscapedUnicode {
            record.ascii_json()
        } else {
            record.json()
        };
        self.out.push(ORDERS, line.as_bytes());
        self.note(fault.name(), ORDERS);
        if fault == Fault::DupIdenticalOrder {
            self.out.push(ORDERS, line.as_bytes());
            self.journal.duplicates[ORDERS] += 1;
        }
    }

    fn extra_version(&mut self, version: &Record) {
        self.out.push(ORDERS, version.json().as_bytes());
        self.journal.duplicates[ORDERS] += 1;
    }

    fn order_record(&self, order: &OrderVersion, arrival: Arrival) -> Record {
        let mut record = Record::default();
        record.text("order_id", order.id.text());
        record.text("user_id", self.accounts.id(order.payer));
        record.text("merchant_name", self.merchants[order.merchant].as_str());
        record.text("amount", money(i128::from(order.cents)));
        record.text("status", order.status);
        record.text("created_at", utc(order.created_us));
        record.text("updated_at", utc(order.updated_us));
        record.extend(self.load_fields(arrival, "account-svc"));
        record
    }

    /// The PENDING and the paid version, in the order of their lines. Either the paid one is also
    /// extracted last, or the PENDING one is extracted again after it.
    fn two_versions(
        &self,
        fault: Fault,
        order: &OrderVersion,
        mut paid: Record,
        arrival: Arrival,
    ) -> (Record, Record) {
        let clock = &self.today.clock;
        let mut pending = paid.clone();
        pending.text("status", "PENDING");
        paid.text(
            "updated_at",
            utc(order.updated_us + PAID_AFTER_S as i64 * 1_000_000),
        );

        let extracted = arrival.extracted + PAID_AFTER_S;
        let mut ingested = arrival.ingested.max(extracted + 1) + 2;
        if let Some(gap) = self.today.order_gap.filter(|gap| gap.contains(ingested)) {
            ingested = gap.to + 50;
        }
        let extracted_later = clock.instant(extracted + 1, "");
        let ingested_later = clock.instant(ingested, &format!(".{:06}", arrival.micros));
        if fault == Fault::OrderVersions {
            paid.text("source_extracted_at", extracted_later);
            paid.text("ingested_at", ingested_later);
            (pending, paid)
        } else {
            pending.text("source_extracted_at", extracted_later);
            pending.text("ingested_at", ingested_later.clone());
            paid.text("source_extracted_at", clock.instant(extracted, ""));
            paid.text("ingested_at", ingested_later);
            (paid, pending)
        }
    }
}
