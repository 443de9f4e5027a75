"""The machine: what it is, for the record, and whether somebody else is using it."""

import os
import platform
import time


def described():
    with open("/proc/cpuinfo") as lines:
        info = dict(line.split(":", 1) for line in lines if ":" in line)
    info = {key.strip(): value.strip() for key, value in info.items()}
    with open("/proc/meminfo") as lines:
        memory = int(next(line for line in lines if line.startswith("MemTotal")).split()[1]) * 1024
    wide = [flag for flag in ("avx2", "fma", "avx512f", "avx512_vnni", "avx_vnni", "avx512_bf16", "amx_tile", "amx_int8", "amx_bf16") if flag in info.get("flags", "").split()]
    return dict(cpu=info.get("model name", platform.processor()), cores=len(os.sched_getaffinity(0)), memory_bytes=memory,
                flags=wide, system=f"{platform.system()} {platform.release()}")


def busy():
    """Seconds that all cores together have worked since the start of the machine, ours and what the host took away."""
    with open("/proc/stat") as lines:
        user, nice, system, _idle, _wait, irq, soft, steal = map(int, next(lines).split()[1:9])
    return (user + nice + system + irq + soft + steal) / os.sysconf("SC_CLK_TCK")


def own():
    """The part of it that this process and its ended children had."""
    spent = os.times()
    return spent.user + spent.system + spent.children_user + spent.children_system


class Others:
    """How many cores somebody else kept busy meanwhile, on average."""

    def __init__(self):
        self.begin = time.perf_counter(), busy(), own()

    def cores(self):
        wall, all_busy, ours = (now - then for now, then in zip((time.perf_counter(), busy(), own()), self.begin))
        return max(0.0, (all_busy - ours) / wall)


def quiet(seconds=2.0):
    """What speaks against measuring now, or nothing."""
    others = Others()
    time.sleep(seconds)
    cores, load = others.cores(), os.getloadavg()[0]
    if cores > 0.1:
        return f"others keep {cores:.2f} cores busy (load {load:.2f})"
    if load > 0.5:
        return f"the load is {load:.2f}: something ran until just now"
    return None
