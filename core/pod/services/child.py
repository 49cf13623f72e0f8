"""Run by supervisord in a bare interpreter: become a service, with exactly the words and the environment of its file.

Words and environment go by a file (0600) and not by supervisord's configuration: nothing has to be quoted, no secret
stands in an argument that `ps` shows, and no service sees the secrets of another. It imports nothing of ours.
"""

from __future__ import annotations

import json
import os
import sys


def _main(path: str) -> None:
    with open(path, encoding="utf-8") as file:  # noqa: PTH123 - pathlib would cost more than all the rest
        child = json.load(file)
    os.chdir(child["directory"])
    os.execve(child["words"][0], child["words"], child["environment"])  # noqa: S606 - the service itself


_main(sys.argv[1])
