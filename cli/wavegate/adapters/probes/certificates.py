"""TLS contexts of the probes: whom they trust, and which certificate they show.

Files are read again when they change. With a CA file of its own, a probe trusts nobody else.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from wavegate.adapters.probes.settings import UnusableSettingsError

_File = tuple[str, int]
"""Path and time of the last change, so that a file that was renewed is read again."""


class Tls(Struct, frozen=True, kw_only=True):
    """How to speak TLS; None: no such file was named."""

    verify: bool = True
    ca_file: _File | None = None
    certificate: _File | None = None
    key: _File | None = None

    def anonymous(self) -> Tls:
        """Return the same without a client certificate: for a host that was not asked for."""
        return replace(self, certificate=None, key=None)

    def context(self) -> ssl.SSLContext:
        """Return the context; raise UnusableSettingsError when a file holds nothing of use."""
        return _context(self)


def read_tls(settings: Mapping[str, Any], folder: Path) -> Tls:
    """Return what the settings say about TLS; raise UnusableSettingsError for files that are not there."""
    return Tls(
        verify=bool(settings.get("verify_tls", True)),
        ca_file=_find(settings, "ca_file", folder),
        certificate=_find(settings, "client_certificate", folder),
        key=_find(settings, "client_key", folder),
    )


def _find(settings: Mapping[str, Any], key: str, folder: Path) -> _File | None:
    text = str(settings.get(key) or "").strip()
    if not text:
        return None
    try:
        path = folder / Path(text).expanduser()
        return str(path), path.stat().st_mtime_ns
    except (OSError, ValueError, RuntimeError) as error:
        reason = getattr(error, "strerror", None) or "it is no proper path"
        raise UnusableSettingsError(f'{key} "{text}" cannot be read: {reason}') from None


@lru_cache(maxsize=64)
def _context(tls: Tls) -> ssl.SSLContext:
    ca_file = tls.ca_file[0] if tls.ca_file else None
    try:
        context = ssl.create_default_context(cafile=ca_file)
    except (ssl.SSLError, OSError) as error:
        raise _unusable("ca_file", ca_file, "no certificate", error) from None
    if not tls.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if tls.certificate:
        key = tls.key[0] if tls.key else None
        try:
            # Without a password of ours, OpenSSL would ask for one at the terminal.
            context.load_cert_chain(tls.certificate[0], key, password=lambda: "")
        except (ssl.SSLError, OSError) as error:
            raise _unusable(
                "client_certificate", tls.certificate[0], "no certificate with its key (unencrypted)", error
            ) from None
    return context


def _unusable(key: str, path: str | None, what: str, error: OSError) -> UnusableSettingsError:
    if isinstance(error, ssl.SSLError):
        return UnusableSettingsError(f'{key} "{path}" holds {what}')
    return UnusableSettingsError(f'{key} "{path}" cannot be read: {error.strerror}')
