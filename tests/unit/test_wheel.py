"""The wheel alone, in an empty virtual environment, in somebody's project: everything it needs is in it."""

from __future__ import annotations

import re
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

from tests.unit.scratch import LOCAL, Scratch, clean_environment

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[2]
PLAYBOOK = """
- name: Patch
  hosts: all
  tasks:
    - name: Say who
      ansible.builtin.copy:
        dest: "{{ lookup('env', 'OUT') }}/{{ inventory_hostname }}"
        content: "{{ release }}"
        mode: "0644"
"""
ROLLOUT = """
name: patch
playbook: site.yml
vars: {release: "2.0"}
probes:
  host-is-well: {host: {disk_free: 1%, memory_free: 1%}}
gates:
  healthy: {probes: [host-is-well], interval: 1s}
waves:
  - {name: pilot, hosts: a, after: healthy}
  - {name: rest, hosts: all, batch: 2, after: healthy}
"""


def build_wheel(folder: Path) -> Path:
    """Build the wheel with what is installed here, asking no index."""
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    subprocess.run(build, check=True, capture_output=True, text=True, env=clean_environment())
    (wheel,) = folder.glob("*.whl")
    return wheel


def install(wheel: Path, folder: Path) -> Path:
    """Install the wheel and what it depends on into an empty environment; return its programs' folder."""
    venv.create(folder, with_pip=True)
    pip = [
        str(folder / "bin" / "python"),
        "-m",
        "pip",
        "install",
        "-q",
        "--disable-pip-version-check",
        str(wheel),
    ]
    done = subprocess.run(pip, check=False, capture_output=True, text=True, env=clean_environment())
    assert done.returncode == 0, done.stderr
    return folder / "bin"


@pytest.fixture(scope="session")
def wheel(tmp_path_factory) -> Path:
    return build_wheel(tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="session")
def programs(wheel, tmp_path_factory) -> Path:
    return install(wheel, tmp_path_factory.mktemp("installed") / "venv")


def tracked(*folders: str) -> set[str]:
    """Return the files of the checkout that somebody would miss in the wheel."""
    return {
        path.relative_to(ROOT).as_posix()
        for folder in folders
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def test_every_file_travels_and_nothing_else(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    package = {name.removeprefix("cli/") for name in tracked("cli/wavegate")}
    content = {f"wavegate/content/{name}" for name in tracked("plugins", "roles", "playbooks", "rollouts")}
    (information,) = {name.partition("/")[0] for name in names if ".dist-info/" in name}
    about = {
        f"{information}/{n}" for n in ("METADATA", "WHEEL", "RECORD", "entry_points.txt", "licenses/LICENSE")
    }
    assert names == package | content | about


@pytest.mark.parametrize(
    "kind",
    [
        r"py\.typed",
        r"content/plugins/modules/host_state\.py",
        r"content/plugins/inventory/wavegate_snapshot\.py",
        r"adapters/executor/ansible_plugins/\w+\.py",
        r"content/roles/intranet/tasks/main\.yml",
        r"content/playbooks/rollback\.yml",
        r"content/rollouts/patch-intranet\.yml",
        r"adapters/scaffold/templates/hosts\.yml",
        r"adapters/journal/migrations/versions/v0001\w*\.py",
        r"lab/material/bake\.sh",
        r"lab/material/packages/intranet/DEBIAN/control",
        r"reports/templates/report\.html\.j2",
        r"reports/templates/report\.css",
    ],
)
def test_the_wheel_holds(wheel, kind):
    names = zipfile.ZipFile(wheel).namelist()
    assert [name for name in names if re.fullmatch(f"wavegate/{kind}", name)]


@pytest.fixture
def project(tmp_path, programs) -> Scratch:
    """Return somebody's project, outside of the checkout; `call` finds the wheel's programs first."""
    return Scratch(tmp_path / "somebody's", python=programs / "python")


def test_it_is_the_wheel_that_is_tested(project):
    project.write("ansible.cfg", "[defaults]\n")
    where = project.call("python", "-c", "import wavegate; print(wavegate.__file__)").stdout
    assert where.startswith(str(project.python.parent.parent))
    assert project.call("wavegate", "--version").stdout.strip()


def test_init_beside_somebodys_project_then_plan_run_and_report(project, tmp_path):
    project.write("stock/hosts.yml", f"all: {{hosts: {{a: {{{LOCAL}}}, b: {{{LOCAL}}}, c: {{{LOCAL}}}}}}}\n")
    project.write("ansible.cfg", "[defaults]\ninventory = stock\n")
    project.write("site.yml", PLAYBOOK)
    project.call("wavegate", "init")
    project.call("wavegate", "plan", "rollouts/site.yml")
    project.write("rollouts/patch.yml", ROLLOUT)
    out = tmp_path / "out"
    out.mkdir()
    project.call("wavegate", "run", "rollouts/patch.yml", OUT=str(out))
    assert {path.name: path.read_text() for path in out.iterdir()} == {"a": "2.0", "b": "2.0", "c": "2.0"}
    assert "3 of 3 hosts done" in project.call("wavegate", "report").stdout
    for kind, start in (("json", "{"), ("junit", "<?xml"), ("html", "<!doctype html>")):
        assert project.call("wavegate", "report", "--format", kind).stdout.lower().startswith(start)
    project.call("wavegate", "schema")
    project.call("wavegate", "doctor")


def test_a_first_project_and_the_demo_can_be_had_from_it(project):
    project.folder.mkdir()
    project.call("wavegate", "init", "first")
    first = Scratch(project.folder / "first", python=project.python)
    first.call("wavegate", "run", "rollouts/hello.yml")
    project.call("wavegate", "init", "--demo", "demo")
    demo = Scratch(project.folder / "demo", python=project.python)
    assert (demo.folder / "roles/intranet/tasks/rollback.yml").exists()
    demo.call("wavegate", "validate", *map(str, (demo.folder / "rollouts").glob("*.yml")))
