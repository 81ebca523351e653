//! Paths nobody made, and methods nobody takes.

use crate::http::Request;
use crate::world::World;

#[tokio::test]
async fn an_unknown_path_is_a_problem() {
    let world = World::start().await;
    for target in [
        "/",
        "/admins",
        "/healthz/",
        "/%61dmin/tx/a",
        "//admin/tx/a",
        "/healthz%2f",
        "/tx/a",
        "*",
    ] {
        let answer = world.send(&Request::get(target)).await;
        assert_eq!(
            (answer.status, answer.problem().as_str()),
            (404, "no-such-route"),
            "{target}"
        );
    }
    for target in [
        "/admin",
        "/admin/",
        "/admin/tx",
        "/admin/tx/",
        "/admin/tx/a/",
        "/admin/tx/a/b",
        "/admin/wallets/w",
        "/admin//tx/a",
    ] {
        let answer = world.get(target).await;
        assert_eq!(
            (answer.status, answer.problem().as_str()),
            (404, "no-such-route"),
            "{target}"
        );
    }
}

#[tokio::test]
async fn another_method_is_a_problem_that_names_those_there_are() {
    let world = World::start().await;
    for target in [
        "/admin/tx/a",
        "/admin/payment-orders/a",
        "/admin/wallets/a/tx",
        "/healthz",
        "/metrics",
        "/openapi.json",
    ] {
        for method in ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND"] {
            let answer = world
                .send(&Request::new(method, target).bearer(world.token()))
                .await;
            assert_eq!(
                (answer.status, answer.problem().as_str()),
                (405, "method-not-allowed"),
                "{method} {target}"
            );
            assert_eq!(answer.header("allow"), Some("GET,HEAD"), "{method} {target}");
        }
    }
}

#[tokio::test]
async fn head_answers_as_get_without_a_body() {
    let world = World::start().await;
    let answer = world
        .send(&Request::new("HEAD", "/admin/wallets/w/tx").bearer(world.token()))
        .await;
    assert_eq!((answer.status, answer.body.as_str()), (200, ""));
    let answer = world.send(&Request::new("HEAD", "/admin/wallets/w/tx")).await;
    assert_eq!((answer.status, answer.body.as_str()), (401, ""));
}
