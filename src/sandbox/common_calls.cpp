// SPDX-License-Identifier: GPL-3.0-or-later
#include <asm/termbits.h>  // the size of TCGETS2's structure, which <termios.h> has not got
#include <fcntl.h>
#include <linux/prctl.h>
#include <sys/ioctl.h>

#include <cerrno>

#include "bootkey/sandbox/system_calls.hpp"

namespace bootkey::sandbox {

CallTable common_calls() {
    return {
        // Memory: malloc, stacks of GMP, base::Secret. New memory comes by mmap, which each role has in its own way.
        allow("brk"),
        allow("munmap"),
        allow("mremap"),
        allow("madvise"),
        allow("mlock"),
        allow("munlock"),

        // Time. Usually the vDSO answers; with some clock sources (acpi_pm, hpet) it has to ask the kernel.
        allow("clock_gettime"),
        allow("clock_gettime64"),
        allow("gettimeofday"),
        allow("time"),
        allow("nanosleep"),
        allow("clock_nanosleep"),
        allow("clock_nanosleep_time64"),
        allow("timerfd_create"),  // libevent's precise timers; discovery's watch on the wall clock
        allow("timerfd_settime"),
        allow("timerfd_settime64"),

        // What is open already.
        allow("read"),
        allow("write"),
        allow("writev"),
        allow("close"),
        allow("lseek"),  // stdio
        allow("_llseek"),
        allow("fstat"),
        allow("fstat64"),
        // Not every command: F_SETOWN and F_SETSIG make the kernel send signals.
        allow("fcntl", {int_is(1, F_GETFD)}),
        allow("fcntl", {int_is(1, F_SETFD)}),
        allow("fcntl", {int_is(1, F_GETFL)}),
        allow("fcntl", {int_is(1, F_SETFL)}),
        allow("fcntl", {int_is(1, F_DUPFD)}),
        allow("fcntl", {int_is(1, F_DUPFD_CLOEXEC)}),
        allow("fcntl64", {int_is(1, F_GETFD)}),
        allow("fcntl64", {int_is(1, F_SETFD)}),
        allow("fcntl64", {int_is(1, F_GETFL)}),
        allow("fcntl64", {int_is(1, F_SETFL)}),
        allow("fcntl64", {int_is(1, F_DUPFD)}),
        allow("fcntl64", {int_is(1, F_DUPFD_CLOEXEC)}),
        allow("ioctl", {int_is(1, FIONREAD)}),  // avahi-core: how long a datagram is
        allow("ioctl", {int_is(1, TCGETS)}),    // stdio and gpg: isatty(3)
#ifdef TCGETS2
        allow("ioctl", {int_is(1, static_cast<std::uint32_t>(TCGETS2))}),  // the same since glibc 2.42
#endif

        // Waiting: libevent, GnuTLS, Avahi's wait until a socket takes more, GPGME.
        allow("epoll_create1"),
        allow("epoll_ctl"),
        allow("epoll_wait"),
        allow("epoll_pwait"),
        allow("poll"),
        allow("ppoll"),
        allow("ppoll_time64"),
        allow("select"),
        allow("_newselect"),
        allow("pselect6"),
        allow("pselect6_time64"),
        allow("pipe2"),  // libevent: signals come through a pipe

        // Sockets that are open already; which may be opened, and whereto, differs.
        allow("bind"),
        allow("connect"),
        allow("getpeername"),
        allow("getsockname"),
        allow("getsockopt"),
        allow("recv"),
        allow("recvfrom"),
        allow("recvmsg"),
        allow("send"),
        allow("sendmsg"),
        allow("sendto"),
        allow("shutdown"),

        // This process. It may ask for its limits, but sets none.
        allow("getpid"),
        allow("gettid"),
        allow("getppid"),
        allow("getuid"),
        allow("getuid32"),
        allow("geteuid"),
        allow("geteuid32"),
        allow("getgid"),
        allow("getgid32"),
        allow("getegid"),
        allow("getegid32"),
        allow("getrlimit"),
        allow("ugetrlimit"),
        allow("prlimit64", {int_is(0, 0), is_null(2)}),
        allow("futex"),
        allow("futex_time64"),
        allow("sched_yield"),
        allow("getrandom"),
        allow("sysinfo"),            // qsort(3): how much memory there is
        allow("sched_getaffinity"),  // malloc: how many processors
        allow("uname"),              // avahi-core: a host name for itself
        allow("rt_sigaction"),
        allow("rt_sigprocmask"),
        allow("rt_sigreturn"),
        allow("sigreturn"),
        allow("sigaltstack"),
        allow("restart_syscall"),                          // the kernel's own, after a SIGSTOP and SIGCONT
        refuse("prctl", EINVAL, {int_is(0, PR_SET_VMA)}),  // malloc of newer C libraries: a name for its memory
        allow("exit"),
        allow("exit_group"),
    };
}

}  // namespace bootkey::sandbox
