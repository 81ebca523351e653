//! A row's key as one number: what tells a repeat from another row without holding either.

use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, LazyLock};

use arrow::array::{Array, ArrayRef, AsArray, Decimal128Array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type};
use datafusion::common::Result as PlanResult;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use twox_hash::XxHash3_128;

/// Odd, so that multiplying by it loses nothing; the golden ratio in 128 bits.
const SPREAD: u128 = 0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835;
/// What a null counts as.
const NULL: u128 = 0x6e73_632f_6e75_6c6c_0000_0000_0000_0002;

/// The type of a key: sixteen bytes that read as a number.
const KEY: DataType = DataType::Decimal128(38, 0);

/// Seeded per process: no source can choose rows whose keys are the same.
static SEED: LazyLock<u64> = LazyLock::new(|| RandomState::new().hash_one(NULL));

/// The key of some columns, texts and instants.
pub(super) fn row_key(columns: Vec<Expr>) -> Expr {
    ScalarUDF::from(RowKey {
        signature: Signature::variadic_any(Volatility::Immutable),
    })
    .call(columns)
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct RowKey {
    signature: Signature,
}

impl ScalarUDFImpl for RowKey {
    fn name(&self) -> &'static str {
        "nsc_row_key"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> PlanResult<DataType> {
        Ok(KEY)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> PlanResult<ColumnarValue> {
        let mut states = vec![0_u128; args.number_rows];
        for column in &args.args {
            fold(&mut states, &column.to_array(args.number_rows)?)?;
        }
        let keys: Decimal128Array = states.into_iter().map(|s| Some(s.cast_signed())).collect();
        let keys = keys.with_data_type(KEY);
        Ok(ColumnarValue::Array(Arc::new(keys) as ArrayRef))
    }
}

fn fold(states: &mut [u128], column: &ArrayRef) -> PlanResult<()> {
    let seed = *SEED;
    let mut add = |i: usize, value: Option<&[u8]>| {
        let hash = value.map_or(NULL, |v| XxHash3_128::oneshot_with_seed(seed, v));
        if let Some(state) = states.get_mut(i) {
            *state = state.wrapping_mul(SPREAD).wrapping_add(hash);
        }
    };
    if matches!(column.data_type(), DataType::Timestamp(..)) {
        let times = cast(column, &DataType::Int64)?;
        for (i, time) in times.as_primitive::<Int64Type>().iter().enumerate() {
            add(i, time.map(i64::to_le_bytes).as_ref().map(|b| &b[..]));
        }
        return Ok(());
    }
    let texts = cast(column, &DataType::Utf8View)?;
    for (i, text) in texts.as_string_view().iter().enumerate() {
        add(i, text.map(str::as_bytes));
    }
    Ok(())
}
