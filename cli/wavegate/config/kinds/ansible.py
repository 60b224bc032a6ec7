"""The keys of the probe kind `ansible`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from wavegate.config.fields import SomeTime, Switch
from wavegate.config.fields_host import Module, ModuleArguments
from wavegate.config.keys import key, optional, switch
from wavegate.config.kinds.conditions import ConditionKeys, Expression


class Ansible(ConditionKeys):
    """Runs any Ansible module on each host. Good means: so say `good_when` and `bad_when` of its result."""

    names: ClassVar[Mapping[str, str]] = {"result": "what the module returned"}

    hosts_only: ClassVar[bool] = True

    timeout: SomeTime = key("How long all hosts together may take.", "10s", default="30s")
    module: Module = key("The module, best by its full name.", "ansible.builtin.stat")
    args: ModuleArguments = optional(
        "The module's arguments; texts may be templates.", {"path": "/etc/nologin"}, default={}
    )
    check_mode: Switch = switch(
        "Whether the module runs in check mode, so that it changes nothing. Modules that do nothing in check "
        "mode (such as `command`) need `false`, and then nobody but the module keeps the host as it is.",
        default=True,
    )
    good_when: Expression = optional(
        "A Jinja expression over `result`. Alone: false is bad. With `bad_when`: where both are false, "
        "nothing is decided.",
        "not result.stat.exists",
    )
    bad_when: Expression = optional(
        "A Jinja expression over `result`. Alone: false is good. True is bad, whatever `good_when` says.",
        "result.changed",
    )
