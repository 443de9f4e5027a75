"""What every peer script shares: two threads, timing, and the one line of JSON it prints.

Import this before torch: the number of OpenMP threads is read when torch is loaded.
"""

import argparse
import ctypes
import json
import os
import platform
import signal
import sys
import time

PR_SET_PDEATHSIG = 1


def end_with_parent():
    """Asks the kernel to end this process when the one that started it is gone, however it went."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def status(key):
    """A line of /proc/self/status in bytes: VmHWM is the peak of resident memory, VmRSS what is resident now."""
    with open("/proc/self/status") as lines:
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(key + ":"))


def arguments(about, warmup, rounds):
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--warmup", type=int, default=warmup, help="iterations before the clock runs")
    parser.add_argument("--rounds", type=int, default=rounds, help="iterations that are timed")
    parser.add_argument("--seed", type=int, default=0)
    return parser


def forms(parser):
    """Options for the ways in which PyTorch computes."""
    parser.add_argument("--precision", choices=("f32", "bf16", "autocast"), default="f32",
                        help="bf16: weights and all that is computed; autocast: PyTorch decides where bf16 does, weights are f32")
    parser.add_argument("--compile", action="store_true", help="torch.compile, in the warm-up")


def formed(torch, args, *models):
    """Brings the models into the form that `forms` asked for, in place. Returns what the computation has to be wrapped in."""
    for model in models:
        if args.precision == "bf16":
            model.bfloat16()
        if args.compile:
            model.compile()
    return torch.autocast("cpu", torch.bfloat16, enabled=args.precision == "autocast")


def start(threads):
    """Fixes the threads and returns torch."""
    end_with_parent()
    os.environ.update(OMP_NUM_THREADS=str(threads), MKL_NUM_THREADS=str(threads), HF_HUB_OFFLINE="1", TRANSFORMERS_VERBOSITY="error")
    import torch

    torch.set_num_threads(threads)
    return torch


def measure(args, iteration):
    """Runs `iteration` and returns the seconds of each timed run and what the last one returned."""
    for _ in range(args.warmup):
        iteration()
    seconds, value = [], None
    for _ in range(args.rounds):
        begin = time.perf_counter()
        value = iteration()
        seconds.append(time.perf_counter() - begin)
    return seconds, value


def report(work, seconds, peak_bytes=None, modules=(), **values):
    """Prints the line. `modules` are those whose versions count."""
    versions = {"python": platform.python_version()} | {module.__name__: module.__version__ for module in modules}
    line = dict(work=work, seconds=seconds, peak_bytes=peak_bytes or status("VmHWM"), versions=versions) | values
    print(json.dumps(line), flush=True)
