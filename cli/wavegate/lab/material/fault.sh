#!/bin/sh
# Run inside a host, with all capabilities: breaks one thing, or puts it back. Both may be said twice.
set -eu
data=/var/lib/intranet

# A host that was just started is not ready to be put back.
tries=0
until systemctl is-system-running 2>/dev/null | grep -Eq 'running|degraded' || [ "$tries" -ge 200 ]; do
    tries=$((tries + 1))
    sleep 0.1
done

drop() { # -I or -D
    for chain in INPUT OUTPUT; do
        way=$([ "$chain" = INPUT ] && echo -i || echo -o)
        if iptables -w -C "$chain" ! "$way" lo -j DROP 2>/dev/null; then
            [ "$1" = -I ] || iptables -w -D "$chain" ! "$way" lo -j DROP
        else
            [ "$1" = -D ] || iptables -w -I "$chain" ! "$way" lo -j DROP
        fi
    done
}

fill() {
    ! mountpoint -q "$data" || return 0
    [ -d "$data" ] || install -d "$data"
    # A small file system with a copy of the data goes over the directory: the data itself stays as it was.
    size=$(($(du -sk "$data" | cut -f1) + 256))
    full=$(mktemp -d)
    mount -t tmpfs -o "size=${size}k,mode=$(stat -c %a "$data"),uid=$(stat -c %u "$data"),gid=$(stat -c %g "$data")" \
        wavegate-full-disk "$full"
    cp -a "$data/." "$full/"
    dd if=/dev/zero of="$full/.fills-the-disk" bs=4k 2>/dev/null || true
    mount --move "$full" "$data"
    rmdir "$full"
}

empty() {
    while mountpoint -q "$data"; do umount -l "$data"; done
}

case "$1 $2" in
"break partition") drop -I ;;
"heal partition") drop -D ;;
"break full-disk") fill ;;
"heal full-disk") empty ;;
"break sshd")
    systemctl mask --now ssh.service
    pkill -KILL -x 'sshd|sshd-session|sshd-auth' || true
    ;;
"heal sshd")
    systemctl unmask ssh.service
    systemctl start ssh.service
    ;;
"break service")
    systemctl cat intranet.service >/dev/null 2>&1 || { echo no-service; exit 0; }
    systemctl stop intranet.service
    ;;
"heal service")
    ! systemctl cat intranet.service >/dev/null 2>&1 || systemctl start intranet.service
    ;;
esac
