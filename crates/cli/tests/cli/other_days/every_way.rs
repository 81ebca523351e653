//! One truth however it was come by: night by night or at once, in whatever order of lines, by any number of threads.

use std::collections::BTreeMap;
use std::path::Path;

use super::{Night, at_once, night_by_night, random_night, standing};
use crate::world::{Lcg, assert_same};

/// The nights with the lines of each source in another order. Every line carries its own time, so none is a tie.
fn shuffled(nights: &[Night], random: &mut Lcg) -> Vec<Night> {
    let mut nights = nights.to_vec();
    for lines in nights.iter_mut().flat_map(BTreeMap::values_mut) {
        for i in (1..lines.len()).rev() {
            lines.swap(i, random.below(i + 1));
        }
    }
    nights
}

/// Makes lakes in a folder whose configuration names so many threads.
fn told(dir: &Path, way: &str, threads: usize) -> std::path::PathBuf {
    let place = dir.join(format!("{way}-{threads}"));
    std::fs::create_dir(&place).unwrap();
    std::fs::write(
        place.join("nsc.toml"),
        format!("[resources]\nthreads = {threads}\n"),
    )
    .unwrap();
    place
}

#[test]
fn every_way_to_load_and_run_by_1_2_and_4_threads_ends_in_the_same_rows() {
    let mut random = Lcg(77);
    let nights: Vec<Night> = (0..3).map(|n| random_night(&mut random, n)).collect();
    let dir = tempfile::tempdir().unwrap();
    let mut first = None;
    for threads in [1, 2, 4] {
        let grown = told(dir.path(), "nights", threads);
        night_by_night(&grown.join("lake"), &grown, &nights, &["silver", "b", "c"]);
        let fresh = told(dir.path(), "at-once", threads);
        at_once(&fresh.join("lake"), &fresh, &nights);
        let mixed = told(dir.path(), "shuffled", threads);
        let other = shuffled(&nights, &mut random);
        at_once(&mixed.join("lake"), &mixed, &other);
        for place in [grown, fresh, mixed] {
            let found = standing(&place.join("lake"));
            let wanted = first.get_or_insert_with(|| found.clone());
            eprintln!("{}", place.display());
            assert_same(&found, wanted);
            assert!(!wanted["gold.recon_daily_snapshot_flow"].is_empty());
        }
    }
}
