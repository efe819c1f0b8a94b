// SPDX-License-Identifier: GPL-3.0-or-later
#include "identity.hpp"

#include <cap-ng.h>
#include <grp.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>

#include "bootkey/base/text.hpp"
#include "refusal.hpp"

namespace bootkey::sandbox {
namespace {

constexpr id_t first_id = 65520;
constexpr id_t last_id = 65533;

// Saved ones count: of a program that was started set-user-ID, its caller's may be left there.
bool is_mine(id_t id) {
    uid_t user[3]{};
    gid_t group[3]{};
    static_cast<void>(getresuid(&user[0], &user[1], &user[2]));
    static_cast<void>(getresgid(&group[0], &group[1], &group[2]));
    return std::find(user, user + 3, id) != user + 3 || std::find(group, group + 3, id) != group + 3;
}

}  // namespace

Identity identity_of(Role role) {
    int before = static_cast<int>(role);  // so many ids that nobody here has belong to other roles
    for (id_t id = first_id; id < last_id; ++id)
        if (!is_mine(id) && before-- == 0) return {id, id};
    return {last_id, last_id};  // not reached: six ids of ours and one for each role are fewer than there are
}

// First of all, while there is still the capability that it takes. no_new_privs makes the set useless anyway, so for
// whoever lacks the capability (-4) nothing is lost.
base::Result<void> empty_bounding_set() {
    constexpr int no_setpcap = -4;
    capng_clear(CAPNG_SELECT_BOUNDS);
    const int outcome = capng_apply(CAPNG_SELECT_BOUNDS);
    if (outcome != 0 && outcome != no_setpcap) return refusal("capability bounding set", errno);
    return {};
}

base::Result<void> take_identity(Identity identity) {
    if (setgroups(0, nullptr) != 0) return refusal("no supplementary groups", errno);
    if (setresgid(identity.group, identity.group, identity.group) != 0)
        return refusal(base::format("group %u", identity.group), errno);
    if (setresuid(identity.user, identity.user, identity.user) != 0)
        return refusal(base::format("user %u", identity.user), errno);
    return {};
}

base::Result<void> drop_capabilities() {
    if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) != 0 &&
        errno != EINVAL)  // before Linux 4.3 there are none
        return refusal("no ambient capabilities", errno);
    capng_clear(CAPNG_SELECT_CAPS);
    if (capng_apply(CAPNG_SELECT_CAPS) != 0) return refusal("no capabilities", errno);
    return {};
}

base::Result<void> check_root_is_gone() {
    const base::Error failed{base::ExitCode::os_error, "cannot confine a process of bootkey",
                             "it could still become root or has kept a capability",
                             "report this as a bug of bootkey or of the kernel"};
    if (capng_get_caps_process() != 0 || capng_have_capabilities(CAPNG_SELECT_CAPS) != CAPNG_NONE) return failed;
    constexpr auto unchanged = static_cast<uid_t>(-1);
    if (setresuid(unchanged, 0, unchanged) == 0) return failed;
    return {};
}

}  // namespace bootkey::sandbox
