"""From a producer's hand to an admin's answer: events at a fixed rate, and the API asked for sampled ids until it knows them.

A sample's time runs from just before the client library takes the event to the 200 that shows it, looked for every 25 ms.
"""
import asyncio
import json
import os
import subprocess
import time

import paced
from servers import Broker, Process, cpu_seconds, free_port, http_status, wait_until

HERE = os.path.dirname(os.path.abspath(__file__))
LOOK_EVERY, GIVE_UP, SAMPLES_A_SECOND, BAR_SECONDS = .025, 30, 20, 1.0


class Freshness:
    def __init__(self, bench):
        self.b, self.a, self.pg = bench, bench.a, bench.pg

    def run(self):
        b, a = self.b, self.a
        b.base_database()
        self.pg.warm()
        broker = Broker(a.broker, os.path.join(b.logs, "broker.log"))
        running = []
        try:
            env = b.env("nsc_consumer", KAFKA_BROKERS=broker.address)
            first = os.path.join(b.folder("events"), "none.jsonl")
            open(first, "w").close()
            b.nsc(["sample", "publish", "--ledger-file", first, "--payment-order-file", first, "--partitions", "4"], env)   # makes the topics
            side, api = f"127.0.0.1:{free_port()}", f"127.0.0.1:{free_port()}"
            running.append(Process([a.nsc, "consume", "--metrics-listen", side], os.path.join(b.logs, "consumer.log"), env=env))
            running.append(Process([a.nsc, "serve", "api", "--listen", api], os.path.join(b.logs, "api.log"), env=b.env("nsc_api", AUTH_MODE="disabled", NSC_ENV="local")))
            for at in (side, api):
                wait_until("the services", lambda at=at: all(p.check() for p in running) and http_status(f"http://{at}/readyz") == 200, 120)
            self.pg.settle()
            b.step(f"{a.event_rate} events a second for {a.freshness_seconds} s")
            load = b.load()
            parts = {"nsc_consume": running[0].pid, "nsc_serve": running[1].pid, "postgres": self.pg.process.pid, "broker": broker.process.pid}
            before = {part: cpu_seconds(pid) for part, pid in parts.items()}
            sent, seen = asyncio.run(self.measure(broker.address, *api.split(":")))
            used = {part: round(cpu_seconds(pid) - before[part], 2) for part, pid in parts.items()}
            self.check(sent)
            codes = [p.stop() for p in running]
        finally:
            for p in running:
                p.stop()
            broker.stop()
        if codes != [0, 0]:
            raise SystemExit(f"a service did not end well: {codes}")
        return self.report(sent, seen, load, used)

    async def measure(self, brokers, host, port):
        a, free, seen, looking, sent = self.a, [], [], set(), None
        producer = await asyncio.create_subprocess_exec(a.python, os.path.join(HERE, "produce.py"), brokers, str(a.rows // 2 + 1), str(a.event_rate),
                                                        str(a.freshness_seconds), str(SAMPLES_A_SECOND), stdout=subprocess.PIPE)

        async def look(tx_id, begun):
            connection = free.pop() if free else paced.Connection(host, port)
            while await connection.get(f"/admin/tx/{tx_id}") != 200:
                if time.monotonic() > begun + GIVE_UP:
                    raise SystemExit(f"{tx_id} is not visible after {GIVE_UP} s")
                await asyncio.sleep(LOOK_EVERY)
            seen.append(time.monotonic() - begun)
            free.append(connection)
        try:
            async for line in producer.stdout:
                text = line.decode()
                if text.startswith("{"):
                    sent = json.loads(text)
                    continue
                tx_id, begun = text.split()
                task = asyncio.create_task(look(tx_id, float(begun)))
                looking.add(task)
            await asyncio.gather(*looking)
            if await producer.wait() != 0 or not sent or sent["failed"]:
                raise SystemExit(f"the producer did not do its work: {sent}")
        finally:
            if producer.returncode is None:
                producer.kill()
        return sent, seen

    def check(self, sent):
        wanted = self.a.rows + sent["ledger"]
        wait_until("all events", lambda: self.pg.number("SELECT count(*) FROM bo.ledger_entries") == wanted, 120, .5)

    def report(self, sent, seen, load, used):
        b, a = self.b, self.a
        p99 = paced.percentile(seen, 99)
        kept = sent["sent"] / sent["seconds"] / a.event_rate
        b.say(f"freshness: p99 {p99 / BAR_SECONDS:.2f} of {BAR_SECONDS:g} s from produced to visible ({b.verdict(p99 < BAR_SECONDS)} below 1), "
              f"median {paced.percentile(seen, 50) / BAR_SECONDS:.2f}, {len(seen)} samples, {kept:.2f} of {a.event_rate} events/s sent")
        b.save("serving-freshness", {"ledger_rows": a.rows, "event_rate": a.event_rate, "bar_s": BAR_SECONDS, "samples": len(seen), "sent": sent, "load1_before": load, "cpu_s": used,
                                     "p50_s": round(paced.percentile(seen, 50), 3), "p95_s": round(paced.percentile(seen, 95), 3), "p99_s": round(p99, 3), "max_s": round(max(seen), 3)})
