//! What lies between this program and its database: firewalls that forget, addresses of another kind, secrets that are
//! replaced, poolers.

use std::net::{Ipv6Addr, SocketAddr};
use std::time::Duration;

use nsc_core::{ErrorCode, OperatorError};
use nsc_store::{AuditLog, AuditOptions, DatabaseUrl, RoleNames, Store, StoreError, StoreOptions, migrate};
use nsc_testkit::{Database, FaultProxy};
use secrecy::SecretString;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::audit::row as audit_row;
use crate::support::{at, entry, ledger, migrated, options};

fn server_of(database: &Database) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], database.postgres().port()))
}

/// A role of its own with a login, and its URL at another address.
async fn login(database: &Database, name: &str, group: &str, at: SocketAddr) -> String {
    let make = format!("CREATE ROLE {name} LOGIN IN ROLE {group}");
    database.execute(&make).await.unwrap();
    format!("postgres://{name}@{at}/{}?sslmode=disable", database.name())
}

/// Leaves eight idle connections behind.
async fn warm(store: &Store) {
    while store.pool_status().size < store.pool_status().max {
        let looks = futures::future::join_all((0..16).map(|_| store.tx("warm"))).await;
        assert!(looks.into_iter().all(|look| look.unwrap().is_none()));
    }
}

#[tokio::test]
async fn connections_that_went_silent_cost_no_answer_and_then_are_gone() {
    let database = migrated().await;
    let proxy = FaultProxy::start(server_of(&database)).unwrap();
    let url = login(
        &database,
        "behind_a_firewall",
        "nsc_api, nsc_consumer",
        proxy.address(),
    )
    .await;
    let store = Store::connect(&StoreOptions {
        statement_timeout: Duration::from_millis(200),
        ..options(url)
    })
    .await
    .unwrap();
    let audit = AuditLog::start(store.clone(), AuditOptions::default());
    audit.record(audit_row("before")).await.unwrap();
    warm(&store).await;

    // In the middle of the work: the first look waits for its time-out, is asked again, and all others are new.
    proxy.forget_connections();
    assert!(store.tx("first").await.unwrap().is_none());
    assert_eq!(store.pool_status().size, 1);
    audit.record(audit_row("after")).await.unwrap();
    store
        .apply(&ledger([entry("t", "CHARGE", None)]), at(0))
        .await
        .unwrap();

    // After a pause each is asked first, and nobody waits for a time-out; a batch, which cannot be sent twice, neither.
    warm(&store).await;
    tokio::time::sleep(Duration::from_millis(1_000)).await;
    proxy.forget_connections();
    store
        .apply(&ledger([entry("u", "CHARGE", None)]), at(0))
        .await
        .unwrap();
    audit.record(audit_row("later")).await.unwrap();
    assert!(store.tx("t").await.unwrap().is_some());
    audit.shutdown().await;
}

#[tokio::test]
async fn a_url_in_a_file_is_read_for_every_connection() {
    let database = migrated().await;
    let server = server_of(&database);
    let (one, two) = (
        login(&database, "rotated_one", "nsc_api", server).await,
        login(&database, "rotated_two", "nsc_api", server).await,
    );
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("url");
    let replace = |text: &str| {
        let new = directory.path().join("url.new");
        std::fs::write(&new, text).unwrap();
        std::fs::rename(&new, &file).unwrap();
    };
    let cut_off = async |role: &str| {
        let end = format!(
            "ALTER ROLE {role} NOLOGIN; SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{role}'"
        );
        database.execute(&end).await.unwrap();
    };
    replace(&format!("{one}\r\n"));
    let store = Store::connect(&StoreOptions::new(DatabaseUrl::File(file.clone())))
        .await
        .unwrap();
    assert!(store.tx("t").await.unwrap().is_none());

    replace(&two);
    cut_off("rotated_one").await;
    for _ in 0..20 {
        assert!(store.tx("t").await.unwrap().is_none());
    }

    // In the middle of being written anew, or gone for a moment, it says what it said before.
    database.execute("ALTER ROLE rotated_one LOGIN").await.unwrap();
    for unusable in [Some(""), Some("postgres://rotated_two"), None] {
        match unusable {
            Some(text) => std::fs::write(&file, text).unwrap(),
            None => std::fs::remove_file(&file).unwrap(),
        }
        let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'rotated_two'";
        database.execute(end).await.unwrap();
        assert!(store.tx("t").await.unwrap().is_none(), "{unusable:?}");
    }
    replace(&one);
    cut_off("rotated_two").await;
    assert!(store.tx("t").await.unwrap().is_none());

    // A login that is refused is no defect, and the first that works again is taken.
    cut_off("rotated_one").await;
    let error = store.tx("t").await.unwrap_err();
    assert!(matches!(error, StoreError::Connect { .. }), "{error:?}");
    assert!(!error.detail().unwrap().contains("rotated_one"), "{error:?}");
    database.execute("ALTER ROLE rotated_two LOGIN").await.unwrap();
    replace(&two);
    assert!(store.tx("t").await.unwrap().is_none());
}

#[tokio::test]
async fn an_ipv6_address_is_connected_to() {
    let Ok(listener) = TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).await else {
        // No IPv6 here; how such a URL is read is held without it.
        return;
    };
    let database = migrated().await;
    let (address, server) = (listener.local_addr().unwrap(), server_of(&database));
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut server = TcpStream::connect(server).await.unwrap();
                tokio::io::copy_bidirectional(&mut client, &mut server).await
            });
        }
    });
    let url = format!(
        "postgresql://postgres@[::1]:{}/{}",
        address.port(),
        database.name()
    );
    migrate(&SecretString::from(url.as_str()), &RoleNames::default())
        .await
        .unwrap();
    Store::connect(&options(url))
        .await
        .unwrap()
        .ready()
        .await
        .unwrap();
}

/// The messages of the protocol begin with their length.
async fn startup_message(client: &mut TcpStream) -> Vec<u8> {
    let mut length = [0; 4];
    client.read_exact(&mut length).await.unwrap();
    let mut message = vec![0; u32::from_be_bytes(length) as usize - 4];
    client.read_exact(&mut message).await.unwrap();
    message
}

/// The start-up message without the settings, as a pooler passes it on that was told to ignore them.
fn without_options(message: &[u8]) -> Vec<u8> {
    let (protocol, texts) = message.split_at(4);
    let mut texts = texts.split(|b| *b == 0);
    let mut kept = protocol.to_vec();
    while let (Some(name), Some(value)) = (texts.next(), texts.next()) {
        if !name.is_empty() && name != b"options" {
            kept.extend([name, &[0], value, &[0]].concat());
        }
    }
    kept.push(0);
    let length = u32::try_from(kept.len() + 4).unwrap().to_be_bytes();
    [&length, kept.as_slice()].concat()
}

/// Something between us and the server that does with settings what poolers do.
async fn pooler(server: SocketAddr, refuses: bool) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            tokio::spawn(async move {
                let message = startup_message(&mut client).await;
                if refuses {
                    let body = b"SFATAL\0C08P01\0Munsupported startup parameter: options\0\0";
                    let length = u32::try_from(body.len() + 4).unwrap().to_be_bytes();
                    client
                        .write_all(&[b"E", &length[..], body].concat())
                        .await
                        .unwrap();
                    return;
                }
                let mut server = TcpStream::connect(server).await.unwrap();
                server.write_all(&without_options(&message)).await.unwrap();
                let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
            });
        }
    });
    address
}

#[tokio::test]
async fn a_pooler_that_gives_no_session_is_named_at_the_start() {
    let database = migrated().await;
    let server = server_of(&database);
    for refuses in [true, false] {
        let address = pooler(server, refuses).await;
        let url = format!(
            "postgres://postgres@{address}/{}?sslmode=disable",
            database.name()
        );
        let store = Store::connect(&options(url.clone())).await.unwrap();
        for error in [
            store.ready().await.unwrap_err(),
            store.ready_to_answer().await.unwrap_err(),
            migrate(&SecretString::from(url), &RoleNames::default())
                .await
                .unwrap_err(),
        ] {
            assert_eq!(error.code(), ErrorCode::DatabasePooler, "{error:?}");
            assert!(error.is_fault_of_set_up() && !error.is_transient(), "{error:?}");
            assert!(error.hint().unwrap().contains("max_connections"));
        }
    }
}
