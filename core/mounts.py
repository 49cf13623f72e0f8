"""Which file system a path lies on (proc_pid_mountinfo(5)), and whether it is a network one."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

#: Types whose files live on other machines; a FUSE type is one of the network kinds unless known to be local.
_NETWORK = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "ceph", "9p", "afs", "lustre", "gpfs", "glusterfs", "beegfs"}
)
_LOCAL_FUSE = frozenset({"fuse.ntfs-3g", "fuse.exfat", "fuseblk", "fuse.fuse-overlayfs", "fusectl"})


@dataclass(frozen=True, slots=True)
class Mount:
    """One mount: where, which type, and the device number `major:minor`."""

    point: str
    file_system: str
    device: str

    @property
    def network(self) -> bool:
        """True where reads and writes cross a network (RunPod's volumes are `fuse` with a MooseFS source)."""
        kind = self.file_system
        return kind in _NETWORK or (kind.startswith("fuse") and kind not in _LOCAL_FUSE)


def mount_of(path: Path, *, proc: Path = Path("/proc")) -> Mount | None:
    """Return the mount that holds `path`, None where the system does not tell."""
    real = os.path.realpath(path)
    best: Mount | None = None
    for mount in read_mounts(proc):
        inside = real == mount.point or real.startswith(mount.point.rstrip("/") + "/")
        if inside and (best is None or len(mount.point) >= len(best.point)):
            best = mount
    return best


def read_mounts(proc: Path = Path("/proc")) -> list[Mount]:
    """Read our mount table; later lines hide earlier ones at the same point."""
    try:
        text = (proc / "self" / "mountinfo").read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        return []
    mounts = []
    for line in text.splitlines():
        head, separator, tail = line.partition(" - ")
        fields = head.split(" ")
        if separator and len(fields) > 4:
            mounts.append(Mount(_unescape(fields[4]), tail.split(" ")[0], fields[2]))
    return mounts


def _unescape(text: str) -> str:
    """Undo the kernel's octal escapes of space, tab, newline and backslash."""
    for code, char in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        text = text.replace(code, char)
    return text
