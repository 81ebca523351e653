//! What a request may say, and that everything else is refused by name and never a 500.
//! Holds serving contract 6.

use crate::world::World;

#[tokio::test]
async fn an_id_that_cannot_be_one_is_refused_by_name() {
    let world = World::start().await;
    let too_long = "x".repeat(256);
    let ten_thousand = "x".repeat(10_000);
    let wide = "%F0%9F%92%B8".repeat(256);
    for (id, status) in [
        ("a%00b", 400),
        ("%00", 400),
        ("%FF", 400),
        ("%C3%28", 400),
        ("%ED%A0%80", 400),
        ("%", 400),
        ("%zz", 400),
        ("a%2", 400),
        (too_long.as_str(), 422),
        (ten_thousand.as_str(), 422),
        (wide.as_str(), 422),
    ] {
        for (target, name) in [
            (format!("/admin/tx/{id}"), "tx_id"),
            (format!("/admin/payment-orders/{id}"), "order_id"),
            (format!("/admin/wallets/{id}/tx"), "wallet_id"),
        ] {
            let answer = world.get(&target).await;
            assert_eq!(answer.status, status, "{target}");
            answer.problem();
            assert_eq!(answer.refused(), [name], "{target}");
            assert_eq!(answer.json()["errors"][0]["in"], "path");
        }
    }
}

#[tokio::test]
async fn a_query_is_read_strictly() {
    let world = World::start().await;
    for (query, status, refused) in [
        ("from=2026-01-06T00:00:00Z&to=2026-01-05T00:00:00Z", 422, "from"),
        ("from=2026-01-05T00:00:00Z&to=2026-01-05T00:00:00Z", 422, "from"),
        (
            "from=2026-01-05T00:00:00Z&to=2026-01-05T09:00:00%2B09:00",
            422,
            "from",
        ),
        ("from=2026-01-05T00:00:00", 422, "from"),
        ("from=2026-01-05", 422, "from"),
        ("to=2026-01-05%2000:00:00Z", 422, "to"),
        ("to=1767571200", 422, "to"),
        ("to=1767571200000", 422, "to"),
        ("to=infinity", 422, "to"),
        ("from=", 422, "from"),
        ("limit=", 422, "limit"),
        ("limit=0", 422, "limit"),
        ("limit=-1", 422, "limit"),
        ("limit=101", 422, "limit"),
        ("limit=1e9", 422, "limit"),
        ("limit=1000000000", 422, "limit"),
        ("limit=99999999999999999999999", 422, "limit"),
        ("limit=10.0", 422, "limit"),
        ("limit=1e1", 422, "limit"),
        ("limit=+5", 422, "limit"),
        ("limit=%2B5", 422, "limit"),
        ("limit=0x10", 422, "limit"),
        ("limit=%EF%BC%95", 422, "limit"),
        ("limit=5&limit=5", 400, "limit"),
        ("from=2026-01-05T00:00:00Z&from=2026-01-05T00:00:00Z", 400, "from"),
        ("cursor=a&cursor=a", 400, "cursor"),
        ("limit=%FF", 400, "limit"),
        ("from=%00", 400, "from"),
        ("page=2", 400, "page"),
        ("LIMIT=5", 400, "LIMIT"),
        ("limit[]=5", 400, "limit[]"),
        ("limit=5&", 400, ""),
        ("wallet_id=w-2", 400, "wallet_id"),
    ] {
        let answer = world.get(&format!("/admin/wallets/w-1/tx?{query}")).await;
        assert_eq!(answer.status, status, "{query}: {answer:?}");
        answer.problem();
        assert!(
            answer.refused().contains(&refused.to_owned()),
            "{query}: {answer:?}"
        );
    }
}

#[tokio::test]
async fn everything_that_is_wrong_is_said_at_once() {
    let world = World::start().await;
    let answer = world
        .get("/admin/wallets/w/tx?limit=0&from=x&page=1&cursor=y")
        .await;
    assert_eq!(answer.status, 400);
    let mut refused = answer.refused();
    refused.sort_unstable();
    assert_eq!(refused, ["cursor", "from", "limit", "page"]);
}

#[tokio::test]
async fn a_lookup_takes_no_query() {
    let world = World::start().await;
    for target in [
        "/admin/tx/a?limit=5",
        "/admin/payment-orders/a?verbose",
        "/admin/tx/a?a=1&b=2",
    ] {
        let answer = world.get(target).await;
        assert_eq!(
            (answer.status, answer.problem().as_str()),
            (400, "malformed-request"),
            "{target}"
        );
    }
    assert_eq!(world.get("/admin/tx/a?").await.status, 404);
}

#[tokio::test]
async fn a_value_is_not_repeated_to_whoever_reads_the_answer() {
    let world = World::start().await;
    let answer = world.get("/admin/wallets/w/tx?from=900101-1234567").await;
    assert_eq!(answer.status, 422);
    assert!(!answer.body.contains("900101"), "{}", answer.body);
}
