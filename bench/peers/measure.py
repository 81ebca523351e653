#!/usr/bin/env python3
"""Wall time, CPU time and peak memory of a command and of everything it starts.

    measure.py [--server "CMD"] [--wait-port 50051] [--runs 3] [--json out.jsonl] [--label L] -- CMD...

Every 0.1 s the process tree is sampled from /proc, and at the end the kernel's own account of the command is taken:
peak_rss_mb = the largest sum of resident memory of the tree (a JVM or a server that it started counts; memory that
              two processes share counts twice), and never less than the kernel's figure for its largest process,
cpu_s       = user + system seconds of the whole tree.
A --server is started before each run, waited for on its port, counted in both, and ended by its own pid.
Prints medians. Linux only. `run.py` uses `one` and `medians` from here.
"""
import argparse
import json
import os
import shlex
import signal
import socket
import statistics
import subprocess
import tempfile
import threading
import time

TICK = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")


def table():
    """pid -> (parent, cpu seconds, rss bytes)"""
    out = {}
    for p in os.listdir("/proc"):
        if p.isdigit():
            try:
                with open(f"/proc/{p}/stat") as f:
                    s = f.read()
                s = s[s.rindex(")") + 2:].split()
                out[int(p)] = (int(s[1]), (int(s[11]) + int(s[12])) / TICK, int(s[21]) * PAGE)
            except (OSError, ValueError, IndexError):
                pass
    return out


def tree(t, roots):
    kids = {}
    for p, (pp, _, _) in t.items():
        kids.setdefault(pp, []).append(p)
    todo, seen = [r for r in roots if r in t], set()
    while todo:
        p = todo.pop()
        if p not in seen:
            seen.add(p)
            todo += kids.get(p, [])
    return seen


class Sampler(threading.Thread):
    """Watches the trees under `roots` until told to stop."""

    def __init__(self, roots):
        super().__init__(daemon=True)
        self.roots, self.peak, self.cpu, self.over = roots, 0, {}, threading.Event()

    def run(self):
        while not self.over.wait(.1):
            t = table()
            ids = tree(t, self.roots)
            self.peak = max(self.peak, sum(t[i][2] for i in ids))
            for i in ids:
                self.cpu[i] = t[i][1]


def start_server(server, port):
    srv = subprocess.Popen(shlex.split(server), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    end = time.time() + 60
    while time.time() < end:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            break
        except OSError:
            time.sleep(.2)
    return srv


def one(cmd, server=None, port=50051, env=None):
    """One measured run of `cmd`: a dict with wall_s, cpu_s, peak_rss_mb, exit, load1 and the end of what it printed."""
    srv = start_server(server, port) if server else None
    before = table().get(srv.pid, (0, 0, 0))[1] if srv else 0
    load = os.getloadavg()[0]
    with tempfile.TemporaryFile("w+b") as out:
        t0 = time.monotonic()
        p = subprocess.Popen(cmd, stdout=out, stderr=subprocess.STDOUT, env=env)
        s = Sampler([p.pid] + ([srv.pid] if srv else []))
        s.start()
        _, status, use = os.wait4(p.pid, 0)
        wall = time.monotonic() - t0
        p.returncode = os.waitstatus_to_exitcode(status)
        s.over.set()
        s.join()
        out.seek(max(0, out.seek(0, os.SEEK_END) - 4000))
        tail = out.read().decode("utf-8", "replace").strip()
    if srv:
        srv.send_signal(signal.SIGTERM)
        try:
            srv.wait(10)
        except subprocess.TimeoutExpired:
            srv.kill()
            srv.wait()
    # the kernel counts every process that was waited for, to the tick; the samples also see one that was not (a JVM)
    cpu = max(use.ru_utime + use.ru_stime, sum(s.cpu.values()) - before)
    return {"wall_s": round(wall, 2), "cpu_s": round(cpu, 2), "peak_rss_mb": max(s.peak >> 20, use.ru_maxrss >> 10),
            "exit": p.returncode, "load1_before": round(load, 1), "tail": tail}


def medians(runs):
    return {k: round(statistics.median(r[k] for r in runs), 2) for k in ("wall_s", "cpu_s", "peak_rss_mb")}


def main():
    a = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    a.add_argument("--server")
    a.add_argument("--wait-port", type=int, default=50051)
    a.add_argument("--runs", type=int, default=3)
    a.add_argument("--json")
    a.add_argument("--label", default="")
    a.add_argument("--rows", type=int, help="rows handled, for rows/s")
    a.add_argument("cmd", nargs=argparse.REMAINDER)
    x = a.parse_args()
    cmd = x.cmd[1:] if x.cmd and x.cmd[0] == "--" else x.cmd
    rs = []
    for _ in range(x.runs):
        r = one(cmd, x.server, x.wait_port)
        r["tail"] = r["tail"][-200:]
        rs.append(r)
        print(x.label, json.dumps(r), flush=True)
    med = medians(rs)
    if x.rows:
        med["rows_per_s"] = int(x.rows / med["wall_s"])
        med["rows_per_cpu_s"] = int(x.rows / max(med["cpu_s"], .01))
    print(x.label, "median", json.dumps(med), flush=True)
    if x.json:
        with open(x.json, "a") as f:
            f.write(json.dumps({"label": x.label, "median": med, "runs": rs}) + "\n")


if __name__ == "__main__":
    main()
