//! A text becomes the decimal it says, or an error: the engine rounds it to the decimals of what it is compared with, so that
//! `amount = '250000.004'` would find 250000.00.

use datafusion::arrow::array::{ArrayRef, AsArray};
use datafusion::arrow::compute::{CastOptions, cast, cast_with_options, nullif};
use datafusion::arrow::datatypes::DataType;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::Transformed;
use datafusion::common::{DFSchema, ScalarValue, exec_err};
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::{
    ColumnarValue, Expr, LogicalPlan, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use datafusion::optimizer::AnalyzerRule;
use nsc_core::{ErrorCode, OperatorMessage};

use super::conversion::Conversion;
use super::rewriting::rewritten;

/// Converts texts to decimals with a check, wherever such a conversion is written or implied.
#[derive(Debug)]
pub(super) struct ExactTexts;

impl AnalyzerRule for ExactTexts {
    fn name(&self) -> &str {
        "exact_texts"
    }

    fn analyze(&self, plan: LogicalPlan, _config: &ConfigOptions) -> Result<LogicalPlan> {
        rewritten(plan, exact)
    }
}

fn exact(expr: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    let Some(found) = Conversion::of(&expr, schema).filter(|c| is_text(&c.from) && c.to.is_decimal()) else {
        return Ok(Transformed::no(expr));
    };
    // A constant is refused even where no row would be compared with it.
    if let Expr::Literal(text, _) = found.value
        && let Some(Some(text)) = text.try_as_str()
        && !found.is_try
        && has_more_decimals(text, &found.to)
    {
        return Err(digits_lost(text, &found.to));
    }
    let function = ScalarUDF::from(ExactDecimal {
        to: found.to,
        is_try: found.is_try,
        signature: Signature::any(1, Volatility::Immutable),
    });
    Ok(Transformed::yes(function.call(vec![found.value.clone()])))
}

fn is_text(ty: &DataType) -> bool {
    match ty {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => true,
        DataType::Dictionary(_, values) => is_text(values),
        _ => false,
    }
}

/// The decimal that a text says; with `is_try` null where it says none of that type.
#[derive(Debug, PartialEq, Eq, Hash)]
struct ExactDecimal {
    to: DataType,
    is_try: bool,
    signature: Signature,
}

impl ScalarUDFImpl for ExactDecimal {
    fn name(&self) -> &str {
        "exact_decimal"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arguments: &[DataType]) -> Result<DataType> {
        Ok(self.to.clone())
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        match args.args.as_slice() {
            [ColumnarValue::Array(texts)] => Ok(ColumnarValue::Array(self.convert(texts)?)),
            [ColumnarValue::Scalar(text)] => {
                let found = self.convert(&text.to_array()?)?;
                Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&found, 0)?))
            }
            _ => exec_err!("{} takes one argument", self.name()),
        }
    }
}

impl ExactDecimal {
    fn convert(&self, texts: &ArrayRef) -> Result<ArrayRef> {
        let options = CastOptions {
            safe: self.is_try,
            ..CastOptions::default()
        };
        let found = cast_with_options(texts, &self.to, &options)?;
        let texts = cast(texts, &DataType::Utf8)?;
        let texts = texts.as_string::<i32>();
        let is_lost = |text: Option<&str>| text.is_some_and(|text| has_more_decimals(text, &self.to));
        if !self.is_try {
            return match texts.iter().find(|text| is_lost(*text)).flatten() {
                Some(text) => Err(digits_lost(text, &self.to)),
                None => Ok(found),
            };
        }
        let lost = texts.iter().map(|text| Some(is_lost(text))).collect();
        Ok(nullif(&found, &lost)?)
    }
}

/// Whether a number has decimals that a type does not hold; of what is no number nothing is said.
fn has_more_decimals(text: &str, to: &DataType) -> bool {
    let scale = match to {
        DataType::Decimal32(_, scale)
        | DataType::Decimal64(_, scale)
        | DataType::Decimal128(_, scale)
        | DataType::Decimal256(_, scale) => i64::from(*scale),
        _ => return false,
    };
    decimals_of(text).is_some_and(|decimals| decimals > scale)
}

/// How many decimals a number needs: 2 for `1.50e-1`, below zero for `100`. None is known of 0 and of what is no number.
fn decimals_of(text: &str) -> Option<i64> {
    let (mantissa, exponent) = text.trim().split_once(['e', 'E']).unwrap_or((text.trim(), "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    let significant = digits.trim_end_matches('0');
    if !significant.contains(|c: char| c.is_ascii_digit() && c != '0') {
        return None;
    }
    let length = |text: &str| i64::try_from(text.len()).ok();
    let exponent: i64 = exponent.parse().ok()?;
    let zeros = length(&digits)? - length(significant)?;
    length(fraction)?.checked_sub(zeros)?.checked_sub(exponent)
}

fn digits_lost(text: &str, to: &DataType) -> DataFusionError {
    let refusal = OperatorMessage::new(
        ErrorCode::DigitsLost,
        format!("'{text}' has more decimals than {to} holds"),
    )
    .with_hint(
        "Write it as a number, which is compared exactly (amount = 0.125), give it room (CAST('0.125' AS DECIMAL(38, 3))), \
         or say that it is to be rounded: CAST(CAST('0.125' AS DECIMAL(38, 3)) AS DECIMAL(38, 2)). TRY_CAST gives null.",
    );
    DataFusionError::External(Box::new(refusal))
}

#[cfg(test)]
mod tests {
    use super::decimals_of;

    #[test]
    fn decimals_are_counted_as_they_are_meant() {
        for (text, decimals) in [
            ("250000.004", Some(3)),
            ("250000.000", Some(-4)),
            ("+.5", Some(1)),
            ("-5.", Some(0)),
            (" 10.10 ", Some(1)),
            ("1e3", Some(-3)),
            ("15e-1", Some(1)),
            ("1.50E-1", Some(2)),
            ("100.004e1", Some(2)),
            ("0.000", None),
            ("", None),
            ("abc", None),
            ("1e99999999999999999999", None),
        ] {
            assert_eq!(decimals_of(text), decimals, "{text:?}");
        }
    }
}
