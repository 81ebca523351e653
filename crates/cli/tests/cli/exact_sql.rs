//! What an operator asks in SQL is answered exactly, or refused: never with a number that has wrapped, nor with "no rows" for a
//! date written as a number.

use std::fmt::Write as _;
use std::path::Path;

use crate::{nsc, stderr, stdout};

/// Three of these are over 38 digits.
const MOST: &str = "999999999999999999999999999999999999.99";

/// A root that exists.
fn lake() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("lakehouse")).unwrap();
    dir
}

/// The rows of a query, without the heading; of one that is refused the code and what it says.
fn ask(dir: &Path, sql: &str) -> String {
    let output = nsc(dir, &["sql", "--format", "csv", sql]);
    if output.status.success() {
        let lines: Vec<String> = stdout(&output).lines().skip(1).map(str::to_owned).collect();
        lines.join(" ")
    } else {
        assert_eq!(output.status.code(), Some(2), "{sql}: {}", stderr(&output));
        stderr(&output)
    }
}

fn expect(dir: &Path, cases: &[(&str, &str)]) {
    let mut wrong = String::new();
    for (sql, want) in cases {
        let found = ask(dir, sql);
        let is_right = if want.starts_with("NSC") {
            found.contains(want)
        } else {
            found == *want
        };
        if !is_right {
            writeln!(wrong, "{sql}\n  wanted {want}\n  found  {found}").unwrap();
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn a_sum_of_money_past_38_digits_is_an_error() {
    let dir = lake();
    let mut lines = String::new();
    for n in 1..=3 {
        writeln!(
            lines,
            r#"{{"tx_id":"t{n}","wallet_id":"u1","type":"HOLD","amount":"{MOST}","created_at":"2026-01-05T12:00:00+09:00","ingested_at":"2026-01-05T03:00:0{n}Z"}}"#
        )
        .unwrap();
    }
    std::fs::write(dir.path().join("l.jsonl"), lines).unwrap();
    for line in [
        "ingest transaction_ledger l.jsonl",
        "run sync-rules",
        "run silver --date-kst 2026-01-05 --now 2026-01-05T15:30:00Z",
    ] {
        let output = nsc(dir.path(), &line.split_whitespace().collect::<Vec<_>>());
        assert_eq!(output.status.code(), Some(0), "{line}: {}", stderr(&output));
    }
    expect(
        dir.path(),
        &[
            ("SELECT sum(amount) FROM silver.ledger_entries", "NSC0504"),
            (
                "SELECT sum(amount) FROM silver.ledger_entries",
                "NSC0504: a result has more digits than its type holds\nDETAIL: a sum is over 38 digits: 299999999999999999999999999999999999997e-2",
            ),
            (
                "SELECT sum(amount) FROM silver.ledger_entries GROUP BY wallet_id",
                "NSC0504",
            ),
            (
                "SELECT sum(amount) OVER (ORDER BY tx_id) FROM silver.ledger_entries",
                "NSC0504",
            ),
            ("SELECT sum(DISTINCT amount) FROM silver.ledger_entries", MOST),
            (
                "SELECT sum(CAST(amount AS DECIMAL(76, 2))) FROM silver.ledger_entries",
                "2999999999999999999999999999999999999.97",
            ),
            ("SELECT avg(amount) FROM silver.ledger_entries", "NSC"),
            ("SELECT max(amount) + 0.01 FROM silver.ledger_entries", "NSC0504"),
            (
                "SELECT max(amount) - 0.01 FROM silver.ledger_entries",
                "999999999999999999999999999999999999.98",
            ),
            ("SELECT max(amount) * 1.0 FROM silver.ledger_entries", "NSC"),
            (
                "SELECT CAST(max(amount) + 0.01 AS VARCHAR) FROM silver.ledger_entries",
                "NSC0504",
            ),
            ("SELECT max(amount) / 0.01 FROM silver.ledger_entries", "NSC0504"),
            (
                "SELECT CAST(max(amount) AS DECIMAL(76, 2)) + 0.01 FROM silver.ledger_entries",
                "1000000000000000000000000000000000000.00",
            ),
            ("SELECT sum(amount_signed) FROM silver.ledger_entries", "0.00"),
            (
                "SELECT sum(amount) FILTER (WHERE tx_id = 't1') FROM silver.ledger_entries",
                MOST,
            ),
        ],
    );
}

#[test]
fn sums_are_the_engines_own_where_those_are_right() {
    let dir = lake();
    let money = "(VALUES ('a', CAST('0.10' AS DECIMAL(38, 2))), ('a', NULL), ('b', 0.20), ('b', 0.20), ('c', NULL)) AS t(k, v)";
    let numbers = "(VALUES (1, 1), (1, 2), (2, NULL), (2, 40), (2, 40)) AS t(k, v)";
    let most = "(VALUES (9223372036854775807), (1)) AS t(v)";
    let cases = [
        (format!("SELECT sum(v) FROM {money}"), "0.50"),
        (format!("SELECT k, sum(v) FROM {money} GROUP BY k ORDER BY k"), "a,0.10 b,0.40 c,"),
        (format!("SELECT k, sum(DISTINCT v) FROM {money} GROUP BY k ORDER BY k"), "a,0.10 b,0.20 c,"),
        (format!("SELECT sum(v), sum(DISTINCT v) FROM {money}"), "0.50,0.30"),
        (format!("SELECT sum(v) FROM {money} WHERE false"), ""),
        (format!("SELECT coalesce(sum(v), 0) FROM {money} WHERE false"), "0.00"),
        (format!("SELECT k, sum(v) FILTER (WHERE v > 0.1) FROM {money} GROUP BY k ORDER BY k"), "a, b,0.40 c,"),
        (format!("SELECT k FROM {money} GROUP BY k HAVING sum(v) > 0.3"), "b"),
        (format!("SELECT sum(v) + 1, sum(v) / 2, round(sum(v), 1) FROM {money}"), "1.50,0.250000,0.5"),
        // The frame moves: values leave it, and an empty one is null.
        (
            format!("SELECT sum(v) OVER (ORDER BY v ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) FROM {numbers} WHERE v IS NOT NULL"),
            "1 3 42 80",
        ),
        (
            format!("SELECT sum(v) OVER (ORDER BY k, v NULLS FIRST ROWS BETWEEN 1 FOLLOWING AND 1 FOLLOWING) FROM {numbers}"),
            "2  40 40 ",
        ),
        (
            "SELECT sum(v) OVER (ORDER BY v ROWS BETWEEN 1 PRECEDING AND 1 FOLLOWING) FROM (VALUES (0.5), (1.5), (2.5)) AS t(v)".to_owned(),
            "2.0 4.5 4.0",
        ),
        (
            format!("SELECT sum(DISTINCT v) OVER (ORDER BY v ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) FROM {money} WHERE v IS NOT NULL"),
            "0.10 0.30 0.20",
        ),
        (format!("SELECT sum(v) FROM {numbers}"), "83"),
        (format!("SELECT sum(DISTINCT v) FROM {numbers}"), "43"),
        (format!("SELECT sum(v) FROM {most}"), "NSC0504"),
        (format!("SELECT sum(v) OVER (ORDER BY v) FROM {most}"), "NSC0504"),
        (format!("SELECT sum(CAST(v AS DECIMAL(38, 0))) FROM {most}"), "9223372036854775808"),
        // A sum that has been over the edge and come back is right.
        ("SELECT sum(v) FROM (VALUES (9223372036854775807), (1), (-1)) AS t(v)".to_owned(), "9223372036854775807"),
        ("SELECT sum(v) FROM (VALUES (CAST(1.5 AS DOUBLE)), (2.25)) AS t(v)".to_owned(), "3.750000000000000"),
        ("SELECT sum('1')".to_owned(), "NSC0501"),
    ];
    expect(
        dir.path(),
        &cases.each_ref().map(|(sql, want)| (sql.as_str(), *want)),
    );
}

#[test]
fn arithmetic_that_leaves_its_type_is_an_error() {
    let dir = lake();
    let one = |select: &str| {
        format!(
            "SELECT {select} FROM (VALUES (9223372036854775807, CAST('{MOST}' AS DECIMAL(38, 2)), 50000)) AS t(n, m, q)"
        )
    };
    let cases = [
        (one("n + 1"), "NSC0504"),
        (one("-n - 2"), "NSC0504"),
        (one("n * 2"), "NSC0504"),
        (one("CAST(q AS INT) * CAST(q AS INT)"), "NSC0504"),
        (one("q * q + 1 - 1"), "2500000000"),
        ("SELECT 9223372036854775807 + 1".to_owned(), "NSC0504"),
        (
            "SELECT CAST(32767 AS SMALLINT) + CAST(2 AS SMALLINT)".to_owned(),
            "NSC0504",
        ),
        (
            "SELECT v * v FROM (VALUES (CAST('9999999999.5' AS DECIMAL(38, 10)))) AS t(v)".to_owned(),
            "NSC0504",
        ),
        (one("m * m"), "NSC0504"),
        (one("m - 0.99"), "999999999999999999999999999999999999.00"),
        (one("CAST(m AS DECIMAL(20, 2))"), "NSC0501"),
        (one("CAST(n AS INT)"), "NSC0501"),
        (one("abs(m - m - 1)"), "1.00"),
        ("SELECT 9007199254740993.01 + 0.01".to_owned(), "9007199254740993.02"),
        ("SELECT round(9007199254740993.015, 2), floor(9007199254740993.99)".to_owned(), "9007199254740993.02,9007199254740993.00"),
        // The middle of two values keeps its half.
        ("SELECT median(v) FROM (VALUES (0.01), (0.02)) AS t(v)".to_owned(), "0.015"),
        ("SELECT median(v) FROM (VALUES (1), (2)) AS t(v)".to_owned(), "1.5"),
        ("SELECT avg(v) FROM (VALUES (0.01), (0.02)) AS t(v)".to_owned(), "0.015000"),
        // What the columns are called does not change.
        ("SELECT g FROM (SELECT n + 1 AS g FROM (VALUES (1), (2)) AS t(n)) ORDER BY g".to_owned(), "2 3"),
        ("SELECT n + 1, count(*) FROM (VALUES (1), (1), (2)) AS t(n) GROUP BY n + 1 HAVING n + 1 > 2 ORDER BY n + 1".to_owned(), "3,1"),
        ("SELECT a.n FROM (VALUES (1), (2)) AS a(n) JOIN (VALUES (2)) AS b(n) ON a.n + 1 = b.n".to_owned(), "1"),
    ];
    expect(
        dir.path(),
        &cases.each_ref().map(|(sql, want)| (sql.as_str(), *want)),
    );
}

#[test]
fn no_arithmetic_wraps() {
    let dir = lake();
    let least = "(VALUES (CAST('-9223372036854775808' AS BIGINT), CAST('-2147483648' AS INT), CAST('-128' AS TINYINT))) AS t(n, i, b)";
    let ask = |select: &str| format!("SELECT {select} FROM {least}");
    let days = "(VALUES (DATE '2026-01-05', TIMESTAMP '2026-01-05T00:00:00Z')) AS t(d, at)";
    let at = |select: &str| format!("SELECT {select} FROM {days}");
    let cases = [
        ("SELECT -(-9223372036854775808)".to_owned(), "NSC0504"),
        (ask("-n"), "NSC0504"),
        (ask("- - n"), "NSC0504"),
        (ask("-i"), "NSC0504"),
        (ask("-b"), "NSC0504"),
        (ask("-(n + 1)"), "9223372036854775807"),
        (ask("-CAST(i AS BIGINT)"), "2147483648"),
        (ask("CASE WHEN n < 0 THEN -n ELSE n END"), "NSC0504"),
        (
            ask("count(*)")
                .replace(" FROM", " FROM (SELECT n, i FROM")
                .replace("AS t(n, i, b)", "AS t(n, i, b)) AS s WHERE -i > 0"),
            "NSC0504",
        ),
        (ask("abs(n)"), "NSC0501"),
        (ask("abs(i)"), "NSC0501"),
        (ask("n / -1"), "NSC0504"),
        (ask("n % -1"), "0"),
        (ask("n % 0"), "NSC0501"),
        (ask("n - 1"), "NSC0504"),
        (ask("n * -1"), "NSC0504"),
        (ask("i + i"), "NSC0504"),
        (ask("b - CAST(1 AS TINYINT)"), "NSC0504"),
        (at("d + 2147483647"), "NSC"),
        (at("d + 9223372036854775807"), "NSC"),
        (at("d - 2147483647"), "NSC"),
        (at("d + INTERVAL '999999999 days'"), "NSC"),
        (at("d - INTERVAL '99999999 months'"), "NSC"),
        (at("at + INTERVAL '999999999 days'"), "NSC"),
        (at("at - INTERVAL '99999999 months'"), "NSC"),
        (at("-(INTERVAL '-2147483648 months')"), "NSC"),
        (at("d - DATE '0001-01-01'"), "739620"),
        (at("CAST(9223372036854775807 AS TIMESTAMP)"), "NSC"),
        (at("date_trunc('day', at) - at"), "P0D"),
    ];
    expect(
        dir.path(),
        &cases.each_ref().map(|(sql, want)| (sql.as_str(), *want)),
    );
}

#[test]
fn a_text_is_compared_with_money_as_it_is_written_or_refused() {
    let dir = lake();
    let money = "(VALUES (CAST(250000 AS DECIMAL(38, 2)), '250000.004', '250000.00')) AS t(m, more, same)";
    let rows = |filter: &str| format!("SELECT m FROM {money} WHERE {filter}");
    let mut cases: Vec<(String, &str)> = [
        "m = '250000.004'",
        "'250000.004' = m",
        "m <> '250000.004'",
        "m < '250000.004'",
        "m >= '249999.999'",
        "m IN ('1', '250000.004')",
        "m NOT IN ('250000.004')",
        "m BETWEEN '249999.996' AND '250001'",
        "m IS DISTINCT FROM '250000.004'",
        "m = '25000000.4e-2'",
        "m = more",
        "m IN (SELECT k FROM (VALUES ('250000.004')) AS x(k))",
        "m = (SELECT '250000.004')",
        "m = CAST('250000.004' AS DECIMAL(38, 2))",
        "m = '250000.004'::numeric(38, 2)",
        "m = DECIMAL(38, 2) '250000.004'",
        "m = arrow_cast('250000.004', 'Decimal128(38, 2)')",
        "CASE m WHEN '250000.004' THEN true ELSE false END",
        "CASE WHEN m = '250000.004' THEN true ELSE false END",
        "nullif(m, '250000.004') IS NULL",
    ]
    .map(|filter| (rows(filter), "NSC0505"))
    .into();
    cases.push((
        format!("SELECT t.m FROM {money} JOIN (VALUES ('250000.004')) AS x(k) ON t.m = x.k"),
        "NSC0505",
    ));
    cases.push((
        format!("SELECT t.m FROM {money} JOIN (VALUES ('250000.004')) AS x(m) USING (m)"),
        "NSC0505",
    ));
    cases.push((
        "SELECT CAST(v AS DECIMAL(38, 2)) FROM (VALUES ('10.00'), ('10.005')) AS t(v)".to_owned(),
        "NSC0505: '10.005' has more decimals than Decimal128(38, 2) holds\nHINT: Write it as a number",
    ));
    // A constant is refused whether or not a row meets it.
    cases.push((rows("false AND m = '250000.004'"), "NSC0505"));
    for filter in [
        "m = '250000'",
        "m = '250000.00000'",
        "m = ' 250000.0 '",
        "m = same",
        "m IN ('1', '250000.00')",
        "m < 250000.004",
        "m > 249999.996",
        "m <> 250000.004",
        "m NOT IN (250000.004)",
        "m BETWEEN 249999.996 AND 250000.004",
        "TRY_CAST(more AS DECIMAL(38, 2)) IS NULL AND TRY_CAST(same AS DECIMAL(38, 2)) = m",
        "CAST(CAST(more AS DECIMAL(38, 3)) AS DECIMAL(38, 2)) = m",
        "CAST(more AS DECIMAL(38, 3)) > m",
        "CAST(250000.004 AS DECIMAL(38, 2)) = m",
    ] {
        cases.push((rows(filter), "250000.00"));
    }
    for filter in [
        "m = 250000.004",
        "m IN (250000.004)",
        "m = 2500000.04e-1",
        "m = 250000.0000000000000000000001",
    ] {
        cases.push((rows(filter), ""));
    }
    // The engine reads no exponent in a text.
    cases.push((rows("m = '2.5e5'"), "NSC0501"));
    cases.push((rows("m = 'abc'"), "NSC0501"));
    let cases: Vec<(&str, &str)> = cases.iter().map(|(sql, want)| (sql.as_str(), *want)).collect();
    expect(dir.path(), &cases);
}

#[test]
fn a_number_in_the_place_of_a_date_is_refused() {
    let dir = lake();
    let days = "(VALUES (DATE '2026-01-05', TIMESTAMP '2026-01-05T01:00:00Z', 20260105, '2026-01-05')) AS t(d, at, n, s)";
    let ask = |filter: &str| format!("SELECT d FROM {days} WHERE {filter}");
    let mut cases: Vec<(String, &str)> = [
        "d = 20260105",
        "20260105 = d",
        "d <> 20260105",
        "d >= 20260101 AND d < 20260201",
        "d IN (20260105, 20260106)",
        "d IN (DATE '2026-01-05', 20260106)",
        "d BETWEEN 20260101 AND 20260131",
        "d = n",
        "d IS DISTINCT FROM n",
        "d = CAST(n AS INT)",
        "d - 1 = 20260104",
        "d = CAST(20260105 AS DATE)",
        "d = 20260105::date",
        "d = TRY_CAST(20260105 AS DATE)",
        "CAST(d AS INT) = 20260105",
        "d = to_date(20260105)",
        "d = arrow_cast(20260105, 'Date32')",
        "d IN (SELECT n FROM (VALUES (20260105)) AS x(n))",
        "EXISTS (SELECT 1 FROM (VALUES (20260105)) AS x(k) WHERE x.k = t.d)",
        "d = (SELECT max(n) FROM (VALUES (20260105)) AS x(n))",
        "CASE d WHEN 20260105 THEN true ELSE false END",
        "(d, s) = (20260105, '2026-01-05')",
        "(d, s) IN ((20260105, '2026-01-05'))",
        "struct(d) = struct(20260105)",
        "[d] = [20260105]",
    ]
    .map(|filter| (ask(filter), "NSC0503"))
    .into();
    cases.push((
        format!("SELECT t.d FROM {days} JOIN (VALUES (20260105)) AS x(k) ON t.d = x.k"),
        "NSC0503",
    ));
    for set in [
        "SELECT DATE '2026-01-05' UNION SELECT 20260105",
        "SELECT lag(d, 1, 20260105) OVER () FROM (VALUES (DATE '2026-01-05')) AS x(d)",
    ] {
        cases.push((set.to_owned(), "NSC0503"));
    }
    cases.push((
        ask("d = 20260105"),
        "NSC0503: 20260105 is a number, and a date is meant there\nHINT: Write the date as one: date '2026-01-05'",
    ));
    // These the engine itself refuses.
    cases.push((ask("at >= 20260105"), "NSC0501"));
    cases.push((ask("coalesce(d, 0) = d"), "NSC0501"));
    for filter in [
        "d = DATE '2026-01-05'",
        "d = '2026-01-05'",
        "d = s",
        "d IN ('2026-01-04', '2026-01-05')",
        "d BETWEEN DATE '2026-01-05' - 1 AND DATE '2026-01-05' + 1",
        "d + 1 > DATE '2026-01-05'",
        "date_part('year', d) = 2026",
        "CAST(to_char(d, '%Y%m%d') AS BIGINT) = n",
        "at >= TIMESTAMP '2026-01-05T00:00:00Z'",
        "at >= d",
        "(d, s) = ('2026-01-05', '2026-01-05')",
        "[d] = [DATE '2026-01-05']",
        // Seconds since 1970, as whoever writes this means it.
        "at = CAST(1767574800 AS TIMESTAMP)",
    ] {
        cases.push((ask(filter), "2026-01-05"));
    }
    let cases: Vec<(&str, &str)> = cases.iter().map(|(sql, want)| (sql.as_str(), *want)).collect();
    expect(dir.path(), &cases);
}
