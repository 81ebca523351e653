//! Pipeline A: what is counted in a window, and how fresh the source was.
//! Holds lakehouse contract 4, Pipeline A.

use datafusion::prelude::SessionContext;
use nsc_core::UtcWindow;
use nsc_transforms::guardrail::{
    AllowedValues, GuardrailSource, Timeline, WindowCounter, Windows, measures, newest_before,
};
use nsc_transforms::vocabulary::Vocabulary;

use crate::support::{at, batch, register, session};

fn windows() -> Windows {
    let span = UtcWindow {
        start: at("2026-01-05T00:00:00Z"),
        end: at("2026-01-05T00:30:00Z"),
    };
    Windows::consecutive(span, 600_000_000).unwrap()
}

fn allowed() -> AllowedValues {
    let texts = |t: &[&str]| t.iter().map(|s| (*s).to_owned()).collect();
    AllowedValues {
        words: Vocabulary {
            allowed_types: texts(&["CHARGE", "PAYMENT"]),
            ..Vocabulary::default()
        },
        payment_statuses: texts(&["PAID", "PENDING"]),
    }
}

/// (rows, keyed, repeats, bad) of each window.
async fn counted(ctx: &SessionContext, source: GuardrailSource) -> Vec<(i64, i64, i64, i64)> {
    counted_by(ctx, source, Timeline::Arrival).await
}

async fn counted_by(
    ctx: &SessionContext,
    source: GuardrailSource,
    timeline: Timeline,
) -> Vec<(i64, i64, i64, i64)> {
    let counter = counter_of(ctx, source, timeline).await;
    counter
        .finish(None)
        .iter()
        .map(|(c, _)| (c.event_count, c.keyed_rows, c.repeats, c.bad_rows))
        .collect()
}

async fn counter_of(ctx: &SessionContext, source: GuardrailSource, timeline: Timeline) -> WindowCounter {
    let plan = measures(ctx, source, timeline, &allowed()).await.unwrap();
    let mut counter = WindowCounter::new(windows());
    for batch in plan.collect().await.unwrap() {
        counter.add(&batch).unwrap();
    }
    counter
}

const META: &str = "_corrupt_record text, ingested_at ts, source_extracted_at ts, batch_id text, source_system text, source_ref text, ingest_date date, load_id text";

fn meta(minute: &str, line: u8) -> String {
    format!("~|2026-01-05T00:{minute}Z|~|b{line}|s|file:a#{line}|2026-01-05|load-{line}")
}

#[tokio::test]
async fn a_ledger_window_counts_repeats_and_breaches() {
    let ctx = session();
    let columns = format!("tx_id text, wallet_id text, type text, entry_type text, amount text, {META}");
    let row = |fields: &str, minute: &str| format!("{fields}|{}", meta(minute, 1));
    let lines = [
        row("t1|w|CHARGE|~|1.00", "00:00"),
        row("t1|w|CHARGE|~|1.00", "01:00"),
        row("t1|w|CHARGE|~|2.00", "09:59.999999"),
        row("t1|w|~|PAYMENT|1.00", "10:00"), // another window: no repeat; the alias is a type
        row("\" \"|w|CHARGE|~|1.00", "11:00"), // no key
        row("t2|~|CHARGE|~|1.00", "11:00"),
        row("t3|w|charge|~|1.00", "11:00"),
        row("t4|w|~|~|1.00", "11:00"),
        row("t5|w|CHARGE|~|0", "11:00"),
        row("t6|w|CHARGE|~|1.005", "11:00"),
        row("t7|w|CHARGE|PAYMENT|~", "11:00"),
        format!("~|~|~|~|~|not json{}", &meta("12:00", 1)[1..]), // malformed
        row("t9|w|CHARGE|~|1", "30:00"),                         // the closing instant is in no window
    ];
    register(
        &ctx,
        "rows",
        batch(&columns, &lines.iter().map(String::as_str).collect::<Vec<_>>()),
    );
    assert_eq!(
        counted(&ctx, GuardrailSource::Ledger).await,
        [(3, 3, 2, 0), (9, 7, 0, 8), (0, 0, 0, 0)]
    );
}

#[tokio::test]
async fn a_wallet_repeats_only_at_the_same_snapshot_time() {
    let ctx = session();
    let columns = format!("user_id text, balance text, frozen_amount text, {META}");
    let extracted = |fields: &str, minute: &str, time: &str| {
        format!("{fields}|~|2026-01-05T00:{minute}Z|{time}|b|s|r|2026-01-05|l")
    };
    let lines = [
        extracted("u|1|0", "00:00", "2026-01-04T15:00:00Z"),
        extracted("u|2|0", "05:00", "2026-01-04T15:00:00Z"), // repeated
        extracted("u|2|0", "05:00", "2026-01-04T15:00:01Z"),
        extracted("u|-0.01|0", "06:00", "~"),
        extracted("u|1|-1", "06:00", "~"), // repeated through ingested_at
        extracted("u|1|~", "07:00", "~"),
        extracted("~|1|1", "08:00", "~"),
        extracted("u|-0|0.00", "09:00", "~"),
    ];
    register(
        &ctx,
        "rows",
        batch(&columns, &lines.iter().map(String::as_str).collect::<Vec<_>>()),
    );
    assert_eq!(
        counted(&ctx, GuardrailSource::Wallets).await,
        [(8, 7, 2, 4), (0, 0, 0, 0), (0, 0, 0, 0)]
    );
}

#[tokio::test]
async fn an_order_repeats_only_as_an_identical_copy() {
    let ctx = session();
    let columns = format!("order_id text, amount text, status text, colour text, {META}");
    let row = |fields: &str, minute: &str, line: u8| format!("{fields}|{}", meta(minute, line));
    let lines = [
        row("o1|1|PENDING|~", "00:00", 1),
        row("o1|1|PAID|~", "00:00", 2),
        row("o1|1|PAID|~", "09:00", 3), // a copy: only the load's fields differ
        row("o1|1|PAID|red", "09:00", 4), // a column nobody declared differs
        row("o1|1.0|PAID|~", "09:00", 5), // another text
        row("~|1|PAID|~", "09:00", 6),
        row("~|1|PAID|~", "09:00", 7), // copies without a key
        row("o2|1|~|~", "20:00", 8),   // a missing status is fine
        row("o3|1|paid|~", "20:00", 9),
        row("o4|0|PAID|~", "20:00", 10),
        row("o5|~|PAID|~", "20:00", 11),
    ];
    register(
        &ctx,
        "rows",
        batch(&columns, &lines.iter().map(String::as_str).collect::<Vec<_>>()),
    );
    assert_eq!(
        counted(&ctx, GuardrailSource::PaymentOrders).await,
        [(7, 5, 1, 2), (0, 0, 0, 0), (4, 4, 0, 3)]
    );
}

#[tokio::test]
async fn freshness_sees_the_closing_instant_and_a_dead_source_grows_stale() {
    let ctx = session();
    let newest_of = async |minutes: &[&str], before| {
        let columns = format!("tx_id text, wallet_id text, type text, entry_type text, amount text, {META}");
        let lines = minutes.iter().map(|m| format!("t|w|CHARGE|~|1|{}", meta(m, 1)));
        let lines: Vec<String> = lines.collect();
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        register(&ctx, "rows", batch(&columns, &lines));
        let counter = counter_of(&ctx, GuardrailSource::Ledger, Timeline::Arrival).await;
        counter
            .finish(before)
            .into_iter()
            .map(|(_, t)| t.map_or("~".to_owned(), |t| t.to_string()[11..].to_owned()))
            .collect::<Vec<_>>()
    };
    assert_eq!(newest_of(&["03:00", "10:00"], None).await, ["00:10:00Z"; 3]);
    assert_eq!(
        newest_of(&["10:00.000001"], None).await,
        ["~", "00:10:00.000001Z", "00:10:00.000001Z"]
    );
    assert_eq!(
        newest_of(&["30:00"], Some(at("2026-01-04T23:00:00Z"))).await,
        ["23:00:00Z", "23:00:00Z", "00:30:00Z"]
    );
    assert_eq!(newest_of(&[], None).await, ["~"; 3]);
}

#[tokio::test]
async fn looking_back_a_row_is_of_the_window_it_happened_in() {
    let ctx = session();
    let columns = format!(
        "tx_id text, wallet_id text, type text, entry_type text, amount text, created_at text, event_time text, {META}"
    );
    let row = |tx: &str, times: &str| format!("{tx}|w|CHARGE|~|1.00|{times}|{}", meta("25:00", 1));
    let lines = [
        row("t1", "2026-01-05T09:05:00+09:00|~"),
        row("t2", "~|2026-01-05T00:15:00Z"),
        // Broken is not absent: its alias is not tried, and the row is of the moment it arrived.
        row("t3", "someday|2026-01-05T00:05:00Z"),
        row("t4", "~|~"),
        // Of no window, and still the newest before them.
        row("t5", "2026-01-04T20:00:00Z|~"),
        row("t6", "2026-01-05T00:30:00Z|~"),
    ];
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    register(&ctx, "rows", batch(&columns, &lines));
    assert_eq!(
        counted_by(&ctx, GuardrailSource::Ledger, Timeline::Event).await,
        [(1, 1, 0, 0), (1, 1, 0, 0), (2, 2, 0, 0)]
    );
    assert_eq!(
        counted_by(&ctx, GuardrailSource::Ledger, Timeline::Arrival).await,
        [(0, 0, 0, 0), (0, 0, 0, 0), (6, 6, 0, 0)]
    );
    let newest_before = |timeline, before| {
        let rows = ctx.table("rows");
        async move {
            let rows = rows.await.unwrap();
            let plan = newest_before(rows, GuardrailSource::Ledger, timeline, at(before)).unwrap();
            let found = plan.collect().await.unwrap();
            arrow::util::display::array_value_to_string(found[0].column(0), 0).unwrap()
        }
    };
    let start = "2026-01-05T00:00:00Z";
    assert_eq!(
        newest_before(Timeline::Event, start).await,
        "2026-01-04T20:00:00Z"
    );
    assert_eq!(newest_before(Timeline::Arrival, start).await, "");
}
