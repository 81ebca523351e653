//! Lines of `payment_orders`.

use super::kinds::OrderId;
use crate::faults::Fault;
use crate::source::Source;
use crate::text::push_money;
use crate::world::World;

/// One version of a payment order.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OrderVersion {
    pub(crate) id: OrderId,
    /// The wallet that pays.
    pub(crate) payer: usize,
    /// The merchant's number, counted among merchants.
    pub(crate) merchant: usize,
    pub(crate) cents: i64,
    pub(crate) status: &'static str,
    pub(crate) created_us: i64,
    pub(crate) updated_us: i64,
}

impl World<'_> {
    /// Writes a version of an order.
    pub(crate) fn order(&mut self, order: &OrderVersion, fault: Option<Fault>) {
        let arrival = self.arrive(order.updated_us, self.today.order_gap);
        if let Some(fault) = fault {
            return self.faulted_order(fault, order, arrival);
        }
        let clock = &self.today.clock;
        let out = self.out.line(Source::PaymentOrders);
        out.extend_from_slice(b"{\"order_id\":\"");
        order.id.push(out);
        out.extend_from_slice(b"\",\"user_id\":\"");
        self.accounts.push_id(out, order.payer);
        out.extend_from_slice(b"\",\"merchant_name\":\"");
        out.extend_from_slice(self.merchants[order.merchant].as_bytes());
        out.extend_from_slice(b"\",\"amount\":\"");
        push_money(out, i128::from(order.cents));
        out.extend_from_slice(b"\",\"status\":\"");
        out.extend_from_slice(order.status.as_bytes());
        out.extend_from_slice(b"\",\"created_at\":\"");
        clock.push_instant(out, order.created_us);
        out.extend_from_slice(b"\",\"updated_at\":\"");
        clock.push_instant(out, order.updated_us);
        out.extend_from_slice(b"\",");
        clock.push_load_fields(out, arrival, "account-svc");
    }
}
