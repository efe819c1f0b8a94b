#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where secrets are while the program runs, and that nothing stays of them: every process's memory, files, words and log.

Each check looks at all processes of the client's host: the monitor, the worker, the decryptor, gpg-agent, gpg while it
runs, hooks. In ordinary words: the TLS key is the worker's, the OpenPGP key is gpg-agent's (and on its way there the
decryptor's and gpg's), and the password goes from gpg through the decryptor to the monitor, and is nowhere before and
after.
"""

import base64
import contextlib
import ctypes
import fcntl
import fnmatch
import glob
import os
import re
import signal
import struct
import subprocess
import termios
import time

import askpass_case
import key_material
import keysets
import lab
import netns_case
import secret_search
from management_client import ManagementClient
from netns_case import below
from secret_search import Secret

MONITOR, WORKER, DECRYPTOR, AGENT, GPG = "bootkey", "bootkey-worker", "bootkey-decrypt", "gpg-agent", "gpg"
PASSWORD, PASSPHRASE, TLS_KEY = "the password", "the passphrase", "the TLS key"
OPENPGP = OPENPGP_KEY, OPENPGP_SUBKEY, OPENPGP_FILE = "the OpenPGP key", "the OpenPGP subkey", "the OpenPGP key file's text"
# Where gpg-agent keeps keys. The lab's /run is a tmpfs.
AGENT_FILES = "/run/bootkey/bootkey-home-*/private-keys-v1.d/*.key"

_PR_CAPBSET_DROP = 24
_CAP_IPC_LOCK, _CAP_SYS_PTRACE, _CAP_SYS_RESOURCE = 14, 19, 24


def without_ptrace():
    """For the `prepare` of a process: root without the right to look into any process."""
    ctypes.CDLL(None).prctl(_PR_CAPBSET_DROP, _CAP_SYS_PTRACE, 0, 0, 0)


class SecretsTest(netns_case.NetnsCase):
    def setUp(self):
        with open(self.bootkey, "rb") as program:
            if b"__asan_" in program.read():
                self.skipTest("the address sanitizer keeps freed memory as it was")
        super().setUp()
        self.began = time.time()
        self.use(self.lab.keys())

    def use(self, keys, size=36):
        """A client with these keys, and a new password of at least `size` random bytes, in letters and digits."""
        self.keys = keys
        self.client = self.lab.client()
        self.password = base64.b64encode(os.urandom(size // 3 * 3), b"Aa")
        self.secrets = [Secret(PASSWORD, self.password)]
        if os.path.exists(keys.tls_privkey):
            self.secrets += [Secret(TLS_KEY, value, number=True) for value in key_material.tls_numbers(keys.tls_privkey).values()]
            self.secrets += [Secret(TLS_KEY, line) for line in key_material.armour_lines(keys.tls_privkey)]
        for name, numbers in zip(OPENPGP, key_material.openpgp_numbers(keys.seckey)):
            self.secrets += [Secret(name, value, number=True) for value in numbers.values()]
        with open(keys.pubkey, "rb") as file:
            public = file.read()
        lines = [line for line in key_material.armour_lines(keys.seckey) if line not in public]
        self.secrets += [Secret(OPENPGP_FILE, line) for line in lines[::3]]  # libraries copy more than three lines at once

    # -- runs

    def serve(self, **settings):
        """A server that has the password."""
        return self.lab.mandos([self.keys.section(self.password, remember=False, **settings)])

    def waiting(self, *options, **process_options):
        """A run that waits for a server's approval, its OpenPGP key ready; the server."""
        server = self.serve(approval_delay="1h", approved_by_default="False")
        run = self.start(self.client, *self.keys.options, *options, **process_options)
        run.wait_for_error(r": waiting")
        run.wait_for_error(r"the secret key is ready")
        return run, server

    def approve(self, server):
        server.set_clients([self.keys.section(self.password, remember=False)])
        server.kill()
        server.start()

    def process(self, run, name, other_than=None):
        """The pid of a process of a run, once there is one."""
        def find():
            return next((pid for pid, found in below(run.pid).items() if found == name and pid != other_than), None)
        return lab.wait_until(find, f"a process {name}")

    def narrow_pipe(self):
        """The two ends of a pipe that takes 4096 bytes."""
        reader, writer = os.pipe()
        fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
        self.addCleanup(os.close, reader)
        self.addCleanup(os.close, writer)
        return reader, writer

    def slow_stop_hook(self):
        """A network hook that takes its time when it is stopped; the options for it, and how to wait until it is."""
        path = self.lab.file("hooks/slow", f"#!/bin/sh\n[ $1 = start ] || {{ : >{self.lab.path('stopping')}; sleep 2.5; }}\n", 0o755)
        return f"--network-hook-dir={os.path.dirname(path)}", lambda: lab.wait_until(lambda: self.lab.exists("stopping"), "the stop hook")

    @contextlib.contextmanager
    def frozen(self, run):
        """While this lasts no process of the run gets on; {pid: name}."""
        stopped = {}
        with contextlib.suppress(ProcessLookupError):
            os.kill(run.pid, signal.SIGSTOP)
            stopped[run.pid] = MONITOR
        while new := {pid: name for pid, name in below(run.pid).items() if pid not in stopped}:
            for pid in new:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGSTOP)
            stopped.update(new)
        try:
            yield stopped
        finally:
            for pid in stopped:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)

    # -- checks

    def whereabouts(self, processes=None):
        """Who has which secret in memory: {secret: {process's name: {Mapping}}}."""
        found = {}
        for pid, name in (processes or secret_search.processes_of(self.client)).items():
            for secret, mappings in secret_search.in_memory(pid, self.secrets).items():
                found.setdefault(secret, {}).setdefault(name, set()).update(mappings)
        return found

    def check_memory(self, allowed, processes=None):
        """No process but those allowed, as {secret: names}, has a secret in memory; the whereabouts."""
        found = self.whereabouts(processes)
        for secret, holders in found.items():
            for name in holders.keys() - set(allowed.get(secret, ())):
                self.fail(f"{secret} is in the memory of {name}: {holders[name]}")
        return found

    def check_elsewhere(self, run=None):
        """No secret is in arguments, environments, open files or the file system, but for the files of a gpg-agent that runs; nor
        in what the run has said.
        """
        for pid, name in secret_search.processes_of(self.client).items():
            self.assertEqual(secret_search.in_words(pid, self.secrets), set(), f"arguments and environment of {name}")
            self.assertEqual(secret_search.in_open_files(pid, self.secrets), {}, f"open files of {name}")
        if run:
            said = run.error_bytes()
            self.assertEqual([secret.name for secret in self.secrets if secret.in_text(said)], [], "the log")
        files = self.client.space.call(secret_search.in_files, self.secrets, self.began)
        running = run and run.running()
        for secret, paths in files.items():
            paths = [path for path in paths if not (running and secret in OPENPGP and fnmatch.fnmatch(path, AGENT_FILES))]
            self.assertEqual(paths, [], f"files with {secret}")

    def check(self, run, allowed=None):
        """All of that at once; the whereabouts. By default what is allowed is what may be between answers."""
        found = self.check_memory(allowed or self.at_rest())
        self.check_elsewhere(run)
        return found

    @staticmethod
    def at_rest():
        """Who may have what between answers."""
        return {TLS_KEY: {WORKER}, **{name: {AGENT} for name in OPENPGP}}

    @staticmethod
    def at_work():
        """Who may have what at any moment."""
        return {PASSWORD: {GPG, DECRYPTOR, MONITOR}, TLS_KEY: {WORKER}, **{name: {DECRYPTOR, GPG, AGENT} for name in OPENPGP}}

    def check_over(self, run, status):
        """The run has ended like that, and has left nothing."""
        result = run.finish()
        self.assertEqual(result.status, status, result)
        self.assertEqual(self.whereabouts(), {})
        self.check_elsewhere(run)

    # -- the search itself

    def test_search_finds_what_is_in_memory(self):
        holder = self.client.start(
            ["/usr/bin/python3", "-c", "import sys; kept = sys.stdin.buffer.read(); print(flush=True); sys.stdout.close(); import time; time.sleep(600)"],
            stdin=subprocess.PIPE)
        holder.stdin.write(self.password[20:] + b"".join(secret.value[::-1] if secret.number else secret.value for secret in self.secrets[1:]))
        holder.stdin.close()
        holder.read_line()
        os.kill(holder.pid, signal.SIGSTOP)
        self.assertEqual(set(self.whereabouts()), {PASSWORD, TLS_KEY, *OPENPGP})
        with self.assertRaisesRegex(AssertionError, "in the memory of python3"):
            self.check_memory({})
        holder.kill()
        self.assertEqual(self.whereabouts(), {})

    def test_search_finds_what_is_written(self):
        encoded = base64.b64encode(b"x" + self.password)
        for where, command, variables, words in (
                ("arguments and environment of sh", ["sh", "-c", "sleep 60; :", self.password.decode()], {}, b""),
                ("arguments and environment of sleep", ["sleep", "60"], {"X": self.password.hex().upper()}, b""),
                ("open files of", ["sh", "-c", "exec >/tmp/x; rm /tmp/x; cat; exec sleep 60"], {}, self.password),
                ("files with the password", ["sh", "-c", "cat >/tmp/x; exec sleep 60"], {}, encoded),
                ("files with the password", ["sh", "-c", "cat >/run/x; exec sleep 60"], {}, encoded),
                ("files with the password", ["sh", "-c", "cat >/dev/shm/x; exec sleep 60"], {}, encoded),
                ("files with the password", ["sh", "-c", f"cat >/var/tmp/bootkey-{os.getpid()}; exec sleep 60"], {}, encoded)):
            with self.subTest(command=command):
                holder = self.client.start(command, stdin=subprocess.PIPE, environment={**self.client.environment, **variables})
                self.addCleanup(holder.kill)
                holder.stdin.write(words)
                holder.stdin.close()
                lab.wait_until(lambda: self.hit_elsewhere(where), f"a hit in {where}")
                holder.kill()
                self.client.check(["sh", "-c", f"rm -f /tmp/x /run/x /dev/shm/x /var/tmp/bootkey-{os.getpid()}"])
        self.check_elsewhere()

    def hit_elsewhere(self, where):
        """Whether a secret is found there."""
        try:
            self.check_elsewhere()
        except AssertionError as hit:
            return where in str(hit)
        return False

    # -- while it runs

    def test_while_waiting(self):
        for kinds in (("cv25519", "ed25519"), ("rsa4096", "rsa")):
            with self.subTest(kinds):
                self.use(self.lab.keys(*kinds))
                run, server = self.waiting()
                found = self.check(run)
                self.assertIn(WORKER, found[TLS_KEY])
                run.signal(signal.SIGTERM)
                self.check_over(run, -signal.SIGTERM)
                server.stop()

    def test_tls_identity_from_the_openpgp_key(self):
        """Then the worker needs that key's numbers, but neither those of its subkey, which decrypts, nor the file."""
        self.use(self.lab.keys("cv25519", tls=None))
        section = self.enroll(self.client, self.keys, password=self.password)
        os.remove(self.lab.path("password-to-enroll"))
        self.lab.mandos([section + "approval_delay = 1h\napproved_by_default = False\n"])
        run = self.start(self.client, *self.keys.options)
        run.wait_for_error(r": waiting")
        run.wait_for_error(r"the secret key is ready")
        found = self.check(run, {**self.at_rest(), OPENPGP_KEY: {WORKER, AGENT}})
        self.assertIn(WORKER, found[OPENPGP_KEY])

    def test_start_step_by_step(self):
        self.serve(approval_delay="1h", approved_by_default="False")
        run = self.start(self.client, *self.keys.options)
        seen = self.step_by_step(run, 0.001, lambda: "waiting" in run.errors() and "key is ready" in run.errors())
        self.assertIn(WORKER, seen[TLS_KEY])
        self.assertIn(DECRYPTOR, seen[OPENPGP_FILE])
        self.check(run)

    def test_decryption_step_by_step(self):
        for kinds, step in ((("cv25519", "ed25519"), 0.0003), (("rsa4096", "ed25519"), 0.003)):
            with self.subTest(kinds):
                self.use(self.lab.keys(*kinds), size=6000)
                run, server = self.waiting(stdout=self.narrow_pipe()[1])
                decryptor = self.process(run, DECRYPTOR)
                os.kill(decryptor, signal.SIGSTOP)
                self.approve(server)
                run.wait_for_error("decrypting the")
                os.kill(decryptor, signal.SIGCONT)
                lab.wait_until(lambda: GPG in below(decryptor).values() or "is decrypted" in run.errors(), "gpg")
                self.step_by_step(run, step, lambda: "is decrypted" in run.errors())
                found = self.check(run, {**self.at_rest(), PASSWORD: {MONITOR}})
                self.assertIn(MONITOR, found[PASSWORD])
                run.kill()
                self.client.run([self.bootkey, "--restore"])
                self.check_elsewhere()
                server.stop()

    def step_by_step(self, run, step, over):
        """Let the run go on for `step` seconds at a time until over() and look at each stop; all that was ever seen."""
        seen = {}
        last = False
        while run.running() and not last:
            last = over()
            with self.frozen(run) as processes:
                for secret, holders in self.check_memory(self.at_work(), processes).items():
                    seen.setdefault(secret, set()).update(holders)
            time.sleep(step)
        return seen

    def test_password_that_is_not_read(self):
        """It is in locked memory of the monitor; not of a worker that is forked meanwhile; and nowhere once the end has begun."""
        hooks, stopping = self.slow_stop_hook()
        self.use(self.keys, size=6000)
        reader, writer = self.narrow_pipe()
        run, server = self.waiting(hooks, stdout=writer)
        self.approve(server)
        run.wait_for_error("is decrypted")
        lab.wait_until(lambda: struct.unpack("i", fcntl.ioctl(reader, termios.FIONREAD, bytes(4)))[0] > 0, "output")
        worker = self.process(run, WORKER)
        os.kill(worker, signal.SIGKILL)
        self.process(run, WORKER, other_than=worker)
        lab.wait_until(lambda: self.whereabouts().get(TLS_KEY), "the new worker's key")
        found = self.check(run, {**self.at_rest(), PASSWORD: {MONITOR}})
        for mapping in found[PASSWORD][MONITOR]:
            self.assertLess({"lo", "dd", "wf"}, mapping.flags, "locked, not dumped, wiped on fork")
        run.signal(signal.SIGTERM)
        stopping()
        with self.frozen(run):
            self.check(run)
        self.check_over(run, -signal.SIGTERM)

    def test_after_the_output(self):
        hooks, stopping = self.slow_stop_hook()
        run, server = self.waiting(hooks)
        self.approve(server)
        self.assertEqual(run.read_output(len(self.password))[0], self.password)
        stopping()
        with self.frozen(run):
            self.check(run)
        self.assertTrue(run.running())
        self.check_over(run, 0)

    def test_after_a_signal(self):
        hooks, stopping = self.slow_stop_hook()
        run, _ = self.waiting(hooks)
        run.signal(signal.SIGTERM)
        stopping()
        with self.frozen(run):
            self.check(run)
        self.check_over(run, -signal.SIGTERM)

    def test_after_crashes(self):
        run, server = self.waiting()
        for name in (WORKER, DECRYPTOR):
            before = self.process(run, name)
            os.kill(before, signal.SIGSEGV)
            self.process(run, name, other_than=before)
        run.wait_for_error(r"(?s)key is ready.*key is ready")
        run.wait_for_error(r"(?s): waiting.*: waiting")
        self.check(run)
        self.assertEqual(len(self.client.space.call(glob.glob, AGENT_FILES.rsplit("/", 2)[0])), 1, "directories with keys")
        self.approve(server)
        self.assertEqual(run.finish().output, self.password)
        self.check_over(run, 0)

    def test_after_rejected_answers(self):
        good = keysets.encrypt(self.keys.pubkey, self.password)
        signers = self.lab.path("signers.asc")
        with keysets.GpgHome() as home:
            home.gpg("--passphrase", "", "--quick-generate-key", "admin@example.org", "ed25519", "sign")
            home.gpg("--armor", "--output", signers, "--export")
        for why, answer, options, rounds in (
                ("it is not signed", good, [f"--require-signature={signers}"], 4),
                # gpg notices at the end, when it has written all.
                ("cannot decrypt", good[:-1] + bytes([good[-1] ^ 1]), [], 8),
                ("it is encrypted to another key", keysets.encrypt(self.lab.keys(number=2).pubkey, self.password), [], 1),
                ("longer than 64 KiB", keysets.encrypt(self.keys.pubkey, self.password * 2000), [], 4)):
            with self.subTest(why):
                self.client = self.lab.client()
                server = self.lab.mandos([keysets.section("client", self.keys.key_id, self.keys.fingerprint, answer)])
                run = self.start(self.client, *self.keys.options, "--retry=0.7", *options)
                for number in range(1, rounds + 1):  # what is left behind is overwritten often, but not always
                    lab.wait_until(lambda: len(re.findall(f"an answer is rejected: .*{why}", run.errors())) >= number, f"rejection {number}")
                    with self.frozen(run):
                        self.check_memory(self.at_rest())
                self.check_elsewhere(run)
                run.signal(signal.SIGTERM)
                self.check_over(run, -signal.SIGTERM)
                server.stop()

    def test_password_for_askpass(self):
        """The monitor keeps it in locked memory for the next device, until a device refuses it; then only a digest."""
        askpass_case.boot(self, self.client)
        self.serve()
        run = self.start(self.client, *self.keys.options, "--askpass-fifo", "--retry=3600")
        run.wait_for_error("is decrypted")
        for device in ("root", "swap"):
            found = self.check(run, {**self.at_rest(), PASSWORD: {MONITOR}})
            for mapping in found[PASSWORD][MONITOR]:
                self.assertLess({"lo", "dd", "wf"}, mapping.flags, "locked, not dumped, wiped on fork")
            self.assertEqual(askpass_case.Prompt(self, self.client, device).answer(), self.password)
        askpass_case.Prompt(self, self.client, "root", tried=1)
        run.wait_for_error("did not open device root")
        with self.frozen(run):
            self.check(run)
        run.signal(signal.SIGTERM)
        self.check_over(run, 0)

    def test_password_beside_a_prompt(self):
        askpass_case.boot(self, self.client)
        for who in ("server", "person"):
            with self.subTest(who):
                terminal = askpass_case.Terminal(self)
                run = self.start(self.client, *self.keys.options, "--prompt", stdin=terminal.slave)
                run.wait_for_error("Please unlock")
                lab.wait_until(lambda: not terminal.echoes(), "the prompt")
                if who == "server":
                    server = self.serve()
                else:
                    terminal.type(self.password + b"\n")
                self.assertEqual(run.read_output(len(self.password))[0], self.password)
                self.check_over(run, 0)
                if who == "server":
                    server.stop()

    def test_passphrase_of_the_key(self):
        """It goes from the monitor through the decryptor and gpg to gpg-agent, which keeps it, as the decryptor does for another agent.
        It is nowhere else before and after.

        Here the process "person" is what the monitor would be.
        """
        program = os.environ.get("BOOTKEY_ANSWERING")
        if not program:
            self.fail("name the program in the environment: BOOTKEY_ANSWERING=build/dev/tests/monitor/answering_bootkey")
        words, wrong = (base64.b64encode(os.urandom(48), b"Aa") for _ in range(2))
        self.keys = keysets.make(self.lab.path("protected"), passphrase=words.decode())
        self.client = self.lab.client()
        self.password = base64.b64encode(os.urandom(36), b"Aa")
        self.secrets = [Secret(PASSWORD, self.password), Secret(PASSPHRASE, words), Secret(PASSPHRASE, wrong)]
        os.mkfifo(self.lab.path("person"), 0o600)
        hooks, stopping = self.slow_stop_hook()
        run = self.client.start([os.path.abspath(program), self.lab.path("person"), "--verb=15", *self.keys.options, hooks])
        self.addCleanup(run.kill)
        run.wait_for_error("asked anew")
        run.wait_for_error("secret key is ready")
        at_work = {PASSPHRASE: {"person", DECRYPTOR, GPG, AGENT}}
        nowhere = {PASSPHRASE: ()}
        seen = {}
        for answer, reply, at_rest in ((wrong, "asked again", nowhere), (words, "is unlocked", {PASSPHRASE: {AGENT, DECRYPTOR}})):
            with open(self.lab.path("person"), "wb", buffering=0) as fifo:
                fifo.write(answer + b"\n")
            while reply not in run.errors():
                with self.frozen(run) as processes:
                    seen.update(self.check_memory(at_work, processes))
                time.sleep(0.001)
            with self.frozen(run):
                self.check(run, at_rest)
        self.assertIn(PASSPHRASE, seen)
        self.serve()
        self.assertEqual(run.read_output(len(self.password))[0], self.password)
        stopping()
        with self.frozen(run):
            self.check(run, nowhere)
        self.check_over(run, 0)

    def test_password_typed_at_the_management_interface(self):
        """However it is typed it is in nobody's memory but while it is on its way out, and nobody is told.

        Only a word in the place of a command or of a type is told back to the client that sent it.
        """
        hooks, stopping = self.slow_stop_hook()
        path, server = self.lab.path("management"), self.serve(approval_delay="1h", approved_by_default="False")
        run = self.start(self.client, *self.keys.options, f"--management=unix:{path}", "--management-query-passwords", "--verb=15",
                         hooks)
        person, witness, careless = (ManagementClient(path) for _ in range(3))
        for client in (person, witness, careless):
            self.addCleanup(client.close)
        witness.send("log on", "state on", "echo on")
        run.wait_for_error(r": waiting")
        run.wait_for_error(r"the secret key is ready")
        typed = self.password.decode()
        for line in (f"pasword Disk {typed}", f"PASSWORD Disk {typed}", f"x {typed} {typed}", f"password {typed}",
                     f"password Auth {typed}", f"password Disk '{typed}", f'password "Disk" "{typed}', f"password Disk {typed}\\",
                     f"username Disk {typed}", f"needstr Disk {typed}", f"password Disk {typed * 6}",
                     f"password Disk {typed * 30}", typed + " " + "x" * 2000, f"password\tDisk\t'{typed}"):
            with self.subTest(line.replace(typed, "...")):
                self.assertRegex(person.ask(line)[0], "^ERROR: ")
        careless.send("pid")
        careless.send_bytes(f"password Disk {typed}".encode())
        careless.until("^SUCCESS: pid=")
        careless.close()
        run.wait_for_error("management client [0-9]+ left")
        self.check(run)
        for command in ("log all", "state all", "echo all", "status 2", "help"):
            person.ask(command)
        self.assertEqual(person.ask(f"password Disk {typed}"), ["SUCCESS: 'Disk' password entered, but not yet verified"])
        self.assertEqual(run.read_output(len(self.password))[0], self.password)
        stopping()
        with self.frozen(run):
            self.check(run)
        self.check_over(run, 0)
        told = [*person.everything, *person.rest(), *witness.rest()]
        self.assertIn(">LOG:", "".join(told))
        self.assertEqual([line for line in told if self.secrets[0].in_text(line.encode())], [])
        server.stop()

    def test_password_typed_at_the_management_interface_for_askpass(self):
        """The monitor keeps it as it keeps a server's: in locked memory, until a device refuses it."""
        askpass_case.boot(self, self.client)
        path = self.lab.path("management")
        run = self.start(self.client, *self.keys.options, "--askpass-fifo", f"--management=unix:{path}", "--management-query-passwords")
        person = ManagementClient(path)
        self.addCleanup(person.close)
        run.wait_for_error(r"the secret key is ready")
        person.send(f"password Disk {self.password.decode()}")
        self.assertEqual(askpass_case.Prompt(self, self.client, "root").answer(), self.password)
        found = self.check(run, {**self.at_rest(), PASSWORD: {MONITOR}})
        for mapping in found[PASSWORD][MONITOR]:
            self.assertLess({"lo", "dd", "wf"}, mapping.flags, "locked, not dumped, wiped on fork")
        askpass_case.Prompt(self, self.client, "root", tried=1)
        person.until("^>PASSWORD:Verification Failed: 'Disk'")
        with self.frozen(run):
            self.check(run)
        run.signal(signal.SIGTERM)
        self.check_over(run, 0)

    def test_nothing_is_said(self):
        for kinds in (("cv25519", "ed25519"), ("rsa4096", "rsa")):
            for option in ("--verb=15", "--debug"):
                with self.subTest(option):
                    self.use(self.lab.keys(*kinds))
                    server = self.serve()
                    run = self.start(self.client, *self.keys.options, option)
                    self.assertEqual(run.finish().output, self.password)
                    self.check_over(run, 0)
                    server.stop()

    # -- what keeps others out

    def test_no_process_dumps_core(self):
        run, _ = self.waiting()
        seen = set()
        for pid, name in {run.pid: MONITOR, **below(run.pid)}.items():
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # a gpg that had done its work
                with open(f"/proc/{pid}/limits") as file:
                    self.assertRegex(file.read(), r"Max core file size +0 +0 ", name)
                seen.add(name)
        self.assertLessEqual({MONITOR, WORKER, DECRYPTOR, AGENT}, seen)

    def test_no_process_lets_others_look_into_it(self):
        run, _ = self.waiting(prepare=without_ptrace)
        other = self.client.start(["setpriv", "--reuid=65533", "sleep", "60"], prepare=without_ptrace)
        same = self.client.start(["sleep", "60"], prepare=without_ptrace)
        for process in (other, same):
            self.addCleanup(process.kill)
            lab.wait_until(lambda pid=process.pid: "sleep" in secret_search.processes_of(self.client).get(pid), "sleep")
        # The owner of the files of a process that can be dumped is its user; else root (proc(5)).
        self.assertEqual(os.stat(f"/proc/{other.pid}/environ").st_uid, 65533)
        seen = set()
        for pid, name in below(run.pid).items():
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # as above
                self.assertEqual(os.stat(f"/proc/{pid}/environ").st_uid, 0, name)
                seen.add(name)
        self.assertLessEqual({WORKER, DECRYPTOR, AGENT}, seen)
        # What root may not look into without a privilege that nobody here has (ptrace(2)).
        for pid, readable in ((same.pid, True), (run.pid, False)):
            tried = self.client.run(["sh", "-c", f": </proc/{self.pid_inside(pid)}/mem"], prepare=without_ptrace)
            self.assertEqual(tried.status == 0, readable, tried)

    @staticmethod
    def pid_inside(pid):
        """The pid of a process as the host's processes see it."""
        with open(f"/proc/{pid}/status") as file:
            return next(line.split()[-1] for line in file if line.startswith("NSpid:"))

    def test_monitor_is_locked_into_memory(self):
        with open("/proc/self/status") as file:
            mine = int(next(line.split()[1] for line in file if line.startswith("CapEff:")), 16)
        if not mine & (1 << _CAP_IPC_LOCK | 1 << _CAP_SYS_RESOURCE):
            self.skipTest("needs CAP_IPC_LOCK or CAP_SYS_RESOURCE, which root has not got here")
        run, _ = self.waiting()
        with open(f"/proc/{run.pid}/smaps") as file:
            mappings = file.read().split("VmFlags: ")[1:]
        flags = [mapping.splitlines()[0].split() for mapping in mappings]
        # What the kernel may drop ("dp": the state of glibc's getrandom(3) since 2.41) is never written to swap.
        self.assertEqual([line for line in flags if "wr" in line and not {"lo", "io", "dp"}.intersection(line)], [])


if __name__ == "__main__":
    netns_case.main()
