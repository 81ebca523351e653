"""Requests at a fixed rate, whatever the answers take: time counts from when a request was due, not from when it was sent."""
import asyncio
import collections
import random
import time


class Connection:
    """Keeps one connection to the API; opens it again when the server closed it."""

    def __init__(self, host, port):
        self.at, self.streams = (host, port), None

    async def get(self, path):
        if self.streams is None:
            self.streams = await asyncio.open_connection(*self.at)
        reader, writer = self.streams
        try:
            writer.write(f"GET {path} HTTP/1.1\r\nHost: {self.at[0]}:{self.at[1]}\r\n\r\n".encode())
            head = await reader.readuntil(b"\r\n\r\n")
            length = next(int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
            await reader.readexactly(length)
            return int(head[9:12])
        except (OSError, asyncio.IncompleteReadError):
            self.streams = None
            return 0


def percentile(values, p):
    values = sorted(values)
    return values[min(len(values) - 1, int(len(values) * p / 100))]


async def requests(host, port, rate, seconds, path, connections=64):
    """`rate` a second for so many seconds; `path` makes one. Gives statuses and milliseconds."""
    free = asyncio.Queue()
    for _ in range(connections):
        free.put_nowait(Connection(host, port))
    statuses, took, running = collections.Counter(), [], set()

    async def one(due):
        connection = await free.get()
        try:
            statuses[await connection.get(path())] += 1
            took.append((time.monotonic() - due) * 1000)
        finally:
            free.put_nowait(connection)
    begun = time.monotonic()
    for n in range(int(rate * seconds)):
        # Poisson: users do not come in step
        due = begun + n / rate + random.random() / rate
        if (wait := due - time.monotonic()) > 0:
            await asyncio.sleep(wait)
        task = asyncio.create_task(one(due))
        running.add(task)
        task.add_done_callback(running.discard)
    await asyncio.gather(*running)
    return {"requests": len(took), "seconds": round(time.monotonic() - begun, 2), "statuses": {str(k): v for k, v in statuses.items()},
            "p50_ms": round(percentile(took, 50), 2), "p95_ms": round(percentile(took, 95), 2), "p99_ms": round(percentile(took, 99), 2)}
