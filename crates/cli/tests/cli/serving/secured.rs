//! Brokers that ask who one is, over TLS, as Event Hubs does: a login and a certificate that are right, and each of
//! them wrong.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use nsc_testkit::{Broker, Credentials, Record};
use serde_json::json;

use super::process::{PATIENCE, Service};
use super::world::{LEDGER_TOPIC, World};

const STORED: &str = "SELECT count(*) FROM bo.ledger_entries";
const PASSWORD: &str = "Endpoint=sb://ns/;SharedAccessKeyName=k;SharedAccessKey=c2VjcmV0PQ==";
const TOKEN: &str = "header.claims.signature";
const CLIENT_SECRET: &str = "the/secret+of the client";

async fn world() -> World {
    let credentials = Credentials {
        username: "$ConnectionString".to_owned(),
        password: PASSWORD.to_owned(),
        token: TOKEN.to_owned(),
    };
    let world = World::with(Broker::start_behind_sasl(&credentials).unwrap()).await;
    let entry = |n: usize| {
        let event = json!({
            "tx_id": format!("tx-{n}"), "wallet_id": "w-1", "entry_type": "CHARGE", "amount": 1,
            "event_time": "2026-01-05T00:00:00Z",
        });
        Record::without_key(event.to_string())
    };
    let entries = (0..20).map(entry).collect();
    world.broker.produce(LEDGER_TOPIC, entries).await.unwrap();
    world
}

fn ca_file(world: &World) -> String {
    world.broker.ca_file().unwrap().display().to_string()
}

/// All is stored, then the consumer is asked to stop and does; no secret was logged on the way.
async fn consumes(world: &World, environment: &[(&str, &str)]) {
    let mut consumer = world.consume(environment);
    world
        .wait_for(&mut consumer, "entries", STORED, |seen| seen == 20)
        .await;
    let ended = consumer.stop();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    keeps_secrets(&ended.stderr);
}

/// It says what is wrong and goes on trying; nothing is stored.
async fn waits(world: &World, environment: &[(&str, &str)], why: &str) {
    let mut consumer = world.consume(environment);
    let begun = Instant::now();
    while !consumer.log().to_lowercase().contains(why) {
        assert!(
            consumer.runs() && begun.elapsed() < PATIENCE,
            "{why}:\n{}",
            consumer.log()
        );
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert_eq!(world.number(STORED).await, 0);
    stops(consumer);
}

fn stops(consumer: Service) {
    let ended = consumer.stop();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    keeps_secrets(&ended.stderr);
}

fn keeps_secrets(log: &str) {
    for secret in ["c2VjcmV0PQ", TOKEN, CLIENT_SECRET] {
        assert!(!log.contains(secret), "{log}");
    }
}

#[tokio::test]
async fn a_connection_string_is_a_login_by_sasl_plain_over_tls() {
    let world = world().await;
    let before = world.broker.logins();
    let ca_file = ca_file(&world);
    let environment = [
        ("KAFKA_SECURITY", "plain"),
        ("KAFKA_USERNAME", "$ConnectionString"),
        ("KAFKA_PASSWORD", PASSWORD),
        ("KAFKA_CA_FILE", &ca_file),
    ];
    consumes(&world, &environment).await;
    let (accepted, refused) = world.broker.logins();
    assert!(accepted > before.0 && refused == before.1);
}

#[tokio::test]
async fn a_wrong_password_is_refused_and_waited_with() {
    let world = world().await;
    let ca_file = ca_file(&world);
    let environment = [
        ("KAFKA_SECURITY", "plain"),
        ("KAFKA_USERNAME", "$ConnectionString"),
        ("KAFKA_PASSWORD", "c2VjcmV0PQ but another"),
        ("KAFKA_CA_FILE", &ca_file),
    ];
    waits(&world, &environment, "authentication").await;
    assert!(world.broker.logins().1 > 0);
}

#[tokio::test]
async fn a_certificate_nobody_vouches_for_gets_no_password() {
    let world = world().await;
    let before = world.broker.logins();
    let environment = [
        ("KAFKA_SECURITY", "plain"),
        ("KAFKA_USERNAME", "$ConnectionString"),
        ("KAFKA_PASSWORD", PASSWORD),
    ];
    waits(&world, &environment, "certificate").await;
    assert_eq!(world.broker.logins(), before);
}

#[tokio::test]
async fn a_token_of_client_credentials_is_a_login_by_sasl_oauthbearer() {
    let world = world().await;
    let endpoint = TokenEndpoint::start(TOKEN);
    let (url, ca_file) = (endpoint.url(), ca_file(&world));
    let environment = [
        ("KAFKA_SECURITY", "oauthbearer"),
        ("KAFKA_OAUTH_TOKEN_URL", url.as_str()),
        ("KAFKA_OAUTH_CLIENT_ID", "client-1"),
        ("KAFKA_OAUTH_CLIENT_SECRET", CLIENT_SECRET),
        ("KAFKA_OAUTH_SCOPE", "https://ns.servicebus.windows.net/.default"),
        ("KAFKA_CA_FILE", &ca_file),
    ];
    consumes(&world, &environment).await;
    assert_eq!(
        endpoint.first_form(),
        "grant_type=client%5Fcredentials&client_id=client%2D1&client_secret=the%2Fsecret%2Bof%20the%20client\
         &scope=https%3A%2F%2Fns%2Eservicebus%2Ewindows%2Enet%2F%2Edefault"
    );
}

#[tokio::test]
async fn a_token_the_broker_does_not_know_is_refused_and_waited_with() {
    let world = world().await;
    let endpoint = TokenEndpoint::start("another");
    let (url, ca_file) = (endpoint.url(), ca_file(&world));
    let environment = [
        ("KAFKA_SECURITY", "oauthbearer"),
        ("KAFKA_OAUTH_TOKEN_URL", url.as_str()),
        ("KAFKA_OAUTH_CLIENT_ID", "client-1"),
        ("KAFKA_OAUTH_CLIENT_SECRET", CLIENT_SECRET),
        ("KAFKA_CA_FILE", &ca_file),
    ];
    waits(&world, &environment, "authentication").await;
    assert!(world.broker.logins().1 > 0);
}

/// Gives one token to whoever asks, and keeps what was sent.
struct TokenEndpoint {
    address: SocketAddr,
    forms: Arc<Mutex<Vec<String>>>,
}

impl TokenEndpoint {
    /// Its thread lives as long as the tests do.
    fn start(token: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let forms = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&forms);
        std::thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                // Whoever breaks off asks again.
                if let Ok(form) = answer(connection, token) {
                    kept.lock().unwrap().push(form);
                }
            }
        });
        Self { address, forms }
    }

    fn url(&self) -> String {
        format!("http://{}/token", self.address)
    }

    fn first_form(&self) -> String {
        self.forms.lock().unwrap().first().cloned().unwrap_or_default()
    }
}

/// One request: its body is given back when it is answered.
fn answer(connection: TcpStream, token: &str) -> std::io::Result<String> {
    let mut reader = BufReader::new(connection);
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        if line.trim().is_empty() {
            break;
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap_or(0);
        }
    }
    let mut form = vec![0; length];
    reader.read_exact(&mut form)?;
    let body = json!({"access_token": token, "token_type": "Bearer", "expires_in": 3600}).to_string();
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    reader.get_mut().write_all((head + &body).as_bytes())?;
    Ok(String::from_utf8_lossy(&form).into_owned())
}
