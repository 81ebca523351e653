"""The inputs of the scenarios: made once with `nsc sample generate`, kept in the cache, derived with plain Python."""
import os
import re
import shutil
import subprocess

try:
    from orjson import loads
except ImportError:
    from json import loads
import json
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal

TABLES = ("user_wallets", "transaction_ledger", "payment_orders", "orders", "order_items", "products")
KST = timezone(timedelta(hours=9))
INGESTED = re.compile(rb'"ingested_at":"([0-9-]{10})T([0-9:]{8})')


def once(folder, make):
    """`make(folder)` unless it was completed before; a half-made folder is made again."""
    done = os.path.join(folder, ".complete")
    if not os.path.exists(done):
        shutil.rmtree(folder, ignore_errors=True)
        os.makedirs(folder)
        make(folder)
        open(done, "w").close()
    return folder


def generate(nsc, cache, name, *, seed, wallets, entries, days, first):
    """A clean world from the product's own generator."""
    def make(folder):
        print(f"making {name}: {entries} ledger entries a day, {days} day(s), {wallets} wallets", flush=True)
        subprocess.run([nsc, "sample", "generate", "--seed", str(seed), "--wallets", str(wallets), "--entries-per-day", str(entries),
                        "--days", str(days), "--first-date-kst", first, "--out", folder], check=True, stdout=subprocess.DEVNULL)
    return once(os.path.join(cache, "data", f"{name}-s{seed}-w{wallets}-e{entries}-d{days}-{first}"), make)


def correct(source, folder, kind, date_kst):
    """One payment order in a hundred, and its ledger entries, come again from the source, corrected; of the other ledger
    lines one in a hundred. kind = amount: one won more (the ledger disagrees with its first copy and with the snapshots:
    conflicts and drift, the expensive case); kind = fields: only the status changes. Both arrive after midnight KST."""
    midnight = datetime.fromisoformat(date_kst).replace(tzinfo=KST) + timedelta(days=1)
    stamp = (midnight + timedelta(minutes=31)).astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    meta = {"ingested_at": stamp, "source_extracted_at": stamp, "batch_id": "correction"}

    def again(row, **new):
        return json.dumps({**row, **new, **meta}, ensure_ascii=False) + "\n"

    def more(row):
        return f"{Decimal(str(row['amount'])) + 1:.2f}"

    picked, newest = set(), {}
    with open(os.path.join(source, "payment_orders.jsonl"), "rb") as f:
        for i, line in enumerate(f):
            order = line[line.index(b'"order_id":"') + 12:].split(b'"', 1)[0]
            if i % 100 == 0:
                picked.add(order)
            if order in picked:
                newest[order] = line
    counts = {"payment_orders": 0, "transaction_ledger": 0}
    with open(os.path.join(folder, "payment_orders.jsonl"), "w", encoding="utf-8") as out:
        for line in newest.values():
            row = loads(line)
            new = {"amount": more(row)} if kind == "amount" else {"status": "SETTLED"}
            out.write(again(row, updated_at=stamp, **new))
            counts["payment_orders"] += 1
    with open(os.path.join(source, "transaction_ledger.jsonl"), "rb") as f, \
            open(os.path.join(folder, "transaction_ledger.jsonl"), "w", encoding="utf-8") as out:
        for i, line in enumerate(f):
            at = line.find(b'"related_type":"PAYMENT_ORDER"')
            if at >= 0:
                related = line[line.index(b'"related_id":"') + 14:].split(b'"', 1)[0]
                hit = related in picked
            else:
                hit = i % 100 == 0
            if hit:
                row = loads(line)
                out.write(again(row, **({"amount": more(row)} if kind == "amount" else {"status": "CORRECTED"})))
                counts["transaction_ledger"] += 1
    return counts


def split_by_night(source, folder, first, days):
    """One sub-folder a day, with what a run at 00:30 KST of the next day would newly find."""
    start = date.fromisoformat(first)
    names = [(start + timedelta(days=d)).isoformat() for d in range(days)]
    for n in names:
        os.makedirs(os.path.join(folder, n), exist_ok=True)
    night = {}
    for table in TABLES:
        files = [open(os.path.join(folder, n, table + ".jsonl"), "wb", buffering=1 << 16) for n in names]
        with open(os.path.join(source, table + ".jsonl"), "rb") as f:
            for line in f:
                day, clock = INGESTED.search(line).groups()
                key = day, clock[:4]                       # ten minutes: fine enough for a cut at half past
                if key not in night:
                    t = datetime.fromisoformat(f"{day.decode()}T{clock[:4].decode()}0:00+00:00").astimezone(KST) - timedelta(minutes=30)
                    night[key] = min(max((t.date() - start).days, 0), days - 1)
                files[night[key]].write(line)
        for h in files:
            h.close()
    return names
