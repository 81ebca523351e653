//! On which days of a table some values may stand, told from a small set of hashes a day instead of from the day's rows: what
//! is looked for in the whole history costs what is looked for, and a little a day.
//!
//! A set is a cache: it names the data files it was made from and is made again when they are others. Hashes can only meet by
//! chance, and then a day is looked at in vain.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use arrow::array::{AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type};
use datafusion::common::DataFusionError;
use datafusion::prelude::DataFrame;
use futures::{StreamExt, TryStreamExt};
use nsc_core::DateKst;
use object_store::ObjectStoreExt;
use object_store::path::Path;
use twox_hash::XxHash3_64;

use crate::{DataFile, Lake, LakeError};

/// Sets that are read or made at once.
const AT_ONCE: usize = 8;
/// Length of the name of the files a set was made from.
const NAME: usize = blake3::OUT_LEN;
/// Length of a hash.
const HASH: usize = size_of::<u64>();

impl Lake {
    /// Of some files of a table all of those days that may hold one of `wanted` (the first column, texts or whole numbers).
    /// `values` gives those of a day's files, in its first column; `name` tells these sets from other ones.
    ///
    /// # Errors
    /// Storage and engine errors.
    pub async fn files_of_days_with(
        &self,
        name: &str,
        files: Vec<DataFile>,
        values: impl Fn(Vec<DataFile>) -> Result<DataFrame, DataFusionError>,
        wanted: &[RecordBatch],
    ) -> Result<Vec<DataFile>, LakeError> {
        let wanted = set_of_hashes(wanted)?;
        if wanted.is_empty() {
            return Ok(Vec::new());
        }
        let mut days: BTreeMap<Option<DateKst>, Vec<DataFile>> = BTreeMap::new();
        for file in files {
            days.entry(file.partition_date()).or_default().push(file);
        }
        let sets = days.into_iter().map(|(day, files)| {
            let place = place(name, day);
            let values = &values;
            async move {
                let set = self.set_of(&place, &files, values).await?;
                Ok::<_, LakeError>((set, files))
            }
        });
        let sets: Vec<_> = sets.collect();
        let sets: Vec<(Vec<u64>, Vec<DataFile>)> = futures::stream::iter(sets)
            .buffered(AT_ONCE)
            .try_collect()
            .await?;
        let with_some = sets.into_iter().filter(|(set, _)| have_common(set, &wanted));
        Ok(with_some.flat_map(|(_, files)| files).collect())
    }

    async fn set_of(
        &self,
        place: &Path,
        files: &[DataFile],
        values: &impl Fn(Vec<DataFile>) -> Result<DataFrame, DataFusionError>,
    ) -> Result<Vec<u64>, LakeError> {
        let store = self.internal_store()?;
        let name = name_of(files);
        match store.get(place).await {
            Ok(found) => {
                if let Some(set) = read(&found.bytes().await?, &name) {
                    return Ok(set);
                }
            }
            Err(object_store::Error::NotFound { .. }) => {}
            Err(e) => return Err(e.into()),
        }
        let set = set_of_hashes(&values(files.to_vec())?.collect().await?)?;
        store.put(place, written(&set, &name).into()).await?;
        Ok(set)
    }
}

fn place(name: &str, day: Option<DateKst>) -> Path {
    let day = day.map_or_else(|| "none".to_owned(), |d| d.to_string());
    Path::from_iter(["values", name, &day])
}

fn name_of(files: &[DataFile]) -> [u8; NAME] {
    let mut paths: Vec<&str> = files.iter().map(|f| f.path.as_str()).collect();
    paths.sort_unstable();
    *blake3::hash(paths.join("\n").as_bytes()).as_bytes()
}

/// One hash a text, and a whole number as it is, in order and each once; nulls have none.
fn set_of_hashes(batches: &[RecordBatch]) -> Result<Vec<u64>, LakeError> {
    let mut all = Vec::new();
    for batch in batches {
        if let Some(numbers) = batch.column(0).as_primitive_opt::<Int64Type>() {
            all.extend(numbers.iter().flatten().map(i64::cast_unsigned));
            continue;
        }
        let texts = cast(batch.column(0), &DataType::Utf8View)?;
        let texts = texts.as_string_view().iter().flatten();
        all.extend(texts.map(|text| XxHash3_64::oneshot(text.as_bytes())));
    }
    all.sort_unstable();
    all.dedup();
    Ok(all)
}

/// Whether two sets in order have a hash in common.
fn have_common(a: &[u64], b: &[u64]) -> bool {
    let (mut a, mut b) = (a.iter().peekable(), b.iter().peekable());
    while let (Some(x), Some(y)) = (a.peek(), b.peek()) {
        match x.cmp(y) {
            Ordering::Less => a.next(),
            Ordering::Greater => b.next(),
            Ordering::Equal => return true,
        };
    }
    false
}

/// The name, the hashes, and a hash of both: a file that was cut is no set.
fn written(set: &[u64], name: &[u8; NAME]) -> Vec<u8> {
    let mut bytes = name.to_vec();
    bytes.extend(set.iter().flat_map(|hash| hash.to_le_bytes()));
    let seal = XxHash3_64::oneshot(&bytes);
    bytes.extend(seal.to_le_bytes());
    bytes
}

/// The set, when it is whole and made from the files of that name.
fn read(bytes: &[u8], name: &[u8; NAME]) -> Option<Vec<u64>> {
    let number = |bytes: &[u8]| bytes.try_into().map(u64::from_le_bytes).ok();
    let (content, seal) = bytes.split_at_checked(bytes.len().checked_sub(HASH)?)?;
    let hashes = content.strip_prefix(name)?;
    if number(seal)? != XxHash3_64::oneshot(content) {
        return None;
    }
    hashes.chunks(HASH).map(number).collect()
}

#[cfg(test)]
mod tests {
    use super::{have_common, read, written};

    #[test]
    fn sets_have_a_hash_in_common_or_none() {
        for (a, b, common) in [
            (&[][..], &[][..], false),
            (&[1], &[], false),
            (&[1, 3, 5], &[0, 2, 4, 6], false),
            (&[1, 3, 5], &[0, 5], true),
            (&[7], &[1, 2, 7, 9], true),
        ] {
            assert_eq!(
                (have_common(a, b), have_common(b, a)),
                (common, common),
                "{a:?} {b:?}"
            );
        }
    }

    #[test]
    fn a_set_is_read_back_whole_or_not_at_all() {
        let (name, other) = ([7; 32], [8; 32]);
        for set in [vec![], vec![0], vec![1, 2, u64::MAX]] {
            let bytes = written(&set, &name);
            assert_eq!(read(&bytes, &name), Some(set));
            assert_eq!(read(&bytes, &other), None);
            for cut in 0..bytes.len() {
                assert_eq!(read(&bytes[..cut], &name), None, "cut at {cut}");
            }
            for place in 0..bytes.len() {
                let mut flipped = bytes.clone();
                flipped[place] ^= 1;
                assert_eq!(read(&flipped, &name), None, "flipped at {place}");
            }
        }
    }
}
