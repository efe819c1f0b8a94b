// SPDX-License-Identifier: GPL-3.0-or-later
//
// One function object made of several, for std::visit(): Overloaded{[](const A&) {...}, [](const B&) {...}}.
#pragma once

namespace bootkey::base {

template <class... Functions>
struct Overloaded : Functions... {
    using Functions::operator()...;
};
template <class... Functions>
Overloaded(Functions...) -> Overloaded<Functions...>;

}  // namespace bootkey::base
