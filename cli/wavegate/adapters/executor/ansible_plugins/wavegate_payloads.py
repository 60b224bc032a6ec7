# ruff: noqa: SLF001 - Ansible builds its payloads in private functions and has no public door to them
"""Ansible callback plugin: keeps the payloads of modules from one process to the next.

Each ansible-playbook builds every module it uses anew, 0.2 s of CPU for each, although nothing has changed.
A kept payload is used only where a new one would be the same: its name is a digest of Ansible's version,
the module's text and the texts of everything that it may import. It holds no arguments, so no secrets.
Whatever is in the way (another Ansible, no folder, a folder open to others): Ansible builds as ever.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import io
import os
import re
import sys
import tempfile
import time
import zipfile
from base64 import b64decode
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from ansible import constants as C  # noqa: N812 - its name everywhere in Ansible
from ansible.executor import module_common
from ansible.plugins.callback import CallbackBase
from ansible.plugins.loader import module_utils_loader
from ansible.release import __version__

DOCUMENTATION = """
name: wavegate_payloads
type: aggregate
short_description: Keeps the payloads of modules between batches
description:
  - Puts payloads that an earlier process built, from the same texts, where Ansible looks for them.
  - Does nothing outside of a batch of wavegate.
author: wavegate
"""

FOLDER = "WAVEGATE_PAYLOADS"
_FORMAT = "1"
_UNUSED = 30 * 86400.0
_SUM = hashlib.sha256().digest_size
_IMPORTS = re.compile(rb"ansible_collections\.([A-Za-z_]\w*)\.([A-Za-z_]\w*)")


class CallbackModule(CallbackBase):  # type: ignore[misc]
    """Stands between Ansible and its building of payloads, from the start of the playbook."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "wavegate_payloads"

    def v2_playbook_on_start(self, playbook: Any) -> None:  # noqa: ARG002 - Ansible passes it by name
        """Keep payloads from here on, if the folder is there and nobody else's."""
        folder = Path(os.environ.get(FOLDER, ""))
        build = getattr(module_common, "_find_module_utils", None)
        if os.environ.get(FOLDER) and build is not None and is_private(folder):
            module_common._find_module_utils = Keeper(folder, build)


class Keeper:
    """Takes the place of the function that builds payloads, and calls it."""

    def __init__(self, folder: Path, build: Callable[..., Any]) -> None:
        self._folder = folder
        self._build = build
        self._own = digest_tree(_ansibles_own())  # before Ansible forks: once for all of its workers

    def __call__(self, **how: Any) -> Any:
        """Return what Ansible builds; put a kept payload in its place before, or keep it afterwards."""
        place, key, kept = None, "", False
        with contextlib.suppress(Exception):
            place = place_of(how)
            if not place.exists():
                key = self._key_of(how)
                kept = self._bring(key, place)
        built = self._build(**how)
        if key and not kept and place is not None:
            with contextlib.suppress(Exception):
                self._keep(key, place, how)
        return built

    def _key_of(self, how: dict[str, Any]) -> str:
        """Return the name of the module's text and of everything around it that is not in a collection."""
        # A folder of the user's may stand before Ansible's own and change while the playbook goes on.
        paths = map(Path, module_utils_loader._get_paths(subdirs=False))
        theirs = [digest_tree(path) for path in paths if path.resolve() != _ansibles_own()]
        metadata = C.config.get_config_value("_MODULE_METADATA")
        about = (_FORMAT, __version__, sys.version, _name_of(how), str(metadata), self._own, *theirs)
        return _digest("\0".join(about).encode(), how["b_module_data"])

    def _bring(self, key: str, place: Path) -> bool:
        """Write the kept payload to `place`; return whether there was one."""
        used = (self._folder / f"{key}.uses").read_text("utf-8").split()
        file = self._folder / f"{_with_collections(key, used)}.payload"
        data = file.read_bytes()
        if hashlib.sha256(data[_SUM:]).digest() != data[:_SUM]:
            return False
        place.parent.mkdir(exist_ok=True)
        _write(place, data[_SUM:])
        for kept in (file, self._folder / f"{key}.uses"):
            os.utime(kept)
        return True

    def _keep(self, key: str, place: Path, how: dict[str, Any]) -> None:
        """Keep the payload that Ansible wrote to `place`, if nothing around it has changed meanwhile."""
        used = sorted(_collections_in(module_common._CachedModule.load(str(place)), how["module_path"]))
        full = _with_collections(key, used)
        if digest_tree(_ansibles_own()) != self._own or self._key_of(how) != key:
            return
        data = place.read_bytes()
        _write(self._folder / f"{full}.payload", hashlib.sha256(data).digest() + data)
        _write(self._folder / f"{key}.uses", "\n".join(used).encode())
        _forget_unused(self._folder)


def place_of(how: dict[str, Any]) -> Path:
    """Return the file in which Ansible looks for a payload in this process, before it builds one.

    Raise ValueError where coverage or a debugger is added: their payloads are never kept.
    """
    if module_common._builder.ExtensionManager.create(task_vars=how["task_vars"]).extension_names:
        raise ValueError("payloads with extensions are never kept")
    name = "-".join((_name_of(how), how["module_compression"], "none"))
    return Path(C.DEFAULT_LOCAL_TMP, "ansiballz_cache", name)


def _name_of(how: dict[str, Any]) -> str:
    try:
        return str(module_common._get_ansible_module_fqn(how["module_path"]))
    except ValueError:
        return f"ansible.legacy.{how['module_name']}"


def _collections_in(payload: Any, module_path: str) -> set[str]:
    """Return every collection that the payload comes from, imports, or would import if it were there."""
    texts = [os.fsencode(module_path).replace(b"/", b".")]
    with zipfile.ZipFile(io.BytesIO(b64decode(payload.zip_data))) as archive:
        texts += [archive.read(name) for name in archive.namelist()]
        texts += [name.replace("/", ".").encode() for name in archive.namelist()]
    found = {match for text in texts for match in _IMPORTS.findall(text)}
    return {b".".join(parts).decode() for parts in found}


def _with_collections(key: str, names: Iterable[str]) -> str:
    """Return the key with the present texts of the collections' module_utils."""
    return _digest(key.encode(), *(part.encode() for name in names for part in (name, _look_at(name))))


def _look_at(collection: str) -> str:
    try:
        package = importlib.import_module(f"ansible_collections.{collection}")
        root = Path(str(package.__file__)).parent
    except (ImportError, AttributeError):
        return "absent"
    routing = root / "meta" / "runtime.yml"
    text = routing.read_bytes() if routing.is_file() else b""
    return _digest(text, digest_tree(root / "plugins" / "module_utils").encode())


def digest_tree(folder: Path) -> str:
    """Return a digest of the names and texts of all Python files below the folder."""
    digest = hashlib.sha256()
    for path in sorted(_python_files(str(folder))):
        data = Path(path).read_bytes()
        name = os.path.relpath(path, folder)
        digest.update(f"{name}\0{len(data)}\0".encode(errors="surrogateescape") + data)
    return digest.hexdigest()


def _python_files(folder: str) -> Iterator[str]:
    for root, folders, names in os.walk(folder, followlinks=True):
        folders[:] = [name for name in folders if name != "__pycache__"]
        yield from (os.path.join(root, name) for name in names if name.endswith(".py"))  # noqa: PTH118


def _ansibles_own() -> Path:
    return Path(module_common._MODULE_UTILS_PATH).resolve()


def _digest(*parts: bytes) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()


def _write(path: Path, data: bytes) -> None:
    """Write the whole file or nothing, for its owner alone."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=".new-")
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
    Path(name).replace(path)


def _forget_unused(folder: Path) -> None:
    oldest = time.time() - _UNUSED
    for path in folder.iterdir():
        with contextlib.suppress(FileNotFoundError):
            if path.stat().st_mtime < oldest:
                path.unlink()


def is_private(folder: Path) -> bool:
    """Return whether the folder is there, ours, and closed to others: what is in it will be executed."""
    if not folder.is_dir():
        return False
    status = folder.stat()
    return status.st_uid == os.getuid() and status.st_mode & 0o077 == 0
