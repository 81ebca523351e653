"""Lookups with their audit rows committed: wrk against `nsc serve api`, beside pgbench running the same joins.

The peer's transaction is one of the product's own statements (crates/store/sql) and one audit row, as two prepared statements
that commit by themselves, on each of 64 connections. It has no HTTP, no JSON, no checks of parameters and no log.
"""
import asyncio
import json
import os
import random
import re
import subprocess

import data
import paced
from servers import Memory, Process, cpu_seconds, free_port, http_status, wait_until

HERE = os.path.dirname(os.path.abspath(__file__))
SQL = os.path.join(HERE, "..", "..", "crates", "store", "sql")
CONNECTIONS = 64
BARS = {"rate": 1.0, "p95_saturated_ms": 40, "p95_paced_ms": 10, "memory_mib": 100}
AUDIT = """INSERT INTO bo.admin_audit_logs (actor_id, actor_roles, action, resource_type, resource_id, result, status_code, request_method, request_path, request_query, client_ip, user_agent, correlation_id, duration_ms, result_count, requested_at)
VALUES ('local', 'ADMIN_READ,ADMIN_AUDIT', '{action}', '{kind}', {id}, 'FOUND', 200, 'GET', '{path}' || {id}, NULL, '127.0.0.1', NULL, '01981e4b-7d3f-7c66-9a51-2f0c8a7d55e1', 3, 1, now());
"""
KEY = f"* {data.FACTOR} % {data.MODULUS}"
# weight, the statement, how an id begins, the number after it, action, kind, path
MIX = {"tx": (60, "tx.sql", "tx-", "random(1, {rows}) " + KEY, "ADMIN_TX_LOOKUP", "TX", "/admin/tx/"),
       "order": (20, "order.sql", "po-", "random(1, {orders}) " + KEY, "ADMIN_ORDER_LOOKUP", "PAYMENT_ORDER", "/admin/payment-orders/"),
       "user": (18, "wallet_entries.sql", "user-", f"random(0, {data.USERS - 1})", "ADMIN_WALLET_TX_LOOKUP", "WALLET", "/admin/wallets/"),
       "shop": (2, "wallet_entries.sql", "shop-", f"random(0, {data.SHOPS - 1})", "ADMIN_WALLET_TX_LOOKUP", "WALLET", "/admin/wallets/")}
# the first page of 20; one more row tells whether there is another
PAGE = {"$2::timestamptz": "'-infinity'::timestamptz", "$3::timestamptz": "'infinity'::timestamptz", "$4::timestamptz": "'infinity'::timestamptz",
        "$5::text": "''::text", "$6::bigint": "21::bigint"}
ORDER_PAGE = {"$2::timestamptz": "'infinity'::timestamptz", "$3::text": "''::text", "$4::bigint": "21::bigint"}


def statement(file, made):
    with open(os.path.join(SQL, file), encoding="utf-8") as f:
        sql = "".join(line for line in f if not line.lstrip().startswith("--"))
    for parameter, value in {"$1::text": f"{made}::text", **(ORDER_PAGE if file == "order.sql" else PAGE)}.items():
        sql = sql.replace(parameter, value)
    if "$" in sql:
        raise SystemExit(f"{file} has a parameter this bench does not know")
    return sql.rstrip() + ";\n"


class Lookups:
    def __init__(self, bench):
        self.b, self.a, self.pg = bench, bench.a, bench.pg
        self.runs = {"nsc": [], "peer": []}

    def run(self):
        b, a = self.b, self.a
        b.base_database()
        self.pg.warm()
        scripts = self.scripts()
        self.api = f"127.0.0.1:{free_port()}"
        env = b.env("nsc_api", AUTH_MODE="disabled", NSC_ENV="local")
        self.server = Process([a.nsc, "serve", "api", "--listen", self.api], os.path.join(b.logs, "api.log"), env=env)
        try:
            wait_until("the API", lambda: self.server.check() and http_status(f"http://{self.api}/readyz") == 200)
            b.step("warming up")
            self.nsc(min(5, a.seconds))
            self.peer(scripts, min(5, a.seconds))
            memory = Memory(self.server.pid)
            for i in range(a.rounds):
                b.step(f"round {i + 1} of {a.rounds}")
                for who in (("nsc", "peer"), ("peer", "nsc"))[i % 2]:
                    self.pg.settle()
                    r = self.nsc(a.seconds) if who == "nsc" else self.peer(scripts, a.seconds)
                    self.runs[who].append({**r, "load1": b.load()})
                    b.step(f"  {who}: done")
            self.pg.settle()
            b.step(f"{a.pace} requests a second")
            calm = asyncio.run(paced.requests(*self.api.split(":"), a.pace, a.seconds, self.path))
            if set(calm["statuses"]) != {"200"}:
                raise SystemExit(f"not all were answered: {calm['statuses']}")
            memory = memory.end()
            if self.server.stop() != 0:
                raise SystemExit(f"the API did not end well:\n{self.server.tail()}")
        finally:
            self.server.stop()
        return self.report(calm, memory)

    def path(self):
        which = random.randrange(100)
        if which < 60:
            return f"/admin/tx/tx-{data.key(random.randint(1, self.a.rows))}"
        if which < 80:
            return f"/admin/payment-orders/po-{data.key(random.randint(1, self.a.rows // 2))}"
        return f"/admin/wallets/user-{random.randrange(data.USERS)}/tx" if which < 98 else f"/admin/wallets/shop-{random.randrange(data.SHOPS)}/tx"

    # ------------------------------------------------------------------ contenders
    def nsc(self, seconds):
        before, cpu = self.audited(), self.cpu(self.server.pid)
        out = self.timed(["wrk", "-t2", f"-c{CONNECTIONS}", f"-d{seconds}s", "--timeout", "10s", "-s", os.path.join(HERE, "lookups.lua"), f"http://{self.api}",
                          "--", str(self.a.rows), str(data.USERS), str(data.SHOPS)], seconds)
        r = json.loads(next(line for line in out["text"].splitlines() if line.startswith("{")))
        if r["bad_status"] or r["socket_errors"]:
            raise SystemExit(f"not all requests were answered: {r}\n{self.server.tail()}")
        rows = self.audited() - before
        if not r["requests"] <= rows <= r["requests"] + 2 * CONNECTIONS:
            raise SystemExit(f"{rows} audit rows for {r['requests']} answers")
        after = self.cpu(self.server.pid)
        return {**r, "rate": round(r["requests"] / r["seconds"], 1), "cpu_s": {"nsc": round(after[0] - cpu[0], 2), "postgres": round(after[1] - cpu[1], 2), "wrk": out["cpu_s"]}}

    def peer(self, scripts, seconds):
        before, cpu = self.audited(), self.cpu()
        out = self.timed([f"{self.pg.bin}/pgbench", "-n", "-c", str(CONNECTIONS), "-j", "2", "-M", "prepared", "-T", str(seconds),
                          *[x for s in scripts for x in ("-f", s)], self.pg.url()], seconds)
        number = lambda pattern: float(re.search(pattern, out["text"]).group(1))
        done, rows = int(number(r"actually processed: (\d+)")), self.audited() - before
        if rows != done:
            raise SystemExit(f"{rows} audit rows for {done} transactions of the peer")
        return {"requests": done, "rate": round(number(r"tps = ([0-9.]+)"), 1), "mean_ms": number(r"latency average = ([0-9.]+)"),
                "cpu_s": {"postgres": round(self.cpu()[1] - cpu[1], 2), "pgbench": out["cpu_s"]}}

    def timed(self, cmd, seconds):
        """Runs a load generator that ends by itself; what it printed, and its CPU time."""
        t0 = os.times()
        r = subprocess.run(cmd, capture_output=True, text=True, timeout=seconds + 60, check=False)
        if r.returncode:
            raise SystemExit(f"{cmd[0]}: {r.stdout}{r.stderr}")
        t1 = os.times()
        return {"text": r.stdout, "cpu_s": round(t1.children_user - t0.children_user + t1.children_system - t0.children_system, 2)}

    def cpu(self, pid=None):
        return (cpu_seconds(pid) if pid else 0, cpu_seconds(self.pg.process.pid))

    def audited(self):
        return self.pg.number("SELECT count(*) FROM bo.admin_audit_logs")

    def scripts(self):
        folder, out = self.b.folder("pgbench"), []
        for name, (weight, file, begins, number, action, kind, path) in MIX.items():
            at, made = os.path.join(folder, name + ".sql"), f"('{begins}' || :n)"
            with open(at, "w", encoding="utf-8") as f:
                f.write(f"\\set n {number.format(rows=self.a.rows, orders=self.a.rows // 2)}\n")
                f.write(statement(file, made))
                f.write(AUDIT.format(action=action, kind=kind, id=made, path=path))
            out.append(f"{at}@{weight}")
        return out

    # ------------------------------------------------------------------ results
    def report(self, calm, memory):
        b, middle = self.b, lambda runs, k: sorted(r[k] for r in runs)[(len(runs) - 1) // 2]
        ratio = middle(self.runs["nsc"], "rate") / middle(self.runs["peer"], "rate")
        each = [round(n["rate"] / p["rate"], 2) for n, p in zip(self.runs["nsc"], self.runs["peer"])]
        p95 = middle(self.runs["nsc"], "p95_ms")
        b.say(f"lookups: {ratio:.2f} of pgbench's transactions/s (rounds {min(each):.2f} to {max(each):.2f}; {b.verdict(ratio >= BARS['rate'])} {BARS['rate']:g})")
        b.say(f"lookups: p95 {p95 / BARS['p95_saturated_ms']:.2f} of {BARS['p95_saturated_ms']} ms with {CONNECTIONS} connections busy ({b.verdict(p95 < BARS['p95_saturated_ms'])} below 1), "
              f"{calm['p95_ms'] / BARS['p95_paced_ms']:.2f} of {BARS['p95_paced_ms']} ms at {self.a.pace} requests/s ({b.verdict(calm['p95_ms'] < BARS['p95_paced_ms'])} below 1)")
        b.say(f"lookups: memory {memory['peak_mib'] / BARS['memory_mib']:.2f} of {BARS['memory_mib']} MiB at its peak ({b.verdict(memory['peak_mib'] < BARS['memory_mib'])} below 1)")
        b.save("serving-lookups", {"ledger_rows": self.a.rows, "orders": self.a.rows // 2, "mix": {k: v[0] for k, v in MIX.items()}, "connections": CONNECTIONS, "seconds": self.a.seconds,
                                   "ratio_to_peer": round(ratio, 3), "each": each, "p95_saturated_ms": p95, "paced": {"rate": self.a.pace, **calm}, "memory": memory, "bars": BARS, "runs": self.runs})
