"""What the pages say is held against the program: commands, examples, links, targets."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from wavegate.config.load import load_rollout
from wavegate.main import cli

ROOT = Path(__file__).parents[2]
PAGES = sorted([ROOT / "README.md", *ROOT.glob("docs/**/*.md"), *ROOT.glob("roles/*/README.md")])
VERBS = set(cli.list_commands(None))  # type: ignore[arg-type]


def blocks_of(page: Path, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)


def test_the_command_page_is_what_the_program_says() -> None:
    # In a process of its own: click remembers the --help of a command from its first call in another test.
    script = [sys.executable, str(ROOT / "scripts" / "cli_reference.py")]
    shown = subprocess.run(script, capture_output=True, text=True, check=True).stdout
    assert (ROOT / "docs" / "cli.md").read_text(encoding="utf-8") == shown, "call `make docs`"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_that_a_page_shows_exists(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    code = "\n".join(re.findall(r"```.*?```|`[^`\n]+`", text, re.DOTALL))
    shown = set(re.findall(r"(?:^|`|\$ |&& )(?:\.venv/bin/)?wavegate ([a-z]+)\b", code, re.MULTILINE))
    assert shown <= VERBS, f"{page.name} shows {shown - VERBS}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_to_a_file_leads_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text(encoding="utf-8"))
    assert [target for target in targets if not (page.parent / target).exists()] == []


def test_the_readmes_rollout_file_loads(tmp_path: Path) -> None:
    (example,) = blocks_of(ROOT / "README.md", "yaml")
    file = tmp_path / "rollout.yml"
    file.write_text(example, encoding="utf-8")
    assert [wave.name for wave in load_rollout(file).spec.waves] == ["pilot", "department", "site"]


def test_the_probes_of_their_page_load(tmp_path: Path) -> None:
    blocks = blocks_of(ROOT / "docs" / "probes.md", "yaml")
    examples = [block for block in blocks if "spool:" not in block]  # that one needs the page's own package
    kinds = set()
    for example in examples:
        file = tmp_path / "rollout.yml"
        text = f"name: x\nplaybook: y\n{example}\nwaves: [{{name: all, hosts: all}}]\n"
        file.write_text(text, encoding="utf-8")
        kinds |= {probe.kind for probe in load_rollout(file).spec.probes.values()}
    assert {"http", "tcp", "tls", "dns", "prometheus", "webhook", "command"} <= kinds
    assert len(blocks) == len(examples) + 1


def test_every_make_target_that_a_page_shows_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    shown = {
        target
        for page in PAGES
        for target in re.findall(r"(?:^|`)make ([a-z-]+)", page.read_text(encoding="utf-8"), re.MULTILINE)
    }
    assert shown <= targets
    assert {"demo", "test"} <= shown


def test_the_architecture_page_names_every_part_of_the_program() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    parts = [path for path in (ROOT / "cli" / "wavegate").iterdir() if (path / "__init__.py").exists()]
    assert [path.name for path in parts if f"{path.name}/" not in text] == []
