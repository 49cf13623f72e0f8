"""supervisord's own process. It takes its time to come up and is launched first: little is imported here.

    <folder>/supervisord.conf   0600
    <folder>/supervisor.sock    0700: its XML-RPC
    <folder>/children/NAME.json 0600: words, folder and environment of a service, read by `child.py`
    <folder>/logs/NAME.log      what the service writes, 10 MB and two older files at most

The folder is machine-local and ours alone. Facts of supervisor 4.3.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from ...errors import ConfigError
from .processes import below, end

_CHILD = Path(__file__).with_name("child.py")
#: supervisord ends nobody by itself before we do: this is only how long it would wait.
_STOP_WAIT_SECONDS = 3600
_LOG_BYTES = 10_000_000
_END_SECONDS = 3.0


class Supervisord:
    """The process, and the files that it reads and writes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.logs = folder / "logs"
        self.children = folder / "children"
        self.socket = folder / "supervisor.sock"
        self.pid_file = folder / "supervisord.pid"
        self._conf = folder / "supervisord.conf"
        self.process: subprocess.Popen[bytes] | None = None

    @staticmethod
    def check() -> None:
        """Raises: ConfigError: supervisor is not installed."""
        if find_spec("supervisor") is None:
            raise ConfigError(
                "`pod up` needs the package supervisor, which is not installed here",
                hint=f'install it: "{sys.executable}" -m pip install "supervisor>=4.3"',
            )

    def log_of(self, name: str) -> Path:
        """Return the file that holds what a service writes."""
        return self.logs / f"{name}.log"

    def end_leftover(self, grace_seconds: float) -> None:
        """End what a pod that was killed left behind: its services hold the ports. Blocking."""
        try:
            pid = int(self.pid_file.read_text())
            words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except (OSError, ValueError):
            return
        if os.fsencode(self._conf) in words:  # else the number is somebody else's by now
            end(below({pid}) | {pid}, grace_seconds)

    def launch(self, names: Sequence[str]) -> None:
        """Start it for programs of these names, without waiting for it; what they are may be told later."""
        for folder in (self.folder, self.children, self.logs):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_private(self._conf, self._configuration(names))
        self.socket.unlink(missing_ok=True)
        with (self.folder / "supervisord.out").open("wb") as out:
            self.process = subprocess.Popen(  # noqa: S603 - our own interpreter
                [sys.executable, "-m", "supervisor.supervisord", "-n", "-c", str(self._conf)],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                cwd=self.folder,
                start_new_session=True,  # a signal to our group is for us alone: we end the services in order
            )

    @property
    def runs(self) -> bool:
        """True while the process lives."""
        return self.process is not None and self.process.poll() is None

    def end(self) -> None:
        """End it; the services have ended before. Blocking."""
        process = self.process
        if process is None:
            return
        process.terminate()  # does nothing to one that has ended
        try:
            process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _configuration(self, names: Sequence[str]) -> str:
        sections = [
            f"[unix_http_server]\nfile={_value(self.socket)}\nchmod=0700",
            "[rpcinterface:supervisor]\nsupervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface",
            "[supervisord]\nnodaemon=true\nsilent=true\nminfds=256\nminprocs=1\nidentifier=comfystow\n"
            f"logfile={_value(self.folder / 'supervisord.log')}\nlogfile_maxbytes=1MB\nlogfile_backups=1\n"
            f"pidfile={_value(self.pid_file)}\nchildlogdir={_value(self.logs)}\n"
            + ("user=root\n" if os.name == "posix" and os.getuid() == 0 else ""),
        ]
        for name in names:
            words = [sys.executable, "-I", "-S", str(_CHILD), str(self.children / f"{name}.json")]
            command = " ".join(shlex.quote(word) for word in words)
            sections.append(
                f"[program:{name}]\ncommand={_value(command)}\nautostart=false\nautorestart=false\nstartsecs=0\n"
                f"startretries=0\nstopsignal=TERM\nstopwaitsecs={_STOP_WAIT_SECONDS}\nstopasgroup=true\n"
                f"killasgroup=true\nredirect_stderr=true\nstdout_logfile={_value(self.log_of(name))}\n"
                f"stdout_logfile_maxbytes={_LOG_BYTES}\nstdout_logfile_backups=2"
            )
        return "\n\n".join(sections) + "\n"


def _value(value: object) -> str:
    """Write a value of the configuration, in which a percent sign begins an expansion."""
    return str(value).replace("%", "%%")


def write_private(path: Path, text: str) -> None:
    """Write a file that only we can read; what lay there, a link too, is replaced and never written into."""
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
