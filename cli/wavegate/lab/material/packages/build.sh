#!/bin/sh
# Builds the lab's packages and a signed apt repository of them; prints the repository as a tar archive.
set -eu
here=$(dirname "$0")
out=$(mktemp -d)
GNUPGHOME=$(mktemp -d)
export GNUPGHOME

build() { # package, version, seconds of good health (empty: forever)
    tree=$(mktemp -d)
    cp -R "$here/$1/." "$tree/"
    find "$tree" -type f -exec sed -i "s/@VERSION@/$2/g; s/@GOOD_SECONDS@/${3:-inf}/g" {} +
    find "$tree" -type d -exec chmod 0755 {} +
    find "$tree" -type f -exec chmod 0644 {} +
    for script in preinst postinst prerm postrm; do
        [ ! -e "$tree/DEBIAN/$script" ] || chmod 0755 "$tree/DEBIAN/$script"
    done
    dpkg-deb --root-owner-group --build "$tree" "$out/$1_$2_all.deb" >&2
}

for version in 1.0 1.1 1.2; do
    build libintranet "$version" ""
done
build intranet 1.0 ""
build intranet 1.1 ""
build intranet 1.2 5 # the bad one

cd "$out"
apt-ftparchive packages . >Packages
gzip -k9n Packages
apt-ftparchive -o APT::FTPArchive::Release::Origin=wavegate-lab \
    -o APT::FTPArchive::Release::Label=wavegate-lab release . >Release.new
mv Release.new Release

gpg --batch --quiet --pinentry-mode loopback --passphrase '' \
    --quick-generate-key 'wavegate lab <lab@wavegate.invalid>' ed25519 sign never >&2
gpg --batch --quiet --armor --export >wavegate-lab.asc
gpg --batch --quiet --armor --detach-sign --output Release.gpg Release
gpg --batch --quiet --clearsign --output InRelease Release
gpgconf --kill all
chmod 0644 ./*
tar -cf - .
