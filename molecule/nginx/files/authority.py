"""Make an authority and what it signs in a folder: authority.crt; shop and renewed, each .crt and .key."""

import sys
from pathlib import Path

import trustme


def make(folder: Path) -> None:
    """Write everything, the authority last."""
    folder.mkdir(mode=0o700, exist_ok=True)
    authority = trustme.CA()
    for name in ("shop", "renewed"):
        leaf = authority.issue_cert("shop.example.org")
        (folder / f"{name}.crt").write_bytes(b"".join(blob.bytes() for blob in leaf.cert_chain_pems))
        leaf.private_key_pem.write_to_path(folder / f"{name}.key")
    authority.cert_pem.write_to_path(folder / "authority.crt")


if __name__ == "__main__":
    make(Path(sys.argv[1]))
