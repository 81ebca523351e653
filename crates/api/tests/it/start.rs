//! What the API refuses to start with.

use std::net::TcpListener;
use std::sync::Arc;

use nsc_api::{Api, ApiError, ApiOptions, AuthOptions, KeyLocation, OidcOptions, TlsOptions};
use nsc_core::{ErrorCode, OperatorError, SystemClock};
use nsc_store::{Store, StoreOptions};
use nsc_telemetry::Metrics;
use tokio_util::sync::CancellationToken;

use crate::http::Request;
use crate::world::World;

async fn made(options: ApiOptions) -> Result<Api, ApiError> {
    let nowhere = StoreOptions::new("postgres://nobody@127.0.0.1:1/none".to_owned().into());
    let store = Store::connect(&nowhere).await.expect("the URL is understood");
    Api::new(options, store, Metrics::noop(), Arc::new(SystemClock))
}

async fn refusal(options: ApiOptions) -> (ErrorCode, String) {
    match made(options).await {
        Ok(_) => panic!("it would start"),
        Err(error) => {
            assert!(error.hint().is_some());
            (error.code(), error.to_string())
        }
    }
}

fn issuer() -> OidcOptions {
    OidcOptions::new("https://issuer.example/v2", vec!["api://nsc".to_owned()])
}

const DISABLED: AuthOptions = AuthOptions::Disabled {
    on_any_address: false,
};

#[tokio::test]
async fn authentication_is_disabled_in_a_local_environment_only() {
    for environment in ["prod", "dev", "", "LOCAL", "local "] {
        let refused = refusal(ApiOptions::new(environment, DISABLED)).await;
        let text = format!("authentication cannot be disabled in environment {environment}");
        assert_eq!(refused, (ErrorCode::AuthConfiguration, text));
        let anywhere = AuthOptions::Disabled { on_any_address: true };
        assert_eq!(
            refusal(ApiOptions::new(environment, anywhere)).await.0,
            ErrorCode::AuthConfiguration
        );
    }
    assert!(made(ApiOptions::new("local", DISABLED)).await.is_ok());
    // Where nobody has said which environment it is: for this machine alone.
    assert!(made(ApiOptions::new("unset", DISABLED)).await.is_ok());
    let anywhere = AuthOptions::Disabled { on_any_address: true };
    assert_eq!(
        refusal(ApiOptions::new("unset", anywhere)).await.0,
        ErrorCode::AuthConfiguration
    );
}

#[tokio::test]
async fn authentication_is_disabled_on_loopback_only_unless_it_is_said_explicitly() {
    let serve = async |on_any_address: bool, address: &str| {
        let options = ApiOptions::new("local", AuthOptions::Disabled { on_any_address });
        let api = made(options).await.expect("the options are in order");
        let listener = TcpListener::bind(address).expect("a free port");
        let shutdown = CancellationToken::new();
        shutdown.cancel();
        api.serve(listener, shutdown).await
    };
    let refused = serve(false, "0.0.0.0:0").await;
    assert!(
        matches!(refused, Err(ApiError::DisabledOnOpenAddress { .. })),
        "{refused:?}"
    );
    assert!(serve(true, "0.0.0.0:0").await.is_ok());
    assert!(serve(false, "127.0.0.1:0").await.is_ok());
}

#[tokio::test]
async fn without_authentication_everybody_is_local_and_headers_say_nothing() {
    let world = World::with(|setup| setup.options = ApiOptions::new("local", DISABLED)).await;
    let request = Request::get("/admin/wallets/w/tx")
        .host("localhost:8080")
        .header("x-correlation-id", "local")
        .header("authorization", "Bearer whatever")
        .header("x-ms-client-principal-id", "admin");
    assert_eq!(world.send(&request).await.status, 200);
    assert_eq!(world.audited("local").await.actor_id.as_deref(), Some("local"));
}

#[tokio::test]
async fn without_authentication_only_requests_to_this_machine_are_answered() {
    let world = World::with(|setup| setup.options = ApiOptions::new("local", DISABLED)).await;
    for host in ["localhost", "127.0.0.1:8080", "[::1]:8080"] {
        let request = Request::get("/admin/wallets/w/tx").host(host);
        assert_eq!(world.send(&request).await.status, 200, "{host}");
    }
    // A page whose name leads here: the browser takes us for the page's own server.
    for target in ["/admin/wallets/w/tx", "/admin/nothing"] {
        let request = Request::get(target)
            .host("attacker.example")
            .header("x-correlation-id", "rebound");
        let answer = world.send(&request).await;
        assert_eq!(
            (answer.status, answer.problem().as_str()),
            (421, "misdirected-request")
        );
    }
    let row = &world.audit().await[3];
    assert_eq!((row.status_code, row.result.as_str()), (421, "REFUSED"));

    let anywhere = AuthOptions::Disabled { on_any_address: true };
    let world = World::with(|setup| setup.options = ApiOptions::new("local", anywhere)).await;
    let request = Request::get("/admin/wallets/w/tx").host("nsc.internal");
    assert_eq!(world.send(&request).await.status, 200);
}

#[tokio::test]
async fn tokens_need_an_issuer_an_audience_and_a_place_for_roles() {
    let with = |change: fn(&mut OidcOptions)| {
        let mut oidc = issuer();
        change(&mut oidc);
        ApiOptions::new("prod", AuthOptions::Oidc(oidc))
    };
    assert!(made(with(|_| {})).await.is_ok());
    for (change, text) in [
        (
            with(|o| o.issuer.clear()),
            "authentication with tokens needs an issuer",
        ),
        (
            with(|o| o.audiences.clear()),
            "authentication with tokens needs an audience",
        ),
        (
            with(|o| o.audiences = vec![" ".to_owned()]),
            "authentication with tokens needs an audience",
        ),
        (
            with(|o| o.roles_claims.clear()),
            "authentication with tokens needs the name of the claim with the roles",
        ),
    ] {
        assert_eq!(
            refusal(change).await,
            (ErrorCode::AuthConfiguration, text.to_owned())
        );
    }
}

#[tokio::test]
async fn keys_come_in_the_clear_in_a_local_environment_only() {
    let with = |environment: &str, url: &str| {
        let mut oidc = issuer();
        oidc.keys = KeyLocation::Jwks(url.to_owned());
        ApiOptions::new(environment, AuthOptions::Oidc(oidc))
    };
    refusal(with("unset", "http://issuer.example/keys")).await;
    let (code, text) = refusal(with("prod", "http://issuer.example/keys")).await;
    assert_eq!(code, ErrorCode::AuthConfiguration);
    assert_eq!(
        text,
        "the issuer's keys cannot be fetched from \"http://issuer.example/keys\""
    );
    assert!(made(with("local", "http://issuer.example/keys")).await.is_ok());
    assert!(made(with("prod", "https://issuer.example/keys")).await.is_ok());
    refusal(with("local", "keys.json")).await;
}

#[tokio::test]
async fn a_certificate_that_cannot_be_served_with_is_named() {
    let mut options = ApiOptions::new("local", DISABLED);
    options.tls = Some(TlsOptions::new("/nonexistent/cert.pem", "/nonexistent/key.pem"));
    let api = made(options).await.expect("files are read when it serves");
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let refused = api.serve(listener, CancellationToken::new()).await;
    let Err(error @ ApiError::Tls { .. }) = refused else {
        panic!("{refused:?}");
    };
    assert_eq!(error.code(), ErrorCode::Listen);
    assert_eq!(
        error.to_string(),
        "TLS cannot be served with /nonexistent/cert.pem"
    );
}
