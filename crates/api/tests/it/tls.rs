//! Over TLS.

use std::path::Path;
use std::time::{Duration, Instant};

use nsc_api::TlsOptions;
use rcgen::{CertifiedKey, generate_simple_self_signed};

use crate::world::World;

/// A new certificate for `localhost` in the two files; returns it in PEM.
fn renew(certificate: &Path, key: &Path) -> String {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(vec!["localhost".to_owned()]).expect("a certificate");
    std::fs::write(key, signing_key.serialize_pem()).expect("the key is written");
    std::fs::write(certificate, cert.pem()).expect("the certificate is written");
    cert.pem()
}

/// A client that trusts this certificate and no other.
fn trusting(pem: &str) -> reqwest::Client {
    let certificate = reqwest::Certificate::from_pem(pem.as_bytes()).expect("a certificate");
    reqwest::Client::builder()
        .no_proxy()
        .tls_certs_only([certificate])
        .pool_max_idle_per_host(0)
        .build()
        .expect("a client")
}

#[tokio::test]
async fn the_api_is_served_over_tls_and_takes_a_renewed_certificate() {
    let directory = tempfile::tempdir().expect("a directory");
    let (certificate, key) = (
        directory.path().join("cert.pem"),
        directory.path().join("key.pem"),
    );
    let first = renew(&certificate, &key);
    let world = World::with(|setup| {
        let mut tls = TlsOptions::new(&certificate, &key);
        tls.reload_every = Duration::from_millis(50);
        setup.options.tls = Some(tls);
    })
    .await;
    let url = format!("https://localhost:{}/admin/wallets/w/tx", world.address.port());
    let get = async |client: &reqwest::Client| client.get(&url).bearer_auth(world.token()).send().await;
    let answer = get(&trusting(&first)).await.expect("an answer");
    assert_eq!(answer.status(), 200);
    assert!(answer.headers().contains_key("strict-transport-security"));
    assert_eq!(answer.version(), reqwest::Version::HTTP_11);

    // Half a renewal changes nothing.
    std::fs::write(&certificate, "half").expect("the certificate is written");
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(get(&trusting(&first)).await.expect("an answer").status(), 200);

    let second = trusting(&renew(&certificate, &key));
    let begun = Instant::now();
    while get(&second).await.is_err() {
        assert!(
            begun.elapsed() < Duration::from_secs(10),
            "the new certificate is not served"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(get(&trusting(&first)).await.is_err());

    let plain = format!("http://localhost:{}/healthz", world.address.port());
    assert!(trusting(&first).get(plain).send().await.is_err());
}
