//! A root may have any name a directory can have.

use super::small::{append, ids, lake};

#[tokio::test]
async fn a_root_of_any_name_is_written_and_read() {
    let dir = tempfile::tempdir().unwrap();
    let names = [
        "[prod]",
        "a^b",
        "a|b",
        "feature%2Fledger",
        "x%20y",
        r"a\b",
        "a b",
        "a#b",
        "a?b",
        "a{b}",
        "~a",
        "a*b",
        "a\"b",
        "a'b",
        "정산 [2026]",
        "50%",
        "%",
        "a:b",
        "a&b=c",
        "<a>",
        "`a`",
        "a%ZZ",
        "..a",
        "a+b",
        "a;b",
    ];
    for name in names {
        let root = dir.path().join(name);
        let first = lake(&root);
        append(&first, &["1"], "2026-01-05T00:00:00Z")
            .await
            .unwrap_or_else(|e| panic!("{name}: {e}"));
        // Another process, and a run's lock and report beside the tables.
        let second = lake(&root);
        append(&second, &["2"], "2026-01-05T00:00:00Z").await.unwrap();
        assert_eq!(ids(&lake(&root)).await.unwrap(), ["1", "2"], "{name}");
        let held = second.lock("pipeline_b", "one").await.unwrap().unwrap();
        assert!(second.lock("pipeline_b", "two").await.unwrap().is_err(), "{name}");
        held.release().await;
        assert!(second.lock("pipeline_b", "two").await.unwrap().is_ok(), "{name}");
        assert!(
            root.join("bronze/products_raw/_delta_log").is_dir(),
            "{name}: the files lie elsewhere"
        );
    }
    let made = std::fs::read_dir(dir.path()).unwrap().count();
    assert_eq!(made, names.len(), "a root became two directories");
}
