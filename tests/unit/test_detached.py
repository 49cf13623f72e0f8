"""Calls that may hang: nobody has to wait for them."""

from __future__ import annotations

import subprocess
import sys
import threading

import pytest
from comfystow.core.detached import detach, within


def test_answer_and_error_of_a_call_come_through() -> None:
    assert within(60, "look", lambda: "there") == "there"
    assert detach("look", threading.current_thread).result(60).name == "comfystow-look"
    with pytest.raises(ZeroDivisionError):
        within(60, "look", lambda: 1 // 0)


def test_time_that_the_system_ran_out_of_is_an_answer() -> None:
    def look() -> None:
        raise TimeoutError(110, "Connection timed out")

    with pytest.raises(TimeoutError, match="Connection timed out"):
        within(60, "look", look)


def test_call_that_hangs_has_no_answer_in_time() -> None:
    answer = threading.Event()
    assert within(0.1, "look", lambda: answer.wait(60)) is None
    answer.set()


def test_neither_a_loop_nor_a_process_waits_for_a_call_that_hangs() -> None:
    program = """
import asyncio, threading, time
from comfystow.core.detached import detach
late = threading.Event()
async def main():
    asyncio.wrap_future(detach("for ever", threading.Event().wait))
    look = asyncio.wrap_future(detach("late", late.wait))
    await asyncio.wait({look}, timeout=0.05)
    look.cancel()
asyncio.run(main())
late.set()
time.sleep(0.2)
print("over")
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout, done.stderr, done.returncode) == ("over\n", "", 0)
