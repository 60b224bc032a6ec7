"""Turn the bits of a part of the largest file of the repository, there and back."""

from pathlib import Path

files = [path for path in Path('/srv/the "repository"/data').rglob("*") if path.is_file()]
largest = max(files, key=lambda path: (path.stat().st_size, path.name))
mode = largest.stat().st_mode
largest.chmod(0o600)
with largest.open("r+b") as stream:
    stream.seek(1000)
    part = stream.read(5000)
    stream.seek(1000)
    stream.write(bytes(byte ^ 255 for byte in part))
largest.chmod(mode)
