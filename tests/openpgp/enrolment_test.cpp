// SPDX-License-Identifier: GPL-3.0-or-later
//
// The section is read by Python's configparser, as the Mandos server does, its check command run by a shell, and the
// script by sh against a file of its own.
#include "bootkey/openpgp/enrolment.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <tuple>

#include "base/temporary_directory.hpp"
#include "bootkey/base/text.hpp"
#include "catch.hpp"
#include "openpgp/output_of.hpp"

using namespace bootkey;
using openpgp::Enrolment;
using openpgp::testing::output_of;

namespace {

const std::string ssh_key = "AAAAC3NzaC1lZDI1NTE5AAAAIA0vKhVYQ6Hmm+MhVYT0hYHT//NW3bC9Qb0yEXAMPLE5";

Enrolment enrolment(const std::string& name = "laptop") {
    return {name,
            "192.0.2.1",
            std::string(32, 'a') + std::string(32, '0'),
            std::string(20, 'B') + std::string(20, '1'),
            std::string("\x85\x00\n[x]\n%(y)s", 12),
            openpgp::SshHostKey{"ed25519", "ssh-ed25519", ssh_key}};
}

std::string content_of(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

void write(const std::string& path, const std::string& text, unsigned mode = 0644) {
    std::ofstream(path, std::ios::binary) << text;
    REQUIRE(chmod(path.c_str(), mode) == 0);
}

// A server's configuration, and commands of ours in the place of those that restart it and look for SSH servers.
class Server {
public:
    explicit Server(const std::string& clients_conf = "") {
        std::filesystem::create_directories(root_ / "bin");
        std::filesystem::create_directories(root_ / "etc");
        write(file(), clients_conf, 0640);
        for (const char* name : {"bin/systemctl", "bin/service"})
            write(root_ / name,
                  "#!/bin/sh\ncat >/dev/null\n[ ! -e /proc/self/fd/9 ] || echo 'inherited the lock'\necho \"$*\" >>'" +
                      (root_ / "restarts") + "'\nexit ${RESTART_STATUS:-0}\n",
                  0755);
        write(root_ / "bin/ssh-keyscan",
              "#!/bin/sh\necho \"$*\" >'" + (root_ / "asked") + "'\ncat '" + (root_ / "scanned") + "'\n", 0755);
        write(root_ / "bin/getent",
              "#!/bin/sh\nif [ \"$*\" = 'ahosts 192.0.2.1' ]; then echo '192.0.2.1 STREAM'; else exit 2; fi\n", 0755);
        write(root_ / "get.py",
              "import base64, configparser, shlex, sys\n"
              "conf = configparser.ConfigParser({'checker': 'ping'})\n"
              "conf.read(sys.argv[1])\n"
              "value = conf[sys.argv[2]][sys.argv[3]]\n"
              "if sys.argv[3] == 'secret': value = base64.b64decode(value).hex()\n"
              "if sys.argv[3] == 'checker': value = value % {'host': shlex.quote(conf[sys.argv[2]]['host'])}\n"
              "print(value, end='')\n");
    }

    [[nodiscard]] std::string file() const { return root_ / "etc/clients.conf"; }
    [[nodiscard]] std::string text() const { return content_of(file()); }
    [[nodiscard]] std::string restarts() const { return content_of(root_ / "restarts"); }
    [[nodiscard]] std::string asked() const { return content_of(root_ / "asked"); }
    [[nodiscard]] bool tidy() const {
        return std::distance(std::filesystem::directory_iterator(root_ / "etc"), {}) == 1;
    }

    // One setting of a section as the server gets it: the secret in hexadecimal, the checker with the host put in.
    [[nodiscard]] std::string setting(const std::string& section, const std::string& name) const {
        const auto result = output_of("/usr/bin/python3 '" + (root_ / "get.py") + "' '" + file() + "' '" + section +
                                      "' '" + name + "'");
        REQUIRE(result.status == 0);
        return result.text;
    }
    // Runs the script from standard input, as ssh does; its exit status and what it says.
    [[nodiscard]] openpgp::testing::Output take(const std::string& script, const std::string& variables = "") const {
        write(root_ / "script", script);
        auto result = output_of("PATH='" + (root_ / "bin") + "':$PATH CLIENTS_CONF='" + file() + "' " + variables +
                                " sh <'" + (root_ / "script") + "' 2>&1");
        result.status = WEXITSTATUS(result.status);
        return result;
    }
    // The exit status of a check command where ssh-keyscan finds `scanned`.
    [[nodiscard]] int check(const std::string& command, const std::string& scanned) const {
        write(root_ / "scanned", scanned);
        write(root_ / "command", command);
        const int status = output_of("PATH='" + (root_ / "bin") + "':$PATH sh '" + (root_ / "command") + "'").status;
        return WEXITSTATUS(status);
    }

private:
    base::testing::TemporaryDirectory root_;
};

}  // namespace

TEST_CASE("a section is what Python's configparser makes a client of") {
    const Server server("[DEFAULT]\ntimeout = PT5M\n\n" + clients_conf_section(enrolment()) +
                        clients_conf_section(enrolment("other.host")));
    CHECK(server.setting("laptop", "host") == "192.0.2.1");
    CHECK(server.setting("laptop", "key_id") == enrolment().key_id);
    CHECK(server.setting("laptop", "fingerprint") == enrolment().fingerprint);
    CHECK(server.setting("laptop", "secret") == base::hex(enrolment().message.data(), enrolment().message.size()));
    CHECK(server.setting("other.host", "host") == "192.0.2.1");
}

TEST_CASE("the server is told how long the machine may be off, and tells it") {
    Enrolment machine = enrolment();
    CHECK(clients_conf_section(machine).find("timeout") == std::string::npos);
    for (const auto& [minutes, text, words] :
         {std::tuple(90, "PT90M", "90 minutes"), std::tuple(60, "PT1H", "1 hour"), std::tuple(48 * 60, "P2D", "2 days"),
          std::tuple(1, "PT1M", "1 minute")}) {
        machine.timeout = std::chrono::minutes(minutes);
        const Server server(clients_conf_section(machine));
        CHECK(server.setting("laptop", "timeout") == text);
        const Server empty;
        CHECK_THAT(empty.take(enrolment_script(machine)).text,
                   Catch::Contains("failed for " + std::string(words) + "\n"));
    }
    machine.timeout.reset();
    const Server server;
    CHECK_THAT(server.take(enrolment_script(machine)).text, Catch::Contains("5 minutes, if "));
}

TEST_CASE("a host that means the server itself is refused, by the machine or by the server") {
    for (const char* host : {"localhost", "LocalHost.", "localhost.localdomain", "ip6-localhost", "a.localhost",
                             "127.0.0.1", "127.1.2.3", "::1", "::", "0.0.0.0", "::ffff:127.0.0.1"}) {
        INFO(host);
        const auto checked = openpgp::check_names("laptop", host);
        REQUIRE_FALSE(checked);
        CHECK(checked.error().code == base::ExitCode::usage);
    }
    CHECK(openpgp::check_names("localhost", "192.0.2.1"));
    const Server server("[other]\n");
    Enrolment machine = enrolment();
    char name[256] = {};
    REQUIRE(gethostname(name, sizeof name - 1) == 0);
    machine.host = name;
    const auto refused = server.take(enrolment_script(machine));
    CHECK(refused.status == 1);
    CHECK_THAT(refused.text, Catch::Contains("means this server"));
    CHECK(server.text() == "[other]\n");
}

TEST_CASE("secrets of all lengths survive the section's lines") {
    for (const std::size_t size : {1u, 2u, 3u, 4u, 56u, 57u, 58u, 1000u, 66000u}) {
        Enrolment made = enrolment();
        made.message.clear();
        for (std::size_t i = 0; i < size; ++i) made.message += static_cast<char>(i * 7 + size);
        const Server server(clients_conf_section(made));
        CHECK(server.setting("laptop", "secret") == base::hex(made.message.data(), size));
    }
}

TEST_CASE("the check command looks for exactly the machine's SSH host key") {
    const Server server(clients_conf_section(enrolment()));
    const std::string command = server.setting("laptop", "checker");
    struct Row {
        std::string scanned;
        bool up;
    };
    const Row rows[] = {
        {"192.0.2.1 ssh-ed25519 " + ssh_key + "\n", true},
        {"# a comment\n192.0.2.1 ssh-ed25519 " + ssh_key + "\n", true},
        {"", false},
        {"192.0.2.1 ssh-ed25519 " + ssh_key + "A\n", false},
        {"192.0.2.1 ssh-ed25519 A" + ssh_key + "\n", false},
        {"192.0.2.1 ssh-rsa " + ssh_key + "\n", false},
        {"192.0.2.1 ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOTHER\n", false},
    };
    for (const Row& row : rows) {
        INFO(row.scanned);
        CHECK((server.check(command, row.scanned) == 0) == row.up);
    }
    CHECK(server.asked() == "-t ed25519 -- 192.0.2.1\n");
}

TEST_CASE("without an SSH host key the server's own check command stays") {
    Enrolment made = enrolment();
    made.ssh_host_key.reset();
    CHECK(Server(clients_conf_section(made)).setting("laptop", "checker") == "ping");
}

TEST_CASE("SSH host keys are taken only as what they are") {
    const auto key = openpgp::parse_ssh_host_key("ssh-ed25519 " + ssh_key + " root@laptop\n");
    REQUIRE(key);
    CHECK(key->scan_type == "ed25519");
    CHECK(key->algorithm == "ssh-ed25519");
    CHECK(key->key == ssh_key);
    const auto ecdsa = openpgp::parse_ssh_host_key("ecdsa-sha2-nistp384 AAAAE2VjZHNhLXNoYTItbmlzdHAzODQ=");
    REQUIRE(ecdsa);
    CHECK(ecdsa->scan_type == "ecdsa");
    const std::string wrong[] = {"",
                                 "ssh-ed25519",
                                 "ssh-dss " + ssh_key,
                                 "ssh-ed25519 " + ssh_key.substr(4),
                                 "ssh-ed25519 AAAA'; reboot; '" + ssh_key,
                                 "ssh-ed25519 AAAA%(host)s",
                                 "ssh-rsa AAAA" + std::string(5000, 'A'),
                                 "-----BEGIN OPENSSH PRIVATE KEY-----"};
    for (const std::string& text : wrong) {
        INFO(text);
        CHECK_FALSE(openpgp::parse_ssh_host_key(text));
    }
}

TEST_CASE("names that could harm the server's configuration are refused") {
    const std::string good[] = {"laptop", "host.example", "a-b_c.1", std::string(253, 'a')};
    const std::string bad[] = {"",
                               "DEFAULT",
                               "a]",
                               "[a",
                               "a%s",
                               "a b",
                               "a\nb",
                               "a\tb",
                               "a/b",
                               "a;b",
                               "a'b",
                               "ä",
                               std::string("a\0b", 3),
                               std::string(254, 'a')};
    for (const std::string& name : good) CHECK(openpgp::check_names(name, "host"));
    for (const std::string& name : bad) {
        const auto checked = openpgp::check_names(name, "host");
        REQUIRE_FALSE(checked);
        CHECK(checked.error().code == base::ExitCode::usage);
        CHECK_THAT(checked.error().message(), Catch::Contains("--name"));
    }
    for (const char* host : {"host", "192.0.2.1", "2001:db8::1", "DEFAULT"}) CHECK(openpgp::check_names("name", host));
    for (const char* host : {"", "-oProxyCommand=reboot", "[::1]", "a b", "%(name)s", "a\nb", "$(reboot)"}) {
        const auto checked = openpgp::check_names("name", host);
        REQUIRE_FALSE(checked);
        CHECK_THAT(checked.error().message(), Catch::Contains("--host"));
    }
}

TEST_CASE("the script adds the section and restarts the server") {
    const std::string before =
        GENERATE("", "[DEFAULT]\ntimeout = PT5M\n", "[other]\nhost = a\nsecret =\n    QQ==", "# only a comment");
    const Server server(before);
    const auto taken = server.take(enrolment_script(enrolment()));
    INFO(taken.text);
    CHECK(taken.status == 0);
    CHECK_THAT(taken.text,
               Catch::Contains("laptop") && !Catch::Contains("Warning") && !Catch::Contains("inherited the lock"));
    const std::string end_of_line = before.empty() || before.ends_with('\n') ? "" : "\n";
    CHECK(server.text() == before + end_of_line + "\n" + clients_conf_section(enrolment()));
    CHECK(server.setting("laptop", "key_id") == enrolment().key_id);
    CHECK_THAT(server.restarts(), Catch::Contains("restart") && Catch::Contains("mandos"));
    CHECK(server.tidy());
    struct stat status {};
    REQUIRE(stat(server.file().c_str(), &status) == 0);
    CHECK((status.st_mode & 07777) == 0640);
}

TEST_CASE("a server that cannot find the machine to check says so, and what to do") {
    const Server server;
    Enrolment unknown = enrolment();
    unknown.host = "laptop.invalid";
    const auto taken = server.take(enrolment_script(unknown));
    INFO(taken.text);
    CHECK(taken.status == 0);
    CHECK_THAT(taken.text, Catch::Contains("Warning") && Catch::Contains("the host laptop.invalid") &&
                               Catch::Contains("host of [laptop] in " + server.file()) && Catch::Contains("--host"));
    CHECK(server.setting("laptop", "host") == "laptop.invalid");
}

TEST_CASE("the script leaves alone what would stop the server") {
    const Enrolment ours = enrolment();
    const std::string key_id = ours.key_id;
    const std::string fingerprint = ours.fingerprint;
    struct Row {
        std::string before;
        std::string said;
    };
    const Row rows[] = {
        {clients_conf_section(ours), "[laptop]"},
        {"[laptop]\nhost = a\n", "[laptop]"},
        {"  [laptop]  \r\nhost = a\n", "[laptop]"},
        {"[laptop] trailing\n", "[laptop]"},
        {"[a]\nkey_id = " + key_id + "\n", "key ID"},
        {"[a]\nKEY_ID:" + key_id.substr(0, 28) + " AaAa" + key_id.substr(32) + "\n", "key ID"},
        {"[a]\nkey_id =\n    " + key_id.substr(0, 32) + "\n# between\n    " + key_id.substr(32), "key ID"},
        {"[a]\nfingerprint = bbbb bbbb " + fingerprint.substr(8) + "\n", "fingerprint"},
    };
    for (const Row& row : rows) {
        const Server server(row.before);
        const auto taken = server.take(enrolment_script(ours));
        INFO(row.before << "\n" << taken.text);
        CHECK(taken.status == 1);
        CHECK_THAT(taken.text, Catch::Contains(row.said));
        CHECK(server.text() == row.before);
        CHECK(server.restarts().empty());
        CHECK(server.tidy());
    }
}

TEST_CASE("the script is not misled by what only looks like the same") {
    const Enrolment ours = enrolment();
    const std::string before =
        "# [laptop]\n; key_id = " + ours.key_id +
        "\n[laptop2]\nhost = laptop\n[Laptop]\nhost = laptop.\nkey_id = " + ours.key_id.substr(1) + "1\n[xlaptop]\n";
    const Server server(before);
    const auto taken = server.take(enrolment_script(ours));
    INFO(taken.text);
    CHECK(taken.status == 0);
    CHECK_THAT(server.text(), Catch::EndsWith(clients_conf_section(ours)));
}

TEST_CASE("the script run twice changes the file once") {
    const Server server;
    CHECK(server.take(enrolment_script(enrolment())).status == 0);
    const std::string once = server.text();
    CHECK(server.take(enrolment_script(enrolment())).status == 1);
    CHECK(server.text() == once);
    Enrolment next = enrolment("next");
    next.key_id = std::string(64, 'c');
    next.fingerprint = std::string(40, 'D');
    CHECK(server.take(enrolment_script(next)).status == 0);
    CHECK(server.text() == once + "\n" + clients_conf_section(next));
}

TEST_CASE("a symbolic link to the server's configuration stays one") {
    const Server server;
    const std::string real = server.file() + ".real";
    std::filesystem::rename(server.file(), real);
    std::filesystem::create_symlink("clients.conf.real", server.file());
    CHECK(server.take(enrolment_script(enrolment())).status == 0);
    CHECK(std::filesystem::is_symlink(server.file()));
    CHECK_THAT(content_of(real), Catch::Contains("[laptop]"));
}

TEST_CASE("the script says so where the server does not restart or is not there") {
    const Server server;
    const auto failed = server.take(enrolment_script(enrolment()), "RESTART_STATUS=3");
    CHECK(failed.status == 1);
    CHECK_THAT(failed.text, Catch::Contains("restart"));
    CHECK_THAT(server.text(), Catch::Contains("[laptop]"));

    std::filesystem::remove(server.file());
    const auto missing = server.take(enrolment_script(enrolment()));
    CHECK(missing.status == 1);
    CHECK_THAT(missing.text, Catch::Contains("install"));
    CHECK_FALSE(std::filesystem::exists(server.file()));
}

TEST_CASE("a script that has arrived only in part does nothing") {
    const Server server("# mine\n");
    const std::string script = enrolment_script(enrolment());
    for (std::size_t length = 0; length + 5 < script.size(); length += 97) {
        (void)server.take(script.substr(0, length));
        REQUIRE(server.text() == "# mine\n");
    }
    CHECK(server.restarts().empty());
}

TEST_CASE("the script is clean for shellcheck") {
    if (output_of("command -v shellcheck").status != 0) {
        WARN("skipped: no shellcheck");
        return;
    }
    const base::testing::TemporaryDirectory root;
    write(root / "script", enrolment_script(enrolment()));
    CHECK(output_of("shellcheck '" + (root / "script") + "'").text.empty());
}
