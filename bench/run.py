#!/usr/bin/env python3
"""Measures the daily job beside other engines. See bench/README.md for the method.

    bench/run.py [first] [rerun] [correction] [history] [scale] [--runs 3] [--peers "duckdb polars"]

Prints ratios only: seconds of one machine mean nothing on another. The seconds are in bench/results/SCENARIO.json.
"""
import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import time
from importlib import metadata

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(HERE)
sys.path[:0] = [HERE, os.path.join(HERE, "peers")]
import make_data  # noqa: E402
from measure import medians, one  # noqa: E402

SCENARIOS = ("first", "rerun", "correction", "history", "scale")
DATE = "2026-01-05"
NIGHT, LATER = "2026-01-05T15:30:00Z", "2026-01-05T15:40:00Z"      # 00:30 and 00:40 KST of the next day
CORES = str(os.cpu_count() or 1)
PEERS = {"duckdb": ("duckdb_job.py", "--threads", CORES), "polars": ("polars_job.py",), "polars-delta": ("polars_job.py", "--delta"),
         "spark": ("spark_job.py", "--master", f"local[{CORES}]")}
FASTER = {"duckdb": 2.0, "polars": 2.0, "spark": 8.0}              # how many times faster we mean to be


def prepare(*folders):
    """The inputs into the page cache, what earlier runs left dirty onto the disk: alike for every engine."""
    for folder in folders:
        for name in sorted(os.listdir(folder)):
            path = os.path.join(folder, name)
            if os.path.isfile(path):
                with open(path, "rb", buffering=0) as f:
                    while f.read(1 << 22):
                        pass
    os.sync()


class Bench:
    def __init__(self, a):
        self.a = a
        self.cache = os.path.abspath(a.cache)
        self.work = os.path.join(self.cache, "work")
        shutil.rmtree(self.work, ignore_errors=True)
        os.makedirs(self.work)
        self.env = {**os.environ, "NSC": self.a.nsc, "NO_COLOR": "1"}

    def fresh(self, name):
        path = os.path.join(self.work, name)
        shutil.rmtree(path, ignore_errors=True)
        os.makedirs(path)
        return path

    def measured(self, what, cmd):
        r = one(cmd, env=self.env)
        if r["exit"] != 0:
            raise SystemExit(f"{what} failed with exit code {r['exit']}:\n{r['tail']}")
        r.pop("tail")
        print(f"  {what}: done", flush=True)
        return r

    def nsc(self, what, root, data, date=DATE, now=NIGHT):
        prepare(data)
        logs = os.path.join(self.cache, "logs", what)
        return self.measured(what, [os.path.join(HERE, "nsc_job.sh"), root, data, date, now, logs])

    def peer(self, name, data):
        out = self.fresh("peer-" + name)
        prepare(data)
        script, *more = PEERS[name]
        return self.measured(name, [sys.executable, os.path.join(HERE, "peers", script), "--in", data, "--date-kst", DATE, "--out", out, *more])

    def day(self):
        a = self.a
        return a.data or make_data.generate(a.nsc, self.cache, "day", seed=a.seed, wallets=a.wallets, entries=a.entries, days=1, first=DATE)

    # ------------------------------------------------------------------ scenarios
    def one_day(self, wanted):
        """first, rerun and correction: each round a fresh lake, the peers in between."""
        a, data = self.a, self.day()
        peers = a.peers if "first" in wanted else []
        runs = {k: [] for k in ["nsc", *peers, "rerun", "correction"]}
        extra, counts = None, None
        if "correction" in wanted:
            def make(folder):
                c = make_data.correct(data, folder, a.correction, DATE)
                with open(os.path.join(folder, "counts"), "w") as f:
                    json.dump(c, f)
            base = os.path.basename(os.path.normpath(data))
            extra = make_data.once(os.path.join(self.cache, "data", f"{base}-correction-{a.correction}"), make)
            with open(os.path.join(extra, "counts")) as f:
                counts = json.load(f)
        agree = {}
        for i in range(a.runs):
            print(f"round {i + 1} of {a.runs}", flush=True)
            order = ["nsc", *peers]
            for who in order[i % len(order):] + order[:i % len(order)]:
                if who != "nsc":
                    runs[who].append(self.peer(who, data))
                    continue
                lake = self.fresh("lake")
                runs["nsc"].append(self.nsc("first", lake, data))
                if a.check and i == 0:
                    shutil.copytree(lake, os.path.join(self.work, "lake-first"))
                if "rerun" in wanted:
                    runs["rerun"].append(self.nsc("rerun", lake, data))
                if extra:
                    runs["correction"].append(self.nsc("correction", lake, extra, now=LATER))
            if a.check and i == 0 and peers:
                agree = self.agreement(peers)
        if "first" in wanted:
            self.report_first(data, runs, peers, agree)
        base = medians(runs["nsc"])
        for name, bar in (("rerun", 0.25), ("correction", 0.5)):
            if runs[name]:
                r = medians(runs[name])["wall_s"] / base["wall_s"]
                print(f"{name}: {r:.2f} of the first run ({verdict(r <= bar)} at most {bar})")
                more = {"corrected_lines": counts, "kind": a.correction} if name == "correction" else {}
                self.save(name, {"data": self.describe(data), "ratio_to_first": round(r, 3), "bar": bar, "runs": {"first": runs["nsc"], name: runs[name]}, **more})

    def agreement(self, peers):
        import check
        out = {}
        for p in peers:
            d = check.differences(os.path.join(self.work, "lake-first"), os.path.join(self.work, "peer-" + p), p.endswith("-delta"))
            out[p] = {t: {"rows": n, "only_product": x, "only_peer": y} for t, (n, x, y) in d.items()}
            off = [t for t, (_, x, y) in d.items() if x or y]
            print(f"  answers equal {p}'s" if not off else f"  ANSWERS DIFFER from {p}'s in {', '.join(off)}: the ratio means nothing until that is explained", flush=True)
        shutil.rmtree(os.path.join(self.work, "lake-first"))
        return out

    def report_first(self, data, runs, peers, agree):
        m = {k: medians(runs[k]) for k in ["nsc", *peers]}
        ratios = {}
        for p in peers:
            r = {k: round(m[p][k] / m["nsc"][k], 2) for k in m[p]}
            each = [y["wall_s"] / x["wall_s"] for x, y in zip(runs["nsc"], runs[p])]
            r["wall_each"] = [round(x, 2) for x in each]
            ratios[p] = r
            bar = FASTER.get(p)
            print(f"first: {p} takes {r['wall_s']:.2f} times our wall time (rounds {min(each):.2f} to {max(each):.2f}"
                  + (f"; {verdict(r['wall_s'] >= bar)} {bar:g}" if bar else "") + f"), {r['cpu_s']:.2f} times our CPU, {r['peak_rss_mb']:.2f} times our memory")
        print(f"first: peak memory {m['nsc']['peak_rss_mb'] / 2048:.2f} of 2 GiB ({verdict(m['nsc']['peak_rss_mb'] < 2048)} below 1)")
        self.save("first", {"data": self.describe(data), "medians": m, "ratios_peer_to_product": ratios, "answers": agree,
                            "runs": {k: runs[k] for k in ["nsc", *peers]}})

    def history(self):
        """The same volume every day for sixty days: does day 60 cost what day 5 cost?"""
        a = self.a
        world = make_data.generate(a.nsc, self.cache, "history", seed=a.seed, wallets=a.history_wallets, entries=a.history_entries, days=a.history_days, first=DATE)
        nights = make_data.once(world + "-nights", lambda f: make_data.split_by_night(world, f, DATE, a.history_days))
        names = sorted(n for n in os.listdir(nights) if n[:2] == "20")
        early, late = names[3:6], names[-3:]
        runs, ratios = [], []
        for i in range(a.history_runs):
            lake, walls = self.fresh("lake"), {}
            for n in names:
                walls[n] = self.nsc(f"history-{n}", lake, os.path.join(nights, n), date=n, now=n + "T15:30:00Z")
            runs.append(walls)
            ratios.append(round(statistics.median(walls[n]["wall_s"] for n in late) / statistics.median(walls[n]["wall_s"] for n in early), 3))
        r = statistics.median(ratios)
        print(f"history: day {len(names)} costs {r:.2f} of day 5 ({verdict(r <= 1.3)} at most 1.3)")
        self.save("history", {"entries_per_day": a.history_entries, "wallets": a.history_wallets, "early": early, "late": late,
                              "ratio_late_to_early": r, "each": ratios, "bar": 1.3, "runs": runs})

    def scale(self):
        a = self.a
        data = make_data.generate(a.nsc, self.cache, "scale", seed=a.seed, wallets=a.scale_wallets, entries=a.scale_entries, days=1, first=DATE)
        runs = [self.nsc("scale", self.fresh("lake"), data) for _ in range(a.scale_runs)]
        m = medians(runs)
        print(f"scale: peak memory {m['peak_rss_mb'] / 4096:.2f} of 4 GiB at {a.scale_entries} entries ({verdict(m['peak_rss_mb'] < 4096)} below 1)")
        self.save("scale", {"data": self.describe(data), "bar_mb": 4096, "medians": m, "runs": runs})

    # ------------------------------------------------------------------ results
    def describe(self, data):
        return {"name": os.path.basename(os.path.normpath(data)), "mb": {t: os.path.getsize(os.path.join(data, t + ".jsonl")) // 1_000_000 for t in make_data.TABLES}}

    def save(self, name, body):
        os.makedirs(self.a.results, exist_ok=True)
        with open(os.path.join(self.a.results, name + ".json"), "w", encoding="utf-8") as f:
            json.dump({"scenario": name, "measured": time.strftime("%Y-%m-%d"), "machine": machine(self.a.nsc), **body}, f, indent=1, ensure_ascii=False)
            f.write("\n")


def verdict(good):
    return "met:" if good else "MISSED:"


def machine(nsc):
    def line(*cmd):
        try:
            return subprocess.run(cmd, cwd=TOP, capture_output=True, text=True, check=True).stdout.strip()
        except (OSError, subprocess.CalledProcessError):
            return None
    versions = {}
    for p in ("duckdb", "polars", "deltalake", "pyarrow", "pyspark"):
        try:
            versions[p] = metadata.version(p)
        except metadata.PackageNotFoundError:
            pass
    with open("/proc/cpuinfo") as f:
        cpu = next((x.split(":", 1)[1].strip() for x in f if x.startswith("model name")), platform.machine())
    return {"cpus": os.cpu_count(), "cpu": cpu, "memory_gib": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 30,
            "kernel": platform.release(), "python": platform.python_version(), "peers": versions,
            "nsc": line(nsc, "--version"), "commit": line("git", "describe", "--always", "--dirty")}


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("scenarios", nargs="*", help=f"any of {', '.join(SCENARIOS)} (default: first rerun correction)")
    p.add_argument("--runs", type=int, default=3, help="rounds of first, rerun and correction")
    p.add_argument("--peers", default="duckdb polars", help=f"any of {', '.join(PEERS)}; '' for none")
    p.add_argument("--nsc", default=os.path.join(os.environ.get("CARGO_TARGET_DIR", os.path.join(TOP, "target")), "release", "nsc"))
    p.add_argument("--cache", default=os.path.join(TOP, ".nsc", "bench"), help="data, lakes and logs")
    p.add_argument("--results", default=os.path.join(HERE, "results"))
    p.add_argument("--data", help="a folder with the six JSONL files of 2026-01-05, in place of generated ones")
    p.add_argument("--seed", type=int, default=7)
    p.add_argument("--entries", type=int, default=2_000_000)
    p.add_argument("--wallets", type=int, default=100_000)
    p.add_argument("--correction", choices=("amount", "fields"), default="amount")
    p.add_argument("--history-days", type=int, default=60)
    p.add_argument("--history-entries", type=int, default=33_000)
    p.add_argument("--history-wallets", type=int, default=5_000)
    p.add_argument("--history-runs", type=int, default=1)
    p.add_argument("--scale-entries", type=int, default=10_000_000)
    p.add_argument("--scale-wallets", type=int, default=500_000)
    p.add_argument("--scale-runs", type=int, default=1)
    p.add_argument("--no-check", dest="check", action="store_false", help="do not compare the answers with the peers'")
    a = p.parse_args()
    wanted = a.scenarios or ["first", "rerun", "correction"]
    a.peers = a.peers.split()
    for x in set(wanted) - set(SCENARIOS):
        p.error(f"unknown scenario {x}")
    for x in set(a.peers) - set(PEERS):
        p.error(f"unknown peer {x}")
    if a.history_days < 10:
        p.error("--history-days must be at least 10")
    if not os.access(a.nsc, os.X_OK):
        p.error(f"no binary at {a.nsc}: cargo build --release --package nsc-cli")
    load = os.getloadavg()[0]
    if load > 0.5:
        print(f"note: the machine is not idle (load {load:.1f}); wall times will say so, CPU times less", flush=True)
    b = Bench(a)
    if {"first", "rerun", "correction"} & set(wanted):
        b.one_day(wanted)
    if "history" in wanted:
        b.history()
    if "scale" in wanted:
        b.scale()
    shutil.rmtree(b.work, ignore_errors=True)
    print(f"results: {os.path.relpath(a.results)}; where the time went: {os.path.relpath(os.path.join(b.cache, 'logs'))}/*/report.json")


if __name__ == "__main__":
    main()
