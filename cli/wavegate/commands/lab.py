"""`wavegate lab`: a fleet of real hosts on this machine, to try rollouts on."""

from __future__ import annotations

from pathlib import Path

import click


def _say(line: str) -> None:
    click.echo(line, err=True)


def _project(folder: Path) -> Path:
    from wavegate.config.project import find_project_root

    return find_project_root(folder)


_project_option = click.option(
    "--project",
    "folder",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=Path(),
    help="A folder of the project that the lab belongs to. Default: the current one.",
)


@click.group(name="lab")
def command() -> None:
    """Bring up, break, heal and remove a lab: real hosts in containers.

    The hosts run systemd and sshd, each with its own address; the package host beside them serves a signed
    apt repository. `inventories/lab/hosts.yml` is written for them. Needs podman or docker, as root.

    \b
    Example:
      wavegate lab up
      ansible -i inventories/lab all -m ping
      wavegate lab break service finance-1
      wavegate lab heal finance-1
      wavegate lab down
    """


@command.command()
@click.option(
    "--hosts", type=int, help="How many hosts beside the package host. Default: 9, or what the lab has."
)
@click.option("--suite", help="Which release the hosts run: bookworm (default) or trixie.")
@click.option(
    "--balancer/--no-balancer",
    default=None,
    help="Whether one more machine stands in front of the hosts. Default: no, or what the lab has.",
)
@click.option("--install-engine", is_flag=True, help="As root on Debian or Ubuntu: apt-get what is missing.")
@_project_option
def up(
    *, hosts: int | None, suite: str | None, balancer: bool | None, install_engine: bool, folder: Path
) -> None:
    """Bring the lab up, or repair it; ends when every host answers over ssh.

    The first time on a machine it builds an image (about half a minute). What is there and fits stays; what
    is missing, stopped or broken is put right; faults are healed.

    The machine of --balancer is for `playbooks/install.yml` to make a load balancer of, and for
    `rollouts/drain-intranet.yml` to drain hosts at.

    \b
    Example:
      wavegate lab up
      wavegate lab up --hosts 20
      wavegate lab up --balancer
      wavegate lab up --suite trixie
    """
    from wavegate.lab.up import bring_up

    bring_up(
        _project(folder), _say, hosts=hosts, suite=suite, balancer=balancer, install_engine=install_engine
    )


@command.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object with stable keys.")
@_project_option
def status(*, as_json: bool, folder: Path) -> None:
    """Show the hosts of the lab, how they are, and which faults they have.

    \b
    Example:
      wavegate lab status
      wavegate lab status --json
    """
    from wavegate.lab.status import read_status, render_status

    found = read_status(_project(folder))
    if as_json:
        import json

        click.echo(json.dumps(found, indent=2))
    else:
        click.echo(render_status(found))


@command.command()
@click.option("--images", is_flag=True, help="Remove the lab images of this machine, too.")
@_project_option
def down(*, images: bool, folder: Path) -> None:
    """Remove the lab: containers, network, keys, generated inventory.

    \b
    Example:
      wavegate lab down
      wavegate lab down --images
    """
    from wavegate.lab.up import take_down

    if not take_down(_project(folder), _say, images=images):
        _say("there was no lab here")


@command.command(name="break")
@click.argument("what")
@click.argument("host")
@_project_option
def break_(*, what: str, host: str, folder: Path) -> None:
    """Break a HOST of the lab in one way (WHAT).

    \b
    WHAT is one of:
      stop        the host is gone, as without power
      hang        the host answers nothing, open connections stay open
      partition   every packet from and to the host is dropped
      full-disk   no space left in /var/lib/intranet
      sshd        no ssh any more, everything else goes on
      service     the intranet service is down
      slow        every command takes many times as long

    \b
    Example:
      wavegate lab break full-disk sales-1
    """
    from wavegate.lab.faults import break_host

    break_host(_project(folder), what, host, _say)


@command.command()
@click.argument("host")
@_project_option
def heal(*, host: str, folder: Path) -> None:
    """Undo every fault of a HOST and wait until it answers again.

    \b
    Example:
      wavegate lab heal sales-1
    """
    from wavegate.lab.faults import heal_host

    heal_host(_project(folder), host, _say)
