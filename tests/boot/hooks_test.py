#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Network hooks that make interfaces at boot, of kinds that the machine's own kernel may not know: the guest's does, if the hook has
brought the module into the image."""

import base64
import hashlib

import boot_case
import trunk
from boot_case import CARD, STATIC

HOOKS = "/etc/bootkey/network-hooks.d"
VLAN = 7
TUNNEL_NETWORK = "fd00:7::"


def wireguard_key(name):
    """A private key, always the same, so that the image is."""
    return base64.b64encode(hashlib.sha256(name.encode()).digest()).decode()


class HooksTest(boot_case.BootCase):
    def hook_image(self, name, configuration, settings=None, packages=("iproute2",)):
        """An image in which a ready hook is used as bootkey-hooks(7) says."""
        return self.image(commands=f"ln -s /usr/lib/bootkey/hooks/{name} {HOOKS}/{name}", packages=packages,
                          settings={f"{HOOKS}/{name}.conf": configuration, **(settings or {})})

    def assert_unlocked_over(self, interface, machine):
        """The password has come, and the interface has been there and is gone."""
        booted = self.told(machine)
        log = "\n".join(booted["log"])
        self.assertIn(f"interface {interface}: running", log)
        self.assertIn("was given to the prompt for device root", log)
        self.assertNotIn(interface, "\n".join(booted["links"]))
        self.assert_put_back(booted)
        return log

    def test_vlan(self):
        port = trunk.start(self.lab, VLAN)  # the only way to the LAN
        self.addCleanup(port.kill)
        self.serve()
        image = self.hook_image("vlan", f"INTERFACE={CARD}.{VLAN}\nLINK={CARD}\nID={VLAN}\n")
        self.assert_unlocked_over(f"{CARD}.{VLAN}", self.boot(image, cards=0, more=trunk.card()))

    def test_bond(self):
        self.serve()
        image = self.hook_image("bond", "INTERFACE=bond7\nPORTS=enp0s2 enp0s3\n")
        log = self.assert_unlocked_over("bond7", self.boot(image, cards=2, unplugged=[0]))
        self.assertIn("interface bond7: address", log)

    def test_wireguard(self):
        server = self.serve(server={"zeroconf": False, "port": 4711, "addresses": ["192.0.2.1/24"], "own": True})
        peer = self.lay_tunnel(server.host)
        keys = (f"[Interface]\nPrivateKey = {wireguard_key('guest')}\n[Peer]\nPublicKey = {peer}\n"
                f"AllowedIPs = {TUNNEL_NETWORK}2/128\nEndpoint = 192.0.2.1:51820\n")
        image = self.hook_image(
            "wireguard", f"INTERFACE=wg7\nCONFIG=/etc/bootkey/wireguard.conf\nADDRESSES={TUNNEL_NETWORK}1/64\n"
                         f"LINK={CARD}\nLINK_ADDRESSES={STATIC}/24\n",
            {"/etc/bootkey/wireguard.conf": (0o600, keys), "/etc/bootkey/bootkey.conf": f"connect=[{TUNNEL_NETWORK}2]:4711\nverb=3\n"},
            ["iproute2", "wireguard-tools"])
        self.assert_unlocked_over("wg7", self.boot(image))

    def lay_tunnel(self, host):
        """The other end of the tunnel, made by a program since the kernel may know none; its public key."""
        public = {name: host.check(["sh", "-c", f"echo {wireguard_key(name)} | wg pubkey"]).strip() for name in ("guest", "server")}
        settings = self.lab.file("tunnel", f"[Interface]\nPrivateKey = {wireguard_key('server')}\nListenPort = 51820\n"
                                           f"[Peer]\nPublicKey = {public['guest']}\nAllowedIPs = {TUNNEL_NETWORK}1/128\n", 0o600)
        host.check(["sh", "-c", "mkdir -p /dev/net && mknod /dev/net/tun c 10 200"])
        tunnel = host.start(["wireguard-go", "--foreground", "wg0"], log=self.lab.path("logs", "wireguard-go"))
        self.addCleanup(tunnel.kill)
        host.check(["sh", "-ec", f"until [ -S /run/wireguard/wg0.sock ]; do sleep 0.05; done; wg setconf wg0 {settings}; "
                                 f"ip address add {TUNNEL_NETWORK}2/64 dev wg0 nodad; ip link set wg0 up"])
        return public["server"]


if __name__ == "__main__":
    boot_case.main()
