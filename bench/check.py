#!/usr/bin/env python3
"""Do two engines agree? check.py PRODUCT_ROOT PEER_ROOT: compares the Gold rows of one clean day, column by column.

PRODUCT_ROOT holds Delta tables, PEER_ROOT plain parquet (or Delta, with --delta). Columns that only one side has
(run_id, lineage, ...) and the partition columns are left out. A speed ratio between engines whose answers differ says nothing.
"""
import argparse
import glob
import os
import sys

import duckdb
from deltalake import DeltaTable

TABLES = ("recon_daily_snapshot_flow", "ledger_supply_balance_daily", "ops_payment_failure_daily", "ops_payment_refund_daily",
          "ops_ledger_pairing_quality_daily", "admin_tx_search", "fact_payment_anonymized")
LEFT_OUT = {"date_kst", "event_date_kst", "run_id", "rule_id", "dq_tag"}


def files(root, table, delta):
    path = os.path.join(root, "gold", table)
    return DeltaTable(path).file_uris() if delta else glob.glob(os.path.join(path, "**", "*.parquet"), recursive=True)


def differences(product, peer, peer_delta=False):
    """table -> (rows compared, rows only in the product, rows only in the peer)"""
    con = duckdb.connect()
    con.execute("SET TimeZone='UTC'")
    out = {}
    for table in TABLES:
        sides = []
        for name, root, delta in (("a", product, True), ("b", peer, peer_delta)):
            found = files(root, table, delta)
            if not found:
                raise SystemExit(f"{table}: no files under {root}")
            listed = ",".join(f"'{f}'" for f in found)
            con.execute(f"CREATE OR REPLACE VIEW {name} AS SELECT * FROM read_parquet([{listed}], hive_partitioning=false)")
            sides.append([c[0] for c in con.execute(f"DESCRIBE {name}").fetchall()])
        both = ", ".join(f'"{c}"::VARCHAR AS "{c}"' for c in sides[0] if c in sides[1] and c not in LEFT_OUT)
        n = con.execute("SELECT count(*) FROM a").fetchone()[0]
        only = [con.execute(f"SELECT count(*) FROM (SELECT {both} FROM {x} EXCEPT ALL SELECT {both} FROM {y})").fetchone()[0]
                for x, y in (("a", "b"), ("b", "a"))]
        out[table] = (n, *only)
    return out


if __name__ == "__main__":
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("product")
    p.add_argument("peer")
    p.add_argument("--delta", action="store_true", help="the peer wrote Delta tables")
    a = p.parse_args()
    wrong = False
    for table, (n, x, y) in differences(a.product, a.peer, a.delta).items():
        wrong |= bool(x or y)
        print(f"{table}: {n} rows, " + ("the same" if not (x or y) else f"{x} only in the product, {y} only in the peer"))
    sys.exit(1 if wrong else 0)
