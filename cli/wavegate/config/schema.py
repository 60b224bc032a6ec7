"""The rollout file's keys: pydantic models that feed the checks, the JSON Schema and the reference page.

Keys that depend on each other are checked in `rules`.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Annotated, Any

from pydantic import (
    BeforeValidator,
    ConfigDict,
    Field,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    create_model,
)

from wavegate.config.fields import (
    Amounts,
    Batch,
    Count,
    Duration,
    Label,
    ListOfTexts,
    Name,
    OnBreachWord,
    OrderWord,
    Refused,
    RequireWord,
    Share,
    SomeTime,
    Switch,
    Text,
    Texts,
    VariableName,
    Version,
    Whole,
)
from wavegate.config.keys import KindSettings, Model, key, optional, switch
from wavegate.config.schema_probes import Probe, probe_model
from wavegate.config.values import expect, parse_budget, parse_texts
from wavegate.core.spec import ROLLING_BACK


class Approval(Model):
    """Whom a gate asks, once everything that is measured is good. One rejection shuts the gate at once.

    People vote with `wavegate approve` and `wavegate reject`. Votes are bound to the plan's hash. When too
    few have answered within `timeout`, the gate is inconclusive and the rollout is held.
    """

    required: Count = key("How many different people must approve.", 2, default=1)
    by: ListOfTexts = optional(
        "Who may vote: names of people, and of groups of `people`; without it, anybody.",
        ["ops", "alice"],
        default=(),
    )
    launcher_may_vote: Switch = switch("Whether whoever started the rollout may vote.", default=False)
    comment: Switch = switch("Whether each vote needs a comment; a rejection always does.", default=False)
    timeout: SomeTime = key("How long the gate waits for votes.", "4h", default="7d")
    test_cases: ListOfTexts = optional(
        "Test cases by name; each must be reported as passed by somebody who approves.",
        ["login works", "orders can be printed"],
        default=(),
    )
    signed: Switch = switch("Whether only votes signed with an SSH key count.", default=False)
    allowed_signers: Text = optional(
        "The file that says whose SSH key is whose, as ssh-keygen(1) describes it; part of the project.",
        "keys/allowed_signers",
        default="",
    )


class Rehearsed(Model):
    """A condition: `wavegate rehearse` took this very plan there, back and there again, lately."""

    within: SomeTime = key("How long ago it may have been.", "14d")
    roles: ListOfTexts = optional(
        "Instead of the plan: roles whose molecule scenario took them, as they are, there and back.",
        ["nginx"],
    )


class ErrorBudgetSettings(Model):
    """How much a background gate tolerates of each thing that it measures; spent is what is exceeded."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1})

    downtime: Duration = optional("How long it may be down, all together in one wave.", "3s")
    errors: Share = optional("The share of requests that may fail.", "0.1%", "1%")


class Gate(Model):
    """A gate opens when every probe passes on every host and the soak is over. All limits are strict.

    `failure_limit: 3` fails on the 4th bad measurement. A probe that could not measure has measured nothing:
    no data is never a pass.
    """

    probes: ListOfTexts = optional(
        "Names of probes; at least one of them without `dry_run`. Without any, the gate needs `approval` or "
        "`rehearsed`.",
        ["intranet-answers"],
        default=(),
    )
    approval: Annotated[Approval | None, Refused] = optional(
        "Whom the gate asks, once everything that is measured is good.", {"required": 2, "by": ["ops"]}
    )
    rehearsed: Annotated[Rehearsed | None, Refused] = optional(
        "The gate opens only when this very plan was rehearsed, with success.", {"within": "14d"}
    )
    max_wait: SomeTime = optional(
        "How long the gate may take; after that it is inconclusive, and the rollout is held.", "4h"
    )
    interval: SomeTime = key("The time between two measurements.", "2s", default="10s")
    count: Count = key(
        "How many measurements are needed; more than one needs an `interval` that is written.", 5, default=1
    )
    initial_delay: Duration = key("How long to wait before the first measurement.", "30s", default="0s")
    failure_limit: Whole = key("How many bad measurements of a host are tolerated.", 3, default=0)
    inconclusive_limit: Whole = key("How many inconclusive measurements are tolerated.", 3, default=0)
    consecutive_error_limit: Whole = key("How many errors in a row are tolerated.", 10, default=4)
    consecutive_success_limit: Whole = key(
        "So many good measurements in a row are enough to pass; 0 is off.", 5, default=0
    )
    soak: Duration = key(
        "How long the probes go on after the wave's last host was done.", "20s", "1d", default="0s"
    )
    error_budget: Annotated[ErrorBudgetSettings | None, Refused] = optional(
        "What a gate that waves name in `during` tolerates; without it, it measures and never decides.",
        {"downtime": "3s", "errors": "1%"},
    )


class BudgetSettings(Model):
    """A failure budget in its parts; breached is what is exceeded, the total or a class. All are floored.

    Hosts that did not get through the precheck are no breach: they hold the rollout, they do not halt it.
    """

    total: Amounts = optional("How many hosts may be bad in any way; without it, the classes' sum.", 2, "10%")
    failed: Amounts = optional("How many may fail a task.", 1)
    unreachable: Amounts = optional("How many may be unreachable.", 2, "5%")
    timed_out: Amounts = optional("How many may take longer than `batch_timeout`.", 1)
    aborted: Amounts = optional("How many may be cut off before their end.", 1)
    found_bad: Amounts = optional("How many a probe may find bad.", 1)
    minimum_sample: Count = optional(
        "From how many hosts with an outcome on the budget is judged; or when all have one.", 10
    )


def _read_budget(value: Any) -> Any:
    if isinstance(value, dict):
        return value
    parse_budget(value)  # so that a mistake is told at the key that is written
    return {"total": value}


Budget = Annotated[BudgetSettings | None, Refused, BeforeValidator(_read_budget)]


class RollbackSettings(Model):
    """How hosts are put back. A plain playbook (or a list) is short for `playbook`."""

    playbook: Texts = key(
        "What puts a host back: a playbook, or several in order.",
        "playbooks/rollback.yml",
        ["a.yml", "b.yml"],
    )
    failure_budget: Whole = key("How many hosts may fail at it before it stops.", 1, default=0)
    gate: Text = optional("The gate over the hosts that were put back.", "as-before", default="")
    require: RequireWord = optional(
        "What a host needs before it is changed, so that it can be put back; `backup` needs `backup:`.",
        "backup",
        default="",
    )


class RehearsalSettings(Model):
    """Where `wavegate rehearse` tries the rollout, on hosts like the real ones: there, back, there again."""

    inventory: Texts = optional(
        "The inventory of the hosts to rehearse on; without it, the rollout's own.",
        "inventories/lab",
        default=(),
    )
    hosts: Text = optional("An Ansible pattern: the hosts to rehearse on.", "staging", default="")
    gate: Text = optional(
        "The gate after each way there; without it, that after the first wave.", "healthy", default=""
    )


def _read_rollback(value: Any) -> Any:
    if isinstance(value, dict):
        return value
    parse_texts(value)
    return {"playbook": value}


class Wave(Model):
    """One wave with `hosts`, or one wave for each group with `each`.

    A host belongs to the first wave that names it.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "oneOf": [{"required": ["hosts"]}, {"required": ["each"]}],
            "dependentRequired": {"at_most": ["apart"]},
        }
    )

    name: Label = key("The wave's name, which no other wave has.", "pilot")
    hosts: Text = optional("An Ansible pattern: the hosts of this wave.", "pilot", "web:!db", default="")
    each: Text = optional(
        "A glob of group names: one wave for each group, in order.", "department_*", default=""
    )
    batch: Batch = key(
        "How many hosts one Ansible process handles; the last of a list repeats. "
        "A percentage is of the wave, floored, at least 1.",
        1,
        "25%",
        [1, "50%"],
        default="100%",
    )
    order: OrderWord = key("The order of the hosts inside the wave.", "shuffle", default="sorted")
    in_flight: Count = optional("How many hosts of this wave may be in flight at once.", 4)
    failure_budget: Budget = optional(
        "How many hosts of this wave may be bad before the rollout halts; a percentage is floored.", 1, "10%"
    )
    apart: Text = optional(
        "A host variable, or the beginning of groups' names; hosts that share its value (or such a group) "
        "are not in flight at the same time.",
        "cluster",
        default="",
    )
    at_most: Count = key("How many hosts that share the value of `apart` may be in flight.", 2, default=1)
    before: Text = optional("The gate before the wave.", "quiet", default="")
    during: Text = optional(
        "The gate that watches from the wave's first batch until it is completed; without it, what the top "
        "level says.",
        "from-outside",
        default="",
    )
    after: Text = optional("The gate after the wave.", "healthy", default="")
    may_be_empty: Switch = switch("Whether the wave may have no hosts.", default=False)


class Vault(Model):
    """Where the passwords of vaulted variables are."""

    password_files: Texts = key(
        "Files, or programs that print the password.", "~/.vault-password", ["a", "b"]
    )


class BecomeSettings(Model):
    """Privilege escalation with settings; what is absent is left to ansible.cfg."""

    user: Text = optional("The user to become.", "root", default="")
    method: Text = optional("Ansible's become method.", "sudo", default="")
    password_file: Text = optional("A file with the become password.", "~/.become-password", default="")


def _read_become(value: Any, read: ValidatorFunctionWrapHandler) -> BecomeSettings | bool:
    if isinstance(value, bool):
        return value
    if not isinstance(value, dict):
        raise expect("true, false, or a mapping with user, method, password_file", value)
    settings: BecomeSettings = read(value)
    return settings


def _read_vault(value: Any) -> Any:
    return {"password_files": value} if isinstance(value, str) else value


def _named_probes() -> Any:
    return optional(
        "Named probes.",
        {"answers": {"tcp": {"port": 22}}, "well": {"host": {"disk_free": "10%"}}},
        default={},
    )


class RolloutFile(Model):
    """What is rolled out, how far, how fast, and under which conditions.

    Paths are relative to the project root: the nearest folder upward with an `ansible.cfg`.
    """

    model_config = ConfigDict(
        defer_build=True,
        json_schema_extra={
            "if": {
                "properties": {"on_breach": {"enum": [policy.value for policy in ROLLING_BACK]}},
                "required": ["on_breach"],
            },
            "then": {"required": ["rollback"]},
        },
    )

    version: Version = key("The version of this format.", 1, default=1)
    name: Name = key("The rollout's name, for people and for its id.", "patch-intranet")
    description: Text = optional(
        "One sentence for the people who read the report.", "Monthly patch", default=""
    )
    playbook: Texts = key(
        "What is done to a host: a playbook, several in order, or a collection's (namespace.name.playbook).",
        "playbooks/patch.yml",
        ["playbooks/patch.yml", "playbooks/configure.yml"],
        "acme.web.patch",
    )
    inventory: Texts = optional(
        "Inventory files, folders, scripts or plugin files; without it, what ansible.cfg says.",
        "inventories/production",
        ["inventories/production", "inventories/dynamic.py"],
        default=(),
    )
    hosts: Text = key(
        "The scope, an Ansible pattern: each host of it is in a wave or left out.", "web:!lab", default="all"
    )
    leave_out: Text = optional("A pattern of hosts of the scope that are left alone.", "retired", default="")
    before: Text = optional(
        "The gate over all hosts before the first wave: whether the fleet is fit for the change.",
        "fit",
        default="",
    )
    people: dict[Label, ListOfTexts] = optional(
        "Named groups of people, for `approval`.", {"ops": ["alice", "bob"]}, default={}
    )
    vars: dict[VariableName, Any] = optional(
        "Variables for the playbooks and the probes' templates; they win over the inventory's. "
        "`!vault` and `!unsafe` are possible.",
        {"intranet_version": "1.1"},
        default={},
    )
    vault: Annotated[Vault | None, Refused, BeforeValidator(_read_vault)] = optional(
        "Vault passwords; a single path is short for `password_files`.",
        {"password_files": ["~/.vault-password"]},
    )
    become: Annotated[BecomeSettings | None, WrapValidator(_read_become)] = optional(
        "Privilege escalation; without it, what ansible.cfg and the playbooks say.", {"user": "root"}
    )
    precheck: Texts = optional(
        "What looks at a host before anything is changed there; a host that does not get through was sick "
        "before, which holds the rollout instead of halting it.",
        "playbooks/precheck.yml",
        default=(),
    )
    backup: Texts = optional("What is done to a host before `playbook`.", "playbooks/backup.yml", default=())
    verify: Texts = optional("What is done to a host after `playbook`.", "playbooks/verify.yml", default=())
    rollback: Annotated[RollbackSettings | None, Refused, BeforeValidator(_read_rollback)] = optional(
        "What puts a host back; a playbook is short for `playbook`.", "playbooks/rollback.yml"
    )
    rehearsal: Annotated[RehearsalSettings | None, Refused] = optional(
        "Where the rollout is rehearsed.", {"inventory": "inventories/lab", "hosts": "pilot"}
    )
    in_flight: Count = optional("How many hosts may be in flight at once; a wave may say less or more.", 4)
    batch_timeout: SomeTime = key("How long one batch may take.", "20m", default="1h")
    failure_budget: Budget = optional(
        "How many hosts of the whole rollout may be bad before it halts.", 3, "5%"
    )
    on_breach: OnBreachWord = key(
        "What follows an overspent budget or a gate's fail: nothing more, or a rollback of the batches with "
        "bad hosts, of the wave, or of all waves (which need `rollback`).",
        "rollback_wave",
        default="halt",
    )
    during: Text = optional(
        "The gate that watches during every wave that names none itself.", "from-outside", default=""
    )
    probes: dict[Label, Probe] = _named_probes()
    gates: dict[Label, Gate] = optional(
        "Named gates.", {"healthy": {"probes": ["answers"], "soak": "1h"}}, default={}
    )
    waves: list[Wave] = Field(
        description="The waves in order.",
        min_length=1,
        examples=[[{"name": "pilot", "hosts": "pilot"}, {"name": "all", "hosts": "all", "batch": "25%"}]],
    )


def file_model(kinds: Mapping[str, type[KindSettings]]) -> type[RolloutFile]:
    """Return the model of a rollout file whose probes may have any of the kinds."""
    return _file_model(probe_model(kinds))


@lru_cache(maxsize=16)
def _file_model(probe: type[Probe]) -> type[RolloutFile]:
    probes: Any = (dict[Label, probe], _named_probes())  # type: ignore[valid-type]
    return create_model("RolloutFile", __base__=RolloutFile, __doc__=RolloutFile.__doc__, probes=probes)
