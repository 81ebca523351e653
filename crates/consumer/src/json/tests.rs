//! Against another reader of JSON, and by example where that one says too little.

use nsc_contracts::event::JsonValue;
use proptest::prelude::*;

use super::{JsonError, read_object};

/// The members, or what is wrong and where.
fn members(text: &str) -> Result<Vec<(String, JsonValue<'_>)>, JsonError> {
    let mut all = Vec::new();
    read_object(text, |key, value| all.push((key.to_owned(), value)))?;
    Ok(all)
}

fn one(text: &str) -> Result<JsonValue<'_>, JsonError> {
    members(text).map(|all| all.into_iter().next_back().map_or(JsonValue::Null, |(_, v)| v))
}

#[test]
fn digits_are_kept_as_written() {
    for digits in [
        "0",
        "-0",
        "1.50",
        "1e3",
        "1E+2",
        "-12345678901234567890.10",
        "100e-4",
    ] {
        let text = format!(r#"{{"a":{digits}}}"#);
        assert_eq!(one(&text), Ok(JsonValue::Number(digits)));
    }
}

#[test]
fn strings_are_unescaped_and_what_nests_is_only_a_type() {
    let text = r#" { "k\u0065y" : "a\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00b" , "x":[1,{"y":[]}],"o":{"p":{}} , "n":null,"t":true } "#;
    let all = members(text).expect("an object");
    let shown: Vec<_> = all.iter().map(|(k, v)| (k.as_str(), v)).collect();
    assert_eq!(
        shown,
        [
            ("key", &JsonValue::Text("a\"\\/\u{8}\u{c}\n\r\té😀b".into())),
            ("x", &JsonValue::Array),
            ("o", &JsonValue::Object),
            ("n", &JsonValue::Null),
            ("t", &JsonValue::Bool(true)),
        ]
    );
}

#[test]
fn what_is_not_one_object_is_refused() {
    for text in ["1", "\"a\"", "[1]", "null", "true", " [ ] "] {
        assert!(matches!(members(text), Err(JsonError::NotAnObject(_))), "{text}");
    }
    for text in [
        "",
        " ",
        "{",
        "}",
        "{}{}",
        "{} x",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1,}",
        "{,}",
        "{a:1}",
        "{'a':1}",
        "{\"a\":NaN}",
        "{\"a\":Infinity}",
        "{\"a\":-}",
        "{\"a\":01}",
        "{\"a\":1.}",
        "{\"a\":.5}",
        "{\"a\":+1}",
        "{\"a\":1e}",
        "{\"a\":0x10}",
        "{\"a\":1_000}",
        "{\"a\":tru}",
        "{\"a\":nul}",
        "{\"a\":True}",
        "{\"a\":\"",
        "{\"a\":\"\\x\"}",
        "{\"a\":\"\\u12\"}",
        "{\"a\":\"\\ud80\"}",
        "{\"a\":\"\\ud800\\x\"}",
        "{\"a\":\"\n\"}",
        "{\"a\":[1,]}",
        "{\"a\":[1}",
        "[1",
        "\u{feff}{}",
        "{\"a\":1}\u{a0}",
        "// c\n{}",
        "{\"a\":\"b\" \"c\"}",
    ] {
        assert!(
            matches!(members(text), Err(JsonError::Malformed { .. })),
            "{text}"
        );
    }
}

/// It is JSON by the grammar (RFC 8259, 8.2); what it means is for whoever knows the field.
#[test]
fn half_a_surrogate_pair_is_told_of_its_value_and_keeps_nobody_from_the_others() {
    for half in [
        "\\ud800",
        "\\udc00\\ud800",
        "\\ud800\\u0041",
        "x\\ud83dy",
        "\\ud83d\\n\\ud83d",
        "\\ud83d\\ud83d\\ude00",
    ] {
        let text = format!(r#"{{"a":"{half}","b\u0062":"c","{half}":1,"n":{{"{half}":["{half}"]}},"z":2}}"#);
        let read = members(&text).expect(half);
        let keys: Vec<&str> = read.iter().map(|(key, _)| key.as_str()).collect();
        assert_eq!(keys, ["a", "bb", "n", "z"], "{half}");
        assert_eq!(read[0].1, JsonValue::HalfCharacter, "{half}");
        assert_eq!(read[1].1, JsonValue::Text("c".into()), "{half}");
    }
    let whole = members(r#"{"a":"\ud83d\ude00"}"#).expect("a pair");
    assert_eq!(whole[0].1, JsonValue::Text("\u{1f600}".into()));
}

#[test]
fn nesting_is_bounded() {
    let nested = |depth: usize| format!("{{\"a\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
    assert!(members(&nested(127)).is_ok());
    let text = nested(128);
    let too_deep = members(&text);
    assert!(matches!(too_deep, Err(JsonError::Malformed { what, .. }) if what.contains("nests")));
    assert!(members(&nested(1_000_000)).is_err());
}

/// As `serde_json` sees it, without what it makes of numbers.
fn oracle(text: &str) -> Option<Vec<(String, String)>> {
    let value: serde_json::Value = serde_json::from_str(text).ok()?;
    let object = value.as_object()?;
    Some(object.iter().map(|(k, v)| (k.clone(), kind(v))).collect())
}

fn kind(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::Null => "null".into(),
        serde_json::Value::Bool(b) => b.to_string(),
        serde_json::Value::Number(_) => "number".into(),
        serde_json::Value::String(s) => format!("text {s}"),
        serde_json::Value::Array(_) => "array".into(),
        serde_json::Value::Object(_) => "object".into(),
    }
}

/// As we see it, of repeated keys the last, by key.
fn ours(text: &str) -> Option<Vec<(String, String)>> {
    let mut map = std::collections::BTreeMap::new();
    for (key, value) in members(text).ok()? {
        let shown = match value {
            JsonValue::Null => "null".into(),
            JsonValue::Bool(b) => b.to_string(),
            JsonValue::Number(_) => "number".into(),
            JsonValue::Text(s) => format!("text {s}"),
            JsonValue::HalfCharacter => "half".into(),
            JsonValue::Array => "array".into(),
            JsonValue::Object => "object".into(),
        };
        map.insert(key, shown);
    }
    Some(map.into_iter().collect())
}

/// Pieces that make JSON, nearly JSON, and anything. No number that a double cannot hold: the other reader refuses it.
fn text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        8 => prop::sample::select(vec![
            "{", "}", "[", "]", ":", ",", "\"a\"", "\"b\"", "\"\\n\"", "\"\\u00e9\"", "\"\\ud83d\\ude00\"",
            "1", "-0", "1.5", "1e-3", "01", "true", "false", "null", "NaN", " ", "\n", "\"",
        ]).prop_map(str::to_owned),
        1 => any::<String>(),
    ];
    prop::collection::vec(piece, 0..14).prop_map(|p| p.concat())
}

fn value() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<String>().prop_map(Into::into),
    ];
    leaf.prop_recursive(4, 24, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(serde_json::Value::Array),
            prop::collection::hash_map(any::<String>(), inner, 0..5)
                .prop_map(|m| serde_json::Value::Object(m.into_iter().collect())),
        ]
    })
}

fn sorted(members: Option<Vec<(String, String)>>) -> Option<Vec<(String, String)>> {
    members.map(|mut m| {
        m.sort();
        m
    })
}

proptest! {
    #[test]
    fn pieces_of_json_are_taken_and_refused_as_another_reader_does(text in text()) {
        prop_assert_eq!(ours(&text), sorted(oracle(&text)));
    }

    #[test]
    fn whatever_another_writer_writes_is_read(value in value()) {
        let (plain, pretty) = (value.to_string(), serde_json::to_string_pretty(&value).expect("text"));
        prop_assert_eq!(ours(&plain), sorted(oracle(&plain)));
        prop_assert_eq!(ours(&pretty), sorted(oracle(&pretty)));
    }

    #[test]
    fn a_text_cut_anywhere_is_refused(value in value(), cut in any::<prop::sample::Index>()) {
        let text = serde_json::json!({ "k": value }).to_string();
        let at = cut.index(text.len());
        if text.is_char_boundary(at) {
            prop_assert!(members(&text[..at]).is_err());
        }
    }
}
