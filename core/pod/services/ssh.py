"""sshd for a pod: keys only, a configuration and host keys of its own."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
from collections.abc import Sequence
from pathlib import Path

_PLACES = ("/usr/sbin/sshd", "/usr/local/sbin/sshd")
_KEYGEN_SECONDS = 30.0
_KEY_NAME = "ssh_host_ed25519_key"


def ssh_server(
    keys: Sequence[str], port: int, listen: str, folder: Path, keep: Path | None
) -> tuple[tuple[str, ...], dict[Path, str]] | str:
    """Return sshd's command and the files that it reads, or why there is none.

    The host key lies in `keep` where that keeps a file's mode, so that a new container is no stranger; sshd refuses a
    key that others may read. `keep` None makes no key.
    """
    program = shutil.which("sshd") or next((place for place in _PLACES if os.access(place, os.X_OK)), None)
    if program is None:
        return "sshd is not installed (apt-get install openssh-server)"
    authorized, configuration = folder / "authorized_keys", folder / "sshd_config"
    try:
        host_key = _host_key(folder, keep) if keep is not None else folder / _KEY_NAME
        if keep is not None and os.getuid() == 0:
            Path("/run/sshd").mkdir(mode=0o755, parents=True, exist_ok=True)  # where it gives up its rights
    except (OSError, subprocess.SubprocessError) as err:
        return f"sshd cannot be set up: {err}"
    files = {
        authorized: "".join(f"{line}\n" for key in keys for line in key.splitlines() if line.strip()),
        configuration: _configuration(port, listen, authorized, host_key, folder),
    }
    return (program, "-D", "-e", "-f", str(configuration)), files


def _host_key(folder: Path, keep: Path) -> Path:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    kept = keep / _KEY_NAME
    if _private(kept):
        return kept
    local = folder / kept.name
    for path in (kept, local):
        try:
            path.unlink(missing_ok=True)
            subprocess.run(  # noqa: S603 - our own words
                [_keygen(), "-q", "-t", "ed25519", "-N", "", "-C", "comfystow", "-f", str(path)],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=_KEYGEN_SECONDS,
                check=True,
            )
        except (OSError, subprocess.SubprocessError):
            if path == local:
                raise
        if _private(path):
            return path
    return local


def _keygen() -> str:
    return shutil.which("ssh-keygen") or "/usr/bin/ssh-keygen"


def _private(path: Path) -> bool:
    try:
        found = path.stat()
    except OSError:
        return False
    return found.st_size > 0 and found.st_uid == os.getuid() and not stat.S_IMODE(found.st_mode) & 0o077


def _configuration(port: int, listen: str, authorized: Path, host_key: Path, folder: Path) -> str:
    lines = [f"Port {port}", f"ListenAddress {listen}", f'HostKey "{host_key}"', f'AuthorizedKeysFile "{authorized}"']
    lines += ["PasswordAuthentication no", "KbdInteractiveAuthentication no", "PermitRootLogin prohibit-password"]
    # The files are ours and private already; the folders above them may be anybody's in a container.
    lines += ["StrictModes no", f'PidFile "{folder / "sshd.pid"}"', "PrintMotd no", "X11Forwarding no"]
    lines.append("Subsystem sftp internal-sftp")
    return "\n".join(lines) + "\n"
