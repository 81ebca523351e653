//! `GET /admin/wallets/{wallet_id}/tx`

use nsc_store::LedgerRow;
use serde_json::{Value, json};

use crate::world::{World, at, entry, order};

const WALLET: &str = "/admin/wallets/w-1/tx";

async fn page(world: &World, query: &str) -> Value {
    let answer = world.get(&format!("{WALLET}{query}")).await;
    assert_eq!(answer.status, 200, "{query}: {answer:?}");
    answer.json()
}

fn ids(page: &Value) -> Vec<String> {
    let entries = page["entries"].as_array().cloned().unwrap_or_default();
    assert_eq!(page["count"], entries.len());
    entries
        .iter()
        .filter_map(|e| Some(e["tx_id"].as_str()?.to_owned()))
        .collect()
}

/// `count` entries, three at each second.
fn many(count: usize) -> Vec<LedgerRow> {
    (0..count)
        .map(|n| {
            entry(
                &format!("tx-{n:03}"),
                "w-1",
                "CHARGE",
                None,
                &format!("2026-01-05T01:00:{:02}Z", n / 3),
            )
        })
        .collect()
}

/// The order of the contract: event time descending, then tx id.
fn in_order(mut rows: Vec<LedgerRow>) -> Vec<String> {
    rows.sort_by(|a, b| {
        b.event_time
            .cmp(&a.event_time)
            .then_with(|| a.tx_id.cmp(&b.tx_id))
    });
    rows.into_iter().map(|row| row.tx_id).collect()
}

/// All pages from the first on.
async fn walk(world: &World, limit: usize, window: &str) -> Vec<String> {
    walk_from(world, limit, window, "").await
}

async fn walk_from(world: &World, limit: usize, window: &str, cursor: &str) -> Vec<String> {
    let mut seen = Vec::new();
    let mut cursor = cursor.to_owned();
    loop {
        let page = page(world, &format!("?limit={limit}{window}{cursor}")).await;
        let ids = ids(&page);
        assert!(ids.len() <= limit);
        seen.extend(ids);
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return seen,
        }
    }
}

#[tokio::test]
async fn an_unknown_wallet_has_an_empty_page() {
    let world = World::start().await;
    let want = json!({"wallet_id": "w-1", "entries": [], "count": 0, "next_cursor": null});
    assert_eq!(page(&world, "").await, want);
}

#[tokio::test]
async fn a_line_says_what_a_single_lookup_says() {
    let world = World::start().await;
    let rows = vec![
        entry("tx-1", "w-1", "PAYMENT", Some("po-1"), "2026-01-05T01:00:00Z"),
        entry("tx-2", "w-2", "RECEIVE", Some("po-1"), "2026-01-05T01:00:00Z"),
        entry("tx-3", "w-1", "PAYMENT", Some("po-2"), "2026-01-05T01:00:02Z"),
        entry("tx-4", "w-1", "WITHDRAW", None, "2026-01-05T01:00:03Z"),
    ];
    world
        .apply(rows, vec![order("po-1", "PAID"), order("po-2", "PAID")])
        .await;
    let page = page(&world, "").await;
    assert_eq!(ids(&page), ["tx-4", "tx-3", "tx-1"]);
    for line in page["entries"].as_array().into_iter().flatten() {
        let tx_id = line["tx_id"].as_str().unwrap_or_default();
        let mut single = world.get(&format!("/admin/tx/{tx_id}")).await.json();
        single["data_lag_sec"] = line["data_lag_sec"].clone();
        assert_eq!(*line, single);
        assert_eq!(line["wallet_id"], "w-1");
    }
    let statuses: Vec<_> = page["entries"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|e| &e["pairing_status"])
        .collect();
    assert_eq!(statuses, ["UNKNOWN", "INCOMPLETE", "COMPLETE"]);
}

#[tokio::test]
async fn pages_of_any_size_give_every_entry_once_and_in_order() {
    let world = World::start().await;
    world.apply(many(50), vec![]).await;
    let want = in_order(many(50));
    for limit in [1, 7, 20, 49, 50, 51, 100] {
        assert_eq!(walk(&world, limit, "").await, want, "limit {limit}");
    }
    assert_eq!(ids(&page(&world, "").await), want[..20]);
}

#[tokio::test]
async fn the_window_begins_with_from_and_ends_before_to() {
    let world = World::start().await;
    world.apply(many(30), vec![]).await;
    let window = "&from=2026-01-05T01:00:02Z&to=2026-01-05T10:00:05%2B09:00";
    let within: Vec<_> = many(30)
        .into_iter()
        .filter(|row| (at("2026-01-05T01:00:02Z")..at("2026-01-05T01:00:05Z")).contains(&row.event_time))
        .collect();
    assert_eq!(within.len(), 9);
    assert_eq!(walk(&world, 4, window).await, in_order(within));
    assert_eq!(walk(&world, 4, "&from=2027-01-01T00:00:00Z").await, [""; 0]);
    assert_eq!(walk(&world, 100, "&to=2026-01-05T01:00:01Z").await.len(), 3);
}

#[tokio::test]
async fn what_arrives_meanwhile_neither_repeats_nor_hides_an_entry() {
    let world = World::start().await;
    world.apply(many(30), vec![]).await;
    let first = page(&world, "?limit=10").await;
    let cursor = first["next_cursor"].as_str().unwrap_or_default();
    // Before, at and after the place where the page ended.
    let late = ["tx-000a", "tx-018", "tx-019a", "tx-999"]
        .iter()
        .zip(["01:00:30", "01:00:06", "01:00:06", "01:00:01"])
        .map(|(id, time)| entry(id, "w-1", "CHARGE", None, &format!("2026-01-05T{time}Z")))
        .collect::<Vec<_>>();
    world.apply(late, vec![]).await;
    let mut seen = ids(&first);
    seen.extend(walk_from(&world, 10, "", &format!("&cursor={cursor}")).await);
    let mut unique = seen.clone();
    unique.sort_unstable();
    unique.dedup();
    assert_eq!(unique.len(), seen.len(), "{seen:?}");
    for known in in_order(many(30)) {
        assert!(seen.contains(&known), "{known} is hidden");
    }
    assert!(seen.contains(&"tx-999".to_owned()));
    assert!(!seen.contains(&"tx-000a".to_owned()));
}

#[tokio::test]
async fn a_cursor_of_another_list_is_refused() {
    let world = World::start().await;
    world.apply(many(30), vec![]).await;
    let window = "from=2026-01-05T01:00:00Z";
    let first = page(&world, &format!("?limit=5&{window}")).await;
    let cursor = first["next_cursor"].as_str().unwrap_or_default().to_owned();
    // One character for another: in the version, the sum, the time and the id.
    let altered = [0, 6, cursor.len() / 2, cursor.len() - 2].map(|at| {
        let other = if &cursor[at..=at] == "A" { "B" } else { "A" };
        let altered = format!("{}{other}{}", &cursor[..at], &cursor[at + 1..]);
        ("altered", format!("{WALLET}?{window}&cursor={altered}"))
    });
    let others = [
        (
            "another wallet",
            format!("/admin/wallets/w-2/tx?{window}&cursor={cursor}"),
        ),
        ("no window", format!("{WALLET}?cursor={cursor}")),
        (
            "another window",
            format!("{WALLET}?from=2026-01-05T01:00:01Z&cursor={cursor}"),
        ),
        (
            "a wider window",
            format!("{WALLET}?{window}&to=2026-01-06T00:00:00Z&cursor={cursor}"),
        ),
        (
            "cut",
            format!("{WALLET}?{window}&cursor={}", &cursor[..cursor.len() - 4]),
        ),
        ("padded", format!("{WALLET}?{window}&cursor={cursor}==")),
        ("empty", format!("{WALLET}?{window}&cursor=")),
        ("nonsense", format!("{WALLET}?{window}&cursor=0")),
        ("long", format!("{WALLET}?{window}&cursor={}", "A".repeat(5_000))),
    ];
    for (what, target) in altered.into_iter().chain(others) {
        let answer = world.get(&target).await;
        assert_eq!(
            (answer.status, answer.problem().as_str()),
            (422, "invalid-parameter"),
            "{what}: {target}"
        );
        assert_eq!(answer.refused(), ["cursor"], "{what}");
    }
    // The same window in other words is the same window, and another page size the same list.
    let same = format!("?from=2026-01-05T10:00:00%2B09:00&limit=100&cursor={cursor}");
    assert_eq!(ids(&page(&world, &same).await).len(), 25);
}
