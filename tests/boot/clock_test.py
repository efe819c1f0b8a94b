#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The wall clock is set while bootkey searches, as it is on a machine without a clock of its own that learns the time from others.

avahi-core reckons by the wall clock and would wait for years after a jump backwards. The server's answers get through only after that,
when the single questions are over, so that nothing but a new question of the browser finds it. At last the clock is older than
the keys.
"""

import signal
import subprocess
import sys

import guest
import netns_case
from netns_case import PASSWORD

SILENCE = ["nft", "add table inet loss; add chain inet loss out { type filter hook output priority 0; }; "
                  "add rule inet loss out udp sport 5353 drop"]
SPEAK = ["nft", "delete table inet loss"]
SCRIPT = """
bootkey --verb=4 --delay=60 --retry=1 --pubkey=/keys/pubkey.txt --seckey=/keys/seckey.txt \\
        --tls-pubkey=/keys/tls-pubkey.pem --tls-privkey=/keys/tls-privkey.pem </dev/null >/run/password 2>/run/log &
program=$!
for i in $(seq 600); do grep -q 'is usable' /run/log && break; sleep 0.1; done
echo "SEARCHING"
sleep 7  # single questions go out for 3 s and are listened to for 3 s more
date -s @2145916800 >/dev/null  # 2038
sleep 1
date -s @978307200 >/dev/null  # 2001
sleep 1
echo "SET $(date +%Y)"
wait $program
status=$?
cat /run/log
echo "STATUS $status"
echo "PASSWORD $(cat /run/password)."
sync
poweroff -f
"""


# Seconds on a machine that has much else to do.
LIMIT = 120


class ClockTest(netns_case.NetnsCase):
    def test_jumps_both_ways_while_searching(self):
        signal.alarm(4 * LIMIT)
        keys = self.lab.keys()
        server = self.lab.mandos([keys.section(PASSWORD)])
        server.host.check(SILENCE)
        stripped = self.lab.path("bootkey")  # a tenth of it, all of which the guest would have to unpack
        subprocess.run(["strip", "-o", stripped, self.bootkey], check=True)
        programs = {"/bin/bootkey": stripped, "/usr/bin/gpg": "/usr/bin/gpg", "/usr/bin/gpg-agent": "/usr/bin/gpg-agent"}
        texts = {f"/keys/{name}": f"{keys.directory}/{name}"
                 for name in ("pubkey.txt", "seckey.txt", "tls-pubkey.pem", "tls-privkey.pem")}
        machine = guest.Guest(self.lab, guest.initial_ram_disk(programs, texts, SCRIPT))
        self.addCleanup(machine.close)
        machine.wait_for("^SEARCHING$", LIMIT)
        machine.wait_for("^SET 2001$", LIMIT)
        server.host.check(SPEAK)
        machine.wait_for(r"^PASSWORD .*\.$", LIMIT)  # the browser asks after 0, 1, 3, 7 and 15 s (RFC 6762, section 5.2)
        self.assertIn(f"PASSWORD {PASSWORD.decode()}.", machine.said())
        self.assertIn("STATUS 0", machine.said())
        self.assertGreaterEqual(machine.said().count("the wall clock was set"), 2)


if __name__ == "__main__":
    reason = guest.why_unavailable()
    if reason:
        print(f"skipped: {reason}")
        sys.exit(netns_case.SKIPPED)
    netns_case.main()
