"""A steady load of HTTP requests that forgives nothing: what is refused, cut or wrong is written down.

One asyncio loop; requests are written and answers are read by hand, so that no library repeats one quietly.
"""

import asyncio
import json
import threading
import time


class Load:
    """`rate` requests a second on kept connections, and further ones, each on a connection of its own, and streams."""

    def __init__(self, port, rate=1000, kept=40, fresh_rate=100, streams=4, stream_body=None, token=""):
        self.port, self.rate, self.kept, self.fresh_rate = port, rate, kept, fresh_rate
        self.streams, self.stream_body, self.token = streams, stream_body, token
        self.failures, self.answered, self.reconnected, self.streamed, self.longest = [], 0, 0, 0, 0.0
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=lambda: asyncio.run(self.run()))

    def __enter__(self):
        self.began = time.monotonic()
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        self.thread.join(300)
        self.seconds = time.monotonic() - self.began

    def wait_for(self, requests, streams=0, patience=300):
        """Returns when so many more were answered; the patience only ends what hangs."""
        answered, streamed = self.answered + requests, self.streamed + streams
        deadline = time.monotonic() + patience
        while self.answered < answered or self.streamed < streamed:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{self.answered} of {answered} answers, {self.streamed} of {streamed} streams")
            time.sleep(0.02)

    async def run(self):
        fresh = 10
        tasks = [self.keeper(number) for number in range(self.kept)]
        tasks += [self.stranger(fresh / self.fresh_rate) for _ in range(fresh)]
        if self.stream_body:
            tasks += [self.streamer() for _ in range(self.streams)]
        await asyncio.gather(*tasks)

    async def keeper(self, number):
        """Asks again and again on one connection, and opens another only when the server said that it closes."""
        period, connection, last = self.kept / self.rate, None, 0
        due = time.monotonic() + period * number / self.kept
        while not self.stopping.is_set():
            await asyncio.sleep(max(0, due - time.monotonic()))
            due = max(due + period, time.monotonic() - 1)
            try:
                # What lay idle because this machine was busy may have been closed: RFC 9112, section 9.5.
                if connection and connection[0].at_eof() and time.monotonic() - last > 5:
                    connection[1].close()
                    connection = None
                if connection is None:
                    connection = await self.connect()
                    self.reconnected += 1
                if await self.ask(*connection):
                    connection[1].close()
                    connection = None
                last = time.monotonic()
            except Exception as error:
                self.failures.append(f"kept connection: {error!r}")
                connection = None
        if connection:
            connection[1].close()

    async def stranger(self, period):
        """Asks once on each connection."""
        while not self.stopping.is_set():
            await asyncio.sleep(period)
            try:
                reader, writer = await self.connect()
                await self.ask(reader, writer)
                writer.close()
            except Exception as error:
                self.failures.append(f"fresh connection: {error!r}")

    async def streamer(self):
        """Reads whole streams, one after the other."""
        method, body, items = self.stream_body
        while not self.stopping.is_set():
            try:
                reader, writer = await self.connect()
                writer.write(request(method, body, self.token))
                status, headers, data = await answer(reader)
                if status != 200 or len(data.splitlines()) != items:
                    raise ValueError(f"{status}, {len(data.splitlines())} items: {data[:200]}")
                self.streamed += 1
                writer.close()
            except Exception as error:
                self.failures.append(f"stream: {error!r}")

    async def connect(self):
        return await asyncio.wait_for(asyncio.open_connection("127.0.0.1", self.port), 120)

    async def ask(self, reader, writer):
        """One request; true when the connection ends with its answer."""
        began = time.monotonic()
        writer.write(request("ledger.head", {}))
        status, headers, data = await asyncio.wait_for(answer(reader), 120)
        if status != 200 or "height" not in json.dumps(json.loads(data)):
            raise ValueError(f"{status}: {data[:200]}")
        self.answered += 1
        self.longest = max(self.longest, time.monotonic() - began)
        return headers.get("connection") == "close"


def request(method, body, token=""):
    text = json.dumps(body)
    return (f"POST /v1/methods/{method} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
            f"Authorization: Bearer {token}\r\nContent-Length: {len(text)}\r\n\r\n{text}").encode()


async def answer(reader):
    """Status, header fields and the whole body."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)}
    data = b""
    if headers.get("transfer-encoding") == "chunked":
        while size := int(await reader.readline(), 16):
            data += await reader.readexactly(size)
            await reader.readexactly(2)
        await reader.readexactly(2)
    else:
        data = await reader.readexactly(int(headers["content-length"]))
    return int(head[0].split()[1]), headers, data
