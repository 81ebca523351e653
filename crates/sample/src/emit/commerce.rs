//! Lines of `orders`, `order_items` and `products`.

use crate::calendar::{product_batch, utc};
use crate::record::Record;
use crate::rng::Draws;
use crate::source::Source;
use crate::text::{money, push_money, push_unsigned};
use crate::vocab::{CATEGORIES, product_name};
use crate::world::World;

const SYSTEM: &str = "commerce-svc";
const PRICE_RISE_CENTS: i64 = 10_000;
/// On later days every so many products get a new price.
const REPRICE_STEP: usize = 97;

/// The products on sale.
pub(crate) struct Shelf {
    price_cents: Vec<i64>,
    categories: Vec<&'static str>,
}

impl Shelf {
    pub(crate) fn draw(products: usize, draws: &mut Draws) -> Self {
        let price_cents = (0..products)
            .map(|_| (500.0 * 400_f64.powf(draws.unit())) as i64 * 100)
            .collect();
        let categories = (0..products)
            .map(|_| CATEGORIES[draws.below(CATEGORIES.len())])
            .collect();
        Self {
            price_cents,
            categories,
        }
    }
}

impl World<'_> {
    /// Writes a commerce order and its items, paid by the payment order of the same number.
    pub(crate) fn commerce_order(&mut self, number: u64, payer: usize, at_us: i64, status: &str, cents: i64) {
        let arrival = self.arrive(at_us, None);
        let clock = &self.today.clock;
        let out = self.out.line(Source::Orders);
        out.extend_from_slice(b"{\"order_id\":");
        push_unsigned(out, number);
        out.extend_from_slice(b",\"user_id\":\"");
        self.accounts.push_id(out, payer);
        out.extend_from_slice(b"\",\"total_amount\":\"");
        push_money(out, i128::from(cents));
        out.extend_from_slice(b"\",\"status\":\"");
        out.extend_from_slice(status.as_bytes());
        out.extend_from_slice(b"\",\"created_at\":\"");
        clock.push_instant(out, at_us);
        out.extend_from_slice(b"\",");
        clock.push_load_fields(out, arrival, SYSTEM);

        let items = match self.draws.unit() {
            x if x < 0.5 => 1,
            x if x < 0.8 => 2,
            x if x < 0.93 => 3,
            _ => 4,
        };
        for _ in 0..items {
            self.numbers.item += 1;
            // Squared: the first products sell best.
            let y = self.draws.unit();
            let product = (y * y * self.shelf.price_cents.len() as f64) as usize;
            let quantity = 1 + (self.draws.unit() * self.draws.unit() * 5.0) as u64;
            let out = self.out.line(Source::OrderItems);
            out.extend_from_slice(b"{\"item_id\":");
            push_unsigned(out, self.numbers.item);
            out.extend_from_slice(b",\"order_id\":");
            push_unsigned(out, number);
            out.extend_from_slice(b",\"product_id\":");
            push_unsigned(out, product as u64 + 1);
            out.extend_from_slice(b",\"quantity\":");
            push_unsigned(out, quantity);
            out.extend_from_slice(b",\"price_at_purchase\":\"");
            push_money(out, i128::from(self.shelf.price_cents[product]));
            out.extend_from_slice(b"\",");
            self.today.clock.push_load_fields(out, arrival, SYSTEM);
        }
    }

    /// Writes all products on the first day, and some at a new price on each later one.
    pub(crate) fn products(&mut self) {
        let day = self.today.index;
        let extracted_us = self.today.start_us + 1_000_000;
        let (first, step) = if day == 0 {
            (0, 1)
        } else {
            (day % REPRICE_STEP, REPRICE_STEP)
        };
        for product in (first..self.plan.products).step_by(step) {
            if day > 0 {
                self.shelf.price_cents[product] += PRICE_RISE_CENTS;
                self.journal.duplicates[Source::Products] += 1;
            }
            let ingested_us = extracted_us + 2_000_000 + product as i64 * 100;
            let line = self.product_record(product, ingested_us, extracted_us).json();
            self.out.push(Source::Products, line.as_bytes());
        }
    }

    fn product_record(&self, product: usize, ingested_us: i64, extracted_us: i64) -> Record {
        let mut record = Record::default();
        record.raw("product_id", (product + 1).to_string());
        record.text("product_name", product_name(product));
        record.text("price_krw", money(i128::from(self.shelf.price_cents[product])));
        record.raw("stock_quantity", ((product * 37) % 500).to_string());
        record.text("category", self.shelf.categories[product]);
        record.raw(
            "is_display",
            if product.is_multiple_of(17) {
                "false"
            } else {
                "true"
            },
        );
        record.text("ingested_at", utc(ingested_us));
        record.text("source_extracted_at", utc(extracted_us));
        record.text("batch_id", product_batch(self.today.date));
        record.text("source_system", SYSTEM);
        record
    }
}
