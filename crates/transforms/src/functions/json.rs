//! `nsc_json`: the message of an exception, a JSON object whose numbers are strings.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, StringViewBuilder};
use arrow::datatypes::{DataType, TimeUnit, TimestampMicrosecondType};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::common::{Result, exec_datafusion_err, plan_err};
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use nsc_core::UtcMicros;

/// `nsc_json(key, value, key, value, ...)`: keys in the order given; a null value is a JSON `null`, every other one a
/// JSON string (decimals with all their digits, instants as RFC 3339 in UTC).
#[must_use]
pub fn json_udf() -> ScalarUDF {
    ScalarUDF::from(Json {
        signature: Signature::variadic_any(Volatility::Immutable),
    })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Json {
    signature: Signature,
}

impl ScalarUDFImpl for Json {
    fn name(&self) -> &str {
        "nsc_json"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arg_types: &[DataType]) -> Result<DataType> {
        if arg_types.len().is_multiple_of(2) {
            Ok(DataType::Utf8View)
        } else {
            plan_err!("nsc_json takes pairs of key and value")
        }
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        super::as_columnar(&args.args, |arrays| objects(&arrays))
    }
}

fn objects(arrays: &[ArrayRef]) -> Result<ArrayRef> {
    let columns = arrays
        .chunks_exact(2)
        .map(|pair| Ok((Value::new(&pair[0])?, Value::new(&pair[1])?)))
        .collect::<Result<Vec<_>>>()?;
    let rows = arrays.first().map_or(0, |a| a.len());
    let mut out = StringViewBuilder::with_capacity(rows);
    let mut object = String::new();
    for row in 0..rows {
        object.clear();
        for (at, (key, value)) in columns.iter().enumerate() {
            object.push(if at == 0 { '{' } else { ',' });
            push_text(&mut object, key.text(row)?.as_deref())?;
            object.push(':');
            push_text(&mut object, value.text(row)?.as_deref())?;
        }
        object.push('}');
        out.append_value(&object);
    }
    Ok(Arc::new(out.finish()))
}

fn push_text(object: &mut String, text: Option<&str>) -> Result<()> {
    let json = match text {
        Some(text) => {
            serde_json::to_string(text).map_err(|e| exec_datafusion_err!("not a JSON string: {e}"))?
        }
        None => "null".to_owned(),
    };
    object.push_str(&json);
    Ok(())
}

/// A column that can be read as text, row by row.
enum Value<'a> {
    Instant(&'a ArrayRef),
    Other(&'a ArrayRef, ArrayFormatter<'a>),
}

impl<'a> Value<'a> {
    fn new(array: &'a ArrayRef) -> Result<Self> {
        if matches!(array.data_type(), DataType::Timestamp(TimeUnit::Microsecond, _)) {
            return Ok(Self::Instant(array));
        }
        static OPTIONS: FormatOptions<'static> = FormatOptions::new();
        Ok(Self::Other(
            array,
            ArrayFormatter::try_new(array.as_ref(), &OPTIONS)?,
        ))
    }

    fn text(&self, row: usize) -> Result<Option<String>> {
        Ok(match self {
            Self::Instant(array) | Self::Other(array, _) if array.is_null(row) => None,
            Self::Instant(array) => array
                .as_primitive_opt::<TimestampMicrosecondType>()
                .map(|a| UtcMicros::new(a.value(row)).to_string()),
            Self::Other(_, formatter) => Some(formatter.value(row).try_to_string()?),
        })
    }
}
