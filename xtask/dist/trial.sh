#!/bin/sh
# trial.sh DEB DIR: in mount and process namespaces of its own, over this machine's files, of which nothing is changed:
# the package beside a stand-in for stock's, installed, switched, upgraded and removed.
set -eu

fail() {
    echo "trial of the package: $*" >&2
    exit 1
}

# What follows runs as `trial.sh inside`, where / may be written to.
says() {
    found=$("$1" --version) || fail "$1 does not run"
    case "$found" in
        "$2"*) ;;
        *) fail "$1 says \"$found\", not \"$2\"" ;;
    esac
}

# stand_in VERSION: a package with the name of stock's, and its two names for a replicator.
stand_in() {
    tree=/trial/stock
    rm -rf $tree
    mkdir -p $tree/DEBIAN $tree/usr/bin $tree/usr/lib/systemd/system
    printf 'Package: swift-container\nVersion: %s\nArchitecture: all\nMaintainer: trial\nDescription: trial\n' "$1" \
        > $tree/DEBIAN/control
    printf '#!/bin/sh\necho "stock %s"\n' "$1" > $tree/usr/bin/swift-container-replicator
    chmod 755 $tree/usr/bin/swift-container-replicator
    printf '[Service]\nExecStart=/usr/bin/swift-container-replicator\n' \
        > $tree/usr/lib/systemd/system/swift-container-replicator.service
    quiet dpkg-deb --build $tree /trial/stock.deb
    quiet dpkg --install /trial/stock.deb
}

# Its output only if it fails.
quiet() {
    "$@" > /trial/said 2>&1 || { cat /trial/said >&2; fail "$* failed"; }
}

# Every file that a package may have left; dpkg's own notes and caches are not among them.
all_files() {
    find /usr /etc /var /run -xdev \( -path /var/lib/dpkg -o -path /var/log -o -path /var/cache -o -path /run/systemd \) \
        -prune -o -print | sort
}

links() {
    find /etc/systemd/system -name 'martlet-*'
}

inside() {
    stock=/usr/bin/swift-container-replicator
    export DEBIAN_FRONTEND=noninteractive
    stand_in 99:1
    all_files > /trial/before
    quiet dpkg --install /trial/martlet.deb
    [ -z "$(dpkg --verify martlet | grep -v ' /usr/share/\(doc\|man\)/')" ] || fail "files are missing or differ"
    [ -z "$(links)" ] || fail "installing enabled: $(links)"
    for type in account container; do
        says $type-replicator $type-replicator
        $type-replicator --help | grep -q -- --check-config || fail "$type-replicator --help does not tell of --check-config"
        for page in man/man8/$type-replicator.8 bash-completion/completions/$type-replicator; do
            dpkg --listfiles martlet | grep -q "^/usr/share/$page\$" || fail "/usr/share/$page is missing"
        done
    done
    for name in martlet.json martlet.rules.yml; do
        [ -s /usr/share/martlet/$name ] || fail "/usr/share/martlet/$name is missing"
    done
    says martlet "martlet "
    if command -v systemd-analyze > /dev/null; then
        # It complains of other units too.
        systemd-analyze verify --man=no /usr/lib/systemd/system/martlet-*.service 2>&1 | grep martlet- \
            && fail "systemd-analyze verify complains, see above"
    fi

    says $stock "stock 99:1"
    martlet-switch off > /dev/null
    says $stock "stock 99:1"
    for _ in once twice; do
        martlet-switch on > /dev/null
        says $stock container-replicator
        says $stock.stock "stock 99:1"
        says /usr/bin/swift-account-replicator account-replicator
    done
    stand_in 99:2
    says $stock container-replicator
    quiet dpkg --install /trial/martlet.deb
    says $stock container-replicator
    martlet-switch off container > /dev/null
    says $stock "stock 99:2"
    says /usr/bin/swift-account-replicator account-replicator
    echo mine > $stock.stock
    ! martlet-switch on container > /dev/null 2>&1 || fail "martlet-switch wrote over what it does not know"
    says $stock "stock 99:2"
    rm $stock.stock
    martlet-switch on > /dev/null

    if command -v systemctl > /dev/null; then
        quiet systemctl enable martlet-container-replicator martlet-account-server
        [ -n "$(links)" ] || fail "a unit cannot be enabled"
    fi
    quiet dpkg --remove martlet
    says $stock "stock 99:2"
    [ ! -e /usr/bin/swift-account-replicator ] || fail "swift-account-replicator is still there"
    quiet dpkg --purge martlet
    [ -z "$(dpkg-divert --list '*swift-*-replicator')" ] || fail "a diversion is left"
    all_files > /trial/after
    diff /trial/before /trial/after || fail "purge has left, or taken, the files above"
    echo "the package was installed, switched to and back, upgraded beside stock's, and removed without a trace"
}

if [ "$1" = inside ]; then
    inside
    exit
fi
deb=$1
dir=$2
mount -t tmpfs tmpfs "$dir"
mkdir "$dir/changes" "$dir/work" "$dir/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$dir/changes,workdir=$dir/work" "$dir/root"
mount -t proc proc "$dir/root/proc"
mount --rbind /dev "$dir/root/dev"
mkdir "$dir/root/trial"
cp "$deb" "$dir/root/trial/martlet.deb"
cp "$0" "$dir/root/trial/trial.sh"
chroot "$dir/root" /bin/sh /trial/trial.sh inside
