// SPDX-License-Identifier: GPL-3.0-or-later
#include "bootkey/monitor/recipient.hpp"

#include <utility>

#include "fifo_recipient.hpp"
#include "output_recipient.hpp"
#include "prompt_recipient.hpp"

namespace bootkey::monitor {

std::unique_ptr<Recipient> make_recipient(base::Loop& loop, const base::Log& log, const options::Options& options,
                                          base::UniqueFd output, Recipient::Listener listener) {
    if (!options.askpass_fifo.empty())
        return std::make_unique<FifoRecipient>(loop, log, options.askpass_fifo, std::move(listener));
    if (options.prompt)
        return std::make_unique<PromptRecipient>(loop, log, options, std::move(output), std::move(listener));
    return std::make_unique<OutputRecipient>(loop, log, std::move(output), std::move(listener));
}

}  // namespace bootkey::monitor
