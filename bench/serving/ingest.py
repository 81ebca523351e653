"""How fast events get into the database: `nsc consume` and `nsc backfill`, beside COPY + INSERT .. ON CONFLICT.

The peer is psql, one connection, batches of as many rows as the product's: COPY into a temporary table, then one INSERT ..
SELECT .. ON CONFLICT DO UPDATE into a table that has the contract's columns and indexes and holds the same rows already. It
writes the same ledger entries; it knows no orders, no pairs, no versions but updated_at, and checks nothing.
"""
import os
import re
import subprocess
import time
import urllib.request

import data
from servers import Broker, Memory, Process, cpu_seconds, free_port, http_status, wait_until

COLUMNS = ("tx_id, wallet_id, entry_type, amount, amount_signed, related_id, related_type, event_time, created_at, updated_at, "
           "source_version, ingested_at")
PLAIN = f"""
CREATE SCHEMA plain;
CREATE TABLE plain.ledger_entries AS SELECT {COLUMNS} FROM bo.ledger_entries WITH NO DATA;
ALTER TABLE plain.ledger_entries ADD PRIMARY KEY (tx_id);
CREATE INDEX ON plain.ledger_entries (related_id);
CREATE INDEX ON plain.ledger_entries (wallet_id, event_time);
CREATE INDEX ON plain.ledger_entries (event_time);
INSERT INTO plain.ledger_entries SELECT {COLUMNS} FROM bo.ledger_entries;
VACUUM (ANALYZE) plain.ledger_entries;
"""
STAGE = "CREATE TEMPORARY TABLE stage (LIKE plain.ledger_entries) ON COMMIT DELETE ROWS;\n"
MERGE = "INSERT INTO plain.ledger_entries AS stored SELECT * FROM stage ORDER BY tx_id ON CONFLICT (tx_id) DO UPDATE SET {} WHERE EXCLUDED.updated_at >= stored.updated_at;\n"
MERGE = MERGE.format(", ".join(f"{c} = EXCLUDED.{c}" for c in COLUMNS.split(", ")[1:]))
MEMORY_BAR_MIB, RATE_BAR = 150, 0.60


# of a scenario: what runs, and how many of a slice's events it lands in the time that is measured
CONTENDERS = {"consume": ("ledger", "mixed"), "backfill": ("backfill",)}
EVENTS_PER_ENTRY = {"ledger": 1.0, "mixed": 1.5, "backfill": 1.5, "peer": 1.0}


class Ingest:
    def __init__(self, bench, wanted):
        self.b, self.a, self.pg = bench, bench.a, bench.pg
        self.ours = [c for scenario, them in CONTENDERS.items() if scenario in wanted for c in them]
        self.next = self.a.rows + 1
        self.runs = {c: [] for c in [*self.ours, "peer"]}

    def run(self):
        b = self.b
        b.base_database()
        b.step("the peer's table, with the same rows")
        self.pg.sql(PLAIN)
        self.pg.warm()
        for i in range(self.a.rounds):
            b.step(f"round {i + 1} of {self.a.rounds}")
            slices = {}
            for c in self.ours:
                slices[c] = (self.next, self.next + self.a.events - 1)
                self.next += self.a.events
            slices["peer"] = slices[self.ours[0]]
            order = list(self.runs)
            for c in order[i % len(order):] + order[:i % len(order)]:
                r = getattr(self, c)(*slices[c])
                r.update(load1=b.load(), ledger_per_s=round(self.a.events / r["seconds"]), events_per_s=round(self.a.events * EVENTS_PER_ENTRY[c] / r["seconds"]))
                self.runs[c].append(r)
                b.step(f"  {c}: done")
            self.check()
        return self.report()

    # ------------------------------------------------------------------ contenders
    def ledger(self, first, last):
        """The peer's rows, and what else their landing takes: versions, pairs, their orders' status. The orders are there."""
        _, orders = data.write_events(self.b.folder("events"), first, last)
        self.b.nsc(["backfill", "--payment-order-file", orders], self.b.env("nsc_consumer"))
        with open(orders, "w", encoding="ascii"):
            pass
        return self.consume(self.a.events)

    def mixed(self, first, last):
        """Entries and orders at once."""
        data.write_events(self.b.folder("events"), first, last)
        return self.consume(self.a.events + self.a.events // 2)

    def consume(self, total):
        b, files = self.b, [os.path.join(self.b.work, "events", f"{name}.jsonl") for name in ("ledger", "orders")]
        broker = Broker(self.a.broker, os.path.join(b.logs, "broker.log"))
        consumer = None
        try:
            env = b.env("nsc_consumer", KAFKA_BROKERS=broker.address, NSC_BATCH_ROWS=str(self.a.batch))
            b.nsc(["sample", "publish", "--ledger-file", files[0], "--payment-order-file", files[1], "--partitions", "4"], env)
            self.pg.settle()
            side = f"127.0.0.1:{free_port()}"
            before = cpu_seconds(self.pg.process.pid)
            consumer = Process([self.a.nsc, "consume", "--metrics-listen", side], os.path.join(b.logs, "consumer.log"), env=env)
            wait_until("the consumer's group", lambda: consumer.check() and http_status(f"http://{side}/readyz") == 200, 120, .02)
            begun = time.monotonic()
            memory = Memory(consumer.pid)
            wait_until("all events", lambda: consumer.check() and landed(side) >= total, 1800, .05)
            seconds = time.monotonic() - begun
            used = {"nsc": cpu_seconds(consumer.pid), "postgres": cpu_seconds(self.pg.process.pid) - before, "broker": cpu_seconds(broker.process.pid)}
            memory = memory.end()
            if consumer.stop() != 0:
                raise SystemExit(f"the consumer did not end well:\n{consumer.tail()}")
        finally:
            if consumer:
                consumer.stop()
            broker.stop()
        return {"seconds": round(seconds, 2), "cpu_s": rounded(used), "memory": memory}

    def backfill(self, first, last):
        b = self.b
        ledger, orders = data.write_events(b.folder("events"), first, last)
        env = b.env("nsc_consumer", NSC_BATCH_ROWS=str(self.a.batch))
        self.pg.settle()
        before, begun = cpu_seconds(self.pg.process.pid), time.monotonic()
        p = Process([self.a.nsc, "backfill", "--ledger-file", ledger, "--payment-order-file", orders], os.path.join(b.logs, "backfill.log"), env=env)
        memory, used = Memory(p.pid), {"nsc": 0.0}
        while p.child.poll() is None and time.monotonic() < begun + 1800:
            used["nsc"] = cpu_seconds(p.pid) or used["nsc"]
            time.sleep(.05)
        seconds = time.monotonic() - begun
        if p.stop() != 0:
            raise SystemExit(f"the backfill did not end well:\n{p.tail()}")
        used["postgres"] = cpu_seconds(self.pg.process.pid) - before
        memory.over.set()
        return {"seconds": round(seconds, 2), "cpu_s": rounded(used), "memory": {"peak_mib": round(max(memory.seen, default=0), 1)}}

    def peer(self, first, last):
        script = os.path.join(self.b.folder("peer"), "peer.sql")
        with open(script, "w", encoding="ascii") as f:
            f.write(STAGE)
            for n in range(first, last + 1, self.a.batch):
                f.write("BEGIN;\nCOPY stage FROM STDIN;\n")
                f.writelines(data.copy_line(m) for m in range(n, min(last + 1, n + self.a.batch)))
                f.write("\\.\n" + MERGE + "COMMIT;\n")
        self.pg.settle()
        before, begun = cpu_seconds(self.pg.process.pid), time.monotonic()
        child = subprocess.Popen([*self.pg.psql_command(), "-f", script])
        _, status, use = os.wait4(child.pid, 0)
        seconds = time.monotonic() - begun
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode:
            raise SystemExit("the peer failed")
        used = {"psql": use.ru_utime + use.ru_stime, "postgres": cpu_seconds(self.pg.process.pid) - before}
        return {"seconds": round(seconds, 2), "cpu_s": rounded(used)}

    # ------------------------------------------------------------------ results
    def check(self):
        """A rate of something that did not do its work would say nothing."""
        rows, orders = self.next - 1, (self.next - 1) // 2
        wanted = {"bo.ledger_entries": rows, "bo.payment_orders": orders, "bo.consumer_dlq_events": 0, "bo.payment_ledger_pairs": orders,
                  "bo.payment_ledger_pairs WHERE payment_tx_id IS NOT NULL AND receive_tx_id IS NOT NULL AND status = 'SETTLED'": orders - orders // 50,
                  f"(SELECT {self.same} FROM plain.ledger_entries EXCEPT SELECT {self.same} FROM bo.ledger_entries) AS only_the_peers": 0}
        for what, n in wanted.items():
            found = self.pg.number(f"SELECT count(*) FROM {what}")
            if found != n:
                raise SystemExit(f"{what}: {found}, expected {n}: the rates mean nothing until that is explained")
        self.b.step("  what is stored is right, and the same as the peer's")

    same = COLUMNS.removesuffix(", ingested_at")

    def report(self):
        b, peer, out = self.b, median_run(self.runs["peer"]), {}
        for c in self.ours:
            ours, also = median_run(self.runs[c]), EVENTS_PER_ENTRY[c] > 1
            ratio = peer["seconds"] / ours["seconds"]
            each = [round(p["seconds"] / o["seconds"], 2) for o, p in zip(self.runs[c], self.runs["peer"])]
            cpu = (ours["cpu_s"]["nsc"] + ours["cpu_s"]["postgres"]) / sum(peer["cpu_s"].values())
            out[c] = {"ledger_rate_to_peer": round(ratio, 3), "each": each, "event_rate_to_peer": round(ratio * EVENTS_PER_ENTRY[c], 3), "cpu_to_peer": round(cpu, 2)}
            bar = f"; {b.verdict(ratio >= RATE_BAR)} {RATE_BAR}" if c == "ledger" else ""
            b.say(f"{c}: {ratio:.2f} of the peer's ledger rows/s (rounds {min(each):.2f} to {max(each):.2f}{bar})"
                  + (f", their orders landed in the same time: {ratio * 1.5:.2f} counting them" if also else "") + f"; {cpu:.2f} times the peer's CPU time")
        if "mixed" in self.runs:
            steady = max(r["memory"]["steady_mib"] for c in ("ledger", "mixed") for r in self.runs[c])
            out["steady_mib"] = steady
            b.say(f"consume: steady memory {steady / MEMORY_BAR_MIB:.2f} of {MEMORY_BAR_MIB} MiB ({b.verdict(steady < MEMORY_BAR_MIB)} below 1)")
        b.save("serving-consume", {"rows_before": self.a.rows, "events_a_round": {"ledger": self.a.events, "orders": self.a.events // 2},
                                   "batch": self.a.batch, "bar": RATE_BAR, "ratios": out, "runs": self.runs})
        return out


def median_run(runs):
    return sorted(runs, key=lambda r: r["seconds"])[(len(runs) - 1) // 2]


def rounded(seconds):
    return {k: round(v, 2) for k, v in seconds.items()}


def landed(side):
    with urllib.request.urlopen(f"http://{side}/metrics", timeout=10) as r:
        text = r.read().decode()
    return sum(float(x) for x in re.findall(r"^consumer_messages_total\{[^}]*\} ([0-9.e+]+)$", text, re.M))
