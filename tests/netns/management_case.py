# SPDX-License-Identifier: GPL-3.0-or-later
"""What the cases of the management interface have in common: a bootkey that has one, and its clients."""

import netns_case
from management_client import ManagementClient
from netns_case import PASSWORD

BANNER = ">INFO:OpenVPN Management Interface Version 5 -- type 'help' for more info"
# What has been added to a host while bootkey waits there.
ONLY_BOOTKEY = [r"^process is new: [0-9]+: \S+/bootkey "]


class ManagementCase(netns_case.NetnsCase):
    def setUp(self):
        super().setUp()
        self.socket = self.lab.path("management")

    def manage(self, client, keys, *options, **process_options):
        """A bootkey with the interface, and the first client of it."""
        run = self.start(client, *keys.options, f"--management=unix:{self.socket}", *options, **process_options)
        return run, self.join()

    def join(self, where=None):
        """One more client, who has read the banner."""
        management = ManagementClient(where or self.socket)
        self.addCleanup(management.close)
        self.assertEqual(management.until("^>INFO"), BANNER)
        return management

    def slow_server(self, keys, **settings):
        """A server that waits for a person's approval, which does not come."""
        return self.lab.mandos([keys.section(PASSWORD, approval_delay="1h", approved_by_default="False", **settings)])

    @staticmethod
    def states(lines):
        """Names and descriptions of the states in notifications or in a reply."""
        fields = [line.removeprefix(">STATE:").split(",") for line in lines if "," in line and not line.startswith(">LOG")]
        return [(field[1], field[2]) for field in fields]

    def no_socket_is_left(self):
        self.assertFalse(self.lab.exists("management"))
