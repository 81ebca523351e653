//! Ids that come and go with a request, and the headers every answer has.
//! Holds serving contract 6.

use crate::http::Request;
use crate::world::World;

#[tokio::test]
async fn a_well_formed_correlation_id_is_kept_and_any_other_replaced() {
    let world = World::start().await;
    let longest = "x".repeat(128);
    for id in ["abc", "0190-ab.c_D:9", longest.as_str()] {
        let answer = world
            .send(&Request::get("/healthz").header("x-correlation-id", id))
            .await;
        assert_eq!(answer.header("x-correlation-id"), Some(id));
    }
    let too_long = "x".repeat(129);
    for id in ["", "a b", "a,b", "\u{e9}", "<script>", too_long.as_str()] {
        let answer = world
            .send(&Request::get("/healthz").header("x-correlation-id", id))
            .await;
        let given = answer.header("x-correlation-id").unwrap_or_default();
        assert!(given != id && given.len() == 36, "{id:?}: {given:?}");
    }
    let twice = Request::get("/healthz")
        .header("x-correlation-id", "a")
        .header("x-correlation-id", "b");
    assert_eq!(
        world.send(&twice).await.header("x-correlation-id").map(str::len),
        Some(36)
    );
}

#[tokio::test]
async fn errors_carry_the_correlation_id_inside_too() {
    let world = World::start().await;
    for target in ["/nothing", "/admin/tx/a", "/admin/nothing"] {
        let answer = world
            .send(&Request::get(target).header("x-correlation-id", "mine"))
            .await;
        assert_eq!(answer.json()["correlation_id"], "mine", "{target}");
        answer.problem();
    }
}

#[tokio::test]
async fn the_callers_trace_is_carried_on_under_a_span_of_our_own() {
    let world = World::start().await;
    let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let answer = world
        .send(&Request::get("/healthz").header("traceparent", trace))
        .await;
    let given = answer.header("traceparent").unwrap_or_default();
    assert!(
        given.starts_with("00-0af7651916cd43dd8448eb211c80319c-") && given.ends_with("-01"),
        "{given}"
    );
    assert_ne!(given, trace);
    for malformed in ["", "00-0-0-00", "garbage"] {
        let answer = world
            .send(&Request::get("/healthz").header("traceparent", malformed))
            .await;
        assert_eq!((answer.status, answer.header("traceparent")), (200, None));
    }
}

#[tokio::test]
async fn nobody_may_keep_embed_or_reinterpret_an_answer() {
    let world = World::start().await;
    for (target, status) in [
        ("/admin/wallets/w/tx", 200),
        ("/admin/tx/a", 404),
        ("/healthz", 200),
        ("/nothing", 404),
        ("/metrics", 200),
    ] {
        let answer = world.get(target).await;
        assert_eq!(answer.status, status);
        for (name, value) in [
            ("cache-control", "no-store"),
            ("x-content-type-options", "nosniff"),
            (
                "content-security-policy",
                "default-src 'none'; frame-ancestors 'none'",
            ),
            ("x-frame-options", "DENY"),
            ("referrer-policy", "no-referrer"),
        ] {
            assert_eq!(answer.header(name), Some(value), "{target}");
        }
        assert_eq!(answer.header("strict-transport-security"), None, "only over TLS");
        assert_eq!(answer.header("server"), None);
        assert_eq!(answer.header("access-control-allow-origin"), None);
    }
}
