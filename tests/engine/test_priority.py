"""How far the engine goes behind other programs: a real process steps back, and its session with it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SAY = """
import os, sys, threading
from comfystow.core.engine.priority import step_back
step_back(int(sys.argv[1]))
found = []
thread = threading.Thread(target=lambda: found.append(os.getpriority(os.PRIO_PROCESS, threading.get_native_id())))
thread.start(), thread.join()
# A process whose session is as old as the machine is in no autogroup: the file is there, and empty.
words = open("/proc/self/autogroup").read().split() if os.path.exists("/proc/self/autogroup") else []
print(os.getpriority(os.PRIO_PROCESS, 0), found[0], words[-1] if words else "none")
"""

pytestmark = pytest.mark.skipif(not Path("/proc/self").exists(), reason="the number is read from /proc")


def said(nice: int, *, own_session: bool) -> list[str]:
    words = [sys.executable, "-c", SAY, str(nice)]
    done = subprocess.run(words, start_new_session=own_session, capture_output=True, text=True, check=True)
    return done.stdout.split()


def test_process_its_threads_and_its_session_step_back() -> None:
    before = said(0, own_session=True)
    process, thread, group = said(15, own_session=True)
    assert (process, thread) == ("15", "15")
    assert group in {"15", "none"}
    assert before[2] in {"0", "none"}


def test_session_of_somebody_else_stays_where_it_is() -> None:
    before = said(0, own_session=False)[2]
    process, _, group = said(15, own_session=False)
    assert process == "15"
    assert group == before
