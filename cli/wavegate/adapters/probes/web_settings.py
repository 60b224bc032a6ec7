"""Reads the settings that every kind has which asks over HTTP: address, headers, authorization, TLS."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from wavegate.adapters.probes.certificates import read_tls
from wavegate.adapters.probes.settings import UnusableSettingsError, read_table, read_text
from wavegate.adapters.probes.web import WebQuestion, read_url
from wavegate.extensions import Occasion


def read_web_question(occasion: Occasion, **more: Any) -> WebQuestion:
    """Return the question that the settings ask; `more` are fields of it that the kind sets itself."""
    settings = occasion.settings
    fields = {
        "url": read_url(read_text(settings, "url")),
        "headers": read_headers(settings),
        "authorization": read_authorization(read_table(settings, "auth")),
        "tls": read_tls(settings, occasion.folder),
    }
    return WebQuestion(**{**fields, **more})


def read_headers(settings: Mapping[str, Any]) -> dict[str, str]:
    """Return the headers to send."""
    return {key: str(value) for key, value in read_table(settings, "headers").items()}


def read_authorization(auth: Mapping[str, Any]) -> str:
    """Return the header's value, "" without `auth`; messages never show a part of it."""
    if not auth:
        return ""
    if auth.get("token") is not None:
        return f"Bearer {_secret(auth, 'token')}"
    user, password = str(auth.get("user") or ""), _secret(auth, "password")
    if not user or ":" in user:
        raise UnusableSettingsError("auth.user is empty or has a colon in it")
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def _secret(auth: Mapping[str, Any], key: str) -> str:
    text = str(auth.get(key) or "").strip()
    if not text:
        raise UnusableSettingsError(f"auth.{key} is empty")
    return text
