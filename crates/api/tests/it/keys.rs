//! The issuer's keys over time: rotation, withdrawal, outages.

use std::time::{Duration, Instant};

use nsc_api::KeyLocation;
use nsc_testkit::{KeyKind, Mood, SigningKey};

use crate::http::{Answer, Request};
use crate::world::World;

async fn with_key(world: &World, key: &SigningKey) -> Answer {
    let token = world.issuer.token().signed_with(key).mint();
    world
        .send(&Request::get("/admin/wallets/w/tx").bearer(&token))
        .await
}

#[tokio::test]
async fn a_new_key_is_found_with_its_first_token() {
    let world = World::start().await;
    let old = world.issuer.key(KeyKind::Rsa);
    for kind in [KeyKind::Rsa, KeyKind::Ec] {
        let new = world.issuer.rotate(kind).expect("a key");
        assert_eq!(with_key(&world, &new).await.status, 200, "{kind:?}");
    }
    assert_eq!(with_key(&world, &old).await.status, 200);
}

#[tokio::test]
async fn unknown_keys_do_not_make_us_ask_the_issuer_again_and_again() {
    let world = World::start().await;
    let unknown = SigningKey::generate(KeyKind::Ec, "nobodys").expect("a key");
    let before = world.issuer.fetches();
    for _ in 0..3 {
        let answer = with_key(&world, &unknown).await;
        assert_eq!(answer.status, 401);
        assert!(
            answer.json()["detail"]
                .as_str()
                .is_some_and(|d| d.contains("does not publish"))
        );
    }
    // From here on the issuer is not asked for a while, and what it would say is not known.
    for _ in 0..17 {
        let answer = with_key(&world, &unknown).await;
        assert_eq!(
            (answer.status, answer.problem().as_str()),
            (503, "keys-unavailable")
        );
    }
    assert_eq!(world.issuer.fetches() - before, 3);
    assert_eq!(world.get("/admin/wallets/w/tx").await.status, 200);
}

#[tokio::test]
async fn a_good_token_with_a_new_key_is_never_called_bad_because_of_made_up_ones() {
    let every = Duration::from_secs(3);
    let world = World::with(|setup| setup.oidc().refetch_every = every).await;
    let unknown = SigningKey::generate(KeyKind::Ec, "nobodys").expect("a key");
    for _ in 0..3 {
        assert_eq!(with_key(&world, &unknown).await.status, 401);
    }
    let new = world.issuer.rotate(KeyKind::Rsa).expect("a key");
    let refused = with_key(&world, &new).await;
    assert_eq!(
        (refused.status, refused.problem().as_str()),
        (503, "keys-unavailable")
    );
    let wait: u64 = refused
        .header("retry-after")
        .and_then(|seconds| seconds.parse().ok())
        .expect("whole seconds");
    assert!((1..=3).contains(&wait), "{wait}");
    tokio::time::sleep(Duration::from_secs(wait)).await;
    assert_eq!(with_key(&world, &new).await.status, 200, "after {wait} s");
}

#[tokio::test]
async fn an_outage_of_the_issuer_is_not_noticed_by_holders_of_known_keys() {
    let world = World::start().await;
    let next = world.issuer.rotate(KeyKind::Rsa).expect("a key");
    world.issuer.stop().await;
    assert_eq!(world.get("/admin/wallets/w/tx").await.status, 200);

    // A key nobody can look up may be good: that is no 401.
    let answer = with_key(&world, &next).await;
    assert_eq!(
        (answer.status, answer.problem().as_str()),
        (503, "keys-unavailable")
    );
    assert!(answer.header("retry-after").is_some());

    world.issuer.restart().await.expect("the port is still free");
    assert_eq!(with_key(&world, &next).await.status, 200);
}

#[tokio::test]
async fn an_issuer_that_answers_nonsense_is_as_good_as_away() {
    let world = World::with(|setup| setup.oidc().fetch_timeout = Duration::from_millis(200)).await;
    let unknown = SigningKey::generate(KeyKind::Ec, "nobodys").expect("a key");
    for mood in [Mood::Failing, Mood::Talking, Mood::Silent] {
        world.issuer.be(mood);
        let answer = with_key(&world, &unknown).await;
        assert_eq!(
            (answer.status, answer.problem().as_str()),
            (503, "keys-unavailable"),
            "{mood:?}"
        );
        assert_eq!(world.get("/admin/wallets/w/tx").await.status, 200, "{mood:?}");
    }
}

#[tokio::test]
async fn a_withdrawn_key_ends_with_the_next_refresh() {
    let world = World::with(|setup| setup.oidc().refresh = Duration::from_millis(50)).await;
    let old = world.issuer.key(KeyKind::Ec);
    assert_eq!(with_key(&world, &old).await.status, 200);
    world.issuer.withdraw(old.id());
    let begun = Instant::now();
    while with_key(&world, &old).await.status != 401 {
        assert!(
            begun.elapsed() < Duration::from_secs(10),
            "the key is still accepted"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn keys_are_not_used_for_ever_without_word_from_the_issuer() {
    let world = World::with(|setup| {
        setup.oidc().max_key_age = Duration::from_millis(400);
        setup.oidc().refresh = Duration::from_millis(50);
    })
    .await;
    assert_eq!(world.get("/admin/wallets/w/tx").await.status, 200);
    world.issuer.stop().await;
    let begun = Instant::now();
    while world.get("/admin/wallets/w/tx").await.status == 200 {
        assert!(
            begun.elapsed() < Duration::from_secs(10),
            "the keys are still used"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let answer = world.get("/admin/wallets/w/tx").await;
    assert_eq!(
        (answer.status, answer.problem().as_str()),
        (503, "keys-unavailable")
    );
    assert_eq!(world.send(&Request::get("/readyz")).await.status, 503);
}

#[tokio::test]
async fn keys_can_be_fetched_from_a_known_place() {
    let world = World::with(|setup| {
        let KeyLocation::Discovery(url) = setup.oidc().keys.clone() else {
            panic!("discovery is the default");
        };
        let keys = url.replace("/.well-known/openid-configuration", "/keys");
        setup.oidc().keys = KeyLocation::Jwks(keys);
    })
    .await;
    assert_eq!(world.get("/admin/wallets/w/tx").await.status, 200);
}

#[tokio::test]
async fn a_discovery_document_of_another_issuer_is_not_used() {
    let world = World::with(|setup| setup.oidc().issuer.push_str("/other")).await;
    let token = world
        .issuer
        .token()
        .claim("iss", format!("{}/other", world.issuer.url()))
        .mint();
    let answer = world
        .send(&Request::get("/admin/wallets/w/tx").bearer(&token))
        .await;
    assert_eq!(
        (answer.status, answer.problem().as_str()),
        (503, "keys-unavailable")
    );
}

#[tokio::test]
async fn each_of_two_keys_with_one_id_verifies_what_it_signed() {
    let world = World::start().await;
    for kind in [KeyKind::Rsa, KeyKind::Ec] {
        let pair = [0, 1].map(|_| SigningKey::generate(kind, "rolled-over").expect("a key"));
        for key in &pair {
            world.issuer.publish(key.clone());
        }
        for key in &pair {
            assert_eq!(with_key(&world, key).await.status, 200, "{kind:?}");
        }
        let other = SigningKey::generate(kind, "rolled-over").expect("a key");
        let answer = with_key(&world, &other).await;
        assert_eq!(answer.status, 401);
        assert_eq!(answer.json()["detail"], "the token's signature does not verify");
    }
}

#[tokio::test]
async fn a_key_is_found_behind_any_number_of_others() {
    let world = World::start().await;
    let template = world.issuer.key(KeyKind::Ec);
    for number in 0..200 {
        world
            .issuer
            .publish(template.clone().named(format!("other-{number}")));
    }
    let last = world.issuer.rotate(KeyKind::Ec).expect("a key");
    assert_eq!(with_key(&world, &last).await.status, 200);
}
