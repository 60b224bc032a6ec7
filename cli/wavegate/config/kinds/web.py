"""The keys that every kind has which asks over HTTP or speaks TLS."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar

from pydantic import PlainValidator, WithJsonSchema

from wavegate.config.fields import OptionalText, Refused, Switch, TextMapping
from wavegate.config.keys import KindSettings, Model, optional, switch
from wavegate.config.values import parse_text
from wavegate.errors import Problem


def parse_secret(value: Any) -> str:
    """Return a template: a secret itself must not stand in a rollout file, which is kept and shown."""
    text = parse_text(value)
    if "{{" not in text:
        raise ValueError(
            "a secret must not stand in the rollout file: write a template of a vaulted variable, "
            'such as "{{ monitoring_token }}"'
        )
    return text


Secret = Annotated[
    str | None,
    PlainValidator(parse_secret),
    WithJsonSchema({"title": "template of a secret", "type": "string", "pattern": r"\{\{"}),
]


class Auth(Model):
    """Who asks: `token` (bearer), or `user` and `password` (basic). Secrets are never shown anywhere."""

    token: Secret = optional("A bearer token, as a template of a vaulted variable.", "{{ monitoring_token }}")
    user: OptionalText = optional("The user's name; may be a template.", "probe")
    password: Secret = optional("The password, as a template of a vaulted variable.", "{{ probe_password }}")


class TlsKeys(KindSettings):
    """The keys of a kind that speaks TLS."""

    ca_file: OptionalText = optional(
        "Certificates of the authorities to trust, instead of the system's; PEM, relative to the project.",
        "files/ca.pem",
    )
    client_certificate: OptionalText = optional(
        "The certificate to show, with its key or beside `client_key`; PEM, relative to the project.",
        "files/probe.pem",
    )
    client_key: OptionalText = optional(
        "The unencrypted key of `client_certificate`, where it is a file of its own.", "~/.probe.key"
    )

    @classmethod
    def check_written(cls, written: Mapping[str, Any]) -> Iterator[Problem]:
        """Yield a problem for files that say nothing."""
        yield from super().check_written(written)
        if "client_key" in written and "client_certificate" not in written:
            yield Problem("client_key says nothing without client_certificate", path="client_key")
        if "ca_file" in written and written.get("verify_tls") is False:
            hint = "remove one of them"
            yield Problem("ca_file says nothing with verify_tls: false", path="ca_file", hint=hint)


class WebKeys(TlsKeys):
    """The keys of a kind that asks over HTTP."""

    secret_keys: ClassVar[tuple[str, ...]] = ("auth.token", "auth.password")

    headers: TextMapping = optional(
        "Headers to send; values may be templates.", {"Host": "www.example.org"}, default={}
    )
    auth: Annotated[Auth | None, Refused] = optional("Who asks.", {"token": "{{ monitoring_token }}"})
    verify_tls: Switch = switch(
        "Whether the service's certificate must hold: trusted, in time, of that name.", default=True
    )

    @classmethod
    def check_written(cls, written: Mapping[str, Any]) -> Iterator[Problem]:
        """Yield a problem for an `auth` that is neither a token nor a user with a password."""
        yield from super().check_written(written)
        auth = written.get("auth")
        ways = ({"token"}, {"user", "password"})
        if isinstance(auth, dict) and auth.keys() <= set(Auth.model_fields) and auth.keys() not in ways:
            hint = "for example token: '{{ monitoring_token }}'"
            yield Problem("auth is a token, or a user and a password", path="auth", hint=hint)
        headers = written.get("headers")
        if isinstance(auth, dict) and isinstance(headers, dict):
            for name in headers:
                if name.lower() == "authorization":
                    yield Problem("auth writes this header already", path=f"headers.{name}")
