//! Single lines and what they must become.

use super::{expect, fields, parse, parse_in};
use crate::parse::MAX_LINE_BYTES;

#[test]
fn scalars_keep_their_own_text() {
    for (written, text) in [
        ("1234.50", "1234.50"),
        ("1e3", "1e3"),
        ("12345678901234567890.12", "12345678901234567890.12"),
        ("-0", "-0"),
        ("1E+2", "1E+2"),
        ("true", "true"),
        ("false", "false"),
        (r#""1234.50""#, "1234.50"),
        (r#"" 10.00 ""#, " 10.00 "),
        (r#""""#, ""),
        (r#""a\"b\\c\/d\n\u00e9\ud83d\ude00""#, "a\"b\\c/d\né😀"),
        (r#""\u0000""#, "\0"),
        (r#""가나다""#, "가나다"),
        (r#"{ "a" : [1.50 , 2e0] }"#, r#"{ "a" : [1.50 , 2e0] }"#),
        ("[]", "[]"),
        ("{}", "{}"),
        (r#"["\ud800"]"#, r#"["\ud800"]"#),
    ] {
        assert_eq!(
            fields(&format!(r#"{{"amount":{written}}}"#)),
            expect([("amount", text)]),
            "{written}"
        );
        assert_eq!(
            fields(&format!(
                " {{ \"amount\" :\t{written} , \"new\" : {written}\r}} \t"
            )),
            expect([("amount", text), ("new", text)])
        );
    }
    assert_eq!(fields(r#"{"amount":null}"#), expect([]));
    assert_eq!(fields("{}"), expect([]));
}

const NOT_ONE_WHOLE_OBJECT: [&str; 52] = [
    "[]",
    "[{\"amount\":1}]",
    "1",
    "\"text\"",
    "null",
    "true",
    "{",
    "}",
    "{\"amount\":1",
    "{\"amount\":1}}",
    "{\"amount\":1} x",
    "{\"amount\":1},",
    "{\"amount\":1}{\"amount\":2}",
    "{\"amount\":NaN}",
    "{\"amount\":Infinity}",
    "{\"amount\":-Infinity}",
    "{\"amount\":+5}",
    "{\"amount\":.5}",
    "{\"amount\":5.}",
    "{\"amount\":01}",
    "{\"amount\":1e}",
    "{\"amount\":0x10}",
    "{\"amount\":1,}",
    "{,}",
    "{\"amount\"}",
    "{\"amount\":}",
    "{amount:1}",
    "{'amount':1}",
    "{\"amount\" 1}",
    "{\"amount\":tru}",
    "{\"amount\":nulll}",
    "{\"amount\":True}",
    "{\"amount\":\"a\tb\"}",
    "{\"amount\":\"\\x41\"}",
    "{\"amount\":\"\\u12\"}",
    "{\"amount\":\"\\ud800\"}",
    "{\"amount\":\"\\udc00\\ud800\"}",
    "{\"batch_id\":\"\\ud800\"}",
    "{\"new\":\"\\ud800\",\"amount\":\"\\ud800\"}",
    "{\"new\":\"\\ud8\"}",
    "{\"new\":\"\\ud800}",
    "{\"amount\":\"abc}",
    "{\"amount\":[1,]}",
    "{\"amount\":[1}",
    "{\"amount\":{\"a\":1,}}",
    "{\"new\":1,\"amount\":oops}",
    "\u{1}",
    "{\"a\":1}\u{0}",
    "\u{feff}\u{feff}{}",
    "# comment",
    "{\"amount\":1} // comment",
    "  {\"amount\":1  ",
];

#[test]
fn whatever_is_not_one_whole_object_is_kept_as_it_is() {
    for line in NOT_ONE_WHOLE_OBJECT {
        let found = parse(line.as_bytes());
        let kept = line.strip_prefix('\u{feff}').unwrap_or(line);
        assert_eq!(found.rows.len(), 1, "{line:?}");
        assert_eq!(
            found.rows[0].get("_corrupt_record").map(String::as_str),
            Some(kept),
            "{line:?}"
        );
        assert_eq!(found.rows[0].get("amount"), None, "{line:?}");
        assert_eq!(
            (found.counts.malformed, found.counts.truncated),
            (1, 0),
            "{line:?}"
        );
        assert_eq!(
            found.added,
            Vec::<String>::new(),
            "no column comes of a malformed line: {line:?}"
        );
    }
}

#[test]
fn half_a_surrogate_in_a_field_nobody_knows_is_kept_as_written() {
    let line =
        r#"{"amount":"1","memo":"a\ud800\n","\udc00":2,"\u006demo2":"\ude00\ud83d","status":"\ud83d\ude00"}"#;
    let want = [
        ("amount", "1"),
        ("memo", r#""a\ud800\n""#),
        (r"_x005C_udc00", "2"),
        ("memo2", r#""\ude00\ud83d""#),
        ("status", "😀"),
    ];
    assert_eq!(fields(line), expect(want));
    // A column the table has got meanwhile is still the source's own, and neighbours are not touched.
    let lines = [r#"{"memo":"b"}"#, line, r#"{"memo":"\udfff"}"#, r#"{"memo":"c"}"#].join("\n");
    let found = parse(lines.as_bytes());
    let memos: Vec<_> = found.rows.iter().map(|r| r["memo"].as_str()).collect();
    assert_eq!(memos, ["b", r#""a\ud800\n""#, r#""\udfff""#, "c"]);
    assert_eq!((found.counts.rows, found.counts.malformed), (4, 0));
    // Beyond the bound of columns it is JSON already.
    let mut text: String = (0..1_000).map(|i| format!("{{\"f{i}\":1}}\n")).collect();
    text.push_str(r#"{"late":"\ud800"}"#);
    assert_eq!(
        parse(text.as_bytes()).rows[1_000]["_extra"],
        r#"{"late":"\ud800"}"#
    );
}

#[test]
fn a_malformed_line_leaves_nothing_in_the_rows_around_it() {
    let text = "{\"tx_id\":\"1\",\"amount\":1}\n{\"tx_id\":\"2\",\"amount\":2,\"ingested_at\":\"2026-01-01T00:00:00Z\",\"status\":\"x\n{\"tx_id\":\"3\"}\n";
    let found = parse(text.as_bytes());
    let ids: Vec<_> = found
        .rows
        .iter()
        .map(|r| {
            (
                r.get("tx_id").map(String::as_str),
                r.get("amount").map(String::as_str),
                r.contains_key("_corrupt_record"),
            )
        })
        .collect();
    assert_eq!(
        ids,
        [
            (Some("1"), Some("1"), false),
            (None, None, true),
            (Some("3"), None, false)
        ]
    );
    assert_eq!(found.rows[1]["ingested_at"], "1970-01-01T00:00:01Z");
    assert_eq!(found.rows[1]["batch_id"], "load");
}

#[test]
fn depth_is_bounded() {
    let line = |depth: usize| {
        format!(
            "{{\"amount\":{}{}}}",
            "[".repeat(depth - 1),
            "]".repeat(depth - 1)
        )
    };
    assert!(fields(&line(128)).contains_key("amount"));
    assert!(fields(&line(129)).contains_key("_corrupt_record"));
    assert!(fields(&line(500_000)).contains_key("_corrupt_record"));
}

#[test]
fn the_last_of_repeated_keys_wins() {
    for (line, want) in [
        (r#"{"amount":1,"amount":2}"#, expect([("amount", "2")])),
        (
            r#"{"amount":1,"status":"a","amount":null}"#,
            expect([("status", "a")]),
        ),
        (
            r#"{"amount":1,"a\u006dount":2,"amount":3}"#,
            expect([("amount", "3")]),
        ),
        (r#"{"a\u006dount":2}"#, expect([("amount", "2")])),
        (
            r#"{"new":1,"amount":5,"new":2,"n\u0065w":3}"#,
            expect([("new", "3"), ("amount", "5")]),
        ),
        (r#"{"batch_id":"x","batch_id":""}"#, expect([])),
    ] {
        assert_eq!(fields(line), want, "{line}");
    }
}

#[test]
fn carried_load_fields_win_when_they_say_something() {
    let line = r#"{"ingested_at":"2026-01-05T00:30:00+09:00","source_extracted_at":"2026-01-04 15:00:00.1234567","batch_id":"b","source_system":7}"#;
    let want = [
        ("ingested_at", "2026-01-04T15:30:00Z"),
        ("ingest_date", "20457"),
        ("source_extracted_at", "2026-01-04T15:00:00.123456Z"),
        ("batch_id", "b"),
        ("source_system", "7"),
    ];
    assert_eq!(fields(line), expect(want));
    assert_eq!(
        fields(r#"{"ingested_at":null,"source_extracted_at":"  ","batch_id":"","source_system":"\u3000"}"#),
        expect([])
    );
    let odd = r#"{"ingested_at":"yesterday","source_extracted_at":1767571200,"source_ref":"me","ingest_date":"2026-01-01","_corrupt_record":"no"}"#;
    let want = [
        ("ingested_at__2", "yesterday"),
        ("source_extracted_at__2", "1767571200"),
        ("source_ref__2", "me"),
        ("ingest_date__2", "2026-01-01"),
        ("_corrupt_record__2", "no"),
    ];
    assert_eq!(fields(odd), expect(want));
}

#[test]
fn any_name_gets_a_column_and_none_gets_another_ones() {
    let line = r#"{"amount":1,"Amount":2,"AMOUNT":3,"a b":4,"":5,"a\nb":6,"x__2":7,"x":8,"X":9,"_extra":10,"Batch_Id":11}"#;
    let want = [
        ("amount", "1"),
        ("Amount__2", "2"),
        ("AMOUNT__3", "3"),
        ("a_x0020_b", "4"),
        ("_empty_", "5"),
        ("a_x000A_b", "6"),
        ("x__2__2", "7"),
        ("x", "8"),
        ("X__2", "9"),
        ("_extra__2", "10"),
        ("Batch_Id__2", "11"),
    ];
    assert_eq!(fields(line), expect(want));
}

#[test]
fn fields_beyond_the_bound_are_kept_together() {
    let mut text: String = (0..1_000).map(|i| format!("{{\"f{i}\":1}}\n")).collect();
    text.push_str(r#"{"f7":"x","g":1.50,"h\n":"a\"b","g":{"k":[1]},"ingested_at":"?"}"#);
    let found = parse(text.as_bytes());
    assert_eq!(
        (found.added.len(), found.added[1_000].as_str()),
        (1_001, "_extra")
    );
    let last = found.rows.last().unwrap();
    assert_eq!(last["f7"], "x");
    assert_eq!(
        last["_extra"],
        r#"{"g":{"k":[1]},"h\n":"a\"b","ingested_at":"?"}"#
    );
    assert_eq!(found.rows.iter().filter(|r| r.contains_key("_extra")).count(), 1);
    let long = "n".repeat(1_000);
    assert_eq!(
        fields(&format!("{{\"{long}\":true}}")),
        expect([("_extra", &format!("{{\"{long}\":true}}"))])
    );
}

#[test]
fn lines_are_numbered_as_an_editor_does() {
    let text = "\u{feff}{\"tx_id\":1}\r\n\r\n  \t\n{\"tx_id\":4}\n\u{3000}\n{\"tx_id\":6";
    let found = parse(text.as_bytes());
    let seen: Vec<_> = found.rows.iter().map(|r| r["source_ref"].as_str()).collect();
    assert_eq!(seen, ["file:f#1", "file:f#4", "file:f#6"]);
    assert_eq!(
        (
            found.counts.lines,
            found.counts.blank,
            found.counts.rows,
            found.counts.malformed
        ),
        (6, 3, 3, 1)
    );
    for nothing in ["", "\u{feff}"] {
        assert_eq!(parse(nothing.as_bytes()).counts.lines, 0);
    }
    assert_eq!(parse(b"\n").counts.blank, 1);
}

#[test]
fn bytes_that_are_not_utf8_make_only_their_line_malformed() {
    let text = [
        b"{\"tx_id\":1}\n{\"tx_id\":\"".as_slice(),
        &[0xb0, 0xa1, 0xff],
        b"\"}\r\n\n{\"tx_id\":\"\xea\xb0\x80\"}\n{\"tx_id\":4,\"status\":\"\xea\xb0",
    ]
    .concat();
    let found = parse(&text);
    assert_eq!(
        found.rows[1]["_corrupt_record"],
        "{\"tx_id\":\"\u{fffd}\u{fffd}\u{fffd}\"}"
    );
    assert_eq!(found.rows[2]["tx_id"], "가");
    assert_eq!(found.rows[2]["source_ref"], "file:f#4");
    assert_eq!(
        found.rows[3]["_corrupt_record"],
        "{\"tx_id\":4,\"status\":\"\u{fffd}"
    );
    assert_eq!(
        (found.counts.rows, found.counts.malformed, found.counts.blank),
        (4, 2, 1)
    );
}

#[test]
fn long_lines_are_kept_cut_wherever_they_stand() {
    let object = |bytes: usize| format!("{{\"status\":\"{}\"}}", "x".repeat(bytes - 13));
    let cut = |line: &str| format!("{} …[truncated: {} bytes]", &line[..MAX_LINE_BYTES], line.len());
    let (fits, over, far) = (
        object(MAX_LINE_BYTES),
        object(MAX_LINE_BYTES + 1),
        object(5 * MAX_LINE_BYTES),
    );
    let text = format!("\u{feff}{over}\r\n{fits}\r\n{fits}\n{far}\r\n{{\"tx_id\":5}}\n{over}\n\n{far}");
    for (chunk, read) in [
        (64 << 10, usize::MAX),
        (1 << 20, 100_000),
        (4 << 20, usize::MAX),
        (64 << 20, 1 << 20),
    ] {
        let found = parse_in(text.as_bytes(), chunk, read);
        let refs: Vec<_> = found.rows.iter().map(|r| r["source_ref"].as_str()).collect();
        assert_eq!(
            refs,
            [
                "file:f#1", "file:f#2", "file:f#3", "file:f#4", "file:f#5", "file:f#6", "file:f#8"
            ],
            "{chunk}"
        );
        let kept: Vec<Option<&String>> = found.rows.iter().map(|r| r.get("_corrupt_record")).collect();
        assert!(
            kept == [
                Some(&cut(&over)),
                None,
                None,
                Some(&cut(&far)),
                None,
                Some(&cut(&over)),
                Some(&cut(&far))
            ],
            "{chunk}"
        );
        assert_eq!(
            (found.counts.truncated, found.counts.malformed, found.counts.blank),
            (4, 4, 1),
            "{chunk}"
        );
    }
}

#[test]
fn long_lines_are_cut_between_characters() {
    for pad in 0..4 {
        let line = format!("{}{}", "a".repeat(pad), "😀".repeat(MAX_LINE_BYTES / 2));
        for chunk in [256 << 10, 64 << 20] {
            let found = parse_in(line.as_bytes(), chunk, usize::MAX);
            let kept = &found.rows[0]["_corrupt_record"];
            assert!(
                kept.ends_with(&format!("😀 …[truncated: {} bytes]", line.len())),
                "{pad} {chunk}"
            );
            assert!(
                !kept.contains('\u{fffd}') && kept.starts_with(&line[..pad + 4]),
                "{pad} {chunk}"
            );
        }
    }
}
