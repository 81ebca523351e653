//! Passwords stay where they were given: no command prints or logs one, at any level.

use std::path::Path;

use super::process::{Ended, Service, run};
use super::world::{World, nobody_listens_here};

/// Nothing else in any output looks like this.
const PASSWORD: &str = "correct-horse-9f3b";
const KAFKA_PASSWORD: &str = "battery-staple-41c7";

fn keeps_them(what: &str, ended: &Ended) {
    for secret in [PASSWORD, KAFKA_PASSWORD] {
        assert!(
            !ended.stdout.contains(secret),
            "stdout of {what}: {}",
            ended.stdout
        );
        assert!(
            !ended.stderr.contains(secret),
            "stderr of {what}: {}",
            ended.stderr
        );
    }
}

fn ends(directory: &Path, line: &str, environment: &[(&str, &str)]) -> Ended {
    let arguments: Vec<&str> = line.split_whitespace().collect();
    let ended = run(directory, &arguments, environment);
    keeps_them(line, &ended);
    ended
}

#[test]
fn a_command_that_fails_does_not_print_the_url_it_was_given() {
    let directory = tempfile::tempdir().unwrap();
    let away = nobody_listens_here();
    let urls = [
        format!("postgres://nsc_api:{PASSWORD}@{away}/bo"),
        format!("postgres://nsc_api:{PASSWORD}@127.0.0.1:port/bo"),
        format!("mysql://nsc_api:{PASSWORD}@127.0.0.1/bo"),
        format!("host=127.0.0.1 password={PASSWORD}"),
    ];
    for url in &urls {
        let environment = [
            ("DATABASE_URL", url.as_str()),
            ("NSC_LOG", "trace"),
            ("AUTH_MODE", "disabled"),
        ];
        for line in ["migrate", "dlq list", "backfill --ledger-file x.jsonl"] {
            let ended = ends(directory.path(), line, &environment);
            assert_ne!(ended.code, Some(0), "nsc {line} with {url}");
        }
    }
}

#[test]
fn the_configuration_is_shown_without_them() {
    let directory = tempfile::tempdir().unwrap();
    let url = format!("postgres://nsc_api:{PASSWORD}@127.0.0.1/bo");
    let environment = [
        ("DATABASE_URL", url.as_str()),
        ("DATABASE_REPLICA_URL", url.as_str()),
        ("KAFKA_PASSWORD", KAFKA_PASSWORD),
        ("KAFKA_OAUTH_CLIENT_SECRET", KAFKA_PASSWORD),
    ];
    for line in ["config show", "config show --format json", "doctor"] {
        ends(directory.path(), line, &environment);
    }
    std::fs::write(directory.path().join("url"), &url).unwrap();
    ends(directory.path(), "config show", &[("DATABASE_URL_FILE", "url")]);
}

#[test]
fn an_address_that_holds_one_is_refused_without_being_quoted() {
    let directory = tempfile::tempdir().unwrap();
    let url = format!("https://nsc:{PASSWORD}@collector.example/x");
    for (section, key) in [
        ("telemetry", "otlp_endpoint"),
        ("auth", "jwks_url"),
        ("auth", "issuer"),
        ("kafka", "oauth_token_url"),
    ] {
        let file = format!("[{section}]\n{key} = '{url}'\n");
        std::fs::write(directory.path().join("nsc.toml"), file).unwrap();
        for (line, environment) in [
            ("config show", "local"),
            ("config show", "prod"),
            ("consume", "prod"),
        ] {
            let ended = ends(directory.path(), line, &[("NSC_ENV", environment)]);
            assert_eq!(ended.code, Some(2), "{}", ended.stderr);
            let named = format!("{section}.{key}");
            assert!(
                ended.stderr.contains(&named) && ended.stderr.contains("HINT"),
                "{}",
                ended.stderr
            );
        }
    }
}

#[tokio::test]
async fn services_that_log_everything_do_not_log_them() {
    let world = World::new().await;
    let directory = world.directory.path();
    let with_password = |url: String| url.replacen('@', &format!(":{PASSWORD}@"), 1);
    let api_url = with_password(world.database.url_of("nsc_api").await.unwrap());
    let consumer_url = with_password(world.database.url_of("nsc_consumer").await.unwrap());
    let away = nobody_listens_here().to_string();
    let shared = [("NSC_LOG", "trace"), ("NSC_LOG_FORMAT", "json")];
    let own = |own: &[(&'static str, String)]| -> Vec<(&'static str, String)> {
        let shared = shared.map(|(name, value)| (name, value.to_owned()));
        shared.into_iter().chain(own.iter().cloned()).collect()
    };
    let api = own(&[("DATABASE_URL", api_url), ("AUTH_MODE", "disabled".to_owned())]);
    // SASL needs TLS, which nobody speaks there: the client tries and logs.
    let consumer = own(&[
        ("DATABASE_URL", consumer_url),
        ("KAFKA_BROKERS", away),
        ("KAFKA_SECURITY", "plain".to_owned()),
        ("KAFKA_USERNAME", "nsc".to_owned()),
        ("KAFKA_PASSWORD", KAFKA_PASSWORD.to_owned()),
        ("NSC_METRICS_LISTEN", "127.0.0.1:0".to_owned()),
    ]);
    // What each says once it has used the passwords it was given.
    let api = ("serve api --listen 127.0.0.1:0", api, "\"address\":");
    let consumer = ("consume", consumer, "Connection refused");
    for (line, environment, said) in [api, consumer] {
        let arguments: Vec<&str> = line.split_whitespace().collect();
        let environment: Vec<(&str, &str)> = environment.iter().map(|(n, v)| (*n, v.as_str())).collect();
        let mut service = Service::start(directory, &arguments, &environment);
        service.wait_until_it_says(said);
        assert!(service.runs(), "{line}:\n{}", service.log());
        let ended = service.stop();
        assert_eq!(ended.code, Some(0), "{line}:\n{}", ended.stderr);
        assert!(!ended.stderr.is_empty(), "{line} logged nothing at all");
        keeps_them(line, &ended);
    }
}
