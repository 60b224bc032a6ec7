#!/bin/sh
# Makes a host of the lab out of a plain Debian system; runs once, as root, inside it.
set -eu
export DEBIAN_FRONTEND=noninteractive
packages="$1"

# A base image made by mmdebstrap has everything already; an official image has close to nothing.
# shellcheck disable=SC2086
if ! dpkg-query -W $packages >/dev/null 2>&1; then
    rm -f /usr/sbin/policy-rc.d
    apt-get -q update
    apt-get -q install -y --no-install-recommends $packages
fi

# The account that Ansible logs in to; its key is the lab's own and comes when the host is started.
useradd --create-home --shell /bin/bash deploy
printf 'deploy ALL=(ALL) NOPASSWD: ALL\n' >/etc/sudoers.d/deploy
chmod 0440 /etc/sudoers.d/deploy

# Every host makes its own host key at its first start: a shared one would prove nothing.
rm -f /etc/ssh/ssh_host_*
printf 'HostKey /etc/ssh/ssh_host_ed25519_key\nPasswordAuthentication no\nUseDNS no\n' \
    >/etc/ssh/sshd_config.d/lab.conf
mkdir -p /etc/systemd/system/ssh.service.d
# In a container systemd does not see that the sessions of a stopped sshd are gone, and waits for them to the limit.
cat >/etc/systemd/system/ssh.service.d/lab.conf <<'UNIT'
[Service]
TimeoutStopSec=2s
ExecStartPre=
ExecStartPre=/bin/sh -c 'test -s /etc/ssh/ssh_host_ed25519_key || ssh-keygen -q -t ed25519 -N "" -f /etc/ssh/ssh_host_ed25519_key'
ExecStartPre=/usr/sbin/sshd -t
UNIT
systemctl enable ssh.service

# All hosts share one machine's cores, and each task of Ansible brings its modules as source in a zip file, which
# Python compiles anew every time: 0.13 s of CPU, a third of a small task. What was compiled once is kept, for root.
mkdir -p -m 0700 /var/cache/lab-bytecode
cat >/usr/lib/python3/dist-packages/lab_bytecode.py <<'PYTHON'
import _imp, marshal, os, zipimport

FOLDER = "/var/cache/lab-bytecode/"
compile_source = getattr(zipimport, "_compile_source", None)


def compile_once(path, source):
    file = FOLDER + _imp.source_hash(len(source), source).hex()
    try:
        with open(file, "rb") as kept:
            code = marshal.loads(kept.read())
    except (OSError, EOFError, ValueError):
        code = compile_source(path, source)
        keep(file, marshal.dumps(code))
    else:
        _imp._fix_co_filename(code, path)
    return code


def keep(file, data):
    part = "%s.%d" % (file, os.getpid())
    try:
        with open(part, "wb") as new:
            new.write(data)
        os.replace(part, file)
    except OSError:
        pass


if compile_source is not None and os.geteuid() == 0:
    zipimport._compile_source = compile_once
PYTHON
echo 'import lab_bytecode' >/usr/lib/python3/dist-packages/lab_bytecode.pth

# Nothing may run by itself and hold the dpkg lock, and there is no console. systemd-logind stays: reboot needs it.
systemctl mask getty.target console-getty.service getty@.service systemd-firstboot.service \
    apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer fstrim.timer \
    systemd-ask-password-console.path systemd-ask-password-wall.path \
    systemd-udevd.service systemd-udev-trigger.service systemd-networkd-wait-online.service

# A container may not be allowed to make the mount namespaces that units ask for (status=226/NAMESPACE).
mkdir -p /etc/systemd/system/service.d
cat >/etc/systemd/system/service.d/lab.conf <<'UNIT'
[Service]
PrivateTmp=no
PrivateDevices=no
ProtectSystem=no
ProtectHome=no
ProtectControlGroups=no
ProtectKernelLogs=no
ProtectKernelModules=no
ProtectKernelTunables=no
ReadWritePaths=
BindPaths=
BindReadOnlyPaths=
UNIT

rm -f /etc/machine-id /var/lib/dbus/machine-id
: >/etc/machine-id
rm -rf /var/lib/apt/lists/* /var/cache/apt/archives/*.deb /var/log/*.log
