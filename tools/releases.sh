# SPDX-License-Identifier: GPL-3.0-or-later
#
# Another release of Debian on this machine, or another architecture: a root that debootstrap makes, and commands that run in it; sourced
# by tools/test and tools/package after tools/packages.sh, from the repository's root. The root is in build/peers/NAME. What is built there
# goes to build/NAME, which is the folder build/ inside.

# make_root NAME RELEASE : a root of the release, if it is not there yet.
make_root() {
    install_packages "debootstrap makes it" || return
    [ -d "build/peers/$1" ] || echo "Making a root of $2 in build/peers/$1"
    mkdir -p build/peers
    [ -d "build/peers/$1" ] || bootstrap_debian "$2" "$PWD/build/peers/$1" || return
    echo force-unsafe-io >"build/peers/$1/etc/dpkg/dpkg.cfg.d/unsafe-io"  # it can be made again: dpkg need not wait for the disk
}

# Process 1 of the new namespaces. The root becomes theirs, so that nothing of the machine's own file systems can be reached but the tree,
# which is read-only, its build/, and some devices. /tmp and /run are in memory. All mounts go with the last process. The command gets
# a session of its own, since the process group that it came from has no number in its PID namespace.
# shellcheck disable=SC2016 # for the shell that it starts
enter_release='
    root=$1 tree=$2 build=$3
    shift 3
    mount --make-rprivate /
    mount --bind "$root" "$root"
    cd "$root"
    mkdir -p bootkey
    mount --bind "$tree" bootkey
    mount -o remount,bind,ro bootkey
    mount --bind "$build" bootkey/build
    mount -t proc proc proc
    mount -t sysfs sysfs sys
    mount -t tmpfs -o mode=0755 run run
    mount -t tmpfs -o mode=1777 tmp tmp
    mount -t tmpfs -o mode=0755 dev dev
    mkdir dev/pts dev/shm dev/net
    for node in null zero full random urandom tty net/tun; do
        [ -e "/dev/$node" ] || continue
        : >"dev/$node"
        mount --bind "/dev/$node" "dev/$node"
    done
    mount -t devpts -o newinstance,ptmxmode=0666,mode=0620 pts dev/pts
    mount -t tmpfs -o mode=1777 shm dev/shm
    ln -s pts/ptmx dev/ptmx
    ln -s /proc/self/fd dev/fd
    for number in 0:stdin 1:stdout 2:stderr; do
        ln -s "/proc/self/fd/${number%:*}" "dev/${number#*:}"
    done
    cat /etc/resolv.conf >etc/resolv.conf
    pivot_root . mnt
    cd /bootkey
    umount -l /mnt
    if command -v ip >/dev/null; then ip link set lo up; fi
    exec env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 setsid "$@"
'

# in_release NAME NETWORK COMMAND... : run the command at the repository's root in mount, PID and, if NETWORK is "private", network
# namespaces of its own; "shared" lets it reach the network. Its exit status. However this ends, nothing goes on running or stays mounted.
# Sets traps of the shell that calls it.
in_release() {
    in_release=$1
    case $2 in
        private) private_network=--net ;;
        *) private_network= ;;
    esac
    shift 2
    mkdir -p build "build/$in_release"
    # In the background, so that a signal is noticed while it runs; that is why the shell makes it ignore two signals. The kernel ends
    # process 1, and with it all others, when its parent ends, and that when this shell does.
    # shellcheck disable=SC2086 # no word or one
    env --default-signal=INT,QUIT setpriv --pdeathsig=KILL unshare --mount --pid --fork --kill-child $private_network \
        sh -e -c "$enter_release" sh "$PWD/build/peers/$in_release" "$PWD" "$PWD/build/$in_release" "$@" <&0 &
    inside=$!
    trap 'kill -KILL $inside 2>/dev/null' EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
    trap 'exit 129' HUP
    inside_status=0
    wait "$inside" || inside_status=$?
    trap - EXIT INT TERM HUP
    return "$inside_status"
}

# install_cross ARCHITECTURE : in such a root, the compiler for another architecture, and of that the libraries that debian/control names.
install_cross() (
    dpkg --add-architecture "$1"
    install_packages "crossbuild-essential-$1 the compiler" "cmake the build" "ninja-build the build" || exit
    workshop=$(mktemp -d)
    trap 'rm -rf "$workshop"' EXIT
    mkdir "$workshop/debian"
    cp packaging/debian/control "$workshop/debian"
    if ! apt-get build-dep -y --no-install-recommends "-a$1" "$workshop" >"$workshop/log" 2>&1 </dev/null; then
        tail -n 20 "$workshop/log" >&2
        echo "apt-get could not install what the program needs for $1." >&2
        exit 69
    fi
)
