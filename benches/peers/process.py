"""Runs one side once, in a process group that does not outlive the driver, and says what it took."""

import contextlib
import os
import signal
import subprocess
import time

from peer import end_with_parent


class Failed(Exception):
    """The process ended with an error; the text says which command and what it said last."""


@contextlib.contextmanager
def _started(command, env):
    """The process; whatever happens, nothing of its group is left afterwards."""
    child = subprocess.Popen(command, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                             start_new_session=True, preexec_fn=end_with_parent)
    try:
        yield child
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()


def run(command, env):
    """Standard output and the seconds from start to end."""
    begin = time.perf_counter()
    with _started(command, env) as child:
        out, err = child.communicate()
        seconds = time.perf_counter() - begin
    if child.returncode:
        raise Failed(f"{' '.join(command)}\nended with {child.returncode}:\n" + "\n".join(err.splitlines()[-15:]))
    return out, seconds


def peak(command, env):
    """The peak of resident memory of a process that does not say it itself, looked at every half millisecond while it runs."""
    most = 0
    with _started(command, env) as child:
        # What it prints is little enough for a pipe nobody reads.
        while child.poll() is None:
            with contextlib.suppress(OSError), open(f"/proc/{child.pid}/status") as lines:
                most = max([most] + [int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:")])
            time.sleep(0.0005)
    return most or None
