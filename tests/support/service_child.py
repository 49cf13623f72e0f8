"""A service that behaves as badly as a test wants: `service_child.py PORT [word=value …]`, a program of its own.

delay=S        listens only after that time      status=N     answers with that status
exit=N         ends with that code …             after=S      … after that time
hang=FILE      answers nothing while FILE exists
ignore_term=1  does not end when it is asked to  flood=BYTES  writes so much to its output at once
fork=FILE      leaves a grandchild in its group  leave=FILE   leaves one in a session of its own; FILE has its id
ended=FILE     writes the word of note=… there when it is asked to end
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

SLEEPER = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"


def main(port: int, options: dict[str, str]) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN if "ignore_term" in options else lambda *_: end(options))
    for word, own_session in (("fork", False), ("leave", True)):
        if word in options:
            child = subprocess.Popen([sys.executable, "-c", SLEEPER], start_new_session=own_session)
            Path(options[word]).write_text(str(child.pid))
    if "flood" in options:
        line = b"x" * 99 + b"\n"
        for _ in range(int(options["flood"]) // len(line)):
            os.write(1, line)
    if "exit" in options:
        threading.Timer(float(options.get("after", "0")), os._exit, [int(options["exit"])]).start()
    time.sleep(float(options.get("delay", "0")))
    if port:
        server = ThreadingHTTPServer(("127.0.0.1", port), handler(options))
        server.daemon_threads = True
        server.serve_forever()
    threading.Event().wait()


def end(options: dict[str, str]) -> None:
    if "ended" in options:
        with open(options["ended"], "a") as file:
            file.write(options["note"] + "\n")
    os._exit(0)


def handler(options: dict[str, str]) -> type[BaseHTTPRequestHandler]:
    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            while "hang" in options and Path(options["hang"]).exists():
                time.sleep(0.05)
            body = json.dumps({"works": True, "environment": dict(os.environ), "words": sys.argv}).encode()
            self.send_response(int(options.get("status", "200")))
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    return Answer


if __name__ == "__main__":
    main(int(sys.argv[1]), dict(word.split("=", 1) for word in sys.argv[2:]))
