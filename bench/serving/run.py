#!/usr/bin/env python3
"""Measures the serving half: events in, lookups out. See bench/README.md, "Serving", for the method.

    bench/serving/setup.sh; bench/serving/run.py [consume] [backfill] [lookups] [freshness] [--rounds 3]

Prints ratios only: seconds of one machine mean nothing on another. The seconds are in bench/results/serving-*.json.
Everything runs on 127.0.0.1, is bounded in time, and is ended at the end.
"""
import argparse
import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, HERE)
import data  # noqa: E402
from freshness import Freshness  # noqa: E402
from ingest import Ingest  # noqa: E402
from lookups import Lookups  # noqa: E402
from servers import SETTINGS, Postgres  # noqa: E402

SCENARIOS = ("consume", "backfill", "lookups", "freshness")


class Bench:
    def __init__(self, a):
        self.a = a
        # its own: two runs beside each other spoil each other's numbers, but not their files
        self.work = os.path.join(TOP, ".nsc", "bench-serving", str(os.getpid()))
        self.logs = os.path.join(self.work, "logs")
        os.makedirs(self.logs)
        self.began = {"load1": self.load()}
        self.pg = Postgres(self.logs)

    def base_database(self):
        """A database `bo` with the schema and the rows that are there before; made once, copied for each scenario."""
        pg = self.pg
        if not pg.sql("SELECT 1 FROM pg_database WHERE datname = 'base'", "postgres"):
            self.step(f"{self.a.rows} ledger entries and {self.a.rows // 2} orders that are there before")
            pg.sql("CREATE DATABASE base", "postgres")
            self.nsc(["migrate"], {"DATABASE_URL": pg.url("base")})
            pg.sql("ALTER ROLE nsc_consumer LOGIN; ALTER ROLE nsc_api LOGIN", "base")
            pg.sql(data.base_sql(self.a.rows), "base")
        pg.sql("DROP DATABASE IF EXISTS bo", "postgres")
        pg.sql("CREATE DATABASE bo TEMPLATE base", "postgres")
        pg.settle()

    def env(self, role, **more):
        return {"DATABASE_URL": self.pg.url(role=role), "NSC_LOG": "warn", "HOME": self.work, **more}

    def nsc(self, arguments, env):
        r = subprocess.run([self.a.nsc, *arguments], env={"HOME": self.work, **env}, capture_output=True, text=True, timeout=600, check=False)
        if r.returncode:
            raise SystemExit(f"nsc {' '.join(arguments)} ended with {r.returncode}:\n{r.stderr}")
        return r.stdout

    def folder(self, name):
        path = os.path.join(self.work, name)
        shutil.rmtree(path, ignore_errors=True)
        os.makedirs(path)
        return path

    def load(self):
        return round(os.getloadavg()[0], 2)

    def step(self, text):
        print(f"  {text}", flush=True)

    def say(self, text):
        print(text, flush=True)

    def verdict(self, good):
        return "met:" if good else "MISSED:"

    def save(self, name, body):
        os.makedirs(self.a.results, exist_ok=True)
        with open(os.path.join(self.a.results, name + ".json"), "w", encoding="utf-8") as f:
            json.dump({"scenario": name, "measured": time.strftime("%Y-%m-%d"), "machine": self.machine(), "load1_at_start": self.began["load1"], **body}, f, indent=1)
            f.write("\n")

    def machine(self):
        def line(*cmd):
            try:
                return subprocess.run(cmd, cwd=TOP, capture_output=True, text=True, check=False).stdout.strip().split("\n")[0] or None
            except OSError:
                return None
        with open("/proc/cpuinfo") as f:
            cpu = next((x.split(":", 1)[1].strip() for x in f if x.startswith("model name")), platform.machine())
        return {"cpus": os.cpu_count(), "cpu": cpu, "memory_gib": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 30, "kernel": platform.release(),
                "file_system": line("stat", "-f", "-c", "%T", self.pg.home), "postgres": line(f"{self.pg.bin}/postgres", "--version"),
                "postgres_settings": {k: v for k, v in SETTINGS.items() if "socket" not in k and "address" not in k},
                "wrk": line("dpkg-query", "-W", "-f", "${Version}", "wrk"), "broker": line(self.a.broker, "--version"),
                "nsc": line(self.a.nsc, "--version"), "commit": line("git", "describe", "--always", "--dirty")}


def arguments():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("scenarios", nargs="*", help=f"any of {', '.join(SCENARIOS)} (default: all)")
    p.add_argument("--rounds", type=int, default=3, help="interleaved rounds")
    p.add_argument("--rows", type=int, default=1_000_000, help="ledger entries that are there before; half as many orders")
    p.add_argument("--events", type=int, default=400_000, help="ledger events of a round; half as many orders come with them")
    p.add_argument("--batch", type=int, default=5_000, help="rows of a transaction, the product's and the peer's")
    p.add_argument("--seconds", type=int, default=20, help="how long lookups are asked for in a round")
    p.add_argument("--pace", type=int, default=500, help="requests a second of the run that is not saturated")
    p.add_argument("--event-rate", type=int, default=5_000, help="events a second of freshness")
    p.add_argument("--freshness-seconds", type=int, default=30)
    p.add_argument("--nsc", default=os.path.join(os.environ.get("CARGO_TARGET_DIR", os.path.join(TOP, "target")), "release", "nsc"))
    p.add_argument("--broker", default=os.environ.get("NSC_TEST_BROKER", os.path.join(TOP, ".nsc", "broker", "tansu")))
    p.add_argument("--python", default=os.path.join(TOP, ".nsc", "bench-serving-venv", "bin", "python"), help="one with confluent-kafka (freshness)")
    p.add_argument("--results", default=os.path.join(TOP, "bench", "results"))
    a = p.parse_args()
    a.scenarios = a.scenarios or list(SCENARIOS)
    for x in set(a.scenarios) - set(SCENARIOS):
        p.error(f"unknown scenario {x}")
    if a.rows % 100 or a.events % 100:
        p.error("--rows and --events must be multiples of 100")
    for program, hint in ((a.nsc, "cargo build --release --locked --workspace"), (a.broker, "scripts/broker.sh")):
        if not os.access(program, os.X_OK):
            p.error(f"no program at {program}: {hint}")
    if "lookups" in a.scenarios and not shutil.which("wrk"):
        p.error("wrk is not installed: bench/serving/setup.sh")
    if "freshness" in a.scenarios and not os.access(a.python, os.X_OK):
        p.error(f"no Python at {a.python}: bench/serving/setup.sh")
    return a


def main():
    a = arguments()
    if os.getloadavg()[0] > .5:
        print(f"note: the machine is not idle (load {os.getloadavg()[0]:.1f}); wall times will say so, CPU times less", flush=True)
    # so that everything is ended and removed, whoever ends us
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    b = Bench(a)
    try:
        if {"consume", "backfill"} & set(a.scenarios):
            Ingest(b, a.scenarios).run()
        if "lookups" in a.scenarios:
            Lookups(b).run()
        if "freshness" in a.scenarios:
            Freshness(b).run()
    except BaseException:
        print(f"logs: {os.path.relpath(b.logs)}", file=sys.stderr)
        raise
    finally:
        b.pg.stop()
    shutil.rmtree(b.work, ignore_errors=True)
    print(f"results: {os.path.relpath(a.results)}/serving-*.json")


if __name__ == "__main__":
    main()
