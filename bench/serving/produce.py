#!/usr/bin/env python3
"""Sends events at a fixed rate: produce.py BROKERS FIRST_ORDER RATE SECONDS SAMPLES_A_SECOND (run by freshness.py).

Of every order the order itself and its two entries. Prints a line for every sampled entry as it is sent, `tx_id seconds` by the
monotonic clock that all processes of a machine share, and at the end how it went as JSON.
"""
import json
import sys
import time

from confluent_kafka import Producer

import data

TICK = .01


def events(first_order):
    o = first_order
    while True:
        yield "payment.order.upserted", f"po-{data.key(o)}", data.order_event(o)
        for n in (2 * o - 1, 2 * o):
            yield "ledger.entry.upserted", f"tx-{data.key(n)}", data.ledger_event(n)
        o += 1


def main():
    brokers, first_order, rate, seconds, samples = sys.argv[1], *map(int, sys.argv[2:])
    failed, late, sent, ledger, total = [0], 0.0, 0, 0, rate * seconds

    def delivered(error, _):
        failed[0] += error is not None
    # The time it waits for company counts as part of an event's. The broker of the bench keeps every batch apart and looks through them.
    producer = Producer({"bootstrap.servers": brokers, "linger.ms": 20, "queue.buffering.max.messages": 1_000_000})
    source, sample_every = events(first_order), max(1, rate // samples)
    begun = time.monotonic()
    while sent < total:
        for _ in range(min(total - sent, int(rate * TICK))):
            topic, key, value = next(source)
            now = time.monotonic()
            producer.produce(topic, value, key, on_delivery=delivered)
            ledger += topic.startswith("ledger")
            sent += 1
            if sent % sample_every == 0 and topic.startswith("ledger"):
                print(key, now, flush=True)
        producer.poll(0)
        ahead = begun + sent / rate - time.monotonic()
        late = max(late, -ahead)
        if ahead > 0:
            time.sleep(ahead)
    took = time.monotonic() - begun
    producer.flush(60)
    print(json.dumps({"sent": sent, "ledger": ledger, "seconds": round(took, 2), "late_s": round(late, 3), "failed": failed[0]}), flush=True)


if __name__ == "__main__":
    main()
