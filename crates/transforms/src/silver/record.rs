//! `nsc_record_json`: the source fields of a quarantined row as one JSON object, the line itself when malformed.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, StringBuilder, StringViewArray};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use datafusion::prelude::SessionContext;

pub(super) const FUNCTION: &str = "nsc_record_json";

pub(super) fn register(ctx: &SessionContext) {
    ctx.register_udf(ScalarUDF::new_from_impl(RecordJson {
        signature: Signature::variadic_any(Volatility::Immutable),
    }));
}

/// Arguments: the reason (null = no record is made), the field names one a line, the corrupt line, the fields.
#[derive(Debug, PartialEq, Eq, Hash)]
struct RecordJson {
    signature: Signature,
}

impl ScalarUDFImpl for RecordJson {
    fn name(&self) -> &str {
        FUNCTION
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let rows = args.number_rows;
        let [reason, names, corrupt, fields @ ..] = args.args.as_slice() else {
            return exec_err!("{FUNCTION} takes a reason, names, the corrupt line and the fields");
        };
        let reason = reason.to_array(rows)?;
        if reason.null_count() == rows {
            return Ok(ColumnarValue::Array(arrow::array::new_null_array(
                &DataType::Utf8,
                rows,
            )));
        }
        let names = cast(&names.to_array(1)?, &DataType::Utf8)?;
        let names: Vec<&str> = if names.is_empty() {
            Vec::new()
        } else {
            names.as_string::<i32>().value(0).lines().collect()
        };
        let views = |value: &ColumnarValue| -> Result<StringViewArray> {
            Ok(cast(&value.to_array(rows)?, &DataType::Utf8View)?
                .as_string_view()
                .clone())
        };
        let corrupt = views(corrupt)?;
        let fields = fields.iter().map(views).collect::<Result<Vec<_>>>()?;
        let mut out = StringBuilder::new();
        for i in 0..rows {
            if reason.is_null(i) {
                out.append_null();
            } else if corrupt.is_valid(i) {
                out.append_value(corrupt.value(i));
            } else {
                out.append_value(object(&names, &fields, i));
            }
        }
        Ok(ColumnarValue::Array(Arc::new(out.finish()) as ArrayRef))
    }
}

fn object(names: &[&str], fields: &[StringViewArray], i: usize) -> String {
    let present = names.iter().zip(fields).filter(|(_, f)| f.is_valid(i));
    let map: serde_json::Map<String, serde_json::Value> = present
        .map(|(n, f)| ((*n).to_owned(), f.value(i).into()))
        .collect();
    serde_json::Value::Object(map).to_string()
}
