"""Build the releases of a small application as tarballs, wheels and a deb. Usage: artifacts.py FOLDER."""

import hashlib
import io
import json
import sys
import tarfile
import zipfile
from pathlib import Path

PROGRAM = Path(__file__).with_name("hello.py").read_text()
METADATA = "Metadata-Version: 2.1\nName: hello\nVersion: {}\n"
WHEEL = "Wheel-Version: 1.0\nGenerator: molecule\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
ENTRY = "[console_scripts]\nhello = hello:main\nmigrate = hello:migrate\n"
CONTROL = """Package: hello
Version: {}
Architecture: all
Maintainer: nobody <nobody@localhost>
Description: x
"""
SCRIPT = """#!/usr/bin/python3
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
import hello
hello.{}()
"""


def program(version):
    return PROGRAM.replace("@VERSION@", version)


def tarball(prefix, files):
    """Return a gzipped tar of {path: text}; programs may be executed."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for path, text in files.items():
            entry = tarfile.TarInfo(prefix + path)
            entry.size, entry.mode = len(text.encode()), 0o755 if path.startswith("bin/") else 0o644
            archive.addfile(entry, io.BytesIO(text.encode()))
    return packed.getvalue()


def tree(version):
    return {
        "bin/hello": SCRIPT.format("main"),
        "bin/migrate": SCRIPT.format("migrate"),
        "lib/hello.py": program(version),
    }


def wheel(version):
    info = f"hello-{version}.dist-info"
    files = {
        "hello.py": program(version),
        f"{info}/METADATA": METADATA.format(version),
        f"{info}/WHEEL": WHEEL,
        f"{info}/entry_points.txt": ENTRY,
    }
    record = "".join(f"{name},,\n" for name in [*files, f"{info}/RECORD"])
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, text in {**files, f"{info}/RECORD": record}.items():
            archive.writestr(name, text)
    return packed.getvalue()


def deb(version):
    """Return a Debian package: an ar archive of three members."""
    members = {
        "debian-binary": b"2.0\n",
        "control.tar.gz": tarball("./", {"control": CONTROL.format(version)}),
        "data.tar.gz": tarball("./", tree(version)),
    }
    packed = b"!<arch>\n"
    for name, content in members.items():
        packed += f"{name:<16}{0:<12}{0:<6}{0:<6}{100644:<8}{len(content):<10}`\n".encode() + content
        packed += b"\n" * (len(content) % 2)
    return packed


def main(folder):
    folder.mkdir(parents=True, exist_ok=True)
    built = {
        **{f"hello-{v}.tar.gz": tarball(f"hello-{v}/", tree(v)) for v in ("1.0", "2.0")},
        **{f"hello-{v}-py3-none-any.whl": wheel(v) for v in ("1.0", "1.1", "2.0")},
        "hello_1.1_all.deb": deb("1.1"),
    }
    for name, content in built.items():
        (folder / name).write_bytes(content)
    sums = {name: f"sha256:{hashlib.sha256(content).hexdigest()}" for name, content in built.items()}
    (folder / "checksums.json").write_text(json.dumps(sums))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
