//! `nsc_text_key(text)`: a 64-bit hash of an id. Only ever narrows down where to look; the text itself decides.

use std::sync::Arc;

use arrow::array::{AsArray, Int64Array};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use datafusion::prelude::SessionContext;
use twox_hash::XxHash3_64;

pub(super) fn register(ctx: &SessionContext) {
    ctx.register_udf(function());
}

fn function() -> ScalarUDF {
    ScalarUDF::new_from_impl(TextKey {
        signature: Signature::any(1, Volatility::Immutable),
    })
}

/// The key of a text expression.
#[must_use]
pub fn text_key(text: Expr) -> Expr {
    function().call(vec![text])
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct TextKey {
    signature: Signature,
}

impl ScalarUDFImpl for TextKey {
    fn name(&self) -> &'static str {
        "nsc_text_key"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Int64)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [text] = args.args.as_slice() else {
            return exec_err!("nsc_text_key takes one text");
        };
        let text = cast(&text.to_array(args.number_rows)?, &DataType::Utf8View)?;
        let keys: Int64Array = text
            .as_string_view()
            .iter()
            .map(|t| t.map(|t| XxHash3_64::oneshot(t.as_bytes()).cast_signed()))
            .collect();
        Ok(ColumnarValue::Array(Arc::new(keys)))
    }
}
