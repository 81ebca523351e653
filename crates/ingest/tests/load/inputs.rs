//! What may be named as an input, and what is said of the rest.

use std::sync::Mutex;

use nsc_core::{ErrorCode, OperatorError};
use nsc_ingest::{FileSummary, IngestError, Input, LoadObserver};

use crate::support::{World, gzip, lines, request};

#[tokio::test(flavor = "multi_thread")]
async fn directories_patterns_and_compressed_files_are_loaded_in_order() {
    let world = World::new();
    world.file("day/b.jsonl", lines(0..10));
    world.file("day/a.ndjson.gz", gzip(lines(10..20).as_bytes()));
    world.file(
        "day/c.json.zst",
        zstd::encode_all(lines(20..30).as_bytes(), 1).unwrap(),
    );
    world.file("day/empty.jsonl", "");
    world.file("day/readme.txt", "not a source");
    let summary = world.load([world.dir.path().join("day")]).await.unwrap();
    let names: Vec<_> = summary
        .files
        .iter()
        .map(|f| (f.input.rsplit('/').next().unwrap(), f.counts.rows))
        .collect();
    assert_eq!(
        names,
        [
            ("a.ndjson.gz", 10),
            ("b.jsonl", 10),
            ("c.json.zst", 10),
            ("empty.jsonl", 0)
        ]
    );
    assert_eq!(
        world
            .load([world.dir.path().join("day/*.j*")])
            .await
            .unwrap()
            .already_loaded,
        3
    );
    let left_out: Vec<String> = summary.left_out.iter().map(ToString::to_string).collect();
    assert_eq!(left_out.len(), 1);
    assert!(left_out[0].contains("day/readme.txt: no .jsonl"), "{left_out:?}");
    let refs = world
        .query("select min(source_ref), max(source_ref), count(*) from t")
        .await;
    assert_eq!(refs, ["file:a.ndjson.gz#1|file:c.json.zst#9|30"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn inputs_are_checked_before_the_first_is_loaded() {
    let world = World::new();
    let good = world.file("good.jsonl", lines(0..10));
    world.file("binary.jsonl", [b"{\"a\":1}\n".as_slice(), &[0; 100]].concat());
    world.file("utf16.jsonl", [0xff, 0xfe, b'{', 0, b'}', 0]);
    world.file("plain.jsonl.gz", "{}");
    world.file("cut.jsonl.gz", &gzip(lines(0..10).as_bytes())[..30]);
    std::fs::create_dir(world.dir.path().join("nothing")).unwrap();
    world.file("mixed/a.jsonl", lines(0..10));
    world.file("mixed/b.jsonl.xz", b"\xfd7zXZ\0");
    world.file("mixed/c.csv", "tx_id,amount\n1,2\n");
    world.file("csv/c.csv", "tx_id,amount\n1,2\n");
    world.file("c.csv", "tx_id,amount\n1,2\n");
    for (name, code) in [
        ("binary.jsonl", ErrorCode::InputNotText),
        ("utf16.jsonl", ErrorCode::InputNotText),
        ("plain.jsonl.gz", ErrorCode::InputNotText),
        ("cut.jsonl.gz", ErrorCode::InputTruncated),
        ("missing.jsonl", ErrorCode::InputUnreadable),
        ("nothing", ErrorCode::NoInputFiles),
        ("*.tsv", ErrorCode::NoInputFiles),
        // A form that is not read is refused however it is named.
        ("mixed", ErrorCode::InputNotText),
        ("csv", ErrorCode::InputNotText),
        ("c.csv", ErrorCode::InputNotText),
        ("a***", ErrorCode::Usage),
    ] {
        let error = world
            .load([good.clone(), world.dir.path().join(name)])
            .await
            .unwrap_err();
        assert_eq!(error.code(), code, "{name}: {error}");
        assert!(
            error.to_string().contains(name) && !error.to_string().contains('\n') && error.hint().is_some(),
            "{name}: {error}"
        );
        assert_eq!(world.data_files(), 0, "{name}");
    }
    for pattern in ["mixed/b*", "mix*"] {
        let refused = world.load([world.dir.path().join(pattern)]).await.unwrap_err();
        assert_eq!(refused.code(), ErrorCode::InputNotText, "{pattern}: {refused}");
    }
    let alone = world.load([world.dir.path().join("c.csv")]).await.unwrap_err();
    assert_eq!(
        (alone.code(), alone.detail().unwrap().as_str()),
        (ErrorCode::InputNotText, "CSV")
    );
    assert_eq!(world.data_files(), 0);
    let mixed = world.load([world.dir.path().join("mixed")]).await.unwrap_err();
    assert_eq!(
        mixed.detail().unwrap(),
        "b.jsonl.xz: its name says xz\nc.csv: its name says CSV"
    );
    let mut long = request([&good]);
    long.batch_id = Some("x".repeat(2_000));
    assert!(matches!(
        nsc_ingest::load(&world.lake, long, &()).await,
        Err(IngestError::OptionTooLong { .. })
    ));
    assert_eq!(Input::from("-"), Input::Stdin);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_directory_holds_besides_is_in_the_summary_and_refuses_no_load() {
    let world = World::new();
    world.file("day/a.jsonl", lines(0..10));
    world.file("day/b.gzip", gzip(lines(10..20).as_bytes()));
    world.file("day/c.jsonl.part2", lines(20..30));
    world.file("day/.d.jsonl.Xy", lines(30..40));
    world.file("day/below/e.jsonl", lines(40..50));
    let summary = world.load([world.dir.path().join("day")]).await.unwrap();
    assert_eq!(summary.counts.rows, 10);
    let json = serde_json::to_value(&summary).unwrap();
    let left_out: Vec<(&str, &str)> = json["left_out"]
        .as_array()
        .unwrap()
        .iter()
        .map(|l| {
            let name = l["input"].as_str().unwrap().rsplit('/').next().unwrap();
            (name, l["reason"].as_str().unwrap())
        })
        .collect();
    assert_eq!(
        left_out,
        [
            (".d.jsonl.Xy", "hidden"),
            ("b.gzip", "named_otherwise"),
            ("below", "directory"),
            ("c.jsonl.part2", "named_otherwise"),
        ]
    );
    // Named by itself each is taken for what it is.
    let named = ["day/b.gzip", "day/c.jsonl.part2"].map(|name| world.dir.path().join(name));
    assert_eq!(world.load(named).await.unwrap().counts.rows, 20);
    // A directory that holds nothing else says what it holds.
    world.file("other/x.txt", "about");
    let refused = world.load([world.dir.path().join("other")]).await.unwrap_err();
    assert!(
        refused.detail().unwrap().contains("x.txt: no .jsonl"),
        "{refused:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pipe_is_read_once_and_is_a_delivery_of_its_own_unless_it_is_marked() {
    let world = World::new();
    let pipe = world.dir.path().join("pipe");
    for (batch, rows) in [
        (None, 50_000),
        (None, 100_000),
        (Some("1"), 150_000),
        (Some("1"), 150_000),
    ] {
        let _ = std::fs::remove_file(&pipe);
        assert!(
            std::process::Command::new("mkfifo")
                .arg(&pipe)
                .status()
                .unwrap()
                .success()
        );
        let writer = std::thread::spawn({
            let pipe = pipe.clone();
            move || std::fs::write(pipe, gzip(lines(0..50_000).as_bytes())).unwrap()
        });
        let mut wanted = request([&pipe]);
        wanted.batch_id = batch.map(str::to_owned);
        nsc_ingest::load(&world.lake, wanted, &()).await.unwrap();
        writer.join().unwrap();
        assert_eq!(world.rows().await, rows);
    }
    assert_eq!(
        world.query("select min(source_ref) from t").await,
        ["file:pipe#1"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_of_100_mb_is_kept_cut() {
    let world = World::new();
    let long = format!(
        "{{\"tx_id\":\"1\"}}\n{{\"status\":\"{}\"}}\n{{\"tx_id\":\"3\"}}\n",
        "y".repeat(100_000_000)
    );
    let summary = world
        .load([world.file("a.jsonl.zst", zstd::encode_all(long.as_bytes(), 1).unwrap())])
        .await
        .unwrap();
    assert_eq!(
        (
            summary.counts.rows,
            summary.counts.malformed,
            summary.counts.truncated
        ),
        (3, 1, 1)
    );
    let found = world.query("select source_ref, octet_length(_corrupt_record), right(_corrupt_record, 31) from t where _corrupt_record is not null").await;
    assert_eq!(
        found,
        ["file:a.jsonl.zst#2|1048608|y …[truncated: 100000013 bytes]"]
    );
}

#[derive(Default)]
struct Log(Mutex<Vec<String>>);

impl LoadObserver for Log {
    fn started(&self, total_bytes: Option<u64>) {
        self.0.lock().unwrap().push(format!("started {total_bytes:?}"));
    }
    fn progress(&self, bytes: u64, lines: u64) {
        self.0.lock().unwrap().push(format!("progress {bytes} {lines}"));
    }
    fn file_finished(&self, file: &FileSummary) {
        self.0
            .lock()
            .unwrap()
            .push(format!("finished {:?} {}", file.outcome, file.counts.rows));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_observer_sees_every_byte_and_line() {
    let world = World::new();
    let text = lines(0..100);
    let log = Log::default();
    let file = world.file("a.jsonl", &text);
    let inputs = [&file, &file];
    let summary = nsc_ingest::load(&world.lake, request(inputs), &log)
        .await
        .unwrap();
    let seen = log.0.into_inner().unwrap();
    let total = 2 * text.len();
    assert_eq!(seen.first(), Some(&format!("started Some({total})")));
    assert!(
        seen.contains(&format!("progress {total} 100")) && seen.contains(&"finished Loaded 100".to_owned()),
        "{seen:?}"
    );
    assert_eq!(seen.last(), Some(&"finished AlreadyLoaded 0".to_owned()));
    let json = serde_json::to_value(&summary).unwrap();
    assert_eq!(
        (
            json["rows"].as_u64(),
            json["files"][1]["outcome"].as_str(),
            json["files"][0]["lines"].as_u64()
        ),
        (Some(100), Some("already_loaded"), Some(100))
    );
}
