# SPDX-License-Identifier: GPL-3.0-or-later
#
# Work in a chroot. A process that enters a mount namespace leaves its chroot: the kernel gives it the root of that namespace. Sourced by
# tools/test and tools/demo.

# own_root PROGRAM [ARGUMENT...] : in a chroot, start the program again, in a mount namespace whose root is what is / here. Elsewhere, and
# where there can be no namespaces, do nothing.
own_root() {
    root_of_namespace=$(nsenter --mount=/proc/self/ns/mnt stat -L -c %d:%i / 2>/dev/null) || return 0
    [ "$root_of_namespace" != "$(stat -L -c %d:%i /)" ] || return 0
    # shellcheck disable=SC2016 # for the shells that it starts
    exec unshare --mount --propagation unchanged sh -e -c '
        exec 9</
        exec nsenter --mount=/proc/self/ns/mnt sh -e -c "$0" "$PWD" "$@"
    ' '
        root=$(readlink /proc/self/fd/9)
        exec 9<&-
        mount --make-rprivate /
        mount --rbind "$root" "$root"
        cd "$root"
        pivot_root . mnt
        umount -l /mnt
        cd "$0"
        exec "$@"
    ' "$@"
}
