#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Networks that a booting machine may find: cards that come late or have no cable, servers in other places, addresses by DHCP."""

import os
import re

import boot_case
import target
from boot_case import CARD, LIMIT, PROMPT, STATIC, STATIC_IP, TYPED, UNLOCKED

ADDRESS = "192.0.2.1"
LEASED = "192.0.2.77"
CONNECT = f"bootkey=connect:{ADDRESS}:4711"


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

    # -- servers that only who knows their address finds

    def serve_by_address(self):
        """A server that is not announced, and has an IPv4 address; its host."""
        return self.serve(server={"zeroconf": False, "port": 4711, "addresses": [f"{ADDRESS}/24"], "own": True}).host

    def test_connect_without_any_address(self):
        """Nobody answers DHCP requests, and a person need not wait for the end of them, which takes four minutes."""
        self.serve_by_address()
        machine = self.boot(self.image(), append=CONNECT)
        machine.wait_for(PROMPT, LIMIT)
        machine.stays_silent_of(UNLOCKED, 3)
        machine.type(TYPED)
        machine.wait_for(UNLOCKED, 100)
        booted = self.told(machine)
        self.assert_put_back(booted)
        self.assertFalse([line for line in booted["processes"] if "ipconfig" in line])

    def test_connect_with_an_address_by_dhcp(self):
        host = self.serve_by_address()
        self.serve_addresses(host)
        self.assert_configured(self.told(self.boot(self.image(), append=CONNECT)), LEASED)

    def test_connect_with_an_address_from_the_kernel_command_line(self):
        self.serve_by_address()
        self.assert_configured(self.told(self.boot(self.image(), append=f"{CONNECT} {STATIC_IP}")), STATIC)

    def test_address_from_initramfs_conf_goes_again(self):
        self.serve_by_address()
        image = self.image(settings={"/etc/initramfs-tools/conf.d/ip": STATIC_IP.replace("ip=", "IP=") + "\n",
                                     "/etc/bootkey/bootkey.conf": f"server={ADDRESS}:4711\n",
                                     "/etc/bootkey/initramfs.conf": "KEEP_ADDRESS=no\n"})
        booted = self.told(self.boot(image))
        self.assertRegex("\n".join(booted["log"]), rf"was given to the prompt for device root(.|\n)*removed address {STATIC}/24 from interface {CARD}")
        with open(os.path.join(target.PEERS, "debian/usr/share/initramfs-tools/init")) as init:
            if "configure_networking" in init.read():  # Debian 13's does all of it once more, when every script has run
                return self.assertIn(STATIC, "\n".join(booted["addresses"]))
        self.assert_put_back(booted)
        self.assertNotIn(STATIC, "\n".join(booted["addresses"]))

    def test_server_of_mandos_client(self):
        host = self.serve_by_address()
        self.serve_addresses(host)
        self.assert_configured(self.told(self.boot(self.image(), append=f"mandos=connect:{ADDRESS}:4711")), LEASED)

    def assert_configured(self, booted, address):
        """bootkey has unlocked the disk and gone, and the network is as the kernel command line wants it."""
        self.assertRegex("\n".join(booted["log"]), "was given to the prompt for device root")
        self.assertRegex("\n".join(booted["addresses"]), rf"{CARD} .*inet {address}/24")
        self.assertFalse([line for line in booted["processes"] if re.search(r"bootkey|ipconfig", line)])

    @staticmethod
    def serve_addresses(host):
        """A DHCP server with one address to give."""
        settings = host.lab.file("udhcpd.conf", f"start {LEASED}\nend {LEASED}\ninterface eth0\nlease_file /run/leases\n"
                                                "pidfile /run/udhcpd.pid\nopt subnet 255.255.255.0\n")
        host.check(["sh", "-c", ": >/run/leases"])
        host.start(["busybox", "udhcpd", "-f", settings], log=host.lab.path("logs", "udhcpd"))


if __name__ == "__main__":
    boot_case.main()
