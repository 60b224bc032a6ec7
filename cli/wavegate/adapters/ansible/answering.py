"""Answer a question from inside Ansible's process: one inventory reading, everything else from it."""

from __future__ import annotations

import gc
import json
from pathlib import Path
from typing import Any

from ansible import constants as C  # noqa: N812 - its name everywhere in Ansible
from ansible import context
from ansible.cli import CLI
from ansible.module_utils.common.collections import ImmutableDict
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.loader import init_plugin_loader
from ansible.template import trust_as_template
from ansible.vars.hostvars import HostVars
from msgspec.structs import replace

from wavegate.adapters.ansible.patterns import resolve
from wavegate.adapters.ansible.playbooks import Playbooks
from wavegate.adapters.ansible.quick_variables import QuickVariables
from wavegate.adapters.ansible.quick_yaml import QuickLoader
from wavegate.adapters.ansible.reading import Doing, Inventory, describe
from wavegate.adapters.ansible.repeatable import LookupWatch
from wavegate.adapters.ansible.secrets import Secrets, gather, places_of
from wavegate.adapters.ansible.settings import effective_settings
from wavegate.adapters.ansible.templates import HostVariables, Renderer
from wavegate.adapters.ansible.watching import Watch
from wavegate.core.fleet import Fleet
from wavegate.ports import AnsibleProblem, Answer, Question


def answer(question: Question, doing: Doing) -> Answer:
    """Return the answer about the project in the current folder; `doing` hears what is going on.

    Where files were read in a quicker way than Ansible's and there are problems, Ansible's way is gone after
    all: only then messages name the places. Scripts and services are not asked a second time for that.
    """
    watch = Watch() if question.plan_only else None
    init_plugin_loader([])
    sources = _sources(question)
    _set_options(question, sources)
    loader = QuickLoader()
    doing("vault", ", ".join(question.vault_password_files) or "vault passwords")
    unlocked = _unlock(question, loader)
    found, inventory = _answer(question, sources, loader, unlocked, doing)
    if watch:
        repeatable = found.repeatable and not watch.left
        found = replace(found, repeatable=repeatable, files=tuple(watch.files()) if repeatable else ())
    if found.problems and loader.used and inventory.is_static:
        return _answer(question, sources, DataLoader(), unlocked, doing)[0]
    return found


def _answer(
    question: Question,
    sources: list[str],
    loader: DataLoader,
    unlocked: tuple[list[Any], list[AnsibleProblem]],
    doing: Doing,
) -> tuple[Answer, Inventory]:
    lookups = LookupWatch()
    vault, locked = unlocked
    if not locked:
        loader.set_vault_secrets(vault)
    playbooks = Playbooks(question.playbooks)
    playbooks.announce()
    inventory = _read_inventory(question, sources, loader, doing)
    problems = [*locked, *inventory.problems]
    # Variables beside the playbook count, so they are looked at from where ansible-playbook would.
    loader.set_basedir(playbooks.folders[0] if playbooks.folders else str(Path.cwd()))
    doing("inventory", "variables")
    variables = QuickVariables(loader=loader, inventory=inventory, version_info=CLI.version_info())
    HostVars(inventory, variables, loader)

    doing("playbook", ", ".join(question.playbooks))
    playbooks.load(loader, variables)
    patterns = _patterns(question, inventory, problems if inventory.hosts else [])
    doing("vault", "encrypted files")
    secrets = Secrets(vault, loader)
    secrets.scan(places_of(sources, playbooks.folders))
    if not question.plan_only or question.host_variables:
        gather(secrets, question, inventory, playbooks.plays)
    doing("template", ", ".join(question.templates))
    views = HostVariables(inventory, variables, loader)
    renderer = _render(question, inventory, views, patterns, secrets)
    problems += [*playbooks.problems, *renderer.problems()]
    found = Answer(
        fleet=_fleet(inventory, patterns, renderer),
        plays=tuple(playbooks.facts),
        problems=tuple(problems),
        rendered=renderer.rendered,
        secrets=frozenset() if question.plan_only else secrets.found(),
        snapshot=None if problems else inventory.snapshot,
        settings=effective_settings(sources, asked=bool(question.inventory)),
        repeatable=(
            inventory.is_static
            and variables.are_of_files()
            and views.are_repeatable()
            and not lookups.seen
            and not secrets.are_in(renderer.values)
        ),
    )
    return found, inventory


def _read_inventory(question: Question, sources: list[str], loader: DataLoader, doing: Doing) -> Inventory:
    """Return the inventory, read without Python's collector: it looks for garbage where there is none."""
    inventory = Inventory(loader, sources, doing, keep=question.wants_snapshot and not question.plan_only)
    gc.disable()
    try:
        inventory.read()
    finally:
        gc.freeze()
        gc.enable()
    return inventory


def _sources(question: Question) -> list[str]:
    """Return the inventory sources as Ansible's own command line makes them absolute."""
    from ansible.utils.path import unfrackpath

    written = question.inventory or tuple(C.DEFAULT_HOST_LIST)
    return [
        str(source if "," in source else unfrackpath(source, follow=False)) for source in written if source
    ]


def _set_options(question: Question, sources: list[str]) -> None:
    """Set what ansible-playbook's command line would have set."""
    context.CLIARGS = ImmutableDict(
        check=False,
        diff=False,
        forks=C.DEFAULT_FORKS,
        inventory=tuple(sources),
        extra_vars=(trust_as_template(json.dumps(dict(question.variables))),),
        tags=("all",),
        skip_tags=(),
        subset=None,
        verbosity=0,
    )


def _unlock(question: Question, loader: Any) -> tuple[list[Any], list[AnsibleProblem]]:
    """Return the vault secrets that Ansible's configuration and the question name."""
    problems = [
        AnsibleProblem(kind="vault", subject=path, message="there is no such vault password file")
        for path in question.vault_password_files
        if not Path(path).exists()
    ]
    try:
        secrets = CLI.setup_vault_secrets(
            loader,
            vault_ids=list(C.DEFAULT_VAULT_IDENTITY_LIST),
            vault_password_files=list(question.vault_password_files),
            ask_vault_pass=False,
            auto_prompt=False,
        )
    except Exception as error:  # noqa: BLE001 - password scripts and prompts without a terminal
        if not problems:
            hint = "a prompt has nobody to answer it; use a password file or script"
            problem = AnsibleProblem(kind="vault", subject="vault", message=describe(error), hint=hint)
            problems.append(problem)
        return [], problems
    return list(secrets), problems


def _patterns(
    question: Question, inventory: Inventory, problems: list[AnsibleProblem]
) -> dict[str, tuple[str, ...]]:
    patterns: dict[str, tuple[str, ...]] = {}
    for pattern in question.patterns:
        hosts, unknown = resolve(inventory, pattern)
        problems += unknown
        if not unknown:
            patterns[pattern] = hosts
    return patterns


def _render(
    question: Question,
    inventory: Inventory,
    variables: HostVariables,
    patterns: dict[str, tuple[str, ...]],
    secrets: Secrets,
) -> Renderer:
    """Look at every host's variables, so that a broken or locked variables file is found now."""
    renderer = Renderer(question.templates, question.host_variables, keep=not question.plan_only)
    named = {host for hosts in patterns.values() for host in hosts}
    for host in inventory.hosts:
        try:
            view = variables.of(host)
        except Exception as error:  # noqa: BLE001 - vars plugins raise anything
            renderer.blame_variables(host, error, secrets.hint())
            continue
        renderer.render(host, view, templates=host in named)
        if not question.plan_only:
            secrets.add_host(view)
    return renderer


def _fleet(inventory: Inventory, patterns: dict[str, tuple[str, ...]], renderer: Renderer) -> Fleet:
    return Fleet(
        hosts=tuple(host.name for host in inventory.get_hosts("all")),
        groups={
            name: tuple(host.name for host in group.get_hosts() if not host.implicit)
            for name, group in inventory.groups.items()
        },
        patterns=patterns,
        values=renderer.values,
    )
