//! 128-bit fingerprints of rows: how a re-run finds what changed without holding the rows themselves.
//!
//! Two different rows share a fingerprint with probability 2^-128 a pair; for a billion rows compared with a
//! billion that is below 1e-20. Every process hashes with a seed of its own, so that a source cannot choose values that
//! collide: no fingerprint outlives its process.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::{Arc, LazyLock};

use arrow::array::{Array, ArrayRef, RecordBatch, RecordBatchOptions, StringArray};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use arrow::row::{RowConverter, SortField};
use nsc_core::source_position;
use twox_hash::XxHash3_128;

use crate::LakeError;

/// A map by fingerprint.
pub(crate) type FingerprintMap<V> = HashMap<u128, V, AlreadyHashed>;
/// A set of fingerprints.
pub(crate) type FingerprintSet = HashSet<u128, AlreadyHashed>;

/// A fingerprint is evenly spread already: half of it is its hash.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct AlreadyHashed;

/// See [`AlreadyHashed`].
#[derive(Debug, Default)]
pub(crate) struct HalfOfIt(u64);

impl BuildHasher for AlreadyHashed {
    type Hasher = HalfOfIt;

    fn build_hasher(&self) -> HalfOfIt {
        HalfOfIt::default()
    }
}

impl Hasher for HalfOfIt {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    #[expect(clippy::cast_possible_truncation, reason = "the lower half is what is wanted")]
    fn write_u128(&mut self, fingerprint: u128) {
        self.0 = fingerprint as u64;
    }
}

/// One form for each kind of value, whichever the engine chose.
fn canonical(column: &ArrayRef) -> Result<ArrayRef, LakeError> {
    Ok(match column.data_type() {
        DataType::Utf8 | DataType::LargeUtf8 => cast(column, &DataType::Utf8View)?,
        _ => Arc::clone(column),
    })
}

fn named(batch: &RecordBatch, columns: &[&str]) -> Result<Vec<ArrayRef>, LakeError> {
    columns
        .iter()
        .map(|name| match batch.column_by_name(name) {
            Some(column) => canonical(column),
            None => Err(LakeError::Corrupt {
                what: format!("column {name}"),
                reason: "it is not in the rows".to_owned(),
            }),
        })
        .collect()
}

fn encoded(columns: Vec<ArrayRef>, rows: usize) -> Result<arrow::row::Rows, LakeError> {
    let fields = columns
        .iter()
        .map(|c| SortField::new(c.data_type().clone()))
        .collect();
    let converter = RowConverter::new(fields)?;
    if columns.is_empty() {
        return Ok(converter.empty_rows(rows, 0));
    }
    Ok(converter.convert_columns(&columns)?)
}

/// Odd, so that multiplying by it loses nothing; the golden ratio in 128 bits.
const SPREAD: u128 = 0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835;
/// What a null counts as: no value's hash but with the probability of any other collision.
const NULL: u128 = 0x6e73_632f_6e75_6c6c_0000_0000_0000_0001;

/// One fingerprint a row over the named columns, nulls distinct from every value.
///
/// Column by column: each value is hashed by itself and folded into its row's state, `state * SPREAD + hash`, so the
/// order of columns counts and neighbouring values cannot run into each other.
pub(crate) fn rows(batch: &RecordBatch, columns: &[&str]) -> Result<Vec<u128>, LakeError> {
    let mut states = vec![0_u128; batch.num_rows()];
    for column in named(batch, columns)? {
        fold(&mut states, &column)?;
    }
    Ok(states)
}

fn fold(states: &mut [u128], column: &ArrayRef) -> Result<(), LakeError> {
    use arrow::array::AsArray;
    use arrow::datatypes::{Date32Type, Decimal128Type, Int64Type, TimestampMicrosecondType};
    match column.data_type() {
        DataType::Utf8View => fold_bytes(
            states,
            column.as_string_view().iter().map(|v| v.map(str::as_bytes)),
        ),
        DataType::Int64 => fold_bytes(
            states,
            column
                .as_primitive::<Int64Type>()
                .iter()
                .map(|v| v.map(i64::to_le_bytes)),
        ),
        DataType::Timestamp(arrow::datatypes::TimeUnit::Microsecond, _) => {
            let times = column.as_primitive::<TimestampMicrosecondType>();
            fold_bytes(states, times.iter().map(|v| v.map(i64::to_le_bytes)));
        }
        DataType::Date32 => fold_bytes(
            states,
            column
                .as_primitive::<Date32Type>()
                .iter()
                .map(|v| v.map(i32::to_le_bytes)),
        ),
        DataType::Decimal128(..) => {
            let amounts = column.as_primitive::<Decimal128Type>();
            fold_bytes(states, amounts.iter().map(|v| v.map(i128::to_le_bytes)));
        }
        // Anything rarer goes through the engine's own row form.
        _ => {
            let rows = encoded(vec![Arc::clone(column)], column.len())?;
            fold_bytes(states, rows.iter().map(|r| Some(r.data())));
        }
    }
    Ok(())
}

/// The seed of this process.
fn seed() -> u64 {
    static SEED: LazyLock<u64> = LazyLock::new(|| RandomState::new().hash_one(NULL));
    *SEED
}

fn fold_bytes<B: AsRef<[u8]>>(states: &mut [u128], values: impl Iterator<Item = Option<B>>) {
    fold_seeded(seed(), states, values);
}

fn fold_seeded<B: AsRef<[u8]>>(seed: u64, states: &mut [u128], values: impl Iterator<Item = Option<B>>) {
    for (state, value) in states.iter_mut().zip(values) {
        let hash = value.map_or(NULL, |v| XxHash3_128::oneshot_with_seed(seed, v.as_ref()));
        *state = state.wrapping_mul(SPREAD).wrapping_add(hash);
    }
}

/// Sortable version keys: "newest" of the contract (updated, extracted, ingested, load, position), nulls lowest.
/// Columns the table does not carry are left out.
pub(crate) fn versions(batch: &RecordBatch) -> Result<Vec<Box<[u8]>>, LakeError> {
    let mut columns = Vec::new();
    for name in [
        "source_updated_at",
        "source_extracted_at",
        "ingested_at",
        "load_id",
    ] {
        if let Some(column) = batch.column_by_name(name) {
            columns.push(canonical(column)?);
        }
    }
    if let Some(refs) = batch.column_by_name("source_ref") {
        let text = cast(refs, &DataType::Utf8)?;
        let text = arrow::array::AsArray::as_string::<i32>(&text).clone();
        columns.push(Arc::new(
            text.iter()
                .map(|r| r.map(source_position))
                .collect::<StringArray>(),
        ));
    }
    let rows = encoded(columns, batch.num_rows())?;
    Ok(rows.iter().map(|r| r.as_ref().into()).collect())
}

/// A batch of the chosen rows.
pub(crate) fn keep(batch: &RecordBatch, mask: Vec<bool>) -> Result<RecordBatch, LakeError> {
    if mask.iter().all(|k| *k) {
        return Ok(batch.clone());
    }
    if batch.num_columns() == 0 {
        let count = mask.iter().filter(|k| **k).count();
        return Ok(RecordBatch::try_new_with_options(
            batch.schema(),
            vec![],
            &RecordBatchOptions::new().with_row_count(Some(count)),
        )?);
    }
    Ok(arrow::compute::filter_record_batch(batch, &mask.into())?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{Int64Array, StringViewArray};

    #[test]
    fn text_forms_agree_and_nulls_differ_from_empty() {
        let plain = RecordBatch::try_from_iter([(
            "a",
            Arc::new(StringArray::from(vec![Some("x"), Some(""), None])) as ArrayRef,
        )])
        .unwrap();
        let view = RecordBatch::try_from_iter([(
            "a",
            Arc::new(StringViewArray::from(vec![Some("x"), Some(""), None])) as ArrayRef,
        )])
        .unwrap();
        let fingerprints = rows(&plain, &["a"]).unwrap();
        assert_eq!(fingerprints, rows(&view, &["a"]).unwrap());
        assert_ne!(fingerprints[1], fingerprints[2]);
    }

    #[test]
    fn columns_do_not_run_into_each_other() {
        let of = |a: &str, b: &str| {
            let batch = RecordBatch::try_from_iter([
                ("a", Arc::new(StringArray::from(vec![a])) as ArrayRef),
                ("b", Arc::new(StringArray::from(vec![b])) as ArrayRef),
            ]);
            rows(&batch.unwrap(), &["a", "b"]).unwrap()[0]
        };
        assert_ne!(of("ab", "c"), of("a", "bc"));
    }

    #[test]
    fn what_a_value_hashes_to_is_another_matter_in_another_process() {
        let hashed = |seed| {
            let mut states = vec![0; 3];
            fold_seeded(seed, &mut states, ["u1", "u2", "u1"].iter().map(Some));
            states
        };
        let (one, other) = (hashed(1), hashed(2));
        assert_eq!((one[0], other[0]), (one[2], other[2]));
        assert!(one[0] != other[0] && one[1] != other[1] && one[0] != one[1]);
        assert_eq!(seed(), seed());
    }

    #[test]
    fn versions_sort_by_time_then_position_with_null_lowest() {
        let batch = RecordBatch::try_from_iter([
            (
                "source_updated_at",
                Arc::new(Int64Array::from(vec![
                    None,
                    Some(1),
                    Some(1),
                    Some(1),
                    Some(1),
                    Some(2),
                ])) as ArrayRef,
            ),
            (
                "load_id",
                Arc::new(StringArray::from(vec![
                    Some("9"),
                    None,
                    None,
                    None,
                    Some("1"),
                    None,
                ])) as ArrayRef,
            ),
            (
                "source_ref",
                Arc::new(StringArray::from(vec![
                    "file:z#9",
                    "file:a-9#9",
                    "file:a-9#10",
                    "file:a-10#1",
                    "file:a#1",
                    "file:a#1",
                ])) as ArrayRef,
            ),
        ]);
        let versions = versions(&batch.unwrap()).unwrap();
        assert!(versions.windows(2).all(|w| w[0] < w[1]), "{versions:?}");
    }
}
