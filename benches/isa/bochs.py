#!/usr/bin/env python3
"""Runs a program of this machine on an emulated processor with AVX-512: Bochs, with a small Linux in it.

usage: bochs.py [options] -- PROGRAM [ARGUMENT ...]
as:    bochs.py --parts PARTS --with tests/fixtures --bring OUT --out here -- target/debug/toolkit run x.toml --out OUT

Standard output, standard error and the exit code are those of the program. It sees its shared libraries and what `--with` names, all at
the paths they have here, and this folder as the current one. What `--bring` names is copied into `--out` afterwards. There is one
processor and no network, and the clock counts instructions, `--rate` for a second. The environment is empty but for PATH, HOME and
`--env`. Starting takes 0.8 billion instructions. One core of Zen 3 does 80 million a second; of sixteen f32 multiplications and
additions (one of AVX-512), 8 million.

Needs Python 3.11.4, binutils, and PARTS, a folder that Debian packages were unpacked to:
    apt-get download bochsbios busybox-static linux-image-6.1.0-48-cloud-amd64     # or a later one of the last
    for package in *.deb; do dpkg-deb -x "$package" PARTS; done
and Bochs 3.0 or later with AVX-512, without its debugger, which waits for commands (as Debian 12's 2.7 does), with the display `nogui`:
BOCHS=/path/to/bochs, or the `bochs` of the PATH.
"""

import argparse
import os
import pathlib
import shlex
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import time

from initramfs import Initramfs
from machine import DONE, Machine, options

HERE = pathlib.Path(__file__).resolve().parent
# In the order in which they are loaded: an old disk of IBM's kind, which takes the results out.
MODULES = ["scsi/scsi_common", "scsi/scsi_mod", "ata/libata", "ata/ata_piix", "scsi/sd_mod"]
INIT = """#!/bin/busybox sh
b=/bin/busybox
$b mount -t proc proc /proc; $b mount -t sysfs sys /sys; $b mount -t devtmpfs dev /dev
$b --install -s /bin
for module in {modules}; do insmod "/modules/$module" || echo "no $module"; done
cd {cwd}
if [ -n "{live}" ]; then tail -f /result/stderr /result/stdout > /dev/ttyS0 & fi
read began rest < /proc/uptime
env -i PATH=/bin HOME=/root {env} {command} > /result/stdout 2> /result/stderr < /dev/null
echo $? > /result/code
read ended rest < /proc/uptime
echo $began $ended > /result/uptime
for path in {bring}; do [ ! -e "$path" ] || cp -a "$path" /result/brought/; done
tar -c -f /dev/sda -C /result . || echo "the results do not fit on the disk"
sync
echo "{done}" > /dev/ttyS0
sleep 100
"""


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", type=pathlib.Path, default=pathlib.Path("/"), help="the folder of unpacked packages")
    parser.add_argument("--cpu", default="sapphire_rapids", help="a model that `bochs --help cpu` lists")
    parser.add_argument("--memory", type=int, default=2048, metavar="MB", help="3072 at most")
    parser.add_argument("--tiles", action="store_true", help="AMX, with an emulator that can withhold tiles (XFD), which Bochs 3.0 cannot")
    parser.add_argument("--rate", type=int, default=2_200_000_000, metavar="N",
                        help="instructions that the emulated clock takes for a second; 2.2 billion is what `sapphire_rapids` says of itself")
    parser.add_argument("--program", action="append", default=[], help="a further program that the first one starts")
    parser.add_argument("--with", action="append", default=[], dest="files", metavar="PATH", help="a file or folder that the program reads")
    parser.add_argument("--bring", action="append", default=[], metavar="PATH", help="a file or folder that the program writes")
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("."), help="where to `--bring`")
    parser.add_argument("--env", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--live", action="store_true", help="show what the program says while it runs; see `--console` for the kernel")
    parser.add_argument("--console", action="store_true", help="show what the kernel says")
    parser.add_argument("--keep", type=pathlib.Path, metavar="FOLDER", help="where to leave all files of the emulated machine")
    parser.add_argument("command", nargs="+")
    return parser.parse_args()


def unsigned(path):
    """A module without its signature, which takes a hundred million instructions to check."""
    module, end = path.read_bytes(), b"~Module signature appended~\n"
    if not module.endswith(end):
        return module
    # Before the mark: 12 bytes, the last four of which are the signature's length, and before them the signature.
    size = int.from_bytes(module[-len(end) - 4:-len(end)], "big")
    return module[:-len(end) - 12 - size]


def initramfs(path, args, machine):
    """What the emulated machine finds in its memory when it starts."""
    files = Initramfs(path)
    for folder in ("/proc", "/sys", "/dev", "/tmp", "/root", "/result/brought", os.getcwd()):
        files.directory(folder)
    files.add("/bin/busybox", machine.busybox)
    for module in MODULES:
        files.add(f"/modules/{module}.ko", unsigned(machine.modules / f"kernel/drivers/{module}.ko"))
    program = shutil.which(args.command[0]) or sys.exit(f"no program `{args.command[0]}`")
    for each in [program, *args.program]:
        files.program(os.path.abspath(each))
    for each in args.files:
        files.tree(each)
    command = shlex.join([os.path.abspath(program), *args.command[1:]])
    init = INIT.format(modules=" ".join(f"{module}.ko" for module in MODULES), cwd=shlex.quote(os.getcwd()), command=command,
                       env=shlex.join(args.env), bring=shlex.join(args.bring), live="yes" if args.live else "",
                       done=DONE.decode())
    files.add("/init", init.encode())
    files.close()


def results(disk, folder):
    """The tar that the emulated machine left on its disk."""
    try:
        with tarfile.open(disk, "r:") as tar:
            tar.extractall(folder, filter="data")
    except tarfile.ReadError:
        return None
    return folder


def main():
    args = arguments()
    # A request to end is taken as an interrupt, so that the emulator is ended too.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    machine = Machine(args.parts, args.cpu, args.memory, args.rate)
    with tempfile.TemporaryDirectory(prefix="bochs-") as folder:
        folder = pathlib.Path(args.keep or folder).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        initramfs(folder / "initramfs", args, machine)
        begin = time.perf_counter()
        machine.run(folder, options(args.tiles, quiet=not args.console), show=args.console or args.live)
        seconds = time.perf_counter() - begin
        found = results(folder / "disk", folder / "result")
        if found is None:
            log = (folder / "bochs.log").read_text(errors="replace").splitlines()[-5:]
            said = (folder / "console").read_text(errors="replace").splitlines()[-15:]
            sys.exit("\n".join(["the emulated machine left no results; its console and Bochs's log end with:", *said, *log]))
        for entry in (found / "brought").iterdir():
            args.out.mkdir(parents=True, exist_ok=True)
            subprocess.run(["cp", "-a", str(entry), str(args.out)], check=True)
        sys.stdout.buffer.write((found / "stdout").read_bytes())
        sys.stdout.flush()
        sys.stderr.buffer.write((found / "stderr").read_bytes())
        began, ended = map(float, (found / "uptime").read_text().split())
        print(f"emulated: {seconds:.1f} s here; there {began:.2f} s until the program began and {ended - began:.2f} s in it", file=sys.stderr)
        return int((found / "code").read_text())


if __name__ == "__main__":
    sys.exit(main())
