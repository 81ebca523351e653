//! Each content once, each input in one commit.

use nsc_ingest::{FileOutcome, IngestError};

use crate::support::{World, gzip, lines, request};

#[tokio::test(flavor = "multi_thread")]
async fn the_same_content_is_loaded_once_under_any_name() {
    let world = World::new();
    let text = lines(0..1_000);
    let first = world.load([world.file("a.jsonl", &text)]).await.unwrap();
    assert_eq!(
        (first.counts.rows, first.counts.lines, first.already_loaded),
        (1_000, 1_000, 0)
    );
    let version = world.version().await;
    let again = [
        world.file("a.jsonl", &text),
        world.file("b.jsonl", &text),
        world.file("c.jsonl.gz", gzip(text.as_bytes())),
        world.file("d.jsonl.zst", zstd::encode_all(text.as_bytes(), 1).unwrap()),
    ];
    let second = world.load(again).await.unwrap();
    assert_eq!((second.counts.rows, second.already_loaded), (0, 4));
    assert!(
        second
            .files
            .iter()
            .all(|f| f.content == first.files[0].content && f.bytes == text.len() as u64)
    );
    assert_eq!(
        (world.rows().await, world.version().await, world.data_files()),
        (1_000, version, 1)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn one_request_never_loads_a_content_twice_and_force_loads_it_once_more() {
    let world = World::new();
    let (a, b) = (
        world.file("a.jsonl", lines(0..10)),
        world.file("b.jsonl", lines(0..10)),
    );
    let outcomes = |s: &nsc_ingest::LoadSummary| s.files.iter().map(|f| f.outcome).collect::<Vec<_>>();
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
    let history = table.history(1).await.unwrap();
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
