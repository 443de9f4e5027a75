"""A Linux initramfs (cpio, the `newc` form) of files of this machine, each at the path that it has here."""

import os
import pathlib
import shutil
import stat
import subprocess
import tempfile

DIRECTORY, FILE = stat.S_IFDIR | 0o755, stat.S_IFREG | 0o755


class Initramfs:
    def __init__(self, path):
        self.file, self.seen = open(path, "wb"), set()

    def _entry(self, name, mode, size=0):
        """Writes the head of one entry, which ends at a multiple of four bytes."""
        # Inode, mode, owner, group, links, time, size, device and its own device (two numbers each), length of the name, no checksum.
        fields = (len(self.seen), mode, 0, 0, 1, 0, size, 0, 0, 0, 0, len(name) + 1, 0)
        head = b"070701" + b"".join(b"%08x" % field for field in fields) + name.encode() + b"\0"
        self.file.write(head + bytes(-len(head) % 4))

    def directory(self, path):
        """A folder and those above it."""
        for folder in [*reversed(pathlib.PurePath(path).parents), path]:
            name = str(folder).lstrip("/")
            if name and name not in self.seen:
                self.seen.add(name)
                self._entry(name, DIRECTORY)

    def add(self, path, content):
        """A file at `path` with the bytes given, or with those of the file given."""
        name = str(path).lstrip("/")
        if name in self.seen:
            return
        self.directory(pathlib.PurePath("/" + name).parent)
        self.seen.add(name)
        if isinstance(content, bytes):
            self._entry(name, FILE, len(content))
            self.file.write(content)
        else:
            self._entry(name, FILE, os.path.getsize(content))
            with open(content, "rb") as source:
                shutil.copyfileobj(source, self.file, 1 << 20)
        self.file.write(bytes(-self.file.tell() % 4))

    def tree(self, path):
        """A file or a folder with all that is in it, links followed."""
        path = pathlib.Path(os.path.abspath(path))
        if path.is_file():
            self.add(path, path)
            return
        self.directory(path)
        for entry in sorted(path.iterdir()):
            if entry.exists():
                self.tree(entry)

    def program(self, path):
        """A program without what is in it for debuggers, and the shared libraries that it is linked to."""
        with tempfile.TemporaryDirectory(prefix="bochs-") as folder:
            bare = os.path.join(folder, "program")
            done = subprocess.run(["objcopy", "--strip-debug", path, bare], capture_output=True, check=False)
            self.add(os.path.abspath(path), bare if done.returncode == 0 else path)
        for line in subprocess.run(["ldd", path], capture_output=True, text=True, check=False).stdout.splitlines():
            # `libm.so.6 => /lib/.../libm.so.6 (0x...)`, or the loader alone: `/lib64/ld-linux-x86-64.so.2 (0x...)`.
            for word in line.split():
                if word.startswith("/"):
                    self.add(word, os.path.realpath(word))

    def close(self):
        self._entry("TRAILER!!!", 0)
        self.file.write(bytes(-self.file.tell() % 512))
        self.file.close()
