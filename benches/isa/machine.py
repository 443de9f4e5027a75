"""The emulated machine: its parts, what is in its memory when it starts, and Bochs's settings."""

import os
import pathlib
import shutil
import struct
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
# Where things lie in its memory. The kernel unpacks itself above KERNEL, into up to a hundred megabytes.
BUFFER, PARAMETERS, COMMAND_LINE, KERNEL, INITRAMFS = 0x10000, 0x60000, 0x61000, 0x1000000, 0x10000000
DISK, SECTOR = 1 << 31, 512
# Where the boot sector has its table of pieces.
TABLE = 0x1c0
# What the console says when the results are on the disk.
DONE = b"the results are on the disk"
USABLE, RESERVED = 1, 2
OPTIONS = [
    "console=ttyS0", "panic=-1", "reboot=t", "rootfstype=ramfs", "tsc=reliable", "no_timer_check", "random.trust_cpu=on",
    # One user, nobody to guard against, and no checks of the kernel by itself: it starts in a third of the instructions.
    "nokaslr", "no5lvl", "mitigations=off", "init_on_alloc=0", "audit=0", "nowatchdog", "lsm=", "cryptomgr.notests", "intel_pstate=disable",
    "initcall_blacklist=load_system_certificate_list", "8250.nr_uarts=1", "pci=conf1", "transparent_hugepage=always", "idle=halt",
]
# Bochs says that it has fast short copies, but not that it has fast strings: this kernel then copies short strings without end.
HIDDEN = ["fsrm"]
TILES = ["amx_tile", "amx_int8", "amx_bf16"]


def options(tiles, quiet):
    """The kernel's command line. It takes tiles (AMX) only where they can also be withheld, and fails where they cannot."""
    return " ".join([*OPTIONS, *["quiet"] * quiet, "clearcpuid=" + ",".join(HIDDEN + TILES * (not tiles))])


def parameters(image, memory, initramfs, line):
    """Linux's `boot_params` and the command line: a page each. `memory` and the initramfs's size are in bytes."""
    page = bytearray(4096)
    # The kernel's own header, whose length is in its second byte after the jump at 0x200.
    end = 0x202 + image[0x201]
    page[0x1f1:end] = image[0x1f1:end]
    table = [(0, 0x9fc00, USABLE), (0xf0000, 0x10000, RESERVED), (0x100000, memory - 0x100000 - 0x20000, USABLE)]
    for number, row in enumerate(table):
        struct.pack_into("<QQI", page, 0x2d0 + 20 * number, *row)
    page[0x1e8] = len(table)
    struct.pack_into("<H", page, 0x1fa, 0xffff)
    page[0x210], page[0x211] = 0xff, page[0x211] | 1
    struct.pack_into("<III", page, 0x214, KERNEL, INITRAMFS, initramfs)
    struct.pack_into("<I", page, 0x228, COMMAND_LINE)
    return bytes(page) + line.encode() + bytes(4096 - len(line))


# A graphics card's program that does nothing (`retf`). The bytes of its 512 add up to 0.
VGA = b"\x55\xaa\x01\xcb" + bytes(507) + bytes([-(0x55 + 0xaa + 0x01 + 0xcb) % 256])


def one(found, what):
    """The newest of the files found."""
    return sorted(found)[-1] if found else sys.exit(f"no {what}: see the head of {HERE / 'bochs.py'} for the packages that it needs")


def disk(folder):
    """The boot sector and what it reads into memory. The results go over it later."""
    symbols = dict(KERNEL=KERNEL, PARAMETERS=PARAMETERS, BUFFER=BUFFER, TABLE=TABLE)
    symbols = [word for name, value in symbols.items() for word in ("--defsym", f"{name}={value}")]
    path = folder / "disk"
    subprocess.run(["as", "--32", *symbols, str(HERE / "boot.S"), "-o", str(folder / "boot.o")], check=True)
    subprocess.run(["ld", "-m", "elf_i386", "-Ttext", "0x7c00", "-e", "start", "--oformat", "binary", "-o", str(path),
                    str(folder / "boot.o")], check=True)
    with open(path, "r+b") as file:
        for number, (name, address) in enumerate([("parameters", PARAMETERS), ("kernel", KERNEL), ("initramfs", INITRAMFS)]):
            first, sectors = file.seek(0, os.SEEK_END) // SECTOR, -(-(folder / name).stat().st_size // SECTOR)
            with open(folder / name, "rb") as piece:
                shutil.copyfileobj(piece, file, 1 << 20)
            file.write(bytes(-file.tell() % SECTOR))
            file.seek(TABLE + 12 * number)
            file.write(struct.pack("<III", first, sectors, address))
        file.truncate(DISK)


class Machine:
    def __init__(self, parts, cpu, memory, rate):
        self.cpu, self.memory, self.rate = cpu, memory, rate
        self.bochs = os.environ.get("BOCHS") or shutil.which("bochs") or one([], "Bochs")
        self.kernel = one(list((parts / "boot").glob("vmlinuz-*-cloud-amd64")), "Linux kernel")
        self.modules = parts / "lib/modules" / self.kernel.name.removeprefix("vmlinuz-")
        self.busybox = one([p for p in (parts / "bin/busybox", parts / "usr/bin/busybox") if p.exists()], "busybox")
        self.bios = one(list((parts / "usr/share/bochs").glob("BIOS-bochs-latest")), "BIOS for Bochs")

    def _settings(self, folder):
        return "\n".join([
            "display_library: nogui",
            # Without the three seconds that it would wait for a key.
            f"romimage: file={self.bios}, options=fastboot",
            f"vgaromimage: file={folder}/vga",
            f"cpu: model={self.cpu}, count=1, ips={self.rate}, reset_on_triple_fault=0",
            f"memory: guest={self.memory}, host={self.memory}",
            f"ata0-master: type=disk, mode=flat, path={folder}/disk",
            "boot: disk",
            # Time goes by with instructions; nothing waits for the clock on the wall.
            "clock: sync=none",
            f"com1: enabled=1, mode=file, dev={folder}/console",
            f"log: {folder}/bochs.log",
            "panic: action=fatal",
            "error: action=report",
            "info: action=report",
            ""])

    def run(self, folder, line, show):
        """Starts the machine and waits for its end. `initramfs` is in the folder; `disk` and the logs are there afterwards."""
        image = self.kernel.read_bytes()
        # The code for protected mode follows the boot sector and as many sectors as the header says.
        (folder / "kernel").write_bytes(image[(image[0x1f1] + 1) * 512:])
        (folder / "parameters").write_bytes(parameters(image, self.memory << 20, (folder / "initramfs").stat().st_size, line))
        (folder / "vga").write_bytes(VGA)
        disk(folder)
        for name in ("console", "bochs.log"):
            (folder / name).write_bytes(b"")
        (folder / "bochsrc").write_text(self._settings(folder))
        with open(folder / "bochs.out", "wb") as out:
            child = subprocess.Popen([str(self.bochs), "-q", "-f", str(folder / "bochsrc")], stdin=subprocess.DEVNULL, stdout=out, stderr=out)
            try:
                watch(child, folder, show)
            finally:
                # It has no other end: a processor that is switched off goes on counting its time.
                child.kill()
                child.wait()


def watch(child, folder, show):
    """Waits until the emulated machine says on its console that it is done, or Bochs says in its log that it cannot go on."""
    with open(folder / "console", "rb") as console, open(folder / "bochs.log", "rb") as log:
        said, logged = b"", b""
        while child.poll() is None and DONE not in said and b"no resolution" not in logged:
            time.sleep(0.1)
            # The ends of what was read before: a message may come in two pieces.
            new = console.read()
            said, logged = said[-80:] + new, logged[-80:] + log.read()
            if show and new:
                sys.stderr.buffer.write(new)
                sys.stderr.flush()
