//! Options that make no sense are refused, and the message says which and why.

use std::fs;

use nsc_sample::{SampleError, SampleOptions, generate};
use tempfile::TempDir;

fn refusal(change: impl FnOnce(&mut SampleOptions)) -> String {
    let directory = TempDir::new().unwrap();
    let mut options = SampleOptions::new(directory.path().join("out"));
    change(&mut options);
    let error = generate(&options, &mut |_| {}).unwrap_err();
    assert!(!options.out.exists(), "refused options leave no directory behind");
    error.to_string()
}

#[test]
fn each_check_names_the_option() {
    assert_eq!(refusal(|o| o.wallets = 19), "wallets must be at least 20, got 19");
    assert_eq!(
        refusal(|o| o.wallets = usize::MAX),
        format!("wallets must be at most 50000000, got {}", usize::MAX)
    );
    assert_eq!(
        refusal(|o| o.entries_per_day = u64::MAX),
        format!("entries_per_day must be at most 10000000000, got {}", u64::MAX)
    );
    assert_eq!(refusal(|o| o.days = 0), "days must be at least 1");
    assert_eq!(
        refusal(|o| o.bad_rate = Some(0.01)),
        "bad_rate needs faults: a clean world has no bad lines"
    );
    for rate in [-0.1, 1.5, f64::NAN] {
        let message = refusal(|o| (o.faults, o.bad_rate) = (true, Some(rate)));
        assert_eq!(message, format!("bad_rate must be between 0 and 1, got {rate}"));
    }
    for date in ["2026-02-30", "yesterday", "20260105", "2026-1-5", ""] {
        let message = refusal(|o| o.first_date_kst = date.to_owned());
        assert_eq!(
            message,
            format!("first_date_kst must be a date written YYYY-MM-DD, got {date:?}")
        );
    }
    for (date, days) in [("0999-01-01", 1), ("9999-12-31", 1), ("2026-01-05", u32::MAX)] {
        let message = refusal(|o| (o.first_date_kst, o.days) = (date.to_owned(), days));
        assert!(
            message.starts_with(&format!("the days from {date} on")),
            "{message}"
        );
    }
}

#[test]
fn a_directory_that_cannot_be_made_is_named() {
    let directory = TempDir::new().unwrap();
    let in_the_way = directory.path().join("file");
    fs::write(&in_the_way, "").unwrap();
    let out = in_the_way.join("out");
    let error = generate(&SampleOptions::new(&out), &mut |_| {}).unwrap_err();
    assert!(matches!(error, SampleError::CreateDirectory { .. }));
    assert_eq!(
        error.to_string(),
        format!("cannot create the output directory {}", out.display())
    );
}

#[test]
fn a_file_that_cannot_be_made_is_named() {
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("orders.jsonl");
    fs::create_dir(&file).unwrap();
    let options = SampleOptions {
        overwrite: true,
        ..SampleOptions::new(directory.path())
    };
    let error = generate(&options, &mut |_| {}).unwrap_err();
    assert_eq!(error.to_string(), format!("cannot create {}", file.display()));
}

#[test]
fn a_directory_with_files_of_others_is_left_as_it_is() {
    let directory = TempDir::new().unwrap();
    let file = |name: &str| directory.path().join(name);
    let options = SampleOptions {
        wallets: 20,
        entries_per_day: 0,
        ..SampleOptions::new(directory.path())
    };
    let refused = || generate(&options, &mut |_| {}).unwrap_err().to_string();
    let said = |names: &str| {
        format!(
            "{} holds files that are not of a sample: {names}",
            directory.path().display()
        )
    };
    fs::write(file("transaction_ledger.jsonl"), "mine").unwrap();
    assert_eq!(refused(), said("transaction_ledger.jsonl"));
    assert_eq!(
        fs::read_dir(directory.path()).unwrap().count(),
        1,
        "nothing was written"
    );
    assert_eq!(fs::read(file("transaction_ledger.jsonl")).unwrap(), b"mine");
    // Told to, it writes over it; from then on the files are its own.
    let forced = SampleOptions {
        overwrite: true,
        ..options.clone()
    };
    generate(&forced, &mut |_| {}).unwrap();
    generate(&options, &mut |_| {}).unwrap();
    // Until another one is put in the place of one of them, or beside them.
    fs::write(file("orders.jsonl"), "mine again").unwrap();
    assert_eq!(refused(), said("orders.jsonl"));
    generate(&forced, &mut |_| {}).unwrap();
    for n in 0..7 {
        fs::write(file(&format!("note-{n}.txt")), "").unwrap();
    }
    let many = said("note-0.txt, note-1.txt, note-2.txt, note-3.txt, note-4.txt, and 2 more");
    assert_eq!(refused(), many);
}

#[test]
fn a_clean_run_takes_away_the_ledger_of_faults_of_the_run_before() {
    let directory = TempDir::new().unwrap();
    for faults in [true, false] {
        let options = SampleOptions {
            wallets: 20,
            entries_per_day: 0,
            faults,
            ..SampleOptions::new(directory.path())
        };
        generate(&options, &mut |_| {}).unwrap();
        assert_eq!(directory.path().join("faults.json").exists(), faults);
    }
}

#[test]
fn the_smallest_world_works() {
    let directory = TempDir::new().unwrap();
    for (entries_per_day, faults) in [(0, false), (0, true), (1, true), (200, true)] {
        let options = SampleOptions {
            wallets: 20,
            days: 2,
            entries_per_day,
            faults,
            ..SampleOptions::new(directory.path())
        };
        let summary = generate(&options, &mut |_| {}).unwrap();
        assert_eq!(summary.days.len(), 2);
    }
}

#[test]
fn the_summary_is_one_json_object() {
    let directory = TempDir::new().unwrap();
    let summary = generate(&SampleOptions::new(directory.path()), &mut |_| {}).unwrap();
    let json = serde_json::to_value(&summary).unwrap();
    let object = json.as_object().unwrap();
    let fields = ["lines", "seconds", "lines_per_s", "by_source", "expected", "days"];
    assert_eq!(object.len(), fields.len());
    assert!(fields.iter().all(|field| object.contains_key(*field)));
    assert_eq!(json["by_source"]["transaction_ledger"], 20_000);
    assert_eq!(json["days"][0]["date_kst"], "2026-01-05");
    assert!(
        json["expected"]["bad_records"]["orders"]
            .as_object()
            .unwrap()
            .is_empty()
    );
}
