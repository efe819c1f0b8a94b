#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plymouth is installed: it asks for the password, on behalf of askpass; with `splash` on the kernel command line in pictures."""

import boot_case
from boot_case import LIMIT, PROMPT, TYPED


class PlymouthTest(boot_case.BootCase):
    def plymouth(self, append="splash", **options):
        """A guest with Plymouth."""
        return self.boot(self.image(packages=["plymouth"], **options), append=append)

    def assert_plymouth_asked(self, booted):
        """Plymouth goes on in the real system; its client, which has asked, does not."""
        processes = "\n".join(booted["processes"])
        self.assertIn("plymouthd", processes)
        self.assertNotIn("ask-for-password", processes)
        self.assert_put_back(booted)

    def test_without_a_person(self):
        self.serve()
        self.assert_plymouth_asked(self.told(self.plymouth()))

    def test_typed_while_no_server_is_there(self):
        machine = self.plymouth()
        machine.wait_for(PROMPT, LIMIT)
        machine.type(TYPED)
        self.assert_plymouth_asked(self.told(machine))

    def test_old_password_comes_first(self):
        self.serve(b"the old one")
        self.serve(approval_delay="3s", approved_by_default="True")
        self.assert_plymouth_asked(self.told(self.plymouth()))

    def test_keyscript(self):
        self.serve()
        crypttab = boot_case.CRYPTTAB.format(options=",keyscript=/lib/bootkey/keyscript")
        self.assert_plymouth_asked(self.told(self.plymouth(crypttab=crypttab)))

    def test_without_splash(self):
        self.serve()
        self.assert_plymouth_asked(self.told(self.plymouth(append="")))

    def test_typed_without_splash(self):
        machine = self.plymouth(append="")
        machine.wait_for(PROMPT, LIMIT)
        machine.type(TYPED)
        self.assert_plymouth_asked(self.told(machine))


if __name__ == "__main__":
    boot_case.main()
