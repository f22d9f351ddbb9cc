"""A go-between for one test: it counts requests, and loses connections when told."""

import socket
import threading


def hang_up_before(upstream, client):
    """Leaves the node before it has answered, so that nothing is delivered."""


def hang_up_after(upstream, client):
    """Takes the whole answer and loses it on the way to the client."""
    while upstream.recv(65536):
        pass


def deliver(upstream, client):
    """Passes the answer on."""
    while data := upstream.recv(65536):
        client.sendall(data)


class GoBetween:
    """Listens on a port of its own and passes each request to the node over a connection of its own."""

    def __init__(self, port, *behaviours):
        self._target = ("127.0.0.1", port)
        self._behaviours = list(behaviours)
        self.requests = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._listener.close()

    def _accept(self):
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        with client:
            request = self._read_request(client)
            if request is None:
                return
            behaviour = self._behaviours[self.requests] if self.requests < len(self._behaviours) else deliver
            self.requests += 1
            with socket.create_connection(self._target) as upstream:
                upstream.sendall(request)
                behaviour(upstream, client)

    @staticmethod
    def _read_request(client):
        data = b""
        while b"\r\n\r\n" not in data:
            received = client.recv(65536)
            if not received:
                return None
            data += received
        head, _, body = data.partition(b"\r\n\r\n")
        lines = [line for line in head.split(b"\r\n") if not line.lower().startswith(b"connection:")]
        length = next((int(line.split(b":")[1]) for line in lines if line.lower().startswith(b"content-length:")), 0)
        while len(body) < length:
            body += client.recv(65536)
        return b"\r\n".join(lines) + b"\r\nConnection: close\r\n\r\n" + body
