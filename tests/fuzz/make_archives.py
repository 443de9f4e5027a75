"""Archives to begin with: python make_archives.py corpus/archives"""
import io, os, sys, tarfile, zipfile

out = sys.argv[1]
os.makedirs(out, exist_ok=True)


def tgz(name, members):
    pack(name, "w:gz", members)
    # The same without gzip, which the target packs itself.
    pack(name.replace(".tgz", ".tar"), "w", members)


def pack(name, mode, members):
    with tarfile.open(os.path.join(out, name), mode, format=tarfile.GNU_FORMAT) as tar:
        for kind, member, data in members:
            info = tarfile.TarInfo(member)
            info.type = kind
            info.mtime = 0
            if kind == tarfile.REGTYPE:
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))
            else:
                info.linkname = data
                tar.addfile(info)


def whl(name, method):
    with zipfile.ZipFile(os.path.join(out, name), "w", method) as wheel:
        for member in ("pkg/__init__.py", "pkg/data/a.txt", "pkg-1.0.dist-info/METADATA"):
            wheel.writestr(zipfile.ZipInfo(member), b"text of " + member.encode())


regular, link, hard, folder = tarfile.REGTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE
tgz("plain.tgz", [(folder, "package", ""), (regular, "package/a.json", b"{}"), (regular, "package/b/c.txt", b"c" * 600)])
tgz("links.tgz", [(regular, "package/a", b"a"), (link, "package/b", "a"), (hard, "package/c", "package/a")])
tgz("long.tgz", [(regular, "package/" + "n" * 180 + "/f", b"f")])
tgz("out.tgz", [(link, "package/b", "../../etc/passwd"), (regular, "package/../../x", b"x")])
whl("stored.whl", zipfile.ZIP_STORED)
whl("deflated.whl", zipfile.ZIP_DEFLATED)
