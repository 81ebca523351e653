//! Messages: one record each, whatever their bytes, through the parser of lines.

use super::*;

fn of_message(payload: &[u8]) -> (Row, LineCounts) {
    let contract = nsc_contracts::table("transaction_ledger_raw").unwrap();
    let registry = Arc::new(Registry::new(contract, &contract.arrow_schema()));
    let stamp = || Arc::new(LoadStamp::of_stream(UtcMicros::new(2_000_000)));
    let mut parser = ChunkParser::new(registry, stamp());
    let at = Some(UtcMicros::new(1_000_000));
    parser.message(payload, "kafka:t/0/7", at).unwrap();
    let batch = parser.take_stamped(stamp()).unwrap().unwrap();
    assert!(parser.take_stamped(stamp()).unwrap().is_none());
    (row(&batch, 0), parser.counts())
}

/// What the source has written.
fn own(mut row: Row) -> Row {
    let ours = [
        "source_ref",
        "load_id",
        "ingested_at",
        "source_extracted_at",
        "ingest_date",
        "batch_id",
    ];
    for name in ours {
        row.remove(name);
    }
    row
}

#[test]
fn a_message_and_a_line_of_the_same_bytes_are_the_same_row() {
    for line in [
        r#"{"tx_id":"a","amount":1.50,"more":{"n":[1,2.0]},"name":"한빛 \"카페\""}"#,
        r#"{"tx_id":"a","tx_id":"b","amount":null}"#,
        "{}",
        "not json",
        r#"{"tx_id":"\ud800"}"#,
        r#"{"a":1} {"b":2}"#,
    ] {
        let of_line = parse(line.as_bytes());
        let (of_message, counts) = of_message(line.as_bytes());
        assert_eq!(own(of_message), own(of_line.rows[0].clone()), "{line}");
        assert_eq!(counts.malformed, of_line.counts.malformed, "{line}");
    }
}

#[test]
fn line_feeds_between_tokens_are_blanks_and_in_a_string_make_it_malformed() {
    let (pretty, counts) = of_message(b"{\n \"tx_id\": \"a\\\"b\\\\\",\r\n \"more\": [\n1\n]\n}\n");
    assert_eq!((pretty["tx_id"].as_str(), counts.malformed), ("a\"b\\", 0));
    let (broken, counts) = of_message(b"{\"tx_id\":\"a\nb\"}");
    assert_eq!(counts.malformed, 1);
    assert_eq!(broken["_corrupt_record"], "{\"tx_id\":\"a\nb\"}");
}

#[test]
fn a_message_over_a_mebibyte_is_kept_cut() {
    let of_length = |n: usize| format!("{{\"tx_id\":\"{}\"}}", "x".repeat(n - 12));
    let (whole, counts) = of_message(of_length(1 << 20).as_bytes());
    assert_eq!((whole["tx_id"].len(), counts.malformed), ((1 << 20) - 12, 0));
    let (cut, counts) = of_message(of_length((1 << 20) + 1).as_bytes());
    assert!(cut["_corrupt_record"].ends_with("…[truncated: 1048577 bytes]"));
    assert_eq!((counts.malformed, counts.truncated, counts.rows), (1, 1, 1));
}

#[test]
fn the_load_fields_of_a_message_do_not_count_and_are_kept() {
    let body = br#"{"tx_id":"a","ingested_at":"2020-01-01T00:00:00Z","source_system":"s","batch_id":" "}"#;
    let (row, _) = of_message(body);
    assert_eq!(row["ingested_at__2"], "2020-01-01T00:00:00Z");
    assert_eq!(row["source_system__2"], "s");
    assert!(
        !row.contains_key("source_system") && !row.contains_key("load_id"),
        "{row:?}"
    );
    assert_eq!(row["source_ref"], "kafka:t/0/7");
    assert_ne!(row["ingested_at"], row["source_extracted_at"]);
}
