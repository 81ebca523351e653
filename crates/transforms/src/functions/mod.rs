//! SQL functions of the contract: exact money, "missing", KST dates, version order, signs, rates, checked sums.
//!
//! [`register`] adds all of them to a session; they are pure, immutable and vectorised. Text arguments may be
//! `Utf8`, `LargeUtf8` or `Utf8View` and are cast once, to `Utf8View`; text results are `Utf8View`.
//!
//! | function | result | meaning |
//! |---|---|---|
//! | `nsc_money(text)` | `DECIMAL(38,2)` | exact money; null when missing or not exact |
//! | `nsc_is_missing(text)` | boolean, never null | null, empty or all blank |
//! | `nsc_clean(text)` | text | missing becomes null; anything else is unchanged (no trim, no case folding) |
//! | `nsc_alias(text, lines)` | text | the word that `text` stands for, by lines `word=word` (a constant); else itself |
//! | `nsc_timestamp(text)` | timestamp UTC µs | ground rule "Time"; null when it is not one |
//! | `nsc_date_kst(ts)` | date | the business day |
//! | `nsc_ref_key(source_ref)` | text | position in `source_ref`, sortable as text |
//! | `nsc_version_key(updated_at, source_extracted_at, ingested_at, load_id, source_ref)` | binary | ground rule "Newest" as bytes: the greatest is the newest |
//! | `nsc_user_key(user_id, salt)` | text | lowercase hex SHA-256 of `user_id` followed by `salt` |
//! | `nsc_signed(entry_type, amount)` | `DECIMAL(38,2)` | amount x sign; null when the sign is unknown |
//! | `nsc_integer(text)` | bigint | `[+-]?digits`; null otherwise or past 64 bits |
//! | `nsc_rate(numerator, denominator)` | `DECIMAL(38,6)` | half-up; 0 when the denominator is 0 |
//! | `nsc_ratio(a, b)` | `DECIMAL(38,6)` | half-up `|a| / |b|`; null when b is 0 or the quotient does not fit |
//! | `nsc_exact(dec2)` | `DECIMAL(38,2)` | the value itself; an *error* past 38 digits |
//! | `nsc_abs(dec2)` | `DECIMAL(38,2)` | its magnitude |
//! | `nsc_line_value(price, quantity)` | `DECIMAL(76,2)` | price x quantity, cannot overflow |
//! | `nsc_json(key, value, ...)` | text | a JSON object with every value as a string (or null) |
//! | `nsc_sum_money(dec2)` (aggregate) | `DECIMAL(38,2)` | exact sum; an *error* past 38 digits; null over no value |
//!
//! [`register_exact_aggregates`] puts exact ones in the place of the engine's own `sum` and `median`, for SQL that people write.

mod json;
mod median;
mod numbers;
mod sum;
mod text;

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Decimal128Array, Int64Array, StringViewArray, TimestampMicrosecondArray,
};
use arrow::datatypes::{DataType, Decimal128Type, Int64Type, TimeUnit, TimestampMicrosecondType};
use datafusion::common::{Result, ScalarValue, exec_datafusion_err, plan_err};
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use datafusion::prelude::SessionContext;

pub use json::json_udf;
pub use median::exact_median_udaf;
pub(crate) use numbers::rate_millionths;
pub use sum::{TooManyDigits, exact_sum_udaf, sum_money_udaf};
pub(crate) use text::user_key_hex;

/// The type of money.
pub(crate) const DEC2: DataType = DataType::Decimal128(38, 2);
/// The type of a rate.
pub(crate) const DEC6: DataType = DataType::Decimal128(38, 6);
/// Largest magnitude of 38 digits, whatever the scale.
pub(crate) const MAX_38_DIGITS: i128 = 10_i128.pow(38) - 1;

/// The type of an instant.
pub(crate) fn utc_micros() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
}

/// Adds every function of this module to the session. Doing it twice changes nothing.
pub fn register(ctx: &SessionContext) {
    for kind in Kind::ALL {
        ctx.register_udf(ScalarUDF::from(Function::new(kind)));
    }
    ctx.register_udf(json_udf());
    ctx.register_udaf(sum_money_udaf());
}

/// Puts `sum` and `median` that are exact or an error in the place of the engine's own, which wrap or drop a digit.
pub fn register_exact_aggregates(ctx: &SessionContext) {
    ctx.register_udaf(exact_sum_udaf());
    ctx.register_udaf(exact_median_udaf());
}

/// What an argument is; decides what it is cast to before the function sees it.
#[derive(Clone, Copy)]
enum Parameter {
    Text,
    Instant,
    Money,
    Integer,
}

impl Parameter {
    /// The one type the function is written for, when `given` converts to it without loss.
    fn accepts(self, given: &DataType) -> Option<DataType> {
        use DataType as D;
        let integer = matches!(
            given,
            D::Int8 | D::Int16 | D::Int32 | D::Int64 | D::UInt8 | D::UInt16 | D::UInt32 | D::UInt64
        );
        match (self, given) {
            (Self::Text, D::Utf8 | D::LargeUtf8 | D::Utf8View | D::Null) => Some(D::Utf8View),
            (Self::Text, D::Dictionary(_, value)) => self.accepts(value),
            (Self::Instant, D::Timestamp(..) | D::Null) => Some(utc_micros()),
            // A larger scale would have to be rounded: refused.
            (Self::Money, D::Decimal128(_, scale)) if (0..=2).contains(scale) => Some(DEC2),
            (Self::Money, D::Null) => Some(DEC2),
            (Self::Money, _) if integer => Some(DEC2),
            (Self::Integer, D::Null) => Some(D::Int64),
            (Self::Integer, _) if integer => Some(D::Int64),
            _ => None,
        }
    }
}

/// The scalar functions with a fixed number of arguments.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    Money,
    IsMissing,
    Clean,
    Alias,
    Timestamp,
    DateKst,
    RefKey,
    VersionKey,
    UserKey,
    Signed,
    Integer,
    Rate,
    Ratio,
    Exact,
    Abs,
    LineValue,
}

impl Kind {
    const ALL: [Self; 16] = [
        Self::Money,
        Self::IsMissing,
        Self::Clean,
        Self::Alias,
        Self::Timestamp,
        Self::DateKst,
        Self::RefKey,
        Self::VersionKey,
        Self::UserKey,
        Self::Signed,
        Self::Integer,
        Self::Rate,
        Self::Ratio,
        Self::Exact,
        Self::Abs,
        Self::LineValue,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::Money => "nsc_money",
            Self::IsMissing => "nsc_is_missing",
            Self::Clean => "nsc_clean",
            Self::Alias => "nsc_alias",
            Self::Timestamp => "nsc_timestamp",
            Self::DateKst => "nsc_date_kst",
            Self::RefKey => "nsc_ref_key",
            Self::VersionKey => "nsc_version_key",
            Self::UserKey => "nsc_user_key",
            Self::Signed => "nsc_signed",
            Self::Integer => "nsc_integer",
            Self::Rate => "nsc_rate",
            Self::Ratio => "nsc_ratio",
            Self::Exact => "nsc_exact",
            Self::Abs => "nsc_abs",
            Self::LineValue => "nsc_line_value",
        }
    }

    const fn parameters(self) -> &'static [Parameter] {
        use Parameter as P;
        match self {
            Self::Money | Self::IsMissing | Self::Clean | Self::Timestamp | Self::RefKey | Self::Integer => {
                &[P::Text]
            }
            Self::DateKst => &[P::Instant],
            Self::VersionKey => &[P::Instant, P::Instant, P::Instant, P::Text, P::Text],
            Self::UserKey | Self::Alias => &[P::Text, P::Text],
            Self::Signed => &[P::Text, P::Money],
            Self::Rate => &[P::Integer, P::Integer],
            Self::Ratio => &[P::Money, P::Money],
            Self::Exact | Self::Abs => &[P::Money],
            Self::LineValue => &[P::Money, P::Integer],
        }
    }

    fn returns(self) -> DataType {
        match self {
            Self::Money | Self::Signed | Self::Exact | Self::Abs => DEC2,
            Self::IsMissing => DataType::Boolean,
            Self::Clean | Self::Alias | Self::RefKey | Self::UserKey => DataType::Utf8View,
            Self::Timestamp => utc_micros(),
            Self::DateKst => DataType::Date32,
            Self::VersionKey => DataType::Binary,
            Self::Integer => DataType::Int64,
            Self::Rate | Self::Ratio => DEC6,
            Self::LineValue => DataType::Decimal256(76, 2),
        }
    }

    fn compute(self, args: &Args) -> Result<ArrayRef> {
        Ok(match self {
            Self::Money => Arc::new(text::money(args.text(0)?)),
            Self::IsMissing => Arc::new(text::is_missing(args.text(0)?)),
            Self::Clean => text::clean(args.text(0)?)?,
            Self::Alias => text::alias(args.text(0)?, args.text(1)?),
            Self::Timestamp => Arc::new(text::timestamp(args.text(0)?)),
            Self::DateKst => Arc::new(numbers::date_kst(args.instant(0)?)),
            Self::RefKey => Arc::new(text::ref_key(args.text(0)?)),
            Self::VersionKey => Arc::new(text::version_key(
                [args.instant(0)?, args.instant(1)?, args.instant(2)?],
                args.text(3)?,
                args.text(4)?,
            )),
            Self::UserKey => Arc::new(text::user_key(args.text(0)?, args.text(1)?)),
            Self::Signed => Arc::new(numbers::signed(args.text(0)?, args.money(1)?)),
            Self::Integer => Arc::new(text::integer(args.text(0)?)),
            Self::Rate => Arc::new(numbers::rate(args.integer(0)?, args.integer(1)?)?),
            Self::Ratio => Arc::new(numbers::ratio(args.money(0)?, args.money(1)?)),
            Self::Exact => Arc::new(numbers::exact(args.money(0)?)?),
            Self::Abs => Arc::new(numbers::abs(args.money(0)?)),
            Self::LineValue => Arc::new(numbers::line_value(args.money(0)?, args.integer(1)?)?),
        })
    }
}

/// The arguments of one call as arrays of equal length.
struct Args(Vec<ArrayRef>);

impl Args {
    fn array(&self, at: usize) -> Result<&ArrayRef> {
        self.0
            .get(at)
            .ok_or_else(|| exec_datafusion_err!("argument {at} is absent"))
    }

    fn text(&self, at: usize) -> Result<&StringViewArray> {
        let array = self.array(at)?;
        array
            .as_string_view_opt()
            .ok_or_else(|| exec_datafusion_err!("argument {at} is {}, not Utf8View", array.data_type()))
    }

    fn instant(&self, at: usize) -> Result<&TimestampMicrosecondArray> {
        let array = self.array(at)?;
        array
            .as_primitive_opt::<TimestampMicrosecondType>()
            .ok_or_else(|| {
                exec_datafusion_err!(
                    "argument {at} is {}, not a timestamp in microseconds",
                    array.data_type()
                )
            })
    }

    fn money(&self, at: usize) -> Result<&Decimal128Array> {
        let array = self.array(at)?;
        array
            .as_primitive_opt::<Decimal128Type>()
            .ok_or_else(|| exec_datafusion_err!("argument {at} is {}, not a decimal", array.data_type()))
    }

    fn integer(&self, at: usize) -> Result<&Int64Array> {
        let array = self.array(at)?;
        array
            .as_primitive_opt::<Int64Type>()
            .ok_or_else(|| exec_datafusion_err!("argument {at} is {}, not a bigint", array.data_type()))
    }
}

/// One scalar function as DataFusion sees it.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Function {
    kind: Kind,
    signature: Signature,
}

impl Function {
    fn new(kind: Kind) -> Self {
        Self {
            kind,
            signature: Signature::user_defined(Volatility::Immutable),
        }
    }
}

impl ScalarUDFImpl for Function {
    fn name(&self) -> &str {
        self.kind.name()
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arg_types: &[DataType]) -> Result<DataType> {
        Ok(self.kind.returns())
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        let wanted = self.kind.parameters();
        if given.len() != wanted.len() {
            return plan_err!(
                "{} takes {} arguments, not {}",
                self.name(),
                wanted.len(),
                given.len()
            );
        }
        wanted
            .iter()
            .zip(given)
            .map(|(parameter, ty)| parameter.accepts(ty))
            .collect::<Option<Vec<_>>>()
            .map_or_else(|| plan_err!("{} does not take {given:?}", self.name()), Ok)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        as_columnar(&args.args, |arrays| self.kind.compute(&Args(arrays)))
    }
}

/// Runs `compute` over arrays and answers with a scalar when every argument was one.
fn as_columnar(
    args: &[ColumnarValue],
    compute: impl FnOnce(Vec<ArrayRef>) -> Result<ArrayRef>,
) -> Result<ColumnarValue> {
    let constant = args.iter().all(|a| matches!(a, ColumnarValue::Scalar(_)));
    let result = compute(ColumnarValue::values_to_arrays(args)?)?;
    if constant {
        ScalarValue::try_from_array(&result, 0).map(ColumnarValue::Scalar)
    } else {
        Ok(ColumnarValue::Array(result))
    }
}
