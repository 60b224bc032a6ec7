"""Where this machine gets its packages from, read from its own apt settings; names no mirror itself."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from msgspec import Struct

_POCKETS = ("", "-updates", "-security")
_ARCHIVE_KEYRINGS = ("debian-archive-", "ubuntu-archive-")


class Source(Struct, frozen=True):
    """One apt source: an address, its suites and components, and the keyring that it names, if any."""

    uri: str
    suites: tuple[str, ...]
    components: tuple[str, ...]
    signed_by: str = ""


def read_release(text: str) -> dict[str, str]:
    """Return the keys of an os-release file."""
    pairs = (line.partition("=") for line in text.splitlines() if "=" in line)
    return {key: value.strip().strip('"') for key, _, value in pairs}


def parse_list(text: str) -> Iterator[Source]:
    """Yield the `deb` lines of a one-line-style file (sources.list(5))."""
    for line in text.splitlines():
        words = line.split("#")[0].split()
        if len(words) < 4 or words[0] != "deb":  # noqa: PLR2004 - deb URI SUITE COMPONENT
            continue
        rest, signed_by = words[1:], ""
        if rest[0].startswith("["):
            end = next((i for i, word in enumerate(rest) if word.endswith("]")), 0)
            options = " ".join(rest[: end + 1]).strip("[] ").split()
            signed_by = next((o.partition("=")[2] for o in options if o.startswith("signed-by=")), "")
            rest = rest[end + 1 :]
        if len(rest) > 2:  # noqa: PLR2004
            yield Source(rest[0], (rest[1],), tuple(rest[2:]), signed_by)


def parse_deb822(text: str) -> Iterator[Source]:
    """Yield the enabled `deb` entries of a deb822-style file (sources.list(5))."""
    plain = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
    for paragraph in plain.split("\n\n"):
        fields = _fields(paragraph)
        if "deb" not in fields.get("types", "").split() or fields.get("enabled", "yes").lower() == "no":
            continue
        for uri in fields.get("uris", "").split():
            suites = tuple(fields.get("suites", "").split())
            yield Source(
                uri, suites, tuple(fields.get("components", "").split()), fields.get("signed-by", "")
            )


def _fields(paragraph: str) -> dict[str, str]:
    fields: dict[str, str] = {}
    last = ""
    for line in paragraph.splitlines():
        if line[:1].isspace() and last:
            fields[last] += " " + line.strip()
        elif ":" in line:
            last, _, value = line.partition(":")
            last = last.strip().lower()
            fields[last] = value.strip()
    return fields


def machine_sources(root: Path = Path("/")) -> list[Source]:
    """Return the apt sources of the machine whose file system starts at `root`."""
    folder = root / "etc/apt"
    lists = [folder / "sources.list", *sorted((folder / "sources.list.d").glob("*.list"))]
    found = [source for path in lists if path.is_file() for source in parse_list(path.read_text())]
    for path in sorted((folder / "sources.list.d").glob("*.sources")):
        found.extend(parse_deb822(path.read_text()))
    return found


def lines_for(suite: str, codename: str, sources: Iterable[Source]) -> list[str]:
    """Return one-line sources that give `suite` from the mirrors which serve `codename` to this machine.

    Only the distribution's own entries count (component main, and its archive keyring where one is named):
    the release, its updates and its security pockets; the release comes first. Empty when there are none.
    """
    lines = []
    for pocket in _POCKETS:
        for source in sources:
            if codename + pocket not in source.suites or not _is_distribution(source):
                continue
            line = f"deb {source.uri} {suite}{pocket} main"
            if line not in lines:
                lines.append(line)
    return lines


def _is_distribution(source: Source) -> bool:
    named = Path(source.signed_by).name
    return "main" in source.components and (not named or named.startswith(_ARCHIVE_KEYRINGS))
