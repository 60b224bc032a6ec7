#!/bin/sh
# Run inside the package host: takes the repository as a tar archive on standard input and serves it on port 80.
set -eu
new=$(mktemp -d)
tar -xf - --no-same-owner -C "$new"
chmod 0755 "$new"
if diff -rq "$new" /srv/repository >/dev/null 2>&1 && systemctl is-active -q repository.service; then
    rm -rf "$new"
    exit 0
fi
rm -rf /srv/repository
mv "$new" /srv/repository
cat >/etc/systemd/system/repository.service <<'UNIT'
[Unit]
Description=Package repository of the lab

[Service]
User=www-data
AmbientCapabilities=CAP_NET_BIND_SERVICE
ExecStart=/usr/bin/python3 -m http.server 80 --directory /srv/repository
Restart=always

[Install]
WantedBy=multi-user.target
UNIT
systemctl daemon-reload
systemctl enable repository.service
systemctl restart repository.service
