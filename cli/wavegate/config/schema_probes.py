"""The keys of a probe and of its kinds, and how keys are declared. Defaults stand as they are written."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from wavegate.config.fields import (
    Arguments,
    Count,
    DiskLevels,
    Duration,
    ExitCode,
    Expectations,
    ListOfTexts,
    Method,
    Number,
    OptionalText,
    Percent,
    Port,
    Refused,
    ScopeWord,
    SomeTime,
    Statuses,
    Switch,
    Text,
    TextMapping,
    Url,
    Whole,
)

KINDS = ("http", "tcp", "command", "host")
CONDITIONS = (
    "services",
    "no_failed_units",
    "disk_free",
    "load_per_core",
    "memory_free",
    "no_reboot_required",
)


def key(description: str, *examples: Any, default: Any = ...) -> Any:
    """Declare a required key, or one with a default as it would be written."""
    checked = default is not ... and default is not None and default not in ("", (), {})
    return Field(default, description=description, examples=list(examples) or None, validate_default=checked)


def optional(description: str, *examples: Any, default: Any = None) -> Any:
    """Declare a key that may be absent; empty defaults are not shown."""
    return key(description, *examples, default=default)


def switch(description: str, *, default: bool) -> Any:
    """Declare a key that is true or false."""
    return key(description, not default, default=default)


class Model(BaseModel):
    """A mapping with known keys only."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Http(Model):
    """Asks an HTTP service, from the controller. Good means: every expectation that is written holds."""

    url: Url = key(
        "The address; a template that is rendered for each host.", "http://{{ ansible_host }}:8080/healthz"
    )
    method: Method = key("The HTTP method.", "HEAD", default="GET")
    status: Statuses = key("The status that is good, or a list of them.", 204, [200, 204], default=200)
    json_: Expectations = Field(
        {},
        alias="json",
        description="What the JSON answer must contain: a dotted path and a single value, which may be a "
        "template. Write a version in quotes: YAML reads 1.10 as the number 1.1.",
        examples=[{"state": "ok", "database.up": True, "version": "{{ intranet_version }}"}],
    )
    body: OptionalText = optional("Text that the answer must contain; may be a template.", "welcome")
    headers: TextMapping = optional(
        "Headers to send; values may be templates.", {"Host": "www.example.org"}, default={}
    )
    timeout: SomeTime = key("How long one measurement may take.", "2s", default="5s")
    verify_tls: Switch = switch("Whether a certificate that cannot be verified is an error.", default=True)
    max_latency: SomeTime = optional("A slower answer is bad.", "500ms")


class Tcp(Model):
    """Connects to a port, from the controller. Good means: the connection was accepted."""

    host: Text = key(
        "Where to connect; a template that is rendered for each host.",
        "{{ service_address }}",
        default="{{ ansible_host | default(inventory_hostname) }}",
    )
    port: Port = key("The port, or a template of it.", 5432, "{{ database_port }}")
    timeout: SomeTime = key("How long one measurement may take.", "2s", default="5s")


class Command(Model):
    """Starts a program on the controller, never through a shell. Good means: it ended with `exit_code`."""

    argv: Arguments = key(
        "The program and its arguments as a list; each may be a template.",
        ["./checks/replication.sh", "{{ inventory_hostname }}"],
    )
    exit_code: ExitCode = key("The exit code that is good.", 3, default=0)
    timeout: SomeTime = key("How long one measurement may take.", "10s", default="30s")
    env: TextMapping = optional(
        "Environment variables to add; values may be templates.", {"LANG": "C"}, default={}
    )


class Host(Model):
    """Looks at a host itself, over Ansible's connection, all in one round trip. One condition is needed."""

    services: ListOfTexts = optional("systemd units that must be active.", ["intranet", "sshd"], default=())
    no_failed_units: Switch = switch("Whether a failed systemd unit is bad.", default=False)
    disk_free: DiskLevels = optional(
        "What must be free on `/`, or on each path of a mapping. "
        "kB, MB, GB and TB are powers of 1000, KiB, MiB, GiB and TiB of 1024.",
        "10%",
        {"/": "10%", "/var": "2GB"},
    )
    load_per_core: Number = optional("The most load (1 minute) for each core.", 4, 1.5)
    memory_free: Percent = optional("What must be available of the memory.", "10%")
    no_reboot_required: Switch = switch("Whether a host that waits for a reboot is bad.", default=False)
    timeout: SomeTime = key("How long one measurement may take.", "10s", default="30s")


class Probe(Model):
    """One probe has exactly one kind: `http`, `tcp`, `command` or `host`.

    Its sampling keys win over those of the gates that use it.
    """

    model_config = ConfigDict(json_schema_extra={"oneOf": [{"required": [kind]} for kind in KINDS]})

    http: Annotated[Http | None, Refused] = optional("Ask an HTTP service.")
    tcp: Annotated[Tcp | None, Refused] = optional("Connect to a port.")
    command: Annotated[Command | None, Refused] = optional("Start a program on the controller.")
    host: Annotated[Host | None, Refused] = optional("Look at a host itself.")
    scope: ScopeWord = key(
        "`host` measures every host of the wave; `once` measures one thing that all of them share.",
        "once",
        default="host",
    )
    dry_run: Switch = switch("Measure and report, but never decide.", default=False)
    interval: SomeTime = optional("Overrides the gate's `interval`.", "5s")
    count: Count = optional("Overrides the gate's `count`.", 3)
    initial_delay: Duration = optional("Overrides the gate's `initial_delay`.", "10s")
    failure_limit: Whole = optional("Overrides the gate's `failure_limit`.", 2)
    inconclusive_limit: Whole = optional("Overrides the gate's `inconclusive_limit`.", 2)
    consecutive_error_limit: Whole = optional("Overrides the gate's `consecutive_error_limit`.", 10)
    consecutive_success_limit: Whole = optional("Overrides the gate's `consecutive_success_limit`.", 5)
