#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The crypttab names bootkey's keyscript, which asks a person and the network at once."""

import boot_case
from boot_case import LIMIT, PROMPT, TYPED

KEYSCRIPT = boot_case.CRYPTTAB.format(options=",keyscript=/lib/bootkey/keyscript")


class KeyscriptTest(boot_case.BootCase):
    def keyscript_image(self, **options):
        return self.image(crypttab=KEYSCRIPT, **options)

    def test_without_a_person(self):
        self.serve()
        self.assert_put_back(self.told(self.boot(self.keyscript_image())))

    def test_typed_while_no_server_is_there(self):
        machine = self.boot(self.keyscript_image())
        machine.wait_for(PROMPT, LIMIT)
        machine.type(TYPED)
        self.assert_put_back(self.told(machine))

    def test_old_password_comes_first(self):
        self.serve(b"the old one")
        self.serve(approval_delay="3s", approved_by_default="True")
        self.assert_put_back(self.told(self.boot(self.keyscript_image())))

    def test_only_a_wrong_password_comes(self):
        self.serve(b"not this one")
        machine = self.boot(self.keyscript_image())
        machine.wait_for(r"(?s)unlock disk.*unlock disk", LIMIT)
        machine.stays_silent_of(r"(?s)(unlock disk.*){3}", 5)
        machine.type(TYPED)
        self.assert_put_back(self.told(machine))

    def test_keys_are_missing(self):
        self.typed_although(self.keyscript_image(added=boot_case.removed("/conf/conf.d/mandos")))

    def test_library_is_missing(self):
        self.typed_although(self.keyscript_image(added=boot_case.removed("/usr/lib/x86_64-linux-gnu/libgnutls.so.30*")))

    def test_program_is_missing(self):
        self.typed_although(self.keyscript_image(added=boot_case.removed("/usr/sbin/bootkey")))

    def test_worker_that_crashes_again_and_again(self):
        self.typed_although(self.keyscript_image(added=boot_case.CRASHING), serve=False)

    def test_monitor_is_killed(self):
        self.typed_although(self.keyscript_image(added=boot_case.script("(while ! kill -KILL $(pidof bootkey); do sleep 0.1; done) 2>/dev/null &")))


if __name__ == "__main__":
    boot_case.main()
