"""Variables of hosts and templates over them, as Ansible itself would fill them in."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache, partial
from typing import Any

from ansible.errors import AnsibleError
from ansible.template import Templar, trust_as_template
from msgspec import Struct

from wavegate.adapters.ansible.patterns import near
from wavegate.adapters.ansible.quick_templates import Fill, NotPlainError, prepare
from wavegate.adapters.ansible.reading import describe
from wavegate.adapters.ansible.repeatable import are_repeatable
from wavegate.ports import AnsibleProblem

_UNDEFINED = re.compile(r"'([^']+)' is undefined")
_FACT = re.compile(
    r"ansible_(facts|default_ipv[46]|all_ipv|distribution|os_family|hostname|fqdn|nodename|kernel|architecture"
    r"|processor|mem|mounts|devices|date_time|env|local|interfaces|eth|en[ops]|system|machine|python_version"
    r"|pkg_mgr|service_mgr|virtualization|uptime|selinux|lsb|domain)"
)


class HostVariables:
    """Every host's complete variables, looked at through one templating engine."""

    def __init__(self, inventory: Any, variables: Any, loader: Any) -> None:
        self._inventory = inventory
        self._variables = variables
        self._templar = Templar(loader=loader, variables={})
        self._compiled = _remember_compiled(self._templar)

    def of(self, host: str) -> View:
        """Return the host's variables; they are looked through until the next call."""
        return View(self._variables.get_vars(host=self._inventory.hosts[host]), self._templar)

    def are_repeatable(self) -> bool:
        """Return whether every template so far gives the same again for the same variables."""
        environment = getattr(getattr(self._templar, "_engine", None), "environment", None)
        return environment is not None and are_repeatable(environment, self._compiled)


class View:
    """One host's variables, and templates as they are filled in with them."""

    def __init__(self, variables: dict[str, Any], templar: Any) -> None:
        self.variables = variables
        self._templar = templar
        self._ready = False

    def fill(self, template: Any, quick: Fill | None = None) -> Any:
        """Return the template's value as JSON data; raise whatever Ansible and its plugins raise.

        `quick` is what `prepare` made of the template, where it is filled in more than once.
        """
        try:
            return (quick or prepare(template))(self.variables)
        except NotPlainError:
            if not self._ready:
                self._templar.available_variables = self.variables
                self._ready = True
            return plain(self._templar.template(template))


def _remember_compiled(templar: Any) -> set[str]:
    """Compile each template text once: Ansible compiles it anew for every host, half of the time it takes.

    Return the texts, which become more with each new one.
    """
    texts: set[str] = set()
    environment = getattr(getattr(templar, "_engine", None), "environment", None)
    if environment is not None:
        compile_it = environment.compile

        def noted(source: str, *how: Any, **more: Any) -> Any:
            texts.add(source)
            return compile_it(source, *how, **more)

        environment.compile = lru_cache(maxsize=1024)(noted)
    return texts


class Renderer:
    """Renders templates for one host after the other and gathers what was undefined."""

    def __init__(self, templates: Mapping[str, Any], names: Sequence[str], *, keep: bool = True) -> None:
        self._keep = keep
        self._templates = {key: trust(template) for key, template in templates.items()}
        self._quick = {key: prepare(template) for key, template in self._templates.items()}
        self._names = {name: trust("{{ " + name + " }}") for name in names}
        self.rendered: dict[str, dict[str, Any]] = {key: {} for key in templates}
        self.values: dict[str, dict[str, str]] = {name: {} for name in names}
        self._failures: dict[tuple[str, str], _Failure] = {}

    def render(self, host: str, view: View, *, templates: bool) -> None:
        """Add the host's values, and its rendered templates when it needs them."""
        for name, template in self._names.items():
            if name in view.variables:
                self._try(name, host, view, template, lambda value, n=name: self._set_value(n, host, value))
        for key, template in self._templates.items() if templates else ():
            keep = partial(self._set_rendered, key, host)
            self._try(key, host, view, template, keep, self._quick[key])

    def blame_variables(self, host: str, error: Exception, hint: str) -> None:
        """Remember that the host's variables could not be read."""
        message = describe(error)
        failure = self._failures.setdefault(
            ("", message), _Failure("variables", "variables", message, host, hint)
        )
        failure.count += 1

    def problems(self) -> Iterator[AnsibleProblem]:
        """Return one problem for each template and message, however many hosts have it."""
        for failure in self._failures.values():
            yield failure.problem()

    def _set_value(self, name: str, host: str, value: Any) -> None:
        self.values[name][host] = value if isinstance(value, str) else json.dumps(value, sort_keys=True)

    def _set_rendered(self, key: str, host: str, value: Any) -> None:
        if self._keep:
            self.rendered[key][host] = value

    def _try(  # noqa: PLR0913, PLR0917 - what a mistake is told by
        self, subject: str, host: str, view: View, template: Any, keep: Any, quick: Fill | None = None
    ) -> None:
        try:
            keep(view.fill(template, quick))
        except Exception as error:  # noqa: BLE001 - filters and lookups raise anything
            parts = [part for part in _parts(template) if _fails(view, part)]
            for part in parts:
                self._try(subject, host, view, part, keep)
            if not parts:
                self._blame_template(subject, host, error, view.variables)

    def _blame_template(self, subject: str, host: str, error: Exception, known: Iterable[Any]) -> None:
        message = describe(error) if isinstance(error, AnsibleError) else repr(error)
        key = (subject, _variable(message) or message)
        if key not in self._failures:
            self._failures[key] = _Failure("template", subject, message, host, _hint(message, known))
        self._failures[key].count += 1


def _parts(template: Any) -> Iterable[Any]:
    """Return what is directly in the data, so that each of its mistakes is found and not only the first."""
    if isinstance(template, Mapping):
        return template.values()
    return template if isinstance(template, list) else ()


def _fails(view: View, template: Any) -> bool:
    try:
        view.fill(template)
    except Exception:  # noqa: BLE001 - filters and lookups raise anything
        return True
    return False


class _Failure(Struct):
    kind: str
    subject: str
    message: str
    host: str
    hint: str
    count: int = 0

    def problem(self) -> AnsibleProblem:
        hosts = f"host {self.host}" if self.count == 1 else f"{self.count} hosts, first {self.host}"
        message = f"{self.message} (on {hosts})"
        return AnsibleProblem(kind=self.kind, subject=self.subject, message=message, hint=self.hint)


def _hint(message: str, known: Iterable[Any]) -> str:
    name = _variable(message)
    if _FACT.match(name) or "ansible_facts" in message:
        return "facts are not known when the plan is made; use a variable of the inventory instead"
    return near(name, (str(each) for each in known)) if name else ""


def trust(value: Any) -> Any:
    """Return the data with every string trusted as a template: it comes from the rollout file."""
    if isinstance(value, str):
        return trust_as_template(value)
    if isinstance(value, Mapping):
        return {key: trust(item) for key, item in value.items()}
    return [trust(item) for item in value] if isinstance(value, list | tuple) else value


def plain(value: Any) -> Any:
    """Return what a template gave as JSON data of Python's own types, vault values decrypted."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item) for item in value]
    return "".join(str(value))


def _variable(message: str) -> str:
    found = _UNDEFINED.search(message)
    return found.group(1) if found else ""
