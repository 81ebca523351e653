//! Precedence, origins and refusals.

use std::path::{Path, PathBuf};

use nsc_core::{ErrorCode, OperatorError};
use secrecy::ExposeSecret;

use super::super::file::FileConfig;
use super::super::{Scope, listing};
use super::{Config, Flags, OperatorMessage, resolve};
use crate::environment::Environment;
use crate::output::{Look, listing_text};

fn with(file: &str, env: &Environment, flags: &Flags) -> Result<Config, OperatorMessage> {
    let path = PathBuf::from("nsc.toml");
    let parsed = FileConfig::parse(Path::new("nsc.toml"), file)?;
    resolve(flags, env, Some((path, parsed)), Scope::All)
}

fn refused(file: &str, env: &Environment) -> String {
    let error = with(file, env, &Flags::default()).unwrap_err();
    format!("{error} | {}", error.detail().unwrap_or_default())
}

#[test]
fn each_layer_overrides_the_weaker_ones() {
    let file = "[lake]\nroot = 'from-file'\n";
    let env = Environment::from([("NSC_ROOT", "from-env")]);
    let mut flags = Flags::default();
    flags.set(&super::keys::ROOT, Some(&"from-flag".to_owned()));
    let root = |c: Config| (c.lake.root.value, c.lake.root.origin.to_string());
    let nothing = Environment::default();
    assert_eq!(
        root(resolve(&Flags::default(), &nothing, None, Scope::All).unwrap()),
        ("./lakehouse".into(), "default".into())
    );
    assert_eq!(
        root(with(file, &nothing, &Flags::default()).unwrap()),
        ("from-file".into(), "file nsc.toml".into())
    );
    assert_eq!(
        root(with(file, &env, &Flags::default()).unwrap()),
        ("from-env".into(), "environment NSC_ROOT".into())
    );
    assert_eq!(
        root(with(file, &env, &flags).unwrap()),
        ("from-flag".into(), "flag --root".into())
    );
}

#[test]
fn rust_log_counts_between_our_variable_and_the_file() {
    let file = "[log]\nfilter = 'info'\n";
    let level = |env: Environment| with(file, &env, &Flags::default()).unwrap().log.filter.value;
    assert_eq!(level(Environment::default()), "info");
    assert_eq!(level(Environment::from([("RUST_LOG", "debug")])), "debug");
    assert_eq!(
        level(Environment::from([("RUST_LOG", "debug"), ("NSC_LOG", "trace")])),
        "trace"
    );
    assert_eq!(
        level(Environment::from([("RUST_LOG", "debug"), ("LOG_LEVEL", "ERROR")])),
        "error"
    );
}

/// Set for the whole machine, in any form that Rust programs take.
#[test]
fn what_rust_log_says_of_other_programs_is_passed_over_with_one_line() {
    let told = |value: &str| {
        let env = Environment::from([("RUST_LOG", value)]);
        let config = with("", &env, &Flags::default()).unwrap();
        (config.log.filter.value, config.notices.len())
    };
    for value in [
        "hyper=warn",
        "hyper",
        "info,h2",
        "my_app=debug,tower=off",
        "info/connect",
        "loud",
        "3x",
    ] {
        assert_eq!(told(value), ("warn".to_owned(), 1), "{value}");
    }
    for value in ["INFO", "info", "warn,nsc_lake=debug", "Hyper=warn,nsc=info"] {
        assert_eq!(told(value), (value.to_owned(), 0), "{value}");
    }
    // Our own words are held to what they say.
    assert!(
        with(
            "",
            &Environment::from([("NSC_LOG", "hyper=warn")]),
            &Flags::default()
        )
        .is_ok()
    );
}

#[test]
fn values_that_cannot_work_name_key_and_origin() {
    let none = Environment::default();
    let said = [
        refused("environment = 'production'\n", &none),
        refused("[resources]\nmemory_limit = '1GB'\n", &none),
        refused("[resources]\nmemory_limit = '1MiB'\n", &none),
        refused("[retention]\nfiles_days = 1\n", &none),
        refused("[retention]\nbad_records_days = 0\n", &none),
        refused("[log]\nformat = 'xml'\n", &none),
        refused("", &Environment::from([("NSC_THREADS", "many")])),
        refused("", &Environment::from([("NSC_THREADS", "0")])),
        refused("[lake]\nroot = ' '\n", &none),
        refused("", &Environment::from([("NSC_SALT_FILE", "/no/such/file")])),
    ];
    insta::assert_snapshot!(said.join("\n"));
}

#[test]
fn the_dummy_salt_is_for_local_only() {
    let salt = |file: &str, env: Environment| {
        let config = with(file, &env, &Flags::default())?;
        Ok::<_, OperatorMessage>(
            config
                .analytics
                .salt
                .map(|s| (s.value.expose_secret().to_owned(), s.origin.to_string())),
        )
    };
    assert_eq!(
        salt("environment = 'local'\n", Environment::default()),
        Ok(Some(("local-salt-v1".into(), "default".into())))
    );
    // Not said is not local.
    assert_eq!(salt("", Environment::default()), Ok(None));
    assert!(salt("", Environment::from([("NSC_SALT", "local-salt-v1")])).is_err());
    assert_eq!(salt("environment = 'prod'\n", Environment::default()), Ok(None));
    assert!(
        salt(
            "environment = 'dev'\n",
            Environment::from([("NSC_SALT", "local-salt-v1")])
        )
        .is_err()
    );
    assert!(
        salt(
            "environment = 'local'\n[analytics]\nsalt = '  '\n",
            Environment::default()
        )
        .is_err()
    );
    let own = salt(
        "environment = 'prod'\n[analytics]\nsalt = 'f'\n",
        Environment::from([("NSC_SALT", "e")]),
    );
    assert_eq!(own, Ok(Some(("e".into(), "environment NSC_SALT".into()))));
}

#[test]
fn outside_local_no_secret_may_stand_in_the_configuration_file() {
    let secrets = [
        "[analytics]\nsalt = 's3cret'\n",
        "[lake.storage]\naccount_key = 's3cret'\n",
        "[database]\nurl = 'postgres://u:s3cret@h/d'\n",
        "[database]\nreplica_url = 'postgres://u:s3cret@h/d'\n",
        "[kafka]\npassword = 's3cret'\n",
        "[kafka]\noauth_client_secret = 's3cret'\n",
    ];
    let none = Environment::default();
    for secret in secrets {
        let local = format!("environment = 'local'\n{secret}");
        assert!(with(&local, &none, &Flags::default()).is_ok(), "{secret}");
        let said = refused(secret, &none);
        assert!(said.contains("NSC_ENV is not set"), "{said}");
        let said = refused(&format!("environment = 'prod'\n{secret}"), &none);
        assert!(said.contains("refused in environment prod"), "{said}");
        assert!(!said.contains("s3cret"), "{said}");
    }
    // What lets nobody in may stand there.
    assert!(
        with(
            "environment = 'prod'\n[lake.storage]\naccount_name = 'a'\n",
            &none,
            &Flags::default()
        )
        .is_ok()
    );
}

#[test]
fn an_address_with_a_user_in_it_is_refused_wherever_it_stands() {
    let none = Environment::default();
    let url = "https://user:s3cret@host/path";
    let written = [
        ("lake.root", format!("[lake]\nroot = '{url}'\n")),
        (
            "kafka.brokers",
            "[kafka]\nbrokers = 'a:9092,user:s3cret@b:9092'\n".to_owned(),
        ),
        (
            "kafka.oauth_token_url",
            format!("[kafka]\noauth_token_url = '{url}'\n"),
        ),
        ("auth.issuer", format!("[auth]\nissuer = '{url}'\n")),
        ("auth.jwks_url", format!("[auth]\njwks_url = '{url}'\n")),
        (
            "telemetry.otlp_endpoint",
            format!("[telemetry]\notlp_endpoint = '{url}'\n"),
        ),
    ];
    for (name, file) in written {
        for environment in ["local", "prod"] {
            let file = format!("environment = '{environment}'\n{file}");
            let error = with(&file, &none, &Flags::default()).unwrap_err();
            let said = format!("{error} {:?} {:?}", error.detail(), error.hint());
            assert!(
                said.starts_with(&format!("{name} (file nsc.toml) is not usable")),
                "{said}"
            );
            assert!(
                error.hint().is_some_and(|h| h.contains("Take them out")),
                "{said}"
            );
            assert!(!said.contains("s3cret"), "{said}");
        }
    }
    let variable = Environment::from([("OTEL_EXPORTER_OTLP_ENDPOINT", url)]);
    let said = refused("", &variable);
    assert!(
        said.starts_with("telemetry.otlp_endpoint (environment OTEL_EXPORTER_OTLP_ENDPOINT)"),
        "{said}"
    );
    // An `@` elsewhere is none of this.
    let file = "[lake]\nroot = './lake@home'\n[auth]\njwks_url = 'https://issuer.example/@tenant/keys'\n";
    assert!(with(file, &none, &Flags::default()).is_ok());
}

#[test]
fn serving_refuses_batches_of_nothing_pools_without_a_connection_and_no_retention() {
    let said = [
        refused("", &Environment::from([("NSC_BATCH_ROWS", "0")])),
        refused("[consumer]\nbatch_rows = 0\n", &Environment::default()),
        refused("[database]\nmax_connections = 0\n", &Environment::default()),
        refused("", &Environment::from([("NSC_DLQ_RETENTION_DAYS", "0")])),
        refused("[dlq]\nretention_days = 36501\n", &Environment::default()),
    ];
    assert_eq!(
        said,
        [
            "consumer.batch_rows (environment NSC_BATCH_ROWS) is not usable | it is 0, the least is 1",
            "consumer.batch_rows (file nsc.toml) is not usable | it is 0, the least is 1",
            "database.max_connections (file nsc.toml) is not usable | it is 0, the least is 1",
            "dlq.retention_days (environment NSC_DLQ_RETENTION_DAYS) is not usable | it is 0, expected 1 to 36500",
            "dlq.retention_days (file nsc.toml) is not usable | it is 36501, expected 1 to 36500",
        ]
    );
}

#[test]
fn an_address_that_leads_nowhere_is_named_with_where_it_came_from() {
    let said = [
        refused("", &Environment::from([("KAFKA_BROKERS", "one:9092,two:74628")])),
        refused("[kafka]\nbrokers = 'a b:9092'\n", &Environment::default()),
        refused("[auth]\nissuer = 'login.example'\n", &Environment::default()),
        refused(
            "[telemetry]\notlp_endpoint = 'http://c:99999'\n",
            &Environment::default(),
        ),
    ];
    assert_eq!(
        said,
        [
            "kafka.brokers (environment KAFKA_BROKERS) is not usable | \"two:74628\": its port is not a number from 1 to 65535",
            "kafka.brokers (file nsc.toml) is not usable | \"a b:9092\": it holds a blank; between two brokers there is a comma",
            "auth.issuer (file nsc.toml) is not usable | \"login.example\": it must begin with https:// (or http://)",
            "telemetry.otlp_endpoint (file nsc.toml) is not usable | \"http://c:99999\": invalid port number",
        ]
    );
    // An issuer whose keys are elsewhere is compared and never asked.
    let file = "[auth]\nissuer = 'login.example'\njwks_url = 'https://login.example/keys'\n";
    assert!(with(file, &Environment::default(), &Flags::default()).is_ok());
}

#[test]
fn serving_reads_its_variables_and_refuses_what_it_does_not_know() {
    let env = Environment::from([
        ("DATABASE_URL", "postgres://nsc_api:s3cret@db/bo"),
        ("KAFKA_BROKERS", "one:9093,two:9093"),
        ("AUTH_MODE", "disabled"),
        ("NSC_API_TRUSTED_PROXIES", "10.0.0.0/8, ::1"),
    ]);
    let serving = with("[kafka]\nsecurity = 'plain'\n", &env, &Flags::default())
        .unwrap()
        .serving;
    assert_eq!(serving.kafka.brokers.value, "one:9093,two:9093");
    assert_eq!(serving.kafka.security.value.to_string(), "plain");
    assert_eq!(serving.auth.mode.value.to_string(), "disabled");
    assert_eq!(
        serving.api.trusted_proxies.unwrap().value.to_string(),
        "10.0.0.0/8, ::1"
    );
    assert!(!format!("{:?}", serving.database).contains("s3cret"));
    let none = Environment::default();
    let said = [
        refused("[kafka]\nsecurity = 'ssl'\n", &none),
        refused("[auth]\nmode = 'none'\n", &none),
        refused("[api]\nlisten = '8080'\n", &none),
        refused("[api]\ntrusted_proxies = '10.0.0.0/33'\n", &none),
        refused("[consumer]\nbatch_rows = 0.5\n", &none),
    ];
    insta::assert_snapshot!(said.join("\n"));
}

/// What is made of a mounted file of these bytes.
fn mounted(variable: &str, bytes: &[u8]) -> Result<Config, OperatorMessage> {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("secret");
    std::fs::write(&file, bytes).unwrap();
    let env = Environment::from([("NSC_SALT", "e"), (variable, file.to_str().unwrap())]);
    resolve(&Flags::default(), &env, None, Scope::All)
}

#[test]
fn the_secret_store_comes_before_the_environment() {
    let salt = mounted("NSC_SALT_FILE", b"mounted").unwrap().analytics.salt;
    assert_eq!(salt.unwrap().value.expose_secret(), "mounted");
}

#[test]
fn a_salt_is_read_exactly_or_refused() {
    let salt = |bytes: &[u8]| mounted("NSC_SALT_FILE", bytes).map(|c| c.analytics.salt.unwrap());
    assert_eq!(salt(b"two words").unwrap().value.expose_secret(), "two words");
    for bytes in [
        &b"salt\n"[..],
        b"salt\r\n",
        b" salt",
        b"salt ",
        b"salt\t",
        "salt\u{a0}".as_bytes(),
    ] {
        let refusal = salt(bytes).unwrap_err();
        assert_eq!(refusal.code(), ErrorCode::SaltAmbiguous, "{bytes:?}");
        assert!(refusal.hint().is_some_and(|h| h.contains("printf")));
    }
    for bytes in [&b"\xef\xbb\xbfsalt"[..], b"\xff\xfes\0a\0", b"\xff"] {
        assert_eq!(
            salt(bytes).unwrap_err().code(),
            ErrorCode::Configuration,
            "{bytes:?}"
        );
    }
    for value in [" salt", "salt ", "\u{feff}salt"] {
        let env = Environment::from([("NSC_SALT", value)]);
        let refusal = with("", &env, &Flags::default()).unwrap_err();
        assert_eq!(refusal.code(), ErrorCode::SaltAmbiguous, "{value:?}");
    }
}

#[test]
fn other_secrets_may_end_with_a_line_and_begin_with_no_mark() {
    let url = |bytes: &[u8]| mounted("DATABASE_URL_FILE", bytes).map(|c| c.serving.database.url.unwrap());
    assert_eq!(
        url(b"postgres://h/d\n").unwrap().value.expose_secret(),
        "postgres://h/d"
    );
    let said = url(b"\xef\xbb\xbfpostgres://u:s3cret@h/d")
        .unwrap_err()
        .to_string();
    assert!(
        said.contains("byte order mark") && !said.contains("s3cret"),
        "{said}"
    );
}

#[test]
fn claims_with_roles_may_be_a_list_in_the_file() {
    let claims = |file: &str| {
        let config = with(
            &format!("[auth]\n{file}"),
            &Environment::default(),
            &Flags::default(),
        );
        config.map(|c| c.serving.auth.roles_claim.value.to_string())
    };
    assert_eq!(claims("").unwrap(), "roles,scp");
    assert_eq!(claims("roles_claim = 'groups'\n").unwrap(), "groups");
    assert_eq!(
        claims("roles_claim = [['resource_access', 'my.client', 'roles'], 'scp']\n").unwrap(),
        r#"[["resource_access","my.client","roles"],"scp"]"#
    );
    assert!(claims("roles_claim = 7\n").is_err());
    assert!(claims("roles_claim = ''\n").is_err());
}

#[test]
fn the_effective_configuration_is_shown_without_secrets() {
    let file = "environment = 'local'\n[lake]\nroot = 'abfss://c@a.dfs.core.windows.net/lake'\n\
                [lake.storage]\naccount_key = 's3cret'\n[analytics]\nsalt = 's3cret'\n[resources]\nthreads = 4\n\
                [database]\nurl = 'postgres://u:s3cret@h/d'\n[kafka]\npassword = 's3cret'\n";
    let env = Environment::from([("NSC_STORAGE_SAS_TOKEN", "s3cret"), ("NSC_LOG", "info")]);
    let config = with(file, &env, &Flags::default()).unwrap();
    let shown = listing_text(&listing(&config), Look::of_a_pipe());
    assert!(!shown.contains("s3cret") && !format!("{config:?}").contains("s3cret"));
    insta::assert_snapshot!(shown);
}

#[test]
fn the_example_file_is_the_defaults() {
    let example = include_str!("../../../../config/nsc.example.toml");
    let shown = |config: &Config| {
        let rows = listing(config).rows;
        rows.into_iter()
            .map(|row| format!("{} = {}", row[0], row[1]))
            .collect::<Vec<_>>()
    };
    let none = Environment::default();
    let from_example = with(example, &none, &Flags::default()).unwrap();
    assert_eq!(
        shown(&from_example),
        shown(&resolve(&Flags::default(), &none, None, Scope::All).unwrap())
    );
}
