#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Networks that a booting machine may find: cards that come late or have no cable, servers in other places, addresses by DHCP."""

import boot_case
from boot_case import LIMIT, PROMPT, TYPED

ADDRESS = "192.0.2.1"


class NetworkTest(boot_case.BootCase):
    def test_card_without_a_cable_first(self):
        self.serve()
        machine = self.boot(self.image(), cards=2, unplugged=[0])
        self.assert_put_back(self.told(machine))

    def test_card_that_comes_late_keeps_its_name(self):
        self.serve()
        machine = self.boot(self.image(), cards=0, slots=1)
        machine.wait_for(PROMPT, LIMIT)
        machine.plug_in_card()
        booted = self.told(machine)
        self.assert_put_back(booted)
        self.assertRegex("\n".join(booted["links"]), r": enp\d+s\d+: ", "the name that udev gives")

    def test_connect_without_any_address(self):
        self.serve(server={"zeroconf": False, "port": 4711, "addresses": [f"{ADDRESS}/24"]})
        machine = self.boot(self.image(), append=f"bootkey=connect:{ADDRESS}:4711")
        machine.wait_for(PROMPT, LIMIT)
        machine.type(TYPED)
        self.told(machine)


if __name__ == "__main__":
    boot_case.main()
