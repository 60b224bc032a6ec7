"""A probe kind of another package: the one of docs/probes.md, really installed, and broken ones."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.probe_tools import measure_all
from tests.unit.rollout_files import find_problems
from tests.unit.scratch import LOCAL, Scratch
from wavegate import extensions
from wavegate.config.kinds import BUILT_IN
from wavegate.config.kinds import installed as installed_kinds
from wavegate.config.kinds.tcp import Tcp
from wavegate.core.outcomes import Reading
from wavegate.errors import Problem

PAGE = Path(__file__).parents[2] / "docs" / "probes.md"
ROLLOUT = """\
name: spool
playbook: play.yml
probes:
  little-waits:
    %s
gates: {quiet: {probes: [little-waits]}}
waves: [{name: everybody, hosts: all, after: quiet}]
"""


def block(language: str, name: str) -> str:
    text = PAGE.read_text(encoding="utf-8")
    (found,) = re.findall(rf"`{name}`:\n\n```{language}\n(.*?)```", text, re.DOTALL)
    return str(found)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the package of the page into a folder of its own."""
    source = tmp_path_factory.mktemp("source")
    for name, language in (("acme_spool.py", "python"), ("pyproject.toml", "toml")):
        (source / name).write_text(block(language, name), encoding="utf-8")
    target = tmp_path_factory.mktemp("installed")
    pip = [sys.executable, "-m", "pip", "install", "--disable-pip-version-check", "--no-deps", "--no-index"]
    subprocess.run(
        [*pip, "--no-build-isolation", "--target", target, source], check=True, capture_output=True
    )
    return target


@pytest.fixture
def project(tmp_path: Path) -> Scratch:
    made = Scratch(tmp_path)
    made.write("ansible.cfg", "[defaults]\ninventory = hosts.yml\n")
    made.write("hosts.yml", f"all: {{hosts: {{web1: {{}}, web2: {{}}}}, vars: {{{LOCAL}}}}}\n")
    made.write("play.yml", "- {hosts: all, gather_facts: false, tasks: []}\n")
    for host, files in (("web1", 2), ("web2", 4)):
        for number in range(files):
            made.write(f"spool/{host}/{number}", "x")
    return made


def rollout(project: Scratch, probe: str) -> str:
    project.write("rollout.yml", ROLLOUT % probe)
    return "rollout.yml"


def test_the_pages_example_is_short(installed: Path) -> None:
    lines = [line for line in block("python", "acme_spool.py").splitlines() if line.strip()]
    assert len(lines) <= 20


def test_the_pages_example_is_validated_and_measures(installed: Path, project: Scratch) -> None:
    file = rollout(project, 'spool: {folder: "spool/{{ inventory_hostname }}", at_most: 3}')
    assert "rollout.yml: ok" in project.wavegate("validate", file, PYTHONPATH=str(installed)).stdout
    told = project.wavegate("probe", file, "--json", code=30, PYTHONPATH=str(installed)).stdout
    (probe,) = json.loads(told)["probes"]
    assert [
        (one["target"], one["reading"], one["detail"], one["value"]) for one in probe["measurements"]
    ] == [
        ("web1", "good", "2 files wait in web1, wanted at most 3", 2),
        ("web2", "bad", "4 files wait in web2, wanted at most 3", 4),
    ]


def test_mistakes_in_its_keys_have_lines_and_suggestions(installed: Path, project: Scratch) -> None:
    file = rollout(project, "spool: {at_mots: many, timeout: 5}")
    told = project.wavegate("validate", file, code=40, PYTHONPATH=str(installed)).stdout
    assert "rollout.yml:5:13: probes.little-waits.spool.at_mots: unknown key" in told
    assert "did you mean at_most?" in told
    assert "probes.little-waits.spool.folder: the key is missing" in told
    assert "probes.little-waits.spool.timeout: expected a duration" in told


def test_the_schema_knows_it(installed: Path, project: Scratch) -> None:
    schema = json.loads(project.wavegate("schema", PYTHONPATH=str(installed)).stdout)
    probe = schema["$defs"]["Probe"]["properties"]
    assert probe["spool"]["description"] == "Counts the files in a folder of the controller."
    assert "spool" not in json.loads(project.wavegate("schema").stdout)["$defs"]["Probe"]["properties"]


def test_without_the_package_the_kind_is_unknown(project: Scratch) -> None:
    file = rollout(project, "spool: {folder: x}")
    told = project.wavegate("validate", file, code=40).stdout
    assert "rollout.yml:5:5: probes.little-waits.spool: unknown key" in told


def bring(
    folder: Path, module: str, *, name: str = "acme-broken", kind: str = "broken", object_="KIND"
) -> None:
    """Lay a distribution with one kind into the folder, as an installation leaves it."""
    word = name.replace("-", "_")
    (folder / f"{word}.py").write_text(module, encoding="utf-8")
    info = folder / f"{word}-2.1.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 2.1\n", encoding="utf-8")
    (info / "entry_points.txt").write_text(
        f"[wavegate.probes]\n{kind} = {word}:{object_}\n", encoding="utf-8"
    )


GOOD_KIND = """
from wavegate.probing import KindSettings, ProbeKind
class Empty(KindSettings):
    '''Does nothing.'''
async def ask(occasion):
    {body}
KIND = ProbeKind({settings}, ask)
"""


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder from which Python imports; what was imported from it is forgotten afterwards."""
    folder = tmp_path / "site"
    folder.mkdir()
    extensions.load_kind.cache_clear()
    monkeypatch.syspath_prepend(str(folder))
    yield folder
    extensions.load_kind.cache_clear()
    for name in [name for name in sys.modules if name.startswith("acme_")]:
        del sys.modules[name]


def the_problem(folder: Path, probe: str) -> Problem:
    (problem,) = find_problems(folder, ROLLOUT % probe)
    return problem


@pytest.mark.parametrize(
    ("module", "reason"),
    [
        ("import nothing_like_that\n", "cannot be imported: ModuleNotFoundError: No module"),
        ("raise RuntimeError('no licence')\n", "cannot be imported: RuntimeError: no licence"),
        ("def f(:\n", "cannot be imported: SyntaxError"),
        ("OTHER = 1\n", "cannot be imported: AttributeError"),
        ("KIND = 7\n", "is no ProbeKind: acme_broken:KIND is a int"),
        (GOOD_KIND.format(body="pass", settings="dict"), "are no KindSettings"),
    ],
)
def test_a_kind_that_cannot_be_used_is_one_problem_that_names_its_distribution(
    site: Path, tmp_path: Path, module: str, reason: str
) -> None:
    bring(site, module)
    problem = the_problem(tmp_path, "broken: {}")
    assert (problem.path, problem.line) == ("probes.little-waits.broken", 5)
    assert f"the probe kind broken of acme-broken 2.1 {reason}" in problem.message
    assert problem.hint


def test_the_command_line_says_so_without_a_trace(site: Path, project: Scratch) -> None:
    bring(site, "import nothing_like_that\n")
    told = project.wavegate("validate", rollout(project, "broken: {}"), code=40, PYTHONPATH=str(site)).stdout
    assert "rollout.yml:5:5: probes.little-waits.broken: the probe kind broken of acme-broken 2.1" in told
    assert "rollout.yml: 1 problem" in told


def test_a_broken_kind_that_nobody_uses_disturbs_nobody(site: Path, tmp_path: Path) -> None:
    bring(site, "raise SystemError\n")
    assert find_problems(tmp_path, ROLLOUT % "tcp: {port: 22}") == ()
    assert set(installed_kinds()) == set(BUILT_IN)


def test_one_kind_of_two_distributions_is_refused(site: Path, tmp_path: Path) -> None:
    for name in ("acme-one", "acme-two"):
        bring(site, GOOD_KIND.format(body="pass", settings="Empty"), name=name)
    problem = the_problem(tmp_path, "broken: {}")
    assert problem.message == "the probe kind broken is brought by acme-one 2.1 and acme-two 2.1"


def test_wavegates_own_kinds_cannot_be_replaced(site: Path, tmp_path: Path) -> None:
    bring(site, GOOD_KIND.format(body="pass", settings="Empty"), kind="tcp")
    assert find_problems(tmp_path, ROLLOUT % "tcp: {port: 1}") == ()
    assert installed_kinds()["tcp"] is Tcp


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        ("return 'good'", "the kind broken answered with a str, wanted a Judgement"),
        (
            "from wavegate.probing import Judgement; return Judgement('good', 'x')",
            "has no Reading or no text",
        ),
        ("raise OSError('no room')", "the measurement itself failed: OSError: no room"),
        (
            "import asyncio; await asyncio.Event().wait()",
            "the probe kind broken gave no answer within 0.2 s",
        ),
    ],
)
def test_what_a_kind_does_wrong_is_an_error_of_its_measurement(site: Path, body: str, detail: str) -> None:
    bring(site, GOOD_KIND.format(body=body, settings="Empty"))
    (measurement,) = measure_all("broken", {"web1": {}}, timeout=0.2)
    assert measurement.reading is Reading.ERROR
    assert detail in measurement.detail


@pytest.mark.parametrize(
    ("value", "kept"),
    [("7", 7.0), ("0.5", 0.5), ("float('nan')", None), ("1e999", None), ("10**400", None), ("'x'", None)],
)
def test_only_a_value_that_can_be_kept_is_kept(site: Path, value: str, kept: float | None) -> None:
    body = f"from wavegate.probing import Judgement, Reading; return Judgement(Reading.GOOD, 'x', {value})"
    bring(site, GOOD_KIND.format(body=body, settings="Empty"))
    (measurement,) = measure_all("broken", {"web1": {}})
    assert (measurement.reading, measurement.value) == (Reading.GOOD, kept)


def test_a_kind_whose_package_is_gone_measures_nothing() -> None:
    (measurement,) = measure_all("vanished", {"web1": {}})
    assert measurement.reading is Reading.ERROR
    assert 'there is no kind of probe "vanished"' in measurement.detail
