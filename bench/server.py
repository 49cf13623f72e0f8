"""A range server that is not the bottleneck: a thread a connection, sendfile, pacing by the kernel.

Runs as a script in a process of its own: `python server.py --root DIR [--host H] [--rate BYTES] [--tls PEM]`; prints
its port, then the CPU seconds it took whenever a line comes in.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import resource
import socket
import ssl
import struct
import sys
import threading
from pathlib import Path

_SO_MAX_PACING_RATE = 47  # Linux asm-generic/socket.h
_BLOCK = 4 << 20


class Server:
    def __init__(self, options: argparse.Namespace) -> None:
        self.root = options.root
        self.rate = options.rate
        self.refuse_above = options.refuse_above
        self.slow_every = options.slow_every
        self.total_rate_connections = options.gains_up_to
        self.active = 0
        self.seen = 0
        self.peak = 0
        self.lock = threading.Lock()
        self.tls = None
        if options.tls:
            self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.tls.load_cert_chain(options.tls)
        self.listener = socket.create_server((options.host, options.port), backlog=512)

    def serve(self) -> None:
        while True:
            sock, _ = self.listener.accept()
            threading.Thread(target=self._connection, args=(sock,), daemon=True).start()

    def _connection(self, sock: socket.socket) -> None:
        with contextlib.suppress(OSError), contextlib.ExitStack() as stack:
            stack.callback(lambda: sock.close())
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self.tls is not None:
                sock = self.tls.wrap_socket(sock, server_side=True)
            with self.lock:
                self.seen += 1
                number = self.seen
            slow = self.slow_every and number == self.slow_every
            if self.rate or slow:
                rate = 200_000 if slow else self.rate
                sock.setsockopt(socket.SOL_SOCKET, _SO_MAX_PACING_RATE, struct.pack("I", rate))
            rest = b""
            while True:
                while b"\r\n\r\n" not in rest:
                    data = sock.recv(1 << 16)
                    if not data:
                        return
                    rest += data
                head, _, rest = rest.partition(b"\r\n\r\n")
                self._counted(sock, head.decode("latin-1"))

    def _counted(self, sock: socket.socket, head: str) -> None:
        with self.lock:
            self.active += 1
            active = self.active
            self.peak = max(self.peak, active)
        try:
            if self.refuse_above and active > self.refuse_above:
                sock.sendall(b"HTTP/1.1 429 Too Many Requests\r\nContent-Length: 0\r\n\r\n")
                return
            if self.total_rate_connections:
                share = self.rate * min(1.0, self.total_rate_connections / active)
                sock.setsockopt(socket.SOL_SOCKET, _SO_MAX_PACING_RATE, struct.pack("I", int(share)))
            self._answer(sock, head)
        finally:
            with self.lock:
                self.active -= 1

    def _answer(self, sock: socket.socket, head: str) -> None:
        lines = head.split("\r\n")
        method, target, _ = lines[0].split(" ", 2)
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
        path = self.root / target.split("?")[0].rsplit("/", 1)[-1]
        try:
            file = os.open(path, os.O_RDONLY)
        except OSError:
            sock.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
            return
        try:
            size = os.fstat(file).st_size
            start, stop, status = 0, size, "200 OK"
            extra = ""
            if headers.get("range", "").startswith("bytes="):
                first, _, last = headers["range"][6:].partition("-")
                start, stop = int(first), min(int(last) + 1 if last else size, size)
                status, extra = "206 Partial Content", f"Content-Range: bytes {start}-{stop - 1}/{size}\r\n"
            reply = (
                f"HTTP/1.1 {status}\r\nContent-Length: {stop - start}\r\n{extra}Accept-Ranges: bytes\r\n"
                f'ETag: "{size:x}"\r\nX-Repo-Commit: {"0" * 40}\r\nContent-Type: application/octet-stream\r\n\r\n'
            )
            sock.sendall(reply.encode())
            if method == "HEAD":
                return
            if self.tls is None:
                while start < stop:
                    sent = os.sendfile(sock.fileno(), file, start, min(_BLOCK, stop - start))
                    if not sent:
                        return
                    start += sent
            else:
                buffer = memoryview(bytearray(256 << 10))
                while start < stop:
                    count = os.preadv(file, [buffer[: min(len(buffer), stop - start)]], start)
                    sock.sendall(buffer[:count])
                    start += count
        finally:
            os.close(file)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--rate", type=int, default=0, help="bytes a second of each connection")
    parser.add_argument("--tls", type=Path)
    parser.add_argument("--refuse-above", type=int, default=0, help="429 while more requests are under way")
    parser.add_argument("--gains-up-to", type=int, default=0, help="more connections share the rate of that many")
    parser.add_argument("--slow-every", type=int, default=0, help="the connection of that number crawls")
    server = Server(parser.parse_args())
    threading.Thread(target=server.serve, daemon=True).start()
    print(server.listener.getsockname()[1], flush=True)
    for _ in sys.stdin:
        usage = resource.getrusage(resource.RUSAGE_SELF)
        print(usage.ru_utime + usage.ru_stime, server.peak, flush=True)


if __name__ == "__main__":
    main()
