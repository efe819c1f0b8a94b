# SPDX-License-Identifier: GPL-3.0-or-later
"""cryptsetup's real askpass on a pseudo-terminal, as cryptroot starts it, and a person who types there."""

import os
import termios
import time

import netns_case

ASKPASS = "/lib/cryptsetup/askpass"
FIFO = "/lib/cryptsetup/passfifo"
# What cryptsetup's askpass would ask in its own way, if it found it (only where it is installed).
OTHER_PROMPTS = "/bin/systemd-ask-password"


def boot(case, host):
    """Give a host a directory of cryptsetup's of its own, and nobody who asks in another way. Skips the case where there is none."""
    if not os.path.exists(ASKPASS):
        case.skipTest(f"{ASKPASS} is not installed (Debian package cryptsetup)")
    hide = f"mount --bind /dev/null {OTHER_PROMPTS}" if os.path.exists(OTHER_PROMPTS) else "true"
    folder = os.path.dirname(ASKPASS)
    host.space.may_use_syslog = False  # askpass would turn the kernel's messages off for the whole machine
    host.check(["sh", "-c", f"mount -t tmpfs -o mode=0755 boot /mnt && cp -a {folder}/. /mnt/ && mount --move /mnt {folder} && {hide}"])


class Terminal:
    """A pseudo-terminal: `slave` is for the program, the rest is the person's side."""

    def __init__(self, case):
        self.master, self.slave = os.openpty()
        case.addCleanup(os.close, self.master)
        case.addCleanup(os.close, self.slave)

    def type(self, text):
        os.write(self.master, text)

    def echoes(self):
        """Whether what is typed can be seen."""
        return bool(termios.tcgetattr(self.slave)[3] & termios.ECHO)


class Prompt(Terminal):
    """An askpass that asks for a device's password; it is there when this is made."""

    def __init__(self, case, host, device="root", tried=0, tries=None, wait=True, command=(ASKPASS, "Please unlock: "), variables=None,
                 text="Please unlock"):
        """`command`: what asks; `variables`: more of its environment; `text`: by which it asks."""
        super().__init__(case)
        environment = {**host.environment, "CRYPTTAB_NAME": device, "CRYPTTAB_TRIED": str(tried),
                       "CRYPTTAB_OPTION_tries": str(tries) if tries is not None else None}
        environment = {name: value for name, value in environment.items() if value is not None and (device or "CRYPT" not in name)}
        environment.update(variables or {})
        self.case = case
        self.process = host.start(list(command), stdin=self.slave, environment=environment)
        case.addCleanup(self.process.kill)
        if wait:
            self.process.wait_for_error(text)

    def answer(self, timeout=10):
        """What it printed; it must end with success."""
        result = self.process.finish(timeout)
        self.case.assertEqual(result.status, 0, result)
        return result.output

    def assert_unanswered(self, seconds=1.0):
        """It waits, and goes on waiting."""
        self.case.alive(self.process, seconds)


class AskpassCase(netns_case.NetnsCase):
    def setUp(self):
        super().setUp()
        self.keys = self.lab.keys()
        self.host = self.lab.client()
        boot(self, self.host)

    def serve(self, password=netns_case.PASSWORD, **options):
        """A Mandos server with this password for us."""
        return self.lab.mandos([self.keys.section(password)], **options)

    @staticmethod
    def wait(seconds):
        time.sleep(seconds)
