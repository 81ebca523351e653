"""The private servers of the serving bench: on loopback, each ended by its own process id, whatever happens.

PostgreSQL runs as shipped for durability (fsync, synchronous_commit and full_page_writes on) and keeps its files in a
temporary directory, which must be on a disk: a file system in memory would make commits free.
"""
import contextlib
import ctypes
import glob
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import urllib.error
import urllib.request

TICK = os.sysconf("SC_CLK_TCK")
LIBC = ctypes.CDLL(None, use_errno=True)
PR_SET_PDEATHSIG = 1
SETTINGS = {"listen_addresses": "127.0.0.1", "unix_socket_directories": "", "fsync": "on", "synchronous_commit": "on", "full_page_writes": "on",
            "shared_buffers": "3GB", "max_wal_size": "8GB", "checkpoint_timeout": "30min", "max_connections": "150"}


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_until(what, holds, seconds=60, every=.05):
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            raise SystemExit(f"{what}: not within {seconds} s")
        time.sleep(every)


def http_status(url):
    try:
        with urllib.request.urlopen(url, timeout=10) as r:
            return r.status
    except urllib.error.HTTPError as e:
        return e.code
    except OSError:
        return 0


class Process:
    """A child that does not outlive us, with a log file."""

    def __init__(self, cmd, log, env=None, stop=signal.SIGTERM, **more):
        self.stop_signal, self.log = stop, log
        with open(log, "ab") as out:
            self.child = subprocess.Popen(cmd, stdout=out, stderr=out, stdin=subprocess.DEVNULL, env=env,
                                          preexec_fn=lambda: LIBC.prctl(PR_SET_PDEATHSIG, int(stop)), **more)
        self.pid = self.child.pid

    def tail(self):
        with open(self.log, encoding="utf-8", errors="replace") as f:
            return f.read()[-3000:]

    def check(self):
        if self.child.poll() is not None:
            raise SystemExit(f"{os.path.basename(self.log)}: ended with {self.child.returncode}\n{self.tail()}")
        return True

    def stop(self, seconds=60):
        if self.child.poll() is None:
            self.child.send_signal(self.stop_signal)
            try:
                self.child.wait(seconds)
            except subprocess.TimeoutExpired:
                self.child.kill()
                self.child.wait()
        return self.child.returncode


def stat(pid):
    """parent, own cpu seconds, cpu seconds of children that were waited for"""
    with open(f"/proc/{pid}/stat") as f:
        s = f.read()
    s = s[s.rindex(")") + 2:].split()
    return int(s[1]), (int(s[11]) + int(s[12])) / TICK, (int(s[13]) + int(s[14])) / TICK


def cpu_seconds(root):
    """Of a process, of all that it started, and of those of them that have ended."""
    stats = {}
    for p in os.listdir("/proc"):
        if p.isdigit():
            with contextlib.suppress(OSError, ValueError, IndexError):
                stats[int(p)] = stat(int(p))
    total, todo = 0.0, [root]
    while todo:
        pid = todo.pop()
        if pid in stats:
            total += stats[pid][1] + (stats[pid][2] if pid == root else 0)
            todo += [p for p, s in stats.items() if s[0] == pid]
    return total


class Memory(threading.Thread):
    """Resident memory of one process, five times a second."""

    def __init__(self, pid):
        super().__init__(daemon=True)
        self.pid, self.seen, self.over = pid, [], threading.Event()
        self.start()

    def run(self):
        while not self.over.wait(.2):
            with contextlib.suppress(OSError):
                self.seen.append(self.read("VmRSS"))

    def read(self, field):
        with open(f"/proc/{self.pid}/status") as f:
            # none of a process that has ended
            return next((int(line.split()[1]) / 1024 for line in f if line.startswith(field + ":")), 0.0)

    def end(self):
        """MiB: the median of the second half, and the kernel's own peak. Ask before the process ends."""
        peak = self.read("VmHWM")
        self.over.set()
        self.join()
        half = sorted(self.seen[len(self.seen) // 2:])
        return {"steady_mib": round(half[len(half) // 2] if half else peak, 1), "peak_mib": round(peak, 1)}


def postgres_bin():
    found = sorted(glob.glob("/usr/lib/postgresql/*/bin"), key=lambda d: int(d.split("/")[-2]))
    for d in [os.environ.get("NSC_PG_BIN", ""), *reversed(found), os.path.dirname(shutil.which("initdb") or "/nowhere/x")]:
        if all(os.access(os.path.join(d, p), os.X_OK) for p in ("initdb", "postgres", "pgbench", "psql")):
            return d
    raise SystemExit("no PostgreSQL with initdb, postgres, pgbench and psql: scripts/install-deps.sh up")


class Postgres:
    """A cluster of its own; the superuser is nsc, and every local login is trusted."""

    def __init__(self, logs):
        self.bin, self.port, self.logs = postgres_bin(), free_port(), logs
        self.home = tempfile.mkdtemp(prefix="nsc-bench-pg-")
        self.owner = {}
        if os.getuid() == 0:   # the server refuses to run as root
            who = next(pwd.getpwnam(n) for n in ("postgres", "nobody") if n in {u.pw_name for u in pwd.getpwall()})
            os.chown(self.home, who.pw_uid, who.pw_gid)
            self.owner = {"user": who.pw_uid, "group": who.pw_gid, "extra_groups": []}
        self.data = os.path.join(self.home, "data")
        subprocess.run([f"{self.bin}/initdb", "-D", self.data, "-U", "nsc", "-E", "UTF8", "--locale=C.UTF-8", "--auth=trust", "--no-instructions"],
                       check=True, stdout=subprocess.DEVNULL, cwd=self.home, **self.owner)
        options = [x for k, v in {**SETTINGS, "port": str(self.port)}.items() for x in ("-c", f"{k}={v}")]
        self.process = Process([f"{self.bin}/postgres", "-D", self.data, *options], os.path.join(logs, "postgres.log"),
                               stop=signal.SIGINT, cwd=self.home, **self.owner)
        wait_until("PostgreSQL", lambda: self.process.check() and self.answers())

    def answers(self):
        return subprocess.run([f"{self.bin}/pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self.port)], check=False).returncode == 0

    def url(self, database="bo", role="nsc"):
        return f"postgres://{role}@127.0.0.1:{self.port}/{database}?sslmode=disable"

    def psql_command(self, database="bo"):
        return [f"{self.bin}/psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-d", self.url(database)]

    def sql(self, text, database="bo", timeout=1800):
        r = subprocess.run([*self.psql_command(database), "-f", "-"], input=text, capture_output=True, text=True, timeout=timeout, check=False)
        if r.returncode:
            raise SystemExit(f"psql: {r.stderr.strip()}")
        return r.stdout.strip()

    def number(self, text, database="bo"):
        return int(self.sql(text, database) or 0)

    def settle(self):
        """What earlier rounds left dirty onto the disk, so that nobody pays for somebody else's writes."""
        self.sql("CHECKPOINT", "postgres")
        os.sync()

    def warm(self):
        """Every table and index into the server's memory: the product's as much as its peer's, whichever was made last."""
        self.sql("CREATE EXTENSION IF NOT EXISTS pg_prewarm; SELECT sum(pg_prewarm(c.oid)) FROM pg_class AS c "
                 "JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE n.nspname IN ('bo', 'plain') AND c.relkind IN ('r', 'i')")

    def stop(self):
        self.process.stop()
        shutil.rmtree(self.home, ignore_errors=True)


class Broker:
    """tansu, which keeps its log in memory: a new one is an empty one."""

    def __init__(self, program, log):
        self.address = f"127.0.0.1:{free_port()}"
        at = f"tcp://{self.address}"
        self.process = Process([program, "broker", "--listener-url", at, "--advertised-listener-url", at, "--storage-engine", "memory://tansu/"],
                               log, env={}, stop=signal.SIGKILL)
        host, port = self.address.split(":")

        def listens():
            self.process.check()
            with contextlib.suppress(OSError), socket.create_connection((host, int(port)), 1):
                return True
            return False
        wait_until("the broker", listens)

    def stop(self):
        self.process.stop()
