//! The SQL functions, over all three text types and over constants.
//! Holds lakehouse contract 1, "Money is exact".

use arrow::datatypes::DataType;

use crate::support::{batch, collect, register, rows, session, shown, value};

#[tokio::test]
async fn text_functions_read_every_text_type_alike() {
    let ctx = session();
    let texts = batch(
        "n bigint, t text",
        &[
            "1|10.500",
            "2|~",
            "3|\"\"",
            "4|\"  \"",
            "5|10.005",
            "6|1e3",
            "7|\" 7 \"",
            "8|2026-01-05T00:00:00+09:00",
            "9|+5",
            "10|9223372036854775808",
            "11|file:a.jsonl#7",
        ],
    );
    register(&ctx, "t", texts);
    let mut seen = Vec::new();
    for ty in ["Utf8", "LargeUtf8", "Utf8View", "Dictionary(Int32, Utf8)"] {
        let sql = format!(
            "SELECT n, nsc_money(x) AS money, nsc_is_missing(x) AS missing, nsc_clean(x) AS clean, nsc_timestamp(x) AS ts, \
             nsc_date_kst(nsc_timestamp(x)) AS day, nsc_integer(x) AS i, nsc_ref_key(x) AS ref \
             FROM (SELECT n, arrow_cast(t, '{ty}') AS x FROM t)"
        );
        seen.push(
            shown(
                ctx.sql(&sql).await.unwrap(),
                &["n", "money", "missing", "clean", "ts", "day", "i", "ref"],
            )
            .await,
        );
    }
    assert_eq!(
        seen[0],
        [
            "1 | 10.50 | false | 10.500 | ~ | ~ | ~ | 10.500",
            "10 | 9223372036854775808.00 | false | 9223372036854775808 | ~ | ~ | ~ | 9223372036854775808",
            "11 | ~ | false | file:a.jsonl#7 | ~ | ~ | ~ | file:a.jsonl#0017",
            "2 | ~ | true | ~ | ~ | ~ | ~ | ~",
            "3 | ~ | true | ~ | ~ | ~ | ~ | ",
            "4 | ~ | true | ~ | ~ | ~ | ~ |   ",
            "5 | ~ | false | 10.005 | ~ | ~ | ~ | 10.005",
            "6 | 1000.00 | false | 1e3 | ~ | ~ | ~ | 1e3",
            "7 | 7.00 | false |  7  | ~ | ~ | ~ |  7 ",
            "8 | ~ | false | 2026-01-05T00:00:00+09:00 | 2026-01-04T15:00:00Z | 2026-01-05 | ~ | 2026-01-05T00:00:00+09:00",
            "9 | 5.00 | false | +5 | ~ | ~ | 5 | +5",
        ]
    );
    assert!(seen.iter().all(|s| *s == seen[0]));
}

#[tokio::test]
async fn constants_are_folded_to_the_same_values() {
    let ctx = session();
    for (sql, want) in [
        ("nsc_money('1234.50')", "1234.50"),
        ("nsc_money(NULL)", "~"),
        ("nsc_signed('PAYMENT', nsc_money('3.10'))", "-3.10"),
        ("nsc_signed('HOLD', nsc_money('3.10'))", "0.00"),
        ("nsc_signed('payment', nsc_money('3.10'))", "~"),
        ("nsc_signed(NULL, nsc_money('3.10'))", "~"),
        ("nsc_rate(1, 3)", "0.333333"),
        ("nsc_rate(2, 3)", "0.666667"),
        ("nsc_rate(5, 0)", "0.000000"),
        ("nsc_rate(NULL, 3)", "~"),
        ("nsc_ratio(nsc_money('-1'), nsc_money('3'))", "0.333333"),
        ("nsc_ratio(nsc_money('1'), nsc_money('0'))", "~"),
        (
            "nsc_ratio(nsc_money('999999999999999999999999999999999999.99'), nsc_money('0.01'))",
            "~",
        ),
        (
            "nsc_user_key('abc', '')",
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
        ),
        ("nsc_user_key(NULL, 's')", "~"),
        (
            "nsc_line_value(nsc_money('999999999999999999999999999999999999.99'), 2147483647)",
            "2147483646999999999999999999999999999978525163.53",
        ),
        (
            "nsc_json('a', 'q\"x', 'n', nsc_money('1.5'), 'none', CAST(NULL AS INT), 't', nsc_timestamp('2026-01-05T00:00:00.5Z'), 'i', 7)",
            r#"{"a":"q\"x","n":"1.50","none":null,"t":"2026-01-05T00:00:00.500000Z","i":"7"}"#,
        ),
        ("nsc_abs(nsc_money('-2.50'))", "2.50"),
    ] {
        assert_eq!(value(&ctx, sql).await.as_deref(), Ok(want), "{sql}");
    }
}

#[tokio::test]
async fn what_would_lose_a_digit_is_refused_at_planning() {
    let ctx = session();
    for sql in [
        "nsc_exact(CAST('1.005' AS DECIMAL(10, 3)))",
        "nsc_money(1)",
        "nsc_rate(1)",
        "nsc_sum_money('1')",
        "nsc_json('a')",
    ] {
        assert!(value(&ctx, sql).await.is_err(), "{sql}");
    }
}

#[tokio::test]
async fn the_version_key_orders_as_newest_does() {
    let ctx = session();
    let versions = batch(
        "n int, u ts, e ts, i ts, l text, r text",
        &[
            "1|~|~|2026-01-01T00:00:00Z|~|~",
            "2|~|~|2026-01-01T00:00:00Z|~|file:a#2",
            "3|~|~|2026-01-01T00:00:00Z|~|file:a#10",
            "4|~|~|2026-01-01T00:00:00Z|~|file:a-10#1",
            // A later load is newer at equal stamps, whatever its file is called; in one load the later line.
            "5|~|~|2026-01-01T00:00:00Z|0199-1|file:z-9#9",
            "6|~|~|2026-01-01T00:00:00Z|0199-1|file:z-10#1",
            "7|~|~|2026-01-01T00:00:00Z|0199-2|file:a#1",
            "8|~|~|2026-01-01T00:00:00Z|0199-2|file:a#11",
            "9|~|~|2026-01-02T00:00:00Z|0199-1|file:a#1",
            "10|~|1960-01-01T00:00:00Z|2026-01-01T00:00:00Z|~|~",
            "11|~|2026-01-01T00:00:00Z|2026-01-01T00:00:00Z|~|~",
            "12|1969-12-31T23:59:59Z|~|2026-01-01T00:00:00Z|~|~",
            "13|2026-01-01T00:00:00Z|~|2026-01-01T00:00:00Z|~|kafka:t/2/100",
            "14|2026-01-01T00:00:00Z|~|2026-01-01T00:00:00Z|~|kafka:t/10/5",
        ],
    );
    register(&ctx, "v", versions);
    let sql = "SELECT array_agg(n ORDER BY nsc_version_key(u, e, i, l, r)) AS ns FROM v";
    assert_eq!(
        shown(ctx.sql(sql).await.unwrap(), &["ns"]).await,
        ["[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14]"]
    );
}

#[tokio::test]
async fn sums_are_exact_at_38_digits_and_an_error_beyond() {
    let ctx = session();
    let max = "999999999999999999999999999999999999.99";
    let (over, under) = (format!("a|{max}"), format!("a|-{max}"));
    let back: Vec<&str> = vec![&over, &over, &over, &under, &under, "b|~", "c|0.01", "c|0.02"];
    register(&ctx, "m", batch("k text, v dec2", &back));
    let sums = shown(
        ctx.sql("SELECT k, nsc_sum_money(v) AS s FROM m GROUP BY k")
            .await
            .unwrap(),
        &["k", "s"],
    )
    .await;
    assert_eq!(
        sums,
        [format!("a | {max}"), "b | ~".to_owned(), "c | 0.03".to_owned()]
    );
    let filtered = ctx
        .sql("SELECT nsc_sum_money(v) FILTER (WHERE k = 'c') AS s FROM m")
        .await
        .unwrap();
    assert_eq!(
        filtered.schema().field(0).data_type(),
        &DataType::Decimal128(38, 2)
    );
    assert_eq!(shown(filtered, &["s"]).await, ["0.03"]);
    let filtered = ctx
        .sql("SELECT k, nsc_sum_money(v) FILTER (WHERE v = 0.01) AS s FROM m GROUP BY k")
        .await
        .unwrap();
    assert_eq!(rows(&collect(filtered).await, &["k", "s"])[2], "c | 0.01");
    for sql in [
        "SELECT k, nsc_sum_money(v) FROM m WHERE v > 0 GROUP BY k",
        "SELECT nsc_sum_money(v) FROM m WHERE v > 0",
    ] {
        let error = ctx
            .sql(sql)
            .await
            .unwrap()
            .collect()
            .await
            .unwrap_err()
            .to_string();
        assert!(error.contains("over 38 digits"), "{error}");
    }
    let empty = ctx
        .sql("SELECT nsc_sum_money(v) AS s FROM m WHERE false")
        .await
        .unwrap();
    assert_eq!(shown(empty, &["s"]).await, ["~"]);
}

#[tokio::test]
async fn sums_are_the_same_when_partial_aggregation_is_skipped() {
    // So many groups that DataFusion stops adding up early and hands the rows on as states.
    let lines: Vec<String> = (0..400)
        .map(|n| format!("k{}|{}.01|{}", n % 200, n, if n % 3 == 0 { "true" } else { "~" }))
        .collect();
    let ctx = session();
    register(
        &ctx,
        "m",
        batch(
            "k text, v dec2, keep bool",
            &lines.iter().map(String::as_str).collect::<Vec<_>>(),
        ),
    );
    let sql =
        "SELECT k, nsc_sum_money(v) AS s, nsc_sum_money(v) FILTER (WHERE keep) AS kept FROM m GROUP BY k";
    let usual = shown(ctx.sql(sql).await.unwrap(), &["k", "s", "kept"]).await;
    for (option, value) in [("probe_rows_threshold", "1"), ("probe_ratio_threshold", "0.0")] {
        let set = format!("SET datafusion.execution.skip_partial_aggregation_{option} = {value}");
        let _ = ctx.sql(&set).await.unwrap().collect().await.unwrap();
    }
    let skipped = shown(ctx.sql(sql).await.unwrap(), &["k", "s", "kept"]).await;
    assert_eq!(skipped, usual);
    assert_eq!((usual.len(), usual[0].as_str()), (200, "k0 | 200.02 | 0.01"));
    assert!(
        usual.contains(&"k2 | 204.02 | ~".to_owned()),
        "no row of k2 is kept"
    );
}

#[tokio::test]
async fn a_difference_over_38_digits_is_an_error_not_a_wrong_number() {
    let ctx = session();
    let max = "999999999999999999999999999999999999.99";
    let over = format!("nsc_exact(nsc_money('{max}') - nsc_money('-{max}'))");
    assert!(value(&ctx, &over).await.is_err());
    let over = format!("nsc_exact(nsc_money('{max}') + nsc_money('0.01'))");
    assert!(value(&ctx, &over).await.unwrap_err().contains("over 38 digits"));
    assert_eq!(
        value(
            &ctx,
            &format!("nsc_exact(nsc_money('{max}') - nsc_money('0.99'))")
        )
        .await
        .unwrap(),
        "999999999999999999999999999999999999.00"
    );
}

#[tokio::test]
async fn the_exact_sum_is_the_same_however_the_rows_are_split() {
    // The state of a partial sum is 256 bits wide: what one part overflows, another brings back.
    let max = "999999999999999999999999999999999999.99";
    let rows: Vec<String> = (0..900)
        .map(|n| format!("k{}|{}{max}", n % 3, if (n / 3) % 2 == 0 { "" } else { "-" }))
        .collect();
    let rows: Vec<&str> = rows.iter().map(String::as_str).collect();
    for (partitions, size) in [("1", "8192"), ("4", "7"), ("3", "1")] {
        let ctx = session();
        nsc_transforms::functions::register_exact_aggregates(&ctx);
        for (option, value) in [
            ("execution.target_partitions", partitions),
            ("execution.batch_size", size),
            ("optimizer.repartition_file_min_size", "1"),
        ] {
            let set = format!("SET datafusion.{option} = {value}");
            let _ = ctx.sql(&set).await.unwrap().collect().await.unwrap();
        }
        let whole = batch("k text, v dec2", &rows);
        let parts: Vec<Vec<_>> = (0..3).map(|p| vec![whole.slice(p * 300, 300)]).collect();
        let table = datafusion::datasource::MemTable::try_new(whole.schema(), parts).unwrap();
        ctx.register_table("m", std::sync::Arc::new(table)).unwrap();
        for sum in ["sum(v)", "sum(DISTINCT v)"] {
            let sql = format!("SELECT k, {sum} AS s FROM m GROUP BY k");
            let sums = shown(ctx.sql(&sql).await.unwrap(), &["k", "s"]).await;
            assert_eq!(sums, ["k0 | 0.00", "k1 | 0.00", "k2 | 0.00"], "{sum}");
        }
        let all = ctx.sql("SELECT sum(v) AS s FROM m").await.unwrap();
        assert_eq!(shown(all, &["s"]).await, ["0.00"]);
    }
}
