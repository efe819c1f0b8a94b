# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests of the management protocol have in common. Each runs against the program that BOOTKEY_PEER names: "openvpn", whose
protocol it is, which shows that the test is right, and "bootkey", which shows that bootkey speaks it.

    BOOTKEY=build/dev/src/bootkey BOOTKEY_PEER=openvpn tests/interop/clients_test.py [-k NAME]
"""

import os
import shutil
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "netns"))

import netns_case
from management_peers import Bootkey, OpenVpn

HERE = os.path.dirname(os.path.abspath(__file__))


class InteropCase(netns_case.NetnsCase):
    """A case with a host on which a program is to listen and its clients run."""

    @property
    def kind(self):
        kind = os.environ.get("BOOTKEY_PEER")
        if kind not in ("openvpn", "bootkey"):
            self.fail("say who is to listen in the environment: BOOTKEY_PEER=openvpn or BOOTKEY_PEER=bootkey")
        return kind

    def setUp(self):
        super().setUp()
        self.host = self.lab.host()

    def serve(self, *options, kind=None, **peer_options):
        """A peer with these options, which OpenVPN and bootkey both have; it finds nobody to connect to."""
        if (kind or self.kind) == "openvpn":
            return OpenVpn(self.host, *options, **peer_options)
        return Bootkey(self.host, self.bootkey, *self.lab.keys().options, *options, **peer_options)

    def need(self, program, package):
        """Skips the case where a client is not installed."""
        if not shutil.which(program):
            self.skipTest(f"{program} is not installed (Debian package {package})")

    def cache(self, name):
        """A directory for what is built once and used by many cases; hosts see it."""
        path = os.path.join(os.environ.get("BOOTKEY_TEST_CACHE") or self.lab.path("cache"), name)
        os.makedirs(path, exist_ok=True)
        return path


main = netns_case.main
