//! What an operator reads, and how the process ends, when the serving half is not set up right.

use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::time::{Duration, Instant};

use nsc_testkit::Postgres;
use sqlx::Connection;

use super::http;
use super::process::{Ended, PATIENCE, run};
use super::world::{migrated, nobody_listens_here, serve_api};

/// A command that is refused: exit code 2 unless said otherwise, a code of ours, and nothing on stdout.
#[derive(Clone, Copy)]
struct Refused<'a> {
    line: &'a str,
    environment: &'a [(&'a str, &'a str)],
    code: &'a str,
    exit: i32,
}

fn check(directory: &Path, case: &Refused<'_>) -> Ended {
    let arguments: Vec<&str> = case.line.split_whitespace().collect();
    let ended = run(directory, &arguments, case.environment);
    let said = format!("ERROR {}: ", case.code);
    assert_eq!(ended.code, Some(case.exit), "nsc {}\n{}", case.line, ended.stderr);
    assert!(
        ended.stderr.contains(&said),
        "nsc {}: {}",
        case.line,
        ended.stderr
    );
    assert!(
        ended.stderr.contains("HINT: "),
        "nsc {}: {}",
        case.line,
        ended.stderr
    );
    assert_eq!(ended.stdout, "", "nsc {}", case.line);
    ended
}

fn refused(line: &str, environment: &[(&str, &str)], code: &str) -> Ended {
    let directory = tempfile::tempdir().unwrap();
    check(
        directory.path(),
        &Refused {
            line,
            environment,
            code,
            exit: 2,
        },
    )
}

const API: &str = "serve api --listen 127.0.0.1:0";
const CONSUME: &str = "consume --metrics-listen 127.0.0.1:0";
/// Never connected to: these commands are refused before.
const SOME_DATABASE: (&str, &str) = ("DATABASE_URL", "postgres://nsc_api@127.0.0.1:1/bo");

#[test]
fn disabled_authentication_is_refused_outside_of_a_developers_machine() {
    for environment in ["dev", "prod"] {
        let variables = [SOME_DATABASE, ("AUTH_MODE", "disabled"), ("NSC_ENV", environment)];
        refused(API, &variables, "NSC0621");
    }
}

#[test]
fn disabled_authentication_is_refused_where_other_machines_can_ask() {
    refused(
        "serve api --listen 0.0.0.0:0",
        &[SOME_DATABASE, ("AUTH_MODE", "disabled")],
        "NSC0621",
    );
    // Not even by an explicit word, unless this is said to be a developer's machine.
    let anywhere = ("NSC_AUTH_DISABLED_ON_ANY_ADDRESS", "true");
    let variables = [SOME_DATABASE, ("AUTH_MODE", "disabled"), anywhere];
    refused("serve api --listen 0.0.0.0:0", &variables, "NSC0621");
}

#[test]
fn an_api_that_does_not_know_who_may_look_is_refused() {
    refused(API, &[SOME_DATABASE], "NSC0621");
    refused(
        API,
        &[SOME_DATABASE, ("OIDC_ISSUER", "https://issuer.example/")],
        "NSC0621",
    );
}

#[test]
fn a_command_without_a_database_is_refused() {
    for line in [
        API,
        CONSUME,
        "migrate",
        "backfill --ledger-file x.jsonl",
        "dlq list",
    ] {
        let ended = refused(line, &[("AUTH_MODE", "disabled")], "NSC0003");
        assert!(ended.stderr.contains("DATABASE_URL"), "{}", ended.stderr);
    }
}

#[test]
fn a_backfill_that_could_load_nothing_is_refused() {
    let (earlier, later) = ("2026-01-05T00:00:00Z", "2026-01-06T00:00:00Z");
    for (since, until) in [(later, earlier), (earlier, earlier)] {
        let line = format!("backfill --ledger-file x.jsonl --since {since} --until {until}");
        let ended = refused(&line, &[SOME_DATABASE], "NSC0002");
        assert!(ended.stderr.contains("--since"), "{}", ended.stderr);
    }
    let line = "backfill --ledger-file - --payment-order-file -";
    let ended = refused(line, &[SOME_DATABASE], "NSC0002");
    assert!(ended.stderr.contains("standard input"), "{}", ended.stderr);
}

#[test]
fn batches_of_nothing_are_refused() {
    for line in [CONSUME, "backfill --ledger-file x.jsonl"] {
        let ended = refused(line, &[SOME_DATABASE, ("NSC_BATCH_ROWS", "0")], "NSC0003");
        assert!(ended.stderr.contains("NSC_BATCH_ROWS"), "{}", ended.stderr);
    }
}

#[test]
fn an_event_profile_that_does_not_say_which_event_is_which_is_refused() {
    refused(
        &format!("{CONSUME} --profile nobody-v9"),
        &[SOME_DATABASE],
        "NSC0612",
    );
    let both_on_one = [
        SOME_DATABASE,
        ("NSC_LEDGER_TOPIC", "events"),
        ("NSC_ORDER_TOPIC", "events"),
    ];
    refused(CONSUME, &both_on_one, "NSC0612");
}

#[test]
fn a_consumer_never_connects_in_another_way_than_it_is_told() {
    let database = SOME_DATABASE;
    for (variables, code) in [
        (&[database, ("KAFKA_PASSWORD", "s3cret")][..], "NSC0623"),
        (
            &[
                database,
                ("KAFKA_SASL_USERNAME", "u"),
                ("KAFKA_SASL_PASSWORD", "s3cret"),
            ],
            "NSC0623",
        ),
        (&[database, ("KAFKA_SSL_CA_LOCATION", "/ca.pem")], "NSC0623"),
        (&[database, ("KAFKA_OAUTH_CLIENT_SECRET", "s3cret")], "NSC0623"),
        (
            &[database, ("KAFKA_SECURITY_PROTOCOL", "SASL_PLAINTEXT")],
            "NSC0004",
        ),
        (&[database, ("KAFKA_SASL_MECHANISM", "SCRAM-SHA-256")], "NSC0004"),
        (&[database, ("SERVICE_NAME", "tx-lookup-service")], "NSC0004"),
        (
            &[
                database,
                ("KAFKA_SECURITY", "plaintext"),
                ("KAFKA_SECURITY_PROTOCOL", "SASL_SSL"),
            ],
            "NSC0005",
        ),
        // SASL over TLS it is, and then there must be a login.
        (&[database, ("KAFKA_SECURITY_PROTOCOL", "SASL_SSL")], "NSC0003"),
    ] {
        let ended = refused(CONSUME, variables, code);
        assert!(!ended.stderr.contains("s3cret"), "{}", ended.stderr);
    }
    // Nor does it send a secret in the clear to get its token.
    let clear = [
        database,
        ("KAFKA_SECURITY", "oauthbearer"),
        ("KAFKA_OAUTH_TOKEN_URL", "http://issuer.example/token"),
        ("KAFKA_OAUTH_CLIENT_ID", "c"),
        ("KAFKA_OAUTH_CLIENT_SECRET", "s3cret"),
    ];
    let ended = refused(CONSUME, &clear, "NSC0003");
    assert!(
        ended.stderr.contains("not https") && !ended.stderr.contains("s3cret"),
        "{}",
        ended.stderr
    );
}

/// librdkafka takes a port modulo 65536, and waits for ever for a host that cannot be.
#[test]
fn an_address_that_leads_nowhere_is_refused_before_anything_connects() {
    for (variable, value, named) in [
        ("KAFKA_BROKERS", "127.0.0.1:74628", "127.0.0.1:74628"),
        ("KAFKA_BROKERS", "one:9092,http://h:9", "http://h:9"),
        ("KAFKA_BROKERS", "a b:9092", "a b:9092"),
        ("KAFKA_BROKERS", "one:9092,,two:9092", "member 2"),
        ("KAFKA_BROKERS", "one:9092,two", "two"),
        ("KAFKA_BROKERS", "::1:9092", "[::1]:9092"),
        ("KAFKA_OAUTH_TOKEN_URL", "https://h:99999/token", "99999"),
        ("OIDC_ISSUER", "login.example", "login.example"),
        ("OIDC_JWKS_URL", "https:///keys", "https:///keys"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4318", "collector:4318"),
        ("NSC_API_LISTEN", "127.0.0.1:74628", "127.0.0.1:74628"),
        ("NSC_METRICS_LISTEN", "localhost", "localhost"),
    ] {
        for line in [
            "consume",
            "serve api",
            "dlq list",
            "sample publish --ledger-file x.jsonl",
        ] {
            let ended = refused(line, &[SOME_DATABASE, (variable, value)], "NSC0003");
            assert!(
                ended.stderr.contains(variable) && ended.stderr.contains(named),
                "{line}: {}",
                ended.stderr
            );
        }
    }
    for url in [
        "postgres://u@h:74628/bo",
        "postgres://u@::1:5432/bo",
        "postgres://u@a b/bo",
    ] {
        for line in [API, CONSUME, "dlq list"] {
            refused(
                line,
                &[("DATABASE_URL", url), ("AUTH_MODE", "disabled")],
                "NSC0003",
            );
        }
        let replica = [
            SOME_DATABASE,
            ("DATABASE_REPLICA_URL", url),
            ("AUTH_MODE", "disabled"),
        ];
        refused(CONSUME, &replica, "NSC0003");
    }
}

#[test]
fn an_address_that_is_taken_is_refused() {
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = taken.local_addr().unwrap();
    let disabled = [SOME_DATABASE, ("AUTH_MODE", "disabled")];
    refused(&format!("serve api --listen {address}"), &disabled, "NSC0622");
    refused(
        &format!("consume --metrics-listen {address}"),
        &disabled,
        "NSC0622",
    );
}

#[test]
fn a_database_that_is_away_ends_a_command_and_not_a_service() {
    let directory = tempfile::tempdir().unwrap();
    let url = format!("postgres://nsc_api@{}/bo", nobody_listens_here());
    for line in ["migrate", "dlq list"] {
        let environment = [("DATABASE_URL", url.as_str())];
        let case = Refused {
            line,
            environment: &environment,
            code: "NSC0601",
            exit: 6,
        };
        check(directory.path(), &case);
    }
    let mut api = serve_api(directory.path(), &url);
    let address = api.address();
    assert_eq!(http::get(address, "/healthz").unwrap().status, 200);
    for target in [
        "/readyz",
        "/admin/tx/tx-1",
        "/admin/payment-orders/po-1",
        "/admin/wallets/w-1/tx",
    ] {
        let answer = http::get(address, target).unwrap();
        assert_eq!(answer.status, 503, "{target}: {answer:?}");
        assert!(
            answer.head.contains("content-type: application/problem+json"),
            "{answer:?}"
        );
    }
    assert!(api.runs(), "it waits for its database:\n{}", api.log());
    let ended = api.stop();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
}

#[tokio::test]
async fn a_database_without_our_schema_is_refused_by_commands_and_reported_by_the_api() {
    let directory = tempfile::tempdir().unwrap();
    let empty = Postgres::shared().await.unwrap().fresh_database().await.unwrap();
    let url = empty.url();
    std::fs::write(directory.path().join("x.jsonl"), "").unwrap();
    for line in [CONSUME, "backfill --ledger-file x.jsonl", "dlq list"] {
        let environment = [("DATABASE_URL", url.as_str())];
        let case = Refused {
            line,
            environment: &environment,
            code: "NSC0602",
            exit: 2,
        };
        let ended = check(directory.path(), &case);
        assert!(ended.stderr.contains("nsc migrate"), "{}", ended.stderr);
    }
    let mut api = serve_api(directory.path(), &url);
    let address = api.address();
    let answer = http::get(address, "/readyz").unwrap();
    assert_eq!(answer.status, 503, "{answer:?}");
    // What an operator does next helps without a restart.
    let migrated = run(directory.path(), &["migrate"], &[("DATABASE_URL", &url)]);
    assert_eq!(migrated.code, Some(0), "{}", migrated.stderr);
    let begun = Instant::now();
    while http::get(address, "/readyz").unwrap().status != 200 {
        assert!(begun.elapsed() < PATIENCE, "{}", api.log());
        std::thread::sleep(Duration::from_millis(200));
    }
}

#[tokio::test]
async fn migrating_again_changes_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let database = migrated(directory.path()).await;
    let again = run(
        directory.path(),
        &["migrate"],
        &[("DATABASE_URL", &database.url())],
    );
    assert_eq!(again.code, Some(0), "{}", again.stderr);
    assert!(again.stdout.ends_with("nothing to do\n"), "{}", again.stdout);
}

/// What a machine may have set for `psql` leads no command to another server.
#[tokio::test]
async fn a_url_of_another_kind_goes_nowhere_and_is_not_shown() {
    let directory = tempfile::tempdir().unwrap();
    let postgres = Postgres::shared().await.unwrap();
    let port = postgres.port().to_string();
    let address = format!("127.0.0.1:{port}");
    std::fs::write(directory.path().join("x.jsonl"), "").unwrap();
    for url in [
        format!("jdbc:postgresql://nsc_api:s3cret@{address}/bo"),
        format!("https://nsc_api:s3cret@{address}/bo"),
        format!("postgres://s3cret:s3cret@{address}/bo?pasword=s3cret"),
        "host=127.0.0.1 password=s3cret".to_owned(),
    ] {
        for line in [
            "migrate",
            "dlq list",
            "backfill --ledger-file x.jsonl",
            CONSUME,
            API,
            "doctor",
        ] {
            let environment = [
                ("DATABASE_URL", url.as_str()),
                ("PGHOST", "127.0.0.1"),
                ("PGPORT", port.as_str()),
                ("PGUSER", "postgres"),
                ("AUTH_MODE", "disabled"),
                ("NSC_ENV", "local"),
                ("NSC_LOG", "trace"),
            ];
            let arguments: Vec<&str> = line.split_whitespace().collect();
            let ended = run(directory.path(), &arguments, &environment);
            if line != "doctor" {
                assert_eq!(ended.code, Some(2), "{line}: {}", ended.stderr);
                assert!(ended.stderr.contains("NSC0003"), "{line}: {}", ended.stderr);
            }
            for part in ["s3cret", "jdbc"] {
                let shown = ended.stderr.contains(part) || ended.stdout.contains(part);
                assert!(!shown, "{line} shows {part}: {}{}", ended.stdout, ended.stderr);
            }
        }
    }
}

#[tokio::test]
async fn variables_of_psql_count_nowhere() {
    let directory = tempfile::tempdir().unwrap();
    let database = Postgres::shared().await.unwrap().fresh_database().await.unwrap();
    let other = Postgres::shared().await.unwrap().fresh_database().await.unwrap();
    let (port, away) = (
        database.postgres().port(),
        nobody_listens_here().port().to_string(),
    );
    // Each would lead elsewhere, or keep us from connecting at all.
    let variables = |url| {
        [
            ("DATABASE_URL", url),
            ("PGHOST", "192.0.2.1"),
            ("PGHOSTADDR", "192.0.2.1"),
            ("PGPORT", away.as_str()),
            ("PGUSER", "nobody"),
            ("PGDATABASE", other.name()),
            ("PGSSLMODE", "verify-full"),
        ]
    };
    let url = format!("postgres://postgres@127.0.0.1:{port}/{}", database.name());
    let migrated = run(directory.path(), &["migrate"], &variables(&url));
    assert_eq!(migrated.code, Some(0), "{}", migrated.stderr);
    // Without a name the database is the user's, as for every client, and not another one.
    let url = format!("postgres://postgres@127.0.0.1:{port}");
    run(directory.path(), &["migrate"], &variables(&url));
    let schema = run(
        directory.path(),
        &["dlq", "list"],
        &[("DATABASE_URL", &other.url())],
    );
    assert!(schema.stderr.contains("NSC0602"), "{}", schema.stderr);
    database
        .postgres()
        .execute("DROP SCHEMA IF EXISTS bo CASCADE".to_owned())
        .await
        .unwrap();
}

#[tokio::test]
async fn a_database_that_is_not_in_utf8_ends_every_command_and_makes_no_dead_letter() {
    let directory = tempfile::tempdir().unwrap();
    let postgres = Postgres::shared().await.unwrap();
    let make = "CREATE DATABASE latin ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0";
    postgres.execute(make.to_owned()).await.unwrap();
    let url = postgres.url("latin");
    let environment = [
        ("DATABASE_URL", url.as_str()),
        ("AUTH_MODE", "disabled"),
        ("NSC_ENV", "local"),
    ];
    let migrate = Refused {
        line: "migrate",
        environment: &environment,
        code: "NSC0603",
        exit: 2,
    };
    check(directory.path(), &migrate);
    // With a schema that a release made which did not ask.
    let schema = "CREATE SCHEMA bo; CREATE TABLE bo.schema_migrations (version bigint, description text, success bool);
                  INSERT INTO bo.schema_migrations VALUES (1000, 'x', true)";
    let mut connection = sqlx::PgConnection::connect(&url).await.unwrap();
    sqlx::raw_sql(schema).execute(&mut connection).await.unwrap();
    std::fs::write(directory.path().join("x.jsonl"), "").unwrap();
    for line in [CONSUME, API, "backfill --ledger-file x.jsonl", "dlq replay"] {
        let case = Refused { line, ..migrate };
        check(directory.path(), &case);
    }
}
