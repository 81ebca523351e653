//! The validation of each source as one function: text columns in, parsed values and the first failing check
//! out, each value parsed once (lakehouse contract 3, "validation").
//!
//! The functions are volatile on purpose: the engine would otherwise evaluate them again for every filter it
//! pushes below the projection that uses them.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanBuilder, Date32Builder, Decimal128Builder, Int32Builder, Int64Builder,
    StringArray, StringViewArray, StructArray, TimestampMicrosecondArray, TimestampMicrosecondBuilder,
};
use arrow::compute::cast;
use arrow::datatypes::{DataType, TimestampMicrosecondType};
use datafusion::common::{Result, exec_datafusion_err, exec_err};
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use datafusion::prelude::SessionContext;
use nsc_contracts::reason;
use nsc_core::{Money, UtcMicros, is_blank, sign_of};

use super::checked_columns::{Check, fields_of, timestamp_type};

/// Registers the six checks in a session.
pub(super) fn register(ctx: &SessionContext) {
    for check in Check::ALL {
        ctx.register_udf(ScalarUDF::new_from_impl(CheckFunction {
            check,
            signature: Signature::variadic_any(Volatility::Volatile),
        }));
    }
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct CheckFunction {
    check: Check,
    signature: Signature,
}

impl ScalarUDFImpl for CheckFunction {
    fn name(&self) -> &str {
        self.check.function()
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Struct(fields_of(self.check)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let rows = args.number_rows;
        let columns = args
            .args
            .iter()
            .map(|a| a.to_array(rows))
            .collect::<Result<Vec<_>>>()?;
        let columns = Columns::new(self.check, &columns)?;
        let values = match self.check {
            Check::Wallets => wallets(&columns, rows)?,
            Check::Ledger => ledger(&columns, rows)?,
            Check::PaymentOrders | Check::Orders => orders(&columns, rows, self.check)?,
            Check::Items => items(&columns, rows)?,
            Check::Products => products(&columns, rows)?,
        };
        Ok(ColumnarValue::Array(Arc::new(StructArray::try_new(
            fields_of(self.check),
            values,
            None,
        )?)))
    }
}

/// The argument columns by name.
struct Columns {
    check: Check,
    text: Vec<StringViewArray>,
    times: Vec<Option<TimestampMicrosecondArray>>,
    allowed: HashSet<String>,
}

impl Columns {
    fn new(check: Check, arrays: &[ArrayRef]) -> Result<Self> {
        let wanted = check.inputs().len();
        if arrays.len() < wanted {
            return exec_err!(
                "{} takes {wanted} columns, got {}",
                check.function(),
                arrays.len()
            );
        }
        let mut text = Vec::with_capacity(wanted);
        let mut times = Vec::with_capacity(wanted);
        for array in arrays.iter().take(wanted) {
            times.push(array.as_primitive_opt::<TimestampMicrosecondType>().cloned());
            text.push(cast(array, &DataType::Utf8View)?.as_string_view().clone());
        }
        // After the columns: the allowed entry types, one a line.
        let allowed = match arrays.get(wanted) {
            Some(list) if !list.is_empty() => cast(list, &DataType::Utf8)?
                .as_string::<i32>()
                .value(0)
                .lines()
                .map(str::to_owned)
                .collect(),
            _ => HashSet::new(),
        };
        Ok(Self {
            check,
            text,
            times,
            allowed,
        })
    }

    fn position(&self, name: &str) -> Result<usize> {
        self.check
            .inputs()
            .iter()
            .position(|n| *n == name)
            .ok_or_else(|| exec_datafusion_err!("{} has no column {name}", self.check.function()))
    }

    fn text(&self, name: &str) -> Result<&StringViewArray> {
        let position = self.position(name)?;
        self.text
            .get(position)
            .ok_or_else(|| exec_datafusion_err!("column {name} is absent"))
    }

    fn time(&self, name: &str) -> Result<&TimestampMicrosecondArray> {
        let position = self.position(name)?;
        self.times
            .get(position)
            .and_then(Option::as_ref)
            .ok_or_else(|| exec_datafusion_err!("column {name} is not a timestamp"))
    }
}

/// A value that is there: not null, not blank.
fn present(column: &StringViewArray, i: usize) -> Option<&str> {
    column
        .is_valid(i)
        .then(|| column.value(i))
        .filter(|t| !is_blank(t))
}

fn money(column: &StringViewArray, i: usize) -> Option<Money> {
    present(column, i).and_then(|t| Money::parse(t).ok())
}

fn time(column: &StringViewArray, i: usize) -> Option<UtcMicros> {
    present(column, i).and_then(UtcMicros::parse)
}

/// `[+-]?digits` in 64 bits; Rust's own reading is exactly that.
fn integer(column: &StringViewArray, i: usize) -> Option<i64> {
    present(column, i).and_then(|t| t.parse().ok())
}

fn moneys(rows: usize) -> Result<Decimal128Builder> {
    Ok(Decimal128Builder::with_capacity(rows).with_precision_and_scale(38, 2)?)
}

fn instants(rows: usize) -> TimestampMicrosecondBuilder {
    TimestampMicrosecondBuilder::with_capacity(rows).with_data_type(timestamp_type())
}

fn reasons(reasons: Vec<Option<&'static str>>) -> ArrayRef {
    Arc::new(StringArray::from(reasons))
}

fn wallets(c: &Columns, rows: usize) -> Result<Vec<ArrayRef>> {
    let (corrupt, user, balance, frozen) = (
        c.text("_corrupt_record")?,
        c.text("user_id")?,
        c.text("balance")?,
        c.text("frozen_amount")?,
    );
    let (updated, extracted, ingested) = (
        c.text("updated_at")?,
        c.time("source_extracted_at")?,
        c.time("ingested_at")?,
    );
    let mut found = Vec::with_capacity(rows);
    let (mut at, mut day, mut changed) = (instants(rows), Date32Builder::with_capacity(rows), instants(rows));
    let (mut available_out, mut frozen_out, mut total_out) = (moneys(rows)?, moneys(rows)?, moneys(rows)?);
    for i in 0..rows {
        let taken = if extracted.is_valid(i) {
            Some(extracted.value(i))
        } else {
            ingested.is_valid(i).then(|| ingested.value(i))
        };
        let snapshot = taken.map(UtcMicros::new);
        let amounts = money(balance, i).zip(money(frozen, i));
        let total = amounts.and_then(|(a, f)| a.checked_add(f));
        found.push(if corrupt.is_valid(i) {
            Some(reason::MALFORMED_JSON)
        } else if present(user, i).is_none() {
            Some(reason::MISSING_USER_ID)
        } else if total.is_none() {
            Some(reason::INVALID_BALANCE)
        } else if amounts.is_some_and(|(a, f)| a < Money::ZERO || f < Money::ZERO) {
            Some(reason::NEGATIVE_BALANCE)
        } else if snapshot.is_none() {
            Some(reason::MISSING_SNAPSHOT_TS)
        } else {
            None
        });
        at.append_option(snapshot.map(UtcMicros::micros));
        day.append_option(snapshot.map(|t| t.date_kst().days()));
        available_out.append_option(amounts.map(|(a, _)| a.units()));
        frozen_out.append_option(amounts.map(|(_, f)| f.units()));
        total_out.append_option(total.map(Money::units));
        changed.append_option(time(updated, i).map(UtcMicros::micros));
    }
    Ok(vec![
        reasons(found),
        Arc::new(at.finish()),
        Arc::new(day.finish()),
        Arc::new(available_out.finish()),
        Arc::new(frozen_out.finish()),
        Arc::new(total_out.finish()),
        Arc::new(changed.finish()),
    ])
}

fn ledger(c: &Columns, rows: usize) -> Result<Vec<ArrayRef>> {
    let (corrupt, tx, wallet) = (c.text("_corrupt_record")?, c.text("tx_id")?, c.text("wallet_id")?);
    let (kind, alias, amount) = (c.text("type")?, c.text("entry_type")?, c.text("amount")?);
    let (created, happened) = (c.text("created_at")?, c.text("event_time")?);
    let mut found = Vec::with_capacity(rows);
    let (mut at, mut day, mut created_out) =
        (instants(rows), Date32Builder::with_capacity(rows), instants(rows));
    let (mut amount_out, mut signed_out) = (moneys(rows)?, moneys(rows)?);
    for i in 0..rows {
        let entry_type = present(kind, i).or_else(|| present(alias, i));
        let sign = entry_type.and_then(sign_of);
        let value = money(amount, i);
        let own = time(created, i);
        // A created_at that is present but broken is not replaced by its alias.
        let event_time = if present(created, i).is_some() {
            own
        } else {
            time(happened, i)
        };
        found.push(if corrupt.is_valid(i) {
            Some(reason::MALFORMED_JSON)
        } else if present(tx, i).is_none() || present(wallet, i).is_none() {
            Some(reason::MISSING_TX_OR_WALLET)
        } else if entry_type.is_none() {
            Some(reason::MISSING_ENTRY_TYPE)
        } else if entry_type.is_some_and(|t| !c.allowed.contains(t)) {
            Some(reason::INVALID_ENTRY_TYPE)
        } else if value.is_none() {
            Some(reason::INVALID_AMOUNT)
        } else if value.is_some_and(|v| v <= Money::ZERO) {
            Some(reason::NON_POSITIVE_AMOUNT)
        } else if sign.is_none() {
            Some(reason::AMOUNT_SIGNED_UNAVAILABLE)
        } else if event_time.is_none() {
            Some(reason::MISSING_EVENT_TIME)
        } else {
            None
        });
        at.append_option(event_time.map(UtcMicros::micros));
        day.append_option(event_time.map(|t| t.date_kst().days()));
        amount_out.append_option(value.map(Money::units));
        signed_out.append_option(value.zip(sign).map(|(v, s)| v.units() * i128::from(s)));
        created_out.append_option(own.map(UtcMicros::micros));
    }
    Ok(vec![
        reasons(found),
        Arc::new(at.finish()),
        Arc::new(day.finish()),
        Arc::new(amount_out.finish()),
        Arc::new(signed_out.finish()),
        Arc::new(created_out.finish()),
    ])
}

fn orders(c: &Columns, rows: usize, check: Check) -> Result<Vec<ArrayRef>> {
    let amount = c.text(if check == Check::Orders {
        "total_amount"
    } else {
        "amount"
    })?;
    let (corrupt, order, created) = (
        c.text("_corrupt_record")?,
        c.text("order_id")?,
        c.text("created_at")?,
    );
    let updated = (check == Check::PaymentOrders)
        .then(|| c.text("updated_at"))
        .transpose()?;
    let mut found = Vec::with_capacity(rows);
    let (mut at, mut day, mut changed) = (instants(rows), Date32Builder::with_capacity(rows), instants(rows));
    let mut amount_out = moneys(rows)?;
    for i in 0..rows {
        let value = money(amount, i);
        let event_time = time(created, i);
        found.push(if corrupt.is_valid(i) {
            Some(reason::MALFORMED_JSON)
        } else if present(order, i).is_none() {
            Some(reason::MISSING_ORDER_ID)
        } else if present(amount, i).is_some() && value.is_none() {
            Some(reason::INVALID_AMOUNT)
        } else {
            None
        });
        amount_out.append_option(value.map(Money::units));
        at.append_option(event_time.map(UtcMicros::micros));
        day.append_option(event_time.map(|t| t.date_kst().days()));
        changed.append_option(updated.and_then(|u| time(u, i)).map(UtcMicros::micros));
    }
    Ok(vec![
        reasons(found),
        Arc::new(amount_out.finish()),
        Arc::new(at.finish()),
        Arc::new(day.finish()),
        Arc::new(changed.finish()),
    ])
}

fn items(c: &Columns, rows: usize) -> Result<Vec<ArrayRef>> {
    let (corrupt, item, order, product) = (
        c.text("_corrupt_record")?,
        c.text("item_id")?,
        c.text("order_id")?,
        c.text("product_id")?,
    );
    let (quantity, price) = (c.text("quantity")?, c.text("price_at_purchase")?);
    let mut found = Vec::with_capacity(rows);
    let ids = || Int64Builder::with_capacity(rows);
    let (mut item_out, mut order_out, mut product_out) = (ids(), ids(), ids());
    let (mut quantity_out, mut price_out) = (Int32Builder::with_capacity(rows), moneys(rows)?);
    for i in 0..rows {
        let keys = (integer(item, i), integer(order, i), integer(product, i));
        let value = money(price, i);
        found.push(if corrupt.is_valid(i) {
            Some(reason::MALFORMED_JSON)
        } else if keys.0.is_none() || keys.1.is_none() || keys.2.is_none() {
            Some(reason::MISSING_REQUIRED_KEYS)
        } else if present(price, i).is_some() && value.is_none() {
            Some(reason::INVALID_AMOUNT)
        } else {
            None
        });
        item_out.append_option(keys.0);
        order_out.append_option(keys.1);
        product_out.append_option(keys.2);
        quantity_out.append_option(integer(quantity, i).and_then(|q| i32::try_from(q).ok()));
        price_out.append_option(value.map(Money::units));
    }
    Ok(vec![
        reasons(found),
        Arc::new(item_out.finish()),
        Arc::new(order_out.finish()),
        Arc::new(product_out.finish()),
        Arc::new(quantity_out.finish()),
        Arc::new(price_out.finish()),
    ])
}

fn products(c: &Columns, rows: usize) -> Result<Vec<ArrayRef>> {
    let (corrupt, product, price, display) = (
        c.text("_corrupt_record")?,
        c.text("product_id")?,
        c.text("price_krw")?,
        c.text("is_display")?,
    );
    let mut found = Vec::with_capacity(rows);
    let (mut product_out, mut price_out, mut display_out) = (
        Int64Builder::with_capacity(rows),
        moneys(rows)?,
        BooleanBuilder::with_capacity(rows),
    );
    for i in 0..rows {
        let id = integer(product, i);
        let value = money(price, i);
        found.push(if corrupt.is_valid(i) {
            Some(reason::MALFORMED_JSON)
        } else if id.is_none() {
            Some(reason::MISSING_PRODUCT_ID)
        } else if present(price, i).is_some() && value.is_none() {
            Some(reason::INVALID_AMOUNT)
        } else {
            None
        });
        product_out.append_option(id);
        price_out.append_option(value.map(Money::units));
        display_out.append_option(
            present(display, i).and_then(|t| match t.to_ascii_lowercase().as_str() {
                "true" => Some(true),
                "false" => Some(false),
                _ => None,
            }),
        );
    }
    Ok(vec![
        reasons(found),
        Arc::new(product_out.finish()),
        Arc::new(price_out.finish()),
        Arc::new(display_out.finish()),
    ])
}
