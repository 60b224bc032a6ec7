"""Projects as Ansible users have them: a batch must see what bare `ansible-playbook` shows them."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from tests.unit.scratch import LOCAL, Scratch

SYSTEM_PYTHON = "/usr/bin/python3"
WRITE_DOWN = """
    - name: Write down what this host sees
      ansible.builtin.copy:
        dest: "{{ lookup('env', 'OUT') }}/{{ inventory_hostname }}@{{ ansible_play_name }}.json"
        mode: "0600"
        content: "{{ seen | to_nice_json }}"
      vars:
        seen: SEEN
"""
SEEN = (
    "{'own': hostvars[inventory_hostname].own | default('-'), 'setting': setting | default('-'),"
    " 'beside': beside_playbook | default('-'), 'plugin': 'x' | shout, 'role': from_role | default('-'),"
    " 'merged': merged | default({}), 'groups': groups, 'group_names': group_names,"
    " 'fleet': groups['all'] | sort | map('extract', hostvars, 'own') | list,"
    " 'derived': groups.get('size_big', []), 'dir': inventory_dir | default('') | basename,"
    " 'inventory_file': inventory_file | basename, 'vars_file': from_vars_file | default('-'),"
    " 'who': lookup('pipe', 'id -un'), 'become': ansible_become | default('-'),"
    " 'magic': ansible_version.full, 'run_tags': ansible_run_tags,"
    " 'unsafe': unsafe_text | default('-'), 'lazy': lazy | default('-'), 'check': ansible_check_mode,"
    " 'included': included | default('-'), 'config': ansible_config_file | default('') | basename}"
)


LOUD = "class FilterModule:\n    def filters(self):\n        return {'loud': lambda text: text.upper()}\n"
BECOME = """
- hosts: all
  gather_facts: false
  tasks:
    - ansible.builtin.command: id -un
      register: answer
    - ansible.builtin.copy:
        dest: "{{ lookup('env', 'OUT') }}/{{ inventory_hostname }}.json"
        content: "{{ {'who': answer.stdout} | to_json }}"
      become: false
"""


def write_down(seen: str = SEEN) -> str:
    return WRITE_DOWN.replace("SEEN", '"{{ ' + seen + ' }}"')


def play(name: str, role: str = "") -> str:
    """Return a playbook of one play that writes down some variables, and uses a collection's filter."""
    seen = (
        "{'own': own | default('-'), 'role': from_role | default('-'), 'loud': LOUD,"
        " 'list': list | default('-'), 'groups': groups,"
        " 'play_hosts': groups['all'] | map('extract', hostvars, 'ansible_connection') | list}"
    ).replace("LOUD", "'tools' | acme.tools.loud" if role or name == "only" else "'-'")
    roles = f"  roles: [{role}]\n" if role else ""
    return f"- name: {name}\n  hosts: all\n  gather_facts: false\n{roles}  tasks:\n{write_down(seen)}"


@pytest.fixture
def project(tmp_path: Path) -> Scratch:
    scratch = Scratch(tmp_path / "somebody's project")
    scratch.folder.mkdir()
    return scratch


def rollout(scratch: Scratch, *lines: str, playbook: str = "site.yml", waves: str = "") -> None:
    waves = waves or "waves: [{name: first, hosts: 'all[0]'}, {name: rest, hosts: all, batch: 2}]"
    scratch.write(
        "rollouts/change.yml", "\n".join([f"name: change\nplaybook: {playbook}", *lines, waves, ""])
    )


def both(scratch: Scratch, *arguments: str, playbooks: tuple[str, ...] = ("site.yml",)) -> tuple[dict, dict]:
    """Return what the hosts wrote under ansible-playbook, and under wavegate."""
    seen = []
    for name in ("bare", "waves"):
        out = scratch.folder.parent / name
        out.mkdir()
        if name == "bare":
            scratch.call("ansible-playbook", *arguments, *playbooks, OUT=str(out))
        else:
            scratch.wavegate("run", "rollouts/change.yml", OUT=str(out))
        seen.append({path.name: json.loads(path.read_text()) for path in out.iterdir()})
    assert seen[0], "the playbook wrote nothing: nothing was compared"
    return seen[0], seen[1]


def a_rich_project(scratch: Scratch) -> None:
    scratch.write(
        "ansible.cfg",
        """
        [defaults]
        inventory = stock
        hash_behaviour = merge
        roles_path = my-roles
        filter_plugins = my-filters
        callback_plugins = my-callbacks
        callbacks_enabled = tally
        forks = 7
        [inventory]
        enable_plugins = host_list, script, auto, yaml, ini, constructed
        """,
    )
    hosts = "".join(f"h{n} own=o{n} size={'big' if n > 2 else 'small'}\n" for n in range(1, 5))
    scratch.write("stock/01-hosts.ini", f"[web]\n{hosts}[web:vars]\nansible_connection=local\n")
    scratch.write(
        "stock/02-more.yml",
        f"""
        all:
          vars: {{ansible_python_interpreter: "{{{{ ansible_playbook_python }}}}", lazy: "{{{{ own }}}}!"}}
          children:
            db:
              hosts:
                d1: {{own: od, size: big, {LOCAL}}}
              vars: {{unsafe_text: !unsafe "{{{{ not a template }}}}"}}
            web: {{}}
        """,
    )
    scratch.write(
        "stock/03-script.py",
        """
        #!/usr/bin/env python3
        import json, os, sys
        with open(os.environ["OUT"] + ".calls", "a") as log:
            log.write(" ".join(sys.argv[1:]) + "\\n")
        vars = {"s 1": {"own": "os", "size": "small", "ansible_connection": "local"}}
        print(json.dumps({"script": {"hosts": ["s 1"]}, "_meta": {"hostvars": vars}}))
        """,
        0o755,
    )
    scratch.write(
        "stock/09-constructed.yml",
        "plugin: ansible.builtin.constructed\nstrict: true\nkeyed_groups: [{prefix: size, key: size}]\n",
    )
    scratch.write("stock/group_vars/web.yml", "setting: from web\nmerged: {a: 1, deep: {x: group}}\n")
    scratch.write("stock/group_vars/size_big/main.yml", "setting: from a constructed group\n")
    scratch.write("stock/host_vars/h2.yml", "merged: {b: 2, deep: {y: host}}\n")
    scratch.write("group_vars/all.yml", "beside_playbook: yes it is\nsetting: weakest\n")
    scratch.write("host_vars/h3/vars.yml", "own: o3 beside the playbook\n")
    scratch.write("vars/more.yml", "from_vars_file: '{{ own }} in a vars file'\n")
    scratch.write("my-roles/speak/defaults/main.yml", "from_role: a default\n")
    scratch.write("my-roles/speak/tasks/main.yml", "- ansible.builtin.debug: {var: from_role}\n")
    scratch.write("roles/beside/defaults/main.yml", "of_beside: 1\n")
    scratch.write(
        "roles/beside/tasks/main.yml", "- ansible.builtin.include_tasks: 'more.yml'\n- name: x\n  ping:\n"
    )
    scratch.write(
        "roles/beside/tasks/more.yml", "- ansible.builtin.set_fact: {included: '{{ role_name }}'}\n"
    )
    scratch.write(
        "my-filters/shout.py",
        LOUD.replace("loud", "shout").replace("upper()", "upper() + '!'"),
    )
    scratch.write(
        "my-callbacks/tally.py",
        """
        import os
        from ansible.plugins.callback import CallbackBase

        DOCUMENTATION = "name: tally\\ntype: notification\\nshort_description: counts\\noptions: {}"

        class CallbackModule(CallbackBase):
            CALLBACK_VERSION, CALLBACK_TYPE, CALLBACK_NAME = 2.0, "notification", "tally"
            CALLBACK_NEEDS_ENABLED = True

            def v2_runner_on_ok(self, result):
                with open(os.environ["OUT"] + ".tally", "a") as log:
                    log.write(result._host.get_name() + "\\n")
        """,
    )
    scratch.write(
        "site.yml",
        """
        - name: main
          hosts: all
          gather_facts: false
          vars_files: [vars/more.yml]
          roles: [speak, beside]
          tasks:
            - ansible.builtin.include_tasks: tasks/again.yml
        - ansible.builtin.import_playbook: later/second.yml
        """,
    )
    scratch.write("tasks/again.yml", write_down().replace("\n    ", "\n").lstrip("\n"))
    play = "- name: second\n  hosts: web:&size_big\n  gather_facts: false\n  tasks:\n"
    scratch.write("later/second.yml", play + write_down())
    scratch.write("later/group_vars/web.yml", "beside_playbook: beside the second\n")


@pytest.fixture(scope="module")
def rich(tmp_path_factory) -> tuple[Path, dict, dict]:
    """Return the folder above the project, and what the hosts saw under ansible-playbook and wavegate."""
    scratch = Scratch(tmp_path_factory.mktemp("rich") / "somebody's project")
    scratch.folder.mkdir()
    a_rich_project(scratch)
    rollout(scratch)
    return scratch.folder.parent, *both(scratch)


def test_every_host_sees_what_ansible_playbook_shows_it(rich):
    _, bare, waves = rich
    assert len(bare) == 6 + 2
    assert waves == bare


@pytest.mark.parametrize(
    ("seen_by", "name", "value"),
    [
        ("h3@main.json", "merged", {"a": 1, "deep": {"x": "group"}}),
        ("h2@main.json", "merged", {"a": 1, "b": 2, "deep": {"x": "group", "y": "host"}}),
        ("h3@main.json", "own", "o3 beside the playbook"),
        ("d1@main.json", "setting", "from a constructed group"),
        ("h1@main.json", "setting", "from web"),
        ("h1@main.json", "role", "a default"),
        ("h1@main.json", "included", "beside"),
        ("h1@main.json", "plugin", "X!"),
        ("h1@main.json", "vars_file", "o1 in a vars file"),
        ("h1@main.json", "fleet", ["od", "o1", "o2", "o3 beside the playbook", "o4", "os"]),
        ("h1@main.json", "derived", ["h3", "h4", "d1"]),
        ("h4@second.json", "beside", "beside the second"),
        ("d1@main.json", "unsafe", "{{ not a template }}"),
        ("s 1@main.json", "lazy", "os!"),
    ],
)
def test_batches_honour(rich, seen_by, name, value):
    _, _, waves = rich
    assert waves[seen_by][name] == value


def test_a_dynamic_inventory_is_asked_once_a_rollout(rich):
    assert (rich[0] / "waves.calls").read_text().splitlines() == ["--list"]


def test_a_users_own_callback_hears_every_task_once(rich):
    bare, waves = ((rich[0] / f"{name}.tally").read_text().splitlines() for name in ("bare", "waves"))
    assert bare
    assert sorted(waves) == sorted(bare)


def test_playbooks_of_a_list_and_of_a_collection_run_in_order(project):
    project.write("ansible.cfg", "[defaults]\ninventory = hosts.yml\ncollections_path = collections\n")
    project.write("hosts.yml", f"all: {{hosts: {{a: {{{LOCAL}}}, b: {{{LOCAL}}}}}}}\n")
    home = "collections/ansible_collections/acme/tools"
    project.write(
        f"{home}/galaxy.yml", "namespace: acme\nname: tools\nversion: 1.0.0\nauthors: [x]\nreadme: R\n"
    )
    project.write(f"{home}/plugins/filter/loud.py", LOUD)
    project.write(f"{home}/roles/give/defaults/main.yml", "from_role: of the collection\n")
    project.write(
        f"{home}/roles/give/tasks/main.yml", "- ansible.builtin.set_fact: {own: '{{ from_role }}'}\n"
    )
    project.write(f"{home}/playbooks/third.yml", play("third", "acme.tools.give"))
    project.write("one.yml", play("one"))
    project.write("sub/two.yml", play("two", "acme.tools.give"))
    rollout(project, playbook="[one.yml, sub/two.yml, acme.tools.third]")
    bare, waves = both(project, playbooks=("one.yml", "sub/two.yml", "acme.tools.third"))
    assert waves == bare
    assert sorted(waves) == [f"{host}@{name}.json" for host in "ab" for name in ("one", "third", "two")]
    assert waves["a@third.json"]["loud"] == "TOOLS"
    assert waves["a@third.json"]["role"] == "of the collection"


def test_collections_beside_the_playbook_are_found(project):
    project.write("ansible.cfg", "[defaults]\ninventory = hosts.yml\n")
    project.write("hosts.yml", f"all: {{hosts: {{a: {{{LOCAL}}}}}}}\n")
    project.write("collections/ansible_collections/acme/tools/plugins/filter/loud.py", LOUD)
    project.write("site.yml", play("only"))
    rollout(project, waves="waves: [{name: all, hosts: all}]")
    bare, waves = both(project)
    assert waves == bare
    assert waves["a@only.json"]["loud"] == "TOOLS"


def test_the_rollouts_variables_win_like_those_of_the_command_line(project):
    project.write("ansible.cfg", "[defaults]\n")
    host = f"{LOCAL}, own: of the host"
    project.write("hosts.yml", f"all: {{hosts: {{a: {{{host}}}, b: {{{host}}}}}}}\n")
    text = play("plain").replace("gather_facts", "vars: {own: of the play, setting: s}\n  gather_facts")
    project.write("site.yml", text)
    project.write("over.json", json.dumps({"own": "of the rollout", "list": ["{{ setting }}", 2]}))
    rollout(project, "inventory: hosts.yml", "vars: {own: of the rollout, list: ['{{ setting }}', 2]}")
    bare, waves = both(project, "-i", "hosts.yml", "-e", "@over.json")
    assert waves == bare
    assert waves["a@plain.json"]["own"] == "of the rollout"
    assert waves["a@plain.json"]["list"] == ["s", 2]


@pytest.mark.skipif(
    os.geteuid() != 0 or not shutil.which("su") or not Path(SYSTEM_PYTHON).exists(),
    reason="only root becomes another user, who must be able to reach a Python",
)
def test_become_takes_the_user_and_the_method_that_the_rollout_file_names(project):
    settings = "[defaults]\ninventory = hosts.yml\n[su_become_plugin]\nflags = -s /bin/sh\n"
    project.write("ansible.cfg", settings)
    project.write(
        "hosts.yml",
        "all: {hosts: {a: {ansible_connection: local, ansible_python_interpreter: " + SYSTEM_PYTHON + "}}}\n",
    )
    project.write("site.yml", BECOME)
    waves = "waves: [{name: all, hosts: all}]"
    rollout(project, "become: {user: nobody, method: su}", waves=waves)
    bare, waves = both(project, "--become", "--become-user", "nobody", "--become-method", "su")
    assert waves == bare
    assert waves["a.json"] == {"who": "nobody"}
