# Repacks packages as VERSION+wavegate1 into /srv/newer and names it to apt. Usage: newer.sh PACKAGE...
set -eu
mkdir -p /srv/newer/work
cd /srv/newer/work
for name in "$@"; do
    version=$(dpkg-query -W -f '${Version}' "$name")
    apt-get -q download "$name=$version"
    deb=$(echo "$name"_*.deb)
    dpkg-deb -R "$deb" tree
    sed -i "s/^Version: .*/Version: $version+wavegate1/" tree/DEBIAN/control
    # Their binaries demand each other at exactly their own version.
    sed -i "s/(= $version)/(= $version+wavegate1)/g" tree/DEBIAN/control
    dpkg-deb --root-owner-group -Znone -b tree "/srv/newer/${name}_new.deb"
    rm -rf tree
    mv "$deb" "/srv/newer/${name}_old.deb"
done
cd /srv/newer
rm -rf work
apt-ftparchive packages . >Packages
printf 'deb [trusted=yes] file:/srv/newer ./\n' >/etc/apt/sources.list.d/newer.list
apt-get -q update -o Dir::Etc::sourcelist=/etc/apt/sources.list.d/newer.list -o Dir::Etc::sourceparts=- \
    -o APT::Get::List-Cleanup=0

