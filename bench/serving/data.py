"""The rows of the serving bench, each a function of its number: in SQL for what is there before, as events for what
comes, as lines of COPY for the peer, and (lookups.lua, lookups.py) as ids to ask for.

Entry 2o-1 is the PAYMENT of order o and entry 2o its RECEIVE; of every fiftieth order the RECEIVE is missing and a CHARGE
stands in its place. Keys and wallets look random, as real ones do (else an index would be written in order, which is cheaper
than it is): number times 48271 modulo 2^31-1.
"""
FACTOR, MODULUS = 48271, 2147483647
USERS, SHOPS = 50_000, 2_000
CLOCK = [f"{s // 3600:02d}:{s // 60 % 60:02d}:{s % 60:02d}" for s in range(86400)]
INGESTED = "2026-02-01 00:00:00+00"

BASE = """
INSERT INTO bo.payment_orders (order_id, user_id, merchant_name, amount, status, created_at, updated_at, source_version, ingested_at, payload_hash)
SELECT 'po-' || o * {factor} % {modulus}, 'user-' || o * {factor} % {modulus} % {users}, 'merchant-' || o * {factor} % {modulus} % {shops}, o % 100000 + 1.25, 'SETTLED', at, at, 1, now(), decode(md5(o::text), 'hex')
FROM (SELECT o, timestamptz '2026-01-05 00:00:00+00' + o % 86400 * interval '1 second' AS at FROM generate_series(1, {orders}::bigint) AS o) AS made;
INSERT INTO bo.ledger_entries (tx_id, wallet_id, entry_type, amount, related_id, related_type, event_time, updated_at, source_version, ingested_at, payload_hash)
SELECT 'tx-' || n * {factor} % {modulus}, CASE WHEN half OR lone THEN 'user-' || o * {factor} % {modulus} % {users} ELSE 'shop-' || o * {factor} % {modulus} % {shops} END,
       CASE WHEN half THEN 'PAYMENT' WHEN lone THEN 'CHARGE' ELSE 'RECEIVE' END, o % 100000 + 1.25,
       CASE WHEN NOT lone THEN 'po-' || o * {factor} % {modulus} END, CASE WHEN NOT lone THEN 'PAYMENT_ORDER' END, at, at, 1, now(), decode(md5(n::text), 'hex')
FROM (SELECT n, (n + 1) / 2 AS o, n % 2 = 1 AS half, n % 100 = 0 AS lone, timestamptz '2026-01-05 00:00:00+00' + (n + 1) / 2 % 86400 * interval '1 second' AS at
      FROM generate_series(1, 2 * {orders}::bigint) AS n) AS made;
INSERT INTO bo.payment_ledger_pairs (payment_order_id, payment_tx_id, receive_tx_id, payer_wallet_id, payee_wallet_id, amount, status, event_time, updated_at, ingested_at)
SELECT o.order_id, p.tx_id, r.tx_id, p.wallet_id, r.wallet_id, o.amount, o.status, p.event_time, o.updated_at, now()
FROM bo.payment_orders AS o
JOIN bo.ledger_entries AS p ON p.related_id = o.order_id AND p.entry_type = 'PAYMENT'
LEFT JOIN bo.ledger_entries AS r ON r.related_id = o.order_id AND r.entry_type = 'RECEIVE';
VACUUM (ANALYZE) bo.payment_orders, bo.ledger_entries, bo.payment_ledger_pairs;
"""


def base_sql(rows):
    return BASE.format(factor=FACTOR, modulus=MODULUS, users=USERS, shops=SHOPS, orders=rows // 2)


def key(n):
    return n * FACTOR % MODULUS


def entry(n):
    """tx_id, wallet, type, amount, order or None, time of day"""
    o = (n + 1) // 2
    if n % 100 == 0:
        return f"tx-{key(n)}", f"user-{key(o) % USERS}", "CHARGE", f"{o % 100000 + 1}.25", None, CLOCK[o % 86400]
    kind, wallet = ("PAYMENT", f"user-{key(o) % USERS}") if n % 2 else ("RECEIVE", f"shop-{key(o) % SHOPS}")
    return f"tx-{key(n)}", wallet, kind, f"{o % 100000 + 1}.25", f"po-{key(o)}", CLOCK[o % 86400]


def ledger_event(n):
    tx, wallet, kind, amount, related, at = entry(n)
    of = f'"related_id":"{related}","related_type":"PAYMENT_ORDER",' if related else ""
    return (f'{{"tx_id":"{tx}","wallet_id":"{wallet}","entry_type":"{kind}","amount":"{amount}",{of}'
            f'"event_time":"2026-01-05T{at}Z","updated_at":"2026-01-05T{at}Z","source_version":1}}')


def order_event(o):
    at = CLOCK[o % 86400]
    return (f'{{"order_id":"po-{key(o)}","user_id":"user-{key(o) % USERS}","merchant_name":"merchant-{key(o) % SHOPS}","amount":"{o % 100000 + 1}.25",'
            f'"status":"SETTLED","created_at":"2026-01-05T{at}Z","updated_at":"2026-01-05T{at}Z","source_version":1}}')


def copy_line(n):
    tx, wallet, kind, amount, related, at = entry(n)
    of = f"{related}\tPAYMENT_ORDER" if related else "\\N\t\\N"
    return f"{tx}\t{wallet}\t{kind}\t{amount}\t\\N\t{of}\t2026-01-05 {at}+00\t\\N\t2026-01-05 {at}+00\t1\t{INGESTED}\n"


def write_events(folder, first, last):
    """Entries first..last and their orders as two files of events; their paths."""
    ledger, orders = f"{folder}/ledger.jsonl", f"{folder}/orders.jsonl"
    with open(ledger, "w", encoding="ascii") as f:
        f.writelines(ledger_event(n) + "\n" for n in range(first, last + 1))
    with open(orders, "w", encoding="ascii") as f:
        f.writelines(order_event(o) + "\n" for o in range((first + 1) // 2, last // 2 + 1))
    return ledger, orders
