//! Bad lines of every source but the ledger.

use super::BadLine;
use crate::calendar::utc;
use crate::clock_text::Gap;
use crate::record::Record;
use crate::world::World;

impl World<'_> {
    pub(super) fn bad_snapshot(&mut self, nth: u64, at_us: i64) -> BadLine {
        let wallet = self.draws.below(self.plan.users);
        let mut record = Record::default();
        record.text("user_id", self.accounts.id(wallet));
        record.text("balance", "10.00");
        record.text("frozen_amount", "0.00");
        record.text("updated_at", utc(at_us));
        record.extend(self.arrived_fields(at_us, None, "account-svc"));
        let (reason, category) = match nth % 6 {
            0 => {
                record.text("user_id", "");
                ("missing_user_id", "wallet_blank_user")
            }
            1 => {
                record.text("balance", "1.234");
                ("invalid_balance", "balance_too_precise")
            }
            2 => {
                record.remove("frozen_amount");
                ("invalid_balance", "frozen_missing")
            }
            3 => {
                record.text("balance", "-0.01");
                ("negative_balance", "balance_negative")
            }
            4 => ("malformed_json", "wallet_malformed"),
            _ => {
                record.text("frozen_amount", "NaN");
                ("invalid_balance", "frozen_nan")
            }
        };
        let mut line = record.json();
        if category == "wallet_malformed" {
            line.truncate(line.len() - 3);
        }
        BadLine {
            reason,
            category,
            line,
        }
    }

    pub(super) fn bad_payment_order(&mut self, nth: u64, at_us: i64) -> BadLine {
        let wallet = self.draws.below(self.plan.users);
        let mut record = Record::default();
        record.text("order_id", format!("PO-bad-{nth:07}"));
        record.text("user_id", self.accounts.id(wallet));
        record.text("merchant_name", self.merchants[0].as_str());
        record.text("amount", "10.00");
        record.text("status", "PAID");
        record.text("created_at", utc(at_us));
        record.text("updated_at", utc(at_us));
        record.extend(self.arrived_fields(at_us, self.today.order_gap, "account-svc"));
        let (reason, category) = match nth % 4 {
            0 => {
                record.raw("order_id", "null");
                ("missing_order_id", "order_null_id")
            }
            1 => {
                record.text("amount", "10.005");
                ("invalid_amount", "order_amount_too_precise")
            }
            2 => {
                let line = r#"{"order_id": "PO-x", "amount": }"#.to_owned();
                return BadLine {
                    reason: "malformed_json",
                    category: "order_malformed",
                    line,
                };
            }
            _ => {
                record.text("order_id", "  ");
                ("missing_order_id", "order_blank_id")
            }
        };
        BadLine {
            reason,
            category,
            line: record.json(),
        }
    }

    pub(super) fn bad_commerce_order(&mut self, nth: u64, at_us: i64) -> BadLine {
        let wallet = self.draws.below(self.plan.users);
        let mut record = Record::default();
        record.raw("order_id", "null");
        record.text("user_id", self.accounts.id(wallet));
        record.text("total_amount", "10.00");
        record.text("status", "PAID");
        record.text("created_at", utc(at_us));
        record.extend(self.arrived_fields(at_us, None, "commerce-svc"));
        if nth.is_multiple_of(2) {
            return BadLine {
                reason: "missing_order_id",
                category: "commerce_null_id",
                line: record.json(),
            };
        }
        record.raw("order_id", "1");
        record.text("total_amount", "Infinity");
        BadLine {
            reason: "invalid_amount",
            category: "commerce_amount_infinity",
            line: record.json(),
        }
    }

    pub(super) fn bad_item(&mut self, nth: u64, at_us: i64) -> BadLine {
        let mut record = Record::default();
        record.raw("item_id", (900_000_000 + nth).to_string());
        record.raw("order_id", "1");
        record.raw("product_id", "1");
        record.raw("quantity", "1");
        record.text("price_at_purchase", "10.00");
        record.extend(self.arrived_fields(at_us, None, "commerce-svc"));
        let category = match nth % 4 {
            0 => {
                record.raw("item_id", "true");
                "item_id_true"
            }
            1 => {
                record.raw("product_id", "null");
                "item_product_null"
            }
            2 => {
                record.text("order_id", "abc");
                "item_order_text"
            }
            _ => {
                let line = "{broken".to_owned();
                return BadLine {
                    reason: "malformed_json",
                    category: "item_malformed",
                    line,
                };
            }
        };
        BadLine {
            reason: "missing_required_keys",
            category,
            line: record.json(),
        }
    }

    pub(super) fn bad_product(&mut self, at_us: i64) -> BadLine {
        let mut record = Record::default();
        record.raw("product_id", "null");
        record.text("product_name", "이름만");
        record.text("price_krw", "10.00");
        record.text("category", "식품");
        record.raw("is_display", "true");
        record.extend(self.arrived_fields(at_us, None, "commerce-svc"));
        BadLine {
            reason: "missing_product_id",
            category: "product_null_id",
            line: record.json(),
        }
    }

    fn arrived_fields(&mut self, at_us: i64, gap: Option<Gap>, system: &str) -> Record {
        let arrival = self.arrive(at_us, gap);
        self.load_fields(arrival, system)
    }
}
