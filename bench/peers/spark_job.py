#!/usr/bin/env python3
"""The daily job as a PySpark user would write it; the same script runs on Sail with --remote.

    spark_job.py --in DIR --date-kst D --out ROOT [--master local[2]] [--driver-memory 10g] [--partitions 4]
    spark_job.py ... --remote sc://localhost:50051      # a Spark Connect server, e.g. pysail
"""
import argparse
import os
import time

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

SALT = os.environ.get("FACT_SALT", "local-salt-v1")
FIELDS = {
    "user_wallets": "user_id balance frozen_amount updated_at",
    "transaction_ledger": "tx_id wallet_id type entry_type amount related_id related_type status created_at event_time",
    "payment_orders": "order_id user_id merchant_name amount status created_at updated_at",
    "orders": "order_id user_id total_amount status created_at",
    "order_items": "item_id order_id product_id quantity price_at_purchase",
    "products": "product_id product_name price_krw stock_quantity category is_display",
}
TYPES = "('CHARGE','WITHDRAW','PAYMENT','RECEIVE','REFUND_OUT','REFUND_IN','HOLD','RELEASE','MINT','BURN')"


def clean(c):
    return f"CASE WHEN trim({c}) <> '' THEN {c} END"


def miss(c):
    return f"coalesce(trim({c}), '') = ''"


def money(c):
    """Exact money or NULL: a plain cast would round 10.005."""
    t = f"trim({c})"
    return (f"CASE WHEN {t} RLIKE '^[+-]?[0-9]+([.][0-9]{{0,2}}0*)?$' THEN try_cast({t} AS DECIMAL(38,2)) "
            f"WHEN {t} RLIKE '^[+-]?[0-9]+([.][0-9]*)?[eE][+-]?[0-9]+$' AND try_cast({t} AS DECIMAL(38,12)) = try_cast({t} AS DECIMAL(38,2)) "
            f"THEN try_cast({t} AS DECIMAL(38,2)) END")


def tstamp(c):
    return f"try_cast(CASE WHEN length({c}) >= 19 THEN {c} END AS TIMESTAMP)"


def integer(c):
    return f"CASE WHEN trim({c}) RLIKE '^[+-]?[0-9]+$' THEN try_cast(trim({c}) AS BIGINT) END"


def kday(c):
    return f"CAST({c} + INTERVAL 9 HOURS AS DATE)"


def run(a):
    t0 = time.time()
    b = SparkSession.builder
    if a.remote:
        spark = b.remote(a.remote).getOrCreate()
    else:
        spark = (b.master(a.master).appName("daily").config("spark.driver.memory", a.driver_memory).config("spark.ui.enabled", "false")
                 .config("spark.sql.shuffle.partitions", a.partitions).config("spark.sql.adaptive.enabled", "true")
                 .config("spark.local.dir", a.out + "/_tmp").getOrCreate())
        spark.sparkContext.setLogLevel("ERROR")
    spark.conf.set("spark.sql.session.timeZone", "UTC")
    for k, v in (("spark.sql.parquet.compression.codec", "zstd"), ("spark.sql.parquet.outputTimestampType", "TIMESTAMP_MICROS"),
                 ("spark.sql.sources.partitionOverwriteMode", "dynamic"), ("spark.sql.shuffle.partitions", str(a.partitions))):
        try:
            spark.conf.set(k, v)
        except Exception:                                        # noqa: BLE001 - a static setting elsewhere
            pass
    ts0 = time.time()
    lo = f"(CAST('{a.date_kst}T00:00:00Z' AS TIMESTAMP) - INTERVAL 9 HOURS)"
    hi = f"(CAST('{a.date_kst}T00:00:00Z' AS TIMESTAMP) + INTERVAL 15 HOURS)"
    D = f"DATE '{a.date_kst}'"

    def write(table, df, part=None):
        w = df.write.mode("overwrite").option("compression", "zstd")
        (w.partitionBy(part) if part else w).parquet(os.path.join(a.out, *table.split(".")))

    def view(name, q, keep=False):
        df = spark.sql(q) if isinstance(q, str) else q
        if keep and not a.no_cache:
            df = df.cache()
        df.createOrReplaceTempView(name)
        return df

    def save(table, name, q, part=None):
        """Write a Silver table and go on from what was written."""
        write(table, spark.sql(q), part)
        spark.read.parquet(os.path.join(a.out, *table.split("."))).createOrReplaceTempView(name)

    for s, fs in FIELDS.items():
        names = fs.split() + ["ingested_at", "source_extracted_at"]
        ddl = ", ".join(f"`{x}` STRING" for x in names)
        raw = spark.read.text(os.path.join(a.folder, s + ".jsonl"))
        p = raw.select("value", F.monotonically_increasing_id().alias("n"), F.from_json("value", ddl + ", _bad STRING", {"columnNameOfCorruptRecord": "_bad", "allowNonNumericNumbers": "false"}).alias("v"))
        some = "coalesce(" + ", ".join(f"v.`{x}`" for x in names) + ")"      # an engine may give an all-null struct for a broken line
        ok = f"v IS NOT NULL AND v._bad IS NULL AND {some} IS NOT NULL AND value RLIKE '^[ ]*[{{]'"
        p = p.selectExpr("value AS line", "n", f"({ok}) AS ok", *[f"v.`{x}` AS `{x}`" for x in names])
        upd = tstamp("updated_at") if "updated_at" in names else "CAST(NULL AS TIMESTAMP)"
        view("b_" + s, p.selectExpr("*", tstamp("ingested_at") + " AS ing", tstamp("source_extracted_at") + " AS ext", upd + " AS upd"))
    newest = "ORDER BY upd DESC NULLS LAST, ext DESC NULLS LAST, ing DESC NULLS LAST, n DESC"
    names = []

    def stage(name, source, select, reason, when, key):
        view("t_" + name, f"SELECT *, {select} FROM b_{source}")
        v = view("v_" + name, f"""SELECT *, CASE WHEN NOT ok THEN 'malformed_json' {reason} END AS reason FROM t_{name}
                                  WHERE NOT ok OR ({when} >= {lo} AND {when} < {hi})""", keep=True)
        bad, n = v.selectExpr("count(reason)", "count(*)").first()
        if n and bad / n > 0.01:
            raise SystemExit(f"bad records rate of {name}: {bad}/{n}")
        view("s_" + name, f"SELECT * FROM (SELECT *, row_number() OVER (PARTITION BY {key} {newest}) AS rn FROM v_{name} WHERE reason IS NULL) WHERE rn = 1")
        names.append((name, source))

    stage("wallet", "user_wallets", f"{money('balance')} AS av, {money('frozen_amount')} AS fr, coalesce(ext, ing) AS snapshot_ts",
          f"WHEN {miss('user_id')} THEN 'missing_user_id' WHEN av IS NULL OR fr IS NULL THEN 'invalid_balance' "
          "WHEN av < 0 OR fr < 0 THEN 'negative_balance' WHEN snapshot_ts IS NULL THEN 'missing_snapshot_ts'", "snapshot_ts", "snapshot_ts, user_id")
    et = tstamp(f"coalesce({clean('created_at')}, {clean('event_time')})")
    stage("ledger", "transaction_ledger", f"coalesce({clean('type')}, {clean('entry_type')}) AS ty, {money('amount')} AS amt, {et} AS et",
          f"WHEN {miss('tx_id')} OR {miss('wallet_id')} THEN 'missing_tx_or_wallet' WHEN ty IS NULL THEN 'missing_entry_type' "
          f"WHEN ty NOT IN {TYPES} THEN 'invalid_entry_type' WHEN amt IS NULL THEN 'invalid_amount' WHEN amt <= 0 THEN 'non_positive_amount' "
          "WHEN et IS NULL THEN 'missing_event_time'", "coalesce(et, ing)", "tx_id, wallet_id")
    for name, amt in (("payment_orders", "amount"), ("orders", "total_amount")):
        stage(name, name, f"{money(amt)} AS amt, {tstamp('created_at')} AS et",
              f"WHEN {miss('order_id')} THEN 'missing_order_id' WHEN NOT ({miss(amt)}) AND amt IS NULL THEN 'invalid_amount'", "coalesce(et, ing)", "order_id")
    stage("items", "order_items", f"{integer('item_id')} AS ii, {integer('order_id')} AS oi, {integer('product_id')} AS pi, {money('price_at_purchase')} AS price",
          "WHEN ii IS NULL OR oi IS NULL OR pi IS NULL THEN 'missing_required_keys' "
          f"WHEN NOT ({miss('price_at_purchase')}) AND price IS NULL THEN 'invalid_amount'", "ing", "ii")
    stage("products", "products", f"{integer('product_id')} AS pi, {money('price_krw')} AS price",
          f"WHEN pi IS NULL THEN 'missing_product_id' WHEN NOT ({miss('price_krw')}) AND price IS NULL THEN 'invalid_amount'", "ing", "pi")

    write("silver.bad_records", spark.sql(" UNION ALL ".join(
        f"SELECT {D} AS detected_date_kst, '{s}' AS source_table, reason, line AS record_json FROM v_{n} WHERE reason IS NOT NULL" for n, s in names)), "detected_date_kst")
    save("silver.wallet_snapshot", "wallet", f"""SELECT snapshot_ts, {kday('snapshot_ts')} AS snapshot_date_kst, user_id, av AS balance_available, fr AS balance_frozen,
          CAST(av + fr AS DECIMAL(38,2)) AS balance_total, {tstamp('updated_at')} AS source_updated_at FROM s_wallet""", "snapshot_date_kst")
    save("silver.order_events", "orders_", f"""SELECT order_id AS order_ref, 'PAYMENT_ORDERS' AS order_source, {clean('user_id')} AS user_id, {clean('merchant_name')} AS merchant_name, amt AS amount,
              {clean('status')} AS status, et AS event_time, {kday('et')} AS event_date_kst FROM s_payment_orders
            UNION ALL SELECT order_id, 'ORDERS', {clean('user_id')}, CAST(NULL AS STRING), amt, {clean('status')}, et, {kday('et')} FROM s_orders""", "event_date_kst")
    save("silver.ledger_entries", "ledger", f"""SELECT l.tx_id, l.wallet_id, l.et AS event_time, {kday('l.et')} AS event_date_kst, l.ty AS entry_type, l.amt AS amount,
              CAST(CASE WHEN ty IN ('CHARGE','RECEIVE','REFUND_IN','MINT') THEN amt WHEN ty IN ('HOLD','RELEASE') THEN 0 ELSE -amt END AS DECIMAL(38,2)) AS amount_signed,
              {clean('l.related_id')} AS related_id, {clean('l.related_type')} AS related_type, coalesce(o.st, {clean('l.status')}) AS status, {tstamp('l.created_at')} AS created_at
            FROM s_ledger l LEFT JOIN (SELECT order_ref, status AS st FROM orders_ WHERE order_source = 'PAYMENT_ORDERS') o ON o.order_ref = l.related_id""", "event_date_kst")
    save("silver.order_items", "items", "SELECT ii AS item_id, oi AS order_id, CAST(oi AS STRING) AS order_ref, pi AS product_id, "
                                     "try_cast(quantity AS INT) AS quantity, price AS price_at_purchase FROM s_items")
    save("silver.products", "products", f"SELECT pi AS product_id, {clean('product_name')} AS product_name, {clean('category')} AS category, "
                                  "price AS price_krw, try_cast(is_display AS BOOLEAN) AS is_display FROM s_products")
    t2 = time.time()

    def rate(x, n):
        return f"CAST(CASE WHEN {n} = 0 THEN 0 ELSE round(CAST({x} AS DOUBLE) / {n}, 6) END AS DECIMAL(38,6))"

    # one cut-off: a snapshot at t holds every entry before t
    view("recon", f"""
        WITH w AS (SELECT user_id, coalesce(max(snapshot_ts) FILTER (WHERE snapshot_ts <= {lo}), min(snapshot_ts)) AS o, max(snapshot_ts) AS c,
                     coalesce(max_by(balance_total, snapshot_ts) FILTER (WHERE snapshot_ts <= {lo}), min_by(balance_total, snapshot_ts)) AS ob,
                     max_by(balance_total, snapshot_ts) AS cb FROM wallet GROUP BY user_id),
             f AS (SELECT wallet_id, sum(CASE WHEN event_time >= o AND event_time < c THEN amount_signed END) AS net,
                     sum(CASE WHEN c IS NULL OR event_time >= c THEN amount_signed END) AS pend FROM ledger LEFT JOIN w ON user_id = wallet_id GROUP BY wallet_id)
        SELECT coalesce(user_id, wallet_id) AS user_id, o AS opening_ts, c AS closing_ts, cb, CAST(coalesce(cb - ob, 0) AS DECIMAL(38,2)) AS delta,
          CAST(coalesce(net, 0) AS DECIMAL(38,2)) AS net, CAST(coalesce(pend, 0) AS DECIMAL(38,2)) AS pending FROM w FULL OUTER JOIN f ON user_id = wallet_id""", keep=True)
    write("gold.recon_daily_snapshot_flow", spark.sql(f"""
        SELECT {D} AS date_kst, user_id, delta AS delta_balance_total, net AS net_flow_total, CAST(abs(delta - net) AS DECIMAL(38,2)) AS drift_abs,
          CAST(CASE WHEN net <> 0 THEN round(CAST(abs(delta - net) AS DOUBLE) / CAST(abs(net) AS DOUBLE), 6) END AS DECIMAL(38,6)) AS drift_pct,
          CAST(NULL AS STRING) AS dq_tag, opening_ts, closing_ts, pending AS pending_flow FROM recon"""), "date_kst")
    by = lambda t: f"CAST(coalesce(sum(CASE WHEN entry_type = '{t}' THEN amount END), 0) AS DECIMAL(38,2))"
    write("gold.ledger_supply_balance_daily", spark.sql(f"""
        SELECT {D} AS date_kst, i AS issued_supply, t AS wallet_total_balance, CAST(i - t - p AS DECIMAL(38,2)) AS diff_amount, i = t + p AS is_ok,
          CAST(NULL AS STRING) AS dq_tag, p AS pending_flow_total, CAST(0 AS DECIMAL(38,2)) AS opening_supply, m AS minted, c AS charged, b AS burned, w AS withdrawn FROM
          (SELECT *, CAST(m + c - b - w AS DECIMAL(38,2)) AS i FROM (SELECT {by('MINT')} AS m, {by('CHARGE')} AS c, {by('BURN')} AS b, {by('WITHDRAW')} AS w FROM ledger)) x CROSS JOIN
          (SELECT CAST(coalesce(sum(cb), 0) AS DECIMAL(38,2)) AS t, CAST(coalesce(sum(CASE WHEN closing_ts IS NOT NULL THEN pending END), 0) AS DECIMAL(38,2)) AS p FROM recon) y"""), "date_kst")
    view("ops", f"""SELECT {clean('merchant_name')} AS merchant_name, count(*) AS n, count(CASE WHEN status IN ('FAILED','CANCELLED') THEN 1 END) AS f,
              count(CASE WHEN status = 'REFUNDED' THEN 1 END) AS r
            FROM (SELECT *, {tstamp('created_at')} AS et, row_number() OVER (PARTITION BY order_id {newest}) AS rn FROM b_payment_orders WHERE ok AND NOT ({miss('order_id')}))
            WHERE rn = 1 AND et >= {lo} AND et < {hi} GROUP BY 1""", keep=True)
    write("gold.ops_payment_failure_daily", spark.sql(f"SELECT {D} AS date_kst, merchant_name, n AS total_cnt, f AS failed_cnt, {rate('f', 'n')} AS failure_rate FROM ops"), "date_kst")
    write("gold.ops_payment_refund_daily", spark.sql(f"SELECT {D} AS date_kst, merchant_name, n AS total_cnt, r AS refunded_cnt, {rate('r', 'n')} AS refund_rate FROM ops"), "date_kst")
    k = lambda t: f"CASE WHEN entry_type = '{t}' THEN tx_id END"
    view("rel", f"""SELECT related_id, count(*) AS n, count(DISTINCT wallet_id) AS w, count({k('PAYMENT')}) AS np, count({k('RECEIVE')}) AS nr, count({k('REFUND_OUT')}) AS no,
              count({k('REFUND_IN')}) AS ni, max({k('PAYMENT')}) AS p, max({k('RECEIVE')}) AS r, max({k('REFUND_OUT')}) AS o, max({k('REFUND_IN')}) AS i
            FROM ledger WHERE related_id IS NOT NULL GROUP BY related_id""", keep=True)
    view("po", "SELECT * FROM orders_ WHERE order_source = 'PAYMENT_ORDERS'")
    write("gold.ops_ledger_pairing_quality_daily", spark.sql(f"""
        SELECT {D} AS date_kst, e AS entry_cnt, {rate('nn', 'e')} AS related_id_null_rate, {rate('pc', 'g')} AS pair_candidate_rate, {rate('kn', 'g')} AS join_payment_orders_rate FROM
          (SELECT count(*) AS e, count(*) - count(related_id) AS nn FROM ledger) x CROSS JOIN
          (SELECT count(*) AS g, count(CASE WHEN n = 2 AND w = 2 THEN 1 END) AS pc, count(po.order_ref) AS kn FROM rel LEFT JOIN po ON po.order_ref = rel.related_id) y"""), "date_kst")
    write("gold.admin_tx_search", spark.sql("""
        SELECT l.event_date_kst, l.tx_id, l.wallet_id, l.entry_type, l.amount, l.amount_signed, l.event_time, l.related_id, l.related_type,
          po.merchant_name, po.status AS payment_status,
          CASE WHEN l.entry_type = 'PAYMENT' AND np = 1 AND nr = 1 THEN rel.r WHEN l.entry_type = 'RECEIVE' AND np = 1 AND nr = 1 THEN rel.p
            WHEN l.entry_type = 'REFUND_OUT' AND no = 1 AND ni = 1 THEN rel.i WHEN l.entry_type = 'REFUND_IN' AND no = 1 AND ni = 1 THEN rel.o END AS paired_tx_id
        FROM ledger l LEFT JOIN rel ON rel.related_id = l.related_id LEFT JOIN po ON po.order_ref = l.related_id"""), "event_date_kst")
    write("gold.fact_payment_anonymized", spark.sql(f"""
        SELECT {D} AS date_kst, sha2(concat(po.user_id, '{SALT}'), 256) AS user_key, po.merchant_name, po.amount, po.status, p.category
        FROM po LEFT JOIN (SELECT order_ref, product_id FROM (SELECT order_ref, product_id, row_number() OVER (PARTITION BY order_ref
            ORDER BY coalesce(price_at_purchase, 0) * coalesce(quantity, 1) DESC, item_id) AS rn FROM items) WHERE rn = 1) t ON t.order_ref = po.order_ref
        LEFT JOIN products p ON p.product_id = t.product_id WHERE po.user_id IS NOT NULL AND po.event_date_kst = {D}"""), "date_kst")
    t3 = time.time()
    print(f"start {ts0 - t0:.2f}s read+silver {t2 - ts0:.2f}s gold {t3 - t2:.2f}s total {t3 - t0:.2f}s")
    spark.stop()


if __name__ == "__main__":
    p = argparse.ArgumentParser()
    p.add_argument("--in", dest="folder", required=True)
    p.add_argument("--date-kst", required=True)
    p.add_argument("--out", required=True)
    p.add_argument("--master", default="local[2]")
    p.add_argument("--driver-memory", default="10g")
    p.add_argument("--partitions", default="4")
    p.add_argument("--remote")
    p.add_argument("--no-cache", action="store_true", help="do not cache intermediate results")
    run(p.parse_args())
