# SPDX-License-Identifier: GPL-3.0-or-later
#
# The Debian packages that building, packaging, testing and the demonstration need, each with its reason, and the
# function that installs the missing ones. Sourced by tools/demo, tools/package, tools/test, tools/fuzz and tools/lint, from the
# repository's root; the only place where packages are named, but for packaging/debian/control.
#
# The lists hold on Debian 12 and 13. What a release may lack has a question mark behind its name, and is left out there: apt decides.
# No list names a package of a shared library, since those are called otherwise in each release (see library_packages).

build_packages="
    g++                 the compiler
    cmake               the build
    ninja-build         the build
    pkgconf             finds the libraries
    libgnutls28-dev     TLS with raw public keys
    libavahi-core-dev   Zeroconf without a daemon
    libgpgme-dev        OpenPGP decryption
    libmnl-dev          interfaces and addresses over netlink
    libevent-dev        the event loop
    libseccomp-dev      filters of system calls
    libcap-ng-dev       giving up capabilities
"

test_packages="
    ccache              compiles nothing twice
    mold                links the programs of the tests fast
    catch2              unit tests
    mandoc              checks the manual page
    python3             the test network
    openssl             makes TLS key files in PEM
    strace              lets system calls fail
    nftables            loses packets
    qemu-system-x86     a machine with a wall clock of its own
    busybox             its programs
    e2fsprogs           its file systems
    cryptsetup          its askpass, which is answered
    openvpn             the network hook that runs it
    wireguard-tools     the network hook that runs wg
    wireguard-go        the other end of its tunnel
    wpasupplicant       the network hook that runs it
    initramfs-tools-core looks into images of initial RAM disks
    cpio                makes such images
    cryptsetup-bin      tries passwords on encrypted volumes
    openssh-client      a person who logs in over SSH
"

# What tests/interop needs beside test_packages: the programs that speak the protocol of the management interface.
interop_packages="
    openvpn             whose protocol it is
    golang-go           builds a client
    golang-github-apparentlymart-go-openvpn-mgmt-dev?  the library it is made of
    netcat-openbsd      a person's client
    socat               another one
    expect              a person's script
"
# A Node.js that is not Debian's brings npm itself, and Debian's cannot be installed beside it.
command -v npm >/dev/null || interop_packages="$interop_packages
    npm                 fetches a client, and brings nodejs, which runs it
"

network_packages="
    python3             the test network
    iproute2            bridges and virtual interfaces
    mandos              the real password server
    avahi-daemon        its announcements
    dbus-daemon         its system bus
    gpg                 keys and secrets
    gpg-agent           keys and secrets
"

# What tools/package needs beside build_packages.
package_packages="
    build-essential     what every Debian package may expect
    debhelper           the steps of making a Debian package
    dpkg-dev            runs them
    lintian             looks for mistakes in the package
"

# What tests/package needs beside package_packages.
package_test_packages="
    debootstrap         the system that the package is installed into
    shellcheck          looks for mistakes in shell scripts
    dash                runs the boot scripts, as busybox does
    kmod                indexes a kernel's modules
"

# What make_debian puts into its system beside what the package depends on.
target_packages="
    busybox             the usual programs of an initial RAM disk
    zstd                compresses it
"

# What the tests in emulated machines install into that system, where a case needs it.
boot_packages="
    plymouth                asks for the password in pictures
    dropbear-initramfs      lets a person in over SSH
    iproute2                makes interfaces, for network hooks
    wireguard-tools         the network hook that runs wg
    systemd-sysv            makes a whole system of it
    keyutils                keeps one passphrase for several disks, for keyscript=decrypt_keyctl
"

# What tools/lint needs beside build_packages and test_packages: the versions that made the style.
lint_packages="
    clang               sees the errors that its compiler sees
    clang-format-14     looks at the layout
    clang-tidy-14       looks for mistakes
"

fuzz_packages="
    clang               the compiler with libFuzzer
    libclang-rt-dev     libFuzzer and the sanitizers
    llvm                readable stack traces, and reports on coverage
    python3             runs the targets
"

# Daemons that the packages above bring; installing them here must not make the machine run them, now or after a reboot.
unwanted_daemons="mandos avahi-daemon openvpn"

# Print the package names (first column) of the lists given.
package_names() {
    printf '%s\n' "$@" | awk 'NF { print $1 }' | sort -u
}

is_installed() {
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

# Whether apt could install a package.
has_candidate() {
    LC_ALL=C apt-cache policy "$1" 2>/dev/null | grep -q 'Candidate: [0-9]'
}

# Whether apt knows any packages but those that are installed.
knows_packages() {
    [ -n "$(find /var/lib/apt/lists -maxdepth 1 -name '*_Packages*' -print -quit 2>/dev/null)" ]
}

# install_packages LIST... : install what is missing from the lists; quiet and quick when nothing is. Must be root then.
install_packages() (
    missing= optional=
    for name in $(package_names "$@"); do
        is_installed "${name%\?}" && continue
        case $name in
            *\?) optional="$optional ${name%\?}" ;;
            *) missing="$missing $name" ;;
        esac
    done
    if [ -n "$optional" ] && ! knows_packages && [ "$(id -u)" = 0 ]; then
        apt-get update >/dev/null 2>&1
    fi
    for name in $optional; do
        if has_candidate "$name"; then
            missing="$missing $name"
        fi
    done
    [ -n "$missing" ] || exit 0
    if [ "$(id -u)" != 0 ]; then
        echo "Packages are missing and only root can install them. As root: apt-get install$missing" >&2
        exit 77
    fi
    fresh_daemons=
    for name in $unwanted_daemons; do
        is_installed "$name" || fresh_daemons="$fresh_daemons $name"
    done

    echo "Installing:$missing"
    forbid_daemons
    trap allow_daemons EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
    log=$(mktemp)
    export DEBIAN_FRONTEND=noninteractive
    # shellcheck disable=SC2086 # a list of words
    if ! { apt-get update && apt-get install -y --no-install-recommends $missing; } >"$log" 2>&1 </dev/null; then
        echo "apt-get could not install:$missing" >&2
        tail -n 20 "$log" >&2
        rm -f "$log"
        exit 69
    fi
    rm -f "$log"
    for name in $fresh_daemons; do
        if is_installed "$name"; then
            update-rc.d "$name" disable >/dev/null 2>&1 || :
            if command -v systemctl >/dev/null; then
                systemctl --quiet disable "$name" >/dev/null 2>&1 || :
            fi
        fi
    done
)

# While packages are being installed no service may be started: invoke-rc.d and deb-systemd-invoke ask this program.
policy=/usr/sbin/policy-rc.d
policy_before=/usr/sbin/policy-rc.d.before-bootkey

forbid_daemons() {
    if [ -e "$policy" ] && [ ! -e "$policy_before" ]; then
        mv "$policy" "$policy_before"
    fi
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
}

allow_daemons() {
    rm -f "$policy"
    if [ -e "$policy_before" ]; then
        mv "$policy_before" "$policy"
    fi
}

# fetch_mandos_client DIRECTORY : Debian's mandos-client, unpacked into the directory and not installed; it is what bootkey
# is compared with. The program is then $1/usr/lib/*/mandos/plugins.d/mandos-client.
fetch_mandos_client() (
    set -- "$1" "$1.new"
    [ ! -d "$1" ] || exit 0
    rm -rf "$2"
    mkdir -p "$2"
    cd "$2" || exit 73
    if ! apt-get -o APT::Sandbox::User=root download mandos-client >apt.log 2>&1; then
        apt-get update >apt.log 2>&1
        apt-get -o APT::Sandbox::User=root download mandos-client >apt.log 2>&1 || { cat apt.log >&2; exit 69; }
    fi
    dpkg -x mandos-client_*.deb . && rm -f apt.log mandos-client_*.deb && mv "$2" "$1"
)

# kernel_packages : the packages that hold Debian's kernel and its modules: one, or since Debian 14 several that it depends on.
kernel_packages() {
    kernel=$(apt-cache depends linux-image-amd64 2>/dev/null | awk '$1 == "Depends:" && $2 ~ /^linux-image-/ { print $2; exit }')
    [ -n "$kernel" ] || return
    echo "$kernel"
    apt-cache depends "$kernel" | awk '$1 == "Depends:" && $2 ~ /^linux-(binary|modules)-/ { print $2 }'
}

# fetch_kernel DIRECTORY : Debian's kernel and its modules, unpacked into the directory and not installed; for emulated machines.
fetch_kernel() (
    set -- "$1" "$1.new"
    [ ! -d "$1" ] || exit 0
    rm -rf "$2"
    mkdir -p "$2"
    cd "$2" || exit 73
    packages=$(kernel_packages)
    # shellcheck disable=SC2086 # a list of words
    if [ -z "$packages" ] || ! apt-get -o APT::Sandbox::User=root download $packages >apt.log 2>&1; then
        apt-get update >apt.log 2>&1
        apt-get -o APT::Sandbox::User=root download $(kernel_packages) >apt.log 2>&1 || { cat apt.log >&2; exit 69; }
    fi
    for package in linux-*.deb; do
        dpkg -x "$package" . || exit 73
    done
    rm -f apt.log linux-*.deb
    [ -e lib ] || ln -s usr/lib lib  # since Debian 13 the modules are below /usr
    mv "$2" "$1"
)

# library_packages : the packages of the shared libraries that the program is linked with: of all that CMakeLists.txt asks pkg-config
# for. What they need themselves comes with them.
library_packages() {
    modules=$(sed -n 's/^pkg_check_modules(.* IMPORTED_TARGET \([a-z_-]*\).*/\1/p' CMakeLists.txt)
    # shellcheck disable=SC2086 # a list of words
    for flag in $(pkg-config --libs-only-l $modules); do
        readlink -f "$(c++ -print-file-name="lib${flag#-l}.so")"
    done | sed 's,.*/,*/,' | sort -u | xargs dpkg-query --search | cut -d : -f 1 | sort -u
}

# declared_packages : what packaging/debian/control itself says that the package depends on.
declared_packages() {
    sed -n '/^Depends:/,/^[^D ]/ { s/^Depends:/ /; /^ /p }' packaging/debian/control | tr , '\n' | awk 'NF && $1 !~ /^\$/ { print $1 }'
}

# mirror_of_debian : where this machine has its own release from.
mirror_of_debian() {
    suite=$(. /etc/os-release && echo "$VERSION_CODENAME")
    # shellcheck disable=SC2016 # apt-get's own variables
    apt-get indextargets --format '$(CODENAME) $(REPO_URI)' | awk -v suite="$suite" '$1 == suite { print $2; exit }'
}

# make_debian DIRECTORY : a small Debian system of this machine's release, with all that the package depends on and what
# makes an initial RAM disk, in the directory; for chroots.
make_debian() (
    [ ! -d "$1" ] || exit 0
    names=$({ declared_packages; library_packages; package_names "$target_packages"; } | paste -s -d ,)
    bootstrap_debian "$(. /etc/os-release && echo "$VERSION_CODENAME")" "$1" --include="$names"
)

# bootstrap_debian RELEASE DIRECTORY [OPTION...] : a small Debian system in the directory, which is there when it is complete. Options
# as of debootstrap(8).
bootstrap_debian() (
    release=$1
    directory=$2
    shift 2
    rm -rf "$directory.new"
    mkdir -p "$directory.new"
    # debootstrap leaves file systems mounted in the new system; here they go with the namespace.
    if ! unshare --mount debootstrap --variant=minbase "$@" "$release" "$directory.new" "$(mirror_of_debian)" >"$directory.log" 2>&1; then
        tail -n 20 "$directory.log" >&2
        exit 69
    fi
    rm -rf "$directory.new"/var/cache/apt/archives/*.deb "$directory.new"/var/lib/apt/lists/*
    mv "$directory.new" "$directory"
    rm -f "$directory.log"
)

# fetch_boot_packages DIRECTORY DEBIAN : each of boot_packages, with what it needs that the system DEBIAN has not got, into a
# directory of its name; none is installed.
fetch_boot_packages() (
    for name in $(package_names "$boot_packages"); do
        [ ! -d "$1/$name" ] || continue
        rm -rf "$1/$name.new"
        mkdir -p "$1/$name.new/partial"
        download="apt-get -o APT::Sandbox::User=root -o Debug::NoLocking=true -o Dir::State::status=$2/var/lib/dpkg/status
            -o Dir::Cache::archives=$1/$name.new --download-only --no-install-recommends -y install $name"
        # shellcheck disable=SC2086 # a list of words
        if ! $download >"$1/$name.log" 2>&1; then
            apt-get update >"$1/$name.log" 2>&1
            $download >"$1/$name.log" 2>&1 || { tail -n 20 "$1/$name.log" >&2; exit 69; }
        fi
        rm -rf "$1/$name.log" "$1/$name.new/partial"
        mv "$1/$name.new" "$1/$name"
    done
)

# next_release : the code name of the release of Debian that follows this machine's, if there is one.
next_release() {
    case $(. /etc/os-release && echo "$VERSION_CODENAME") in
        bookworm) echo trixie ;;
    esac
}

# fetch_upgrade DIRECTORY DEBIAN RELEASE : what brings the system DEBIAN to the release, lists of packages and packages, into the directory.
# $1/apt.conf makes apt-get take them from there, if it is called with APT_CONFIG and the directory is /upgrade.
fetch_upgrade() (
    [ ! -d "$1" ] || exit 0
    rm -rf "$1.new"
    mkdir -p "$1.new/lists/partial" "$1.new/archives/partial" "$1.new/parts"
    echo "deb $(mirror_of_debian) $3 main" >"$1.new/sources.list"
    print_apt_conf() {
        for setting in Etc::sourcelist=sources.list Etc::sourceparts=parts State::lists=lists Cache::archives=archives Cache::pkgcache= Cache::srcpkgcache=; do
            value=${setting#*=}
            echo "Dir::${setting%%=*} \"${value:+$1/$value}\";"
        done
        echo 'APT::Install-Recommends "no";'
        echo 'APT::Sandbox::User "root";'
    }
    print_apt_conf /upgrade >"$1.new/apt.conf"
    print_apt_conf "$1.new" >"$1.new/here.conf"
    echo "Dir::State::status \"$2/var/lib/dpkg/status\"; Debug::NoLocking \"true\";" >>"$1.new/here.conf"
    export APT_CONFIG="$1.new/here.conf"
    if ! { apt-get update && apt-get --download-only -y dist-upgrade; } >"$1.log" 2>&1; then
        tail -n 20 "$1.log" >&2
        exit 69
    fi
    rm -rf "$1.log" "$1.new/here.conf"
    mv "$1.new" "$1"
)
