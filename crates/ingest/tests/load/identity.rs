//! Each delivery once, each input in one commit.
//! Holds lakehouse contract 2, "Deliveries".

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use nsc_core::UtcMicros;
use nsc_ingest::{FileOutcome, IngestError, LoadRequest, LoadSummary, Reason};

use crate::support::{World, gzip, lines, request};

/// Says that a file was written so many seconds after 2026-01-05T00:00:00Z.
fn written(path: &Path, seconds: u64) {
    let at = SystemTime::UNIX_EPOCH + Duration::from_secs(1_767_571_200 + seconds);
    let file = std::fs::File::options().write(true).open(path).unwrap();
    file.set_modified(at).unwrap();
}

/// Marks a request with what tells its delivery from others.
type Marks = dyn Fn(&mut LoadRequest);

async fn reason(world: &World, file: &Path, with: impl FnOnce(&mut LoadRequest)) -> Reason {
    let mut request = request([file]);
    request.source_system = None;
    with(&mut request);
    let summary = nsc_ingest::load(&world.lake, request, &()).await.unwrap();
    let file = &summary.files[0];
    let is_loaded = file.outcome == FileOutcome::Loaded;
    assert_eq!(is_loaded, file.load_id.is_some(), "{file:?}");
    assert!(is_loaded || file.counts.rows == 0, "{file:?}");
    file.reason
}

#[tokio::test(flavor = "multi_thread")]
async fn known_bytes_are_a_new_delivery_when_what_marks_them_is_new() {
    let world = World::new();
    let text = lines(0..10);
    let file = |folder: &str, name: &str, seconds| {
        let path = world.file(&format!("{folder}/{name}"), &text);
        written(&path, seconds);
        path
    };
    let (first, copy) = (file("1", "a.jsonl", 0), file("2", "a.jsonl", 0));
    let (touched, other) = (file("3", "a.jsonl", 1), file("4", "b.jsonl", 0));
    let batch = |id: &'static str| move |r: &mut LoadRequest| r.batch_id = Some(id.to_owned());
    let extracted = |r: &mut LoadRequest| r.source_extracted_at = UtcMicros::parse("2026-01-05T12:00:00Z");
    let both = |r: &mut LoadRequest| {
        r.batch_id = Some("1".to_owned());
        r.source_extracted_at = UtcMicros::parse("2026-01-05T12:00:00Z");
    };
    let system = |r: &mut LoadRequest| r.source_system = Some("account-svc".to_owned());
    let nothing = |_: &mut LoadRequest| {};
    use Reason::{NewContent, NewDelivery, SameDelivery};
    let rows: [(&str, &PathBuf, &Marks, Reason); 16] = [
        ("first", &first, &nothing, NewContent),
        ("again", &first, &nothing, SameDelivery),
        ("a copy of name and time", &copy, &nothing, SameDelivery),
        ("written again", &touched, &nothing, NewDelivery),
        ("another name", &other, &nothing, NewDelivery),
        ("a batch", &first, &batch("1"), NewDelivery),
        ("the batch as another file", &touched, &batch("1"), SameDelivery),
        ("the next batch", &first, &batch("2"), NewDelivery),
        ("a time of extraction", &first, &extracted, NewDelivery),
        ("the time again", &other, &extracted, SameDelivery),
        ("batch and time", &first, &both, NewDelivery),
        ("batch and time again", &copy, &both, SameDelivery),
        ("another system", &first, &system, NewDelivery),
        // A system's name says nothing of when: a quiet day's extract is a delivery of its own.
        ("the system, written again", &touched, &system, NewDelivery),
        ("the system again", &touched, &system, SameDelivery),
        ("all of it once more", &first, &nothing, SameDelivery),
    ];
    for (what, file, marks, wanted) in rows {
        assert_eq!(reason(&world, file, marks).await, wanted, "{what}");
    }
    assert_eq!(world.rows().await, 90);
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_that_carry_their_marks_need_no_other() {
    for (field, is_mark) in [
        ("\"source_extracted_at\":\"2026-01-05T01:00:00Z\"", true),
        ("\"batch_id\":\"b\"", true),
        ("\"ingested_at\":\"2026-01-05T01:00:00Z\"", true),
        ("\"source_system\":\"s\"", false),
        ("\"source_extracted_at\":\"yesterday\"", false),
        ("\"batch_id\":\" \"", false),
        ("\"Batch_Id\":\"b\"", false),
    ] {
        let world = World::new();
        let marked = |extra: &str| lines(0..5).replace('}', &format!(",{field}}}")) + extra;
        let file = world.file("a.jsonl", marked("broken\n\n"));
        written(&file, 0);
        assert_eq!(reason(&world, &file, |_| {}).await, Reason::NewContent);
        let copy = world.file("b.jsonl", marked("broken\n\n"));
        written(&copy, 9);
        let wanted = if is_mark {
            Reason::SameDelivery
        } else {
            Reason::NewDelivery
        };
        assert_eq!(reason(&world, &copy, |_| {}).await, wanted, "{field}");
        // One line without a mark, and the file has none.
        let one = "{\"tx_id\":\"x\",\"wallet_id\":\"w\",\"type\":\"HOLD\",\"amount\":\"1\"}\n";
        let file = world.file("c.jsonl", marked(one));
        written(&file, 0);
        assert_eq!(reason(&world, &file, |_| {}).await, Reason::NewContent);
        written(&file, 1);
        assert_eq!(
            reason(&world, &file, |_| {}).await,
            Reason::NewDelivery,
            "{field}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_is_loaded_once_however_it_is_compressed() {
    let world = World::new();
    let text = lines(0..1_000);
    let file = |name: &str, bytes: &[u8]| -> PathBuf {
        let path = world.file(name, bytes);
        written(&path, 0);
        path
    };
    let first = world.load([file("a.jsonl", text.as_bytes())]).await.unwrap();
    assert_eq!(
        (first.counts.rows, first.counts.lines, first.already_loaded),
        (1_000, 1_000, 0)
    );
    let version = world.version().await;
    let again = [
        file("a.jsonl", text.as_bytes()),
        file("a.jsonl.gz", &gzip(text.as_bytes())),
        file("a.jsonl.zst", &zstd::encode_all(text.as_bytes(), 1).unwrap()),
    ];
    let second = world.load(again).await.unwrap();
    assert_eq!((second.counts.rows, second.already_loaded), (0, 3));
    let load = first.files[0].load_id.as_ref().unwrap();
    for file in &second.files {
        assert!(file.content == first.files[0].content && file.bytes == text.len() as u64);
        assert!(
            load.as_str().starts_with(file.earlier_load.as_ref().unwrap()),
            "{file:?}"
        );
    }
    assert_eq!(
        (world.rows().await, world.version().await, world.data_files()),
        (1_000, version, 1)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_loaded_before_deliveries_were_told_apart_is_a_delivery_when_it_is_marked() {
    let world = World::new();
    let file = world.file("a.jsonl", lines(0..10));
    let former = |world: &World| {
        let lake = world.lake.clone();
        async move {
            let mut table = lake
                .table(crate::support::source().bronze_contract().unwrap())
                .await
                .unwrap();
            let content = blake3::hash(lines(0..10).as_bytes()).to_hex();
            let transaction = vec![(format!("ingest/{content}"), 1)];
            table
                .commit_append(nsc_lake::Staged::default(), transaction, Vec::new())
                .await
                .unwrap();
        }
    };
    former(&world).await;
    assert_eq!(reason(&world, &file, |_| {}).await, Reason::SameContent);
    let batch = |r: &mut LoadRequest| r.batch_id = Some("1".to_owned());
    assert_eq!(reason(&world, &file, batch).await, Reason::NewDelivery);
    assert_eq!(reason(&world, &file, batch).await, Reason::SameDelivery);
    assert_eq!(reason(&world, &file, |r| r.force = true).await, Reason::Forced);
    assert_eq!(world.rows().await, 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_looks_as_it_did_is_not_read_again() {
    let world = World::new();
    let file = world.file("a.jsonl", lines(0..10));
    written(&file, 0);
    let later = |r: &mut LoadRequest| r.clock = UtcMicros::parse("2100-01-01T00:00:00Z").unwrap();
    // The clock of the first load says that the file had just been written: that is looked into once more.
    assert_eq!(reason(&world, &file, |_| {}).await, Reason::NewContent);
    assert_eq!(reason(&world, &file, later).await, Reason::SameDelivery);
    let version = world.version().await;
    assert_eq!(reason(&world, &file, later).await, Reason::SameFile);
    let verified = |r: &mut LoadRequest| {
        later(r);
        r.verify = true;
    };
    assert_eq!(reason(&world, &file, verified).await, Reason::SameDelivery);
    assert_eq!((world.version().await, world.data_files()), (version, 1));
    // As large, and said to be as old: the system knows better.
    world.file("a.jsonl", lines(0..10).replace("tx-0", "tx-1"));
    written(&file, 0);
    assert_eq!(reason(&world, &file, later).await, Reason::NewContent);
    assert_eq!(reason(&world, &file, later).await, Reason::SameFile);
    // Other marks make another delivery of what is known.
    let batch = |r: &mut LoadRequest| {
        later(r);
        r.batch_id = Some("1".to_owned());
    };
    assert_eq!(reason(&world, &file, batch).await, Reason::NewDelivery);
    assert_eq!(reason(&world, &file, batch).await, Reason::SameFile);
    let forced = |r: &mut LoadRequest| {
        batch(r);
        r.force = true;
    };
    assert_eq!(reason(&world, &file, forced).await, Reason::Forced);
    // Without its record a file is read again, and a record without its table loads nothing away.
    std::fs::remove_dir_all(world.dir.path().join("lake/_nsc")).unwrap();
    assert_eq!(reason(&world, &file, batch).await, Reason::SameDelivery);
    assert_eq!(reason(&world, &file, batch).await, Reason::SameFile);
    std::fs::remove_dir_all(world.dir.path().join("lake/bronze")).unwrap();
    let world = world.opened_again();
    assert_eq!(reason(&world, &file, batch).await, Reason::NewContent);
    assert_eq!(world.rows().await, 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_request_never_loads_a_delivery_twice_and_force_loads_it_once_more() {
    let world = World::new();
    let (a, b) = (
        world.file("1/a.jsonl", lines(0..10)),
        world.file("2/a.jsonl", lines(0..10)),
    );
    written(&a, 0);
    written(&b, 0);
    let outcomes = |s: &LoadSummary| s.files.iter().map(|f| f.outcome).collect::<Vec<_>>();
    let first = world.load([&a, &b, &a]).await.unwrap();
    assert_eq!(
        outcomes(&first),
        [
            FileOutcome::Loaded,
            FileOutcome::AlreadyLoaded,
            FileOutcome::AlreadyLoaded
        ]
    );
    for rows in [20, 30] {
        let mut forced = request([&a, &b]);
        forced.force = true;
        let summary = nsc_ingest::load(&world.lake, forced, &()).await.unwrap();
        assert_eq!(
            outcomes(&summary),
            [FileOutcome::Loaded, FileOutcome::AlreadyLoaded]
        );
        assert_eq!(world.rows().await, rows);
    }
    assert_eq!(world.load([&a]).await.unwrap().already_loaded, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_racing_loads_of_one_content_exactly_one_wins() {
    for _ in 0..5 {
        let world = World::new();
        world
            .load([world.file("before.jsonl", lines(5_000..5_001))])
            .await
            .unwrap();
        let file = world.file("a.jsonl", lines(0..2_000));
        let racing = (0..4).map(|_| {
            let (lake, request) = (world.lake.clone(), request([&file]));
            tokio::spawn(async move { nsc_ingest::load(&lake, request, &()).await.unwrap() })
        });
        let ended = futures::future::join_all(racing.collect::<Vec<_>>()).await;
        let skipped: usize = ended.into_iter().map(|s| s.unwrap().already_loaded).sum();
        assert_eq!((skipped, world.rows().await), (3, 2_001));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn racing_loads_of_different_contents_with_new_columns_all_end_up_in_the_table() {
    let world = World::new();
    let racing = (0..4).map(|i| {
        let cased = if i < 2 { "Cased" } else { "CASED" };
        let text = format!("{{\"tx_id\":\"{i}\",\"new{i}\":1,\"shared\":2,\"{cased}\":3}}\n");
        let (lake, request) = (
            world.lake.clone(),
            request([world.file(&format!("{i}.jsonl"), text)]),
        );
        tokio::spawn(async move { nsc_ingest::load(&lake, request, &()).await })
    });
    for ended in futures::future::join_all(racing.collect::<Vec<_>>()).await {
        ended.unwrap().unwrap();
    }
    let found = world
        .query("select tx_id, new0, new1, new2, new3, shared from t order by tx_id")
        .await;
    assert_eq!(found, ["0|1||||2", "1||1|||2", "2|||1||2", "3||||1|2"]);
    let table = world
        .lake
        .table(crate::support::source().bronze_contract().unwrap())
        .await
        .unwrap();
    let mut cased: Vec<String> = table
        .schema()
        .fields()
        .iter()
        .map(|f| f.name().clone())
        .filter(|n| n.to_lowercase().starts_with("cased"))
        .collect();
    cased.sort();
    assert!(
        cased == ["CASED", "Cased__2"] || cased == ["CASED__2", "Cased"],
        "{cased:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_input_that_fails_adds_nothing_and_those_before_it_stay() {
    let world = World::new();
    // Large enough for several chunks to be written before the cut is met.
    let long = gzip(lines(0..200_000).as_bytes());
    let cut = world.file("b.jsonl.gz", &long[..long.len() - 9]);
    let whole = world.file("a.jsonl", lines(300_000..300_010));
    let failure = world.load([&whole, &cut]).await.unwrap_err();
    assert!(
        matches!(&failure, IngestError::Truncated { input, line } if input.ends_with("b.jsonl.gz") && *line > 0),
        "{failure:?}"
    );
    assert_eq!((world.rows().await, world.data_files()), (10, 1));
    world.file("b.jsonl.gz", &long);
    let summary = world.load([&whole, &cut]).await.unwrap();
    assert_eq!(
        (summary.counts.rows, summary.already_loaded, world.rows().await),
        (200_000, 1, 200_010)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_commit_says_what_was_loaded() {
    let world = World::new();
    world
        .load([world.file("dir/a.jsonl", "{\"tx_id\":1}\n\nbroken\n")])
        .await
        .unwrap();
    let table = world
        .lake
        .table(crate::support::source().bronze_contract().unwrap())
        .await
        .unwrap();
    let history = table.history(Some(1)).await.unwrap();
    let said = history[0].get("ingest").unwrap().to_string();
    for part in [
        "\"file\":\"a.jsonl\"",
        "\"lines\":3",
        "\"blank\":1",
        "\"rows\":2",
        "\"malformed\":1",
        "\"truncated\":0",
    ] {
        assert!(said.contains(part), "{said}");
    }
}
