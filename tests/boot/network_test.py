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

    def connected(self, **options):
        """A boot with bootkey=connect: at a server that nothing announces."""
        server = self.serve(server={"zeroconf": False, "port": 4711, "addresses": [f"{ADDRESS}/24"]})
        machine = self.boot(self.image(), append=f"bootkey=connect:{ADDRESS}:4711 {options.pop('append', '')}", **options)
        return server, machine

    def test_connect_with_an_address_from_the_command_line(self):
        _, machine = self.connected(append="ip=192.0.2.9::192.0.2.1:255.255.255.0::enp0s2:off")
        self.told(machine)

    def test_connect_without_any_address(self):
        _, machine = self.connected()
        machine.wait_for(PROMPT, LIMIT)
        machine.type(TYPED)
        self.told(machine)


if __name__ == "__main__":
    boot_case.main()
