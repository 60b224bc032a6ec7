#!/bin/sh
# Makes .venv and installs wavegate with everything its tests need. Safe to call again.
set -eu
cd "$(dirname "$0")/.."

fits() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
}

can_make_venv() {
    "$1" -c 'import ensurepip, venv' 2>/dev/null
}

# A distribution's Python is optimised with a profile; one that a version manager built often is not, and costs half
# as much CPU again.
python=${PYTHON:-}
if [ -z "$python" ]; then
    python=python3
    if fits /usr/bin/python3 && { can_make_venv /usr/bin/python3 || [ "$(id -u)" = 0 ]; }; then
        python=/usr/bin/python3
    fi
fi

fail() {
    printf 'setup: %s\n  next: %s\n' "$1" "$2" >&2
    exit 40
}

apt_install() {
    # Only as root on a Debian-family machine; elsewhere the person is told what to run.
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        DEBIAN_FRONTEND=noninteractive apt-get -q update >/dev/null
        DEBIAN_FRONTEND=noninteractive apt-get -q install -y --no-install-recommends "$@" >/dev/null
    else
        fail "$* is missing" "sudo apt-get install $*   (or your system's name for it), then call make again"
    fi
}

command -v "$python" >/dev/null || apt_install python3
fits "$python" ||
    fail "$("$python" --version) is too old" "install Python 3.11 or newer and call: make PYTHON=python3.11 ..."
can_make_venv "$python" || apt_install python3-venv
command -v ssh >/dev/null || apt_install openssh-client

if ! [ -x .venv/bin/python ] || ! .venv/bin/python -c '' 2>/dev/null; then
    echo "setup: making .venv" >&2
    "$python" -m venv --clear .venv
fi
echo "setup: installing wavegate and its tools into .venv" >&2
log=.venv/install.log
if ! .venv/bin/python -m pip install --disable-pip-version-check -e '.[dev]' >"$log" 2>&1; then
    tail -n 20 "$log" >&2
    fail "pip could not install wavegate" "read the lines above; the whole log is $log"
fi
touch .venv/.ready
