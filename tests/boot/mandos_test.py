#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Debian's mandos-client is installed, too: one of the two unlocks, by itself or as a plugin of Mandos's plugin-runner."""

import boot_case
from boot_case import LIMIT, PROMPT, TYPED, UNLOCKED

PLUGIN = "mkdir -p /etc/mandos/plugins.d; ln -s /usr/sbin/bootkey /etc/mandos/plugins.d/mandos-client"


class MandosTest(boot_case.BootCase):
    def test_mandos_client_goes_on(self):
        self.serve()
        booted = self.told(self.boot(self.image(mandos_client=True)))
        self.assertFalse([path for path in booted["files"] if path.startswith("/run/bootkey")])

    def test_bootkey_takes_over_by_one_setting(self):
        self.serve()
        image = self.image(mandos_client=True, settings={"/etc/bootkey/initramfs.conf": "CLIENT=bootkey\n"})
        booted = self.told(self.boot(image))
        self.assert_put_back(booted)
        self.assertRegex("\n".join(booted["log"]), "was given to the prompt for device root")

    def test_plugin(self):
        self.serve()
        self.assert_put_back(self.told(self.boot(self.image(mandos_client=True, commands=PLUGIN))))

    def test_plugin_while_a_person_types(self):
        machine = self.boot(self.image(mandos_client=True, commands=PLUGIN))
        machine.wait_for(PROMPT, LIMIT)  # of Mandos's password-prompt
        machine.type(TYPED)
        self.assert_put_back(self.told(machine))

    def test_plugin_whose_stop_hook_hangs_while_a_person_types(self):
        """plugin-runner waits for all plugins to end, and the boot for plugin-runner."""
        hook = b"#!/bin/sh\n[ $1 != stop ] || { echo stop >>/run/hook; trap '' TERM; sleep 1000; }\n"
        machine = self.boot(self.image(mandos_client=True, commands=PLUGIN, added={"/usr/lib/mandos/network-hooks.d/hang": (0o755, hook)}))
        machine.wait_for(PROMPT, LIMIT)
        machine.stays_silent_of(UNLOCKED, 3)
        machine.type(TYPED)
        machine.wait_for(UNLOCKED, LIMIT)
        booted = self.told(machine)
        self.assertIn("/run/hook", booted["files"])
        self.assert_put_back(booted)


if __name__ == "__main__":
    boot_case.main()
