// SPDX-License-Identifier: GPL-2.0-or-later
#include "casmotion/status.h"

#include <algorithm>
#include <cstdlib>
#include <system_error>

namespace casmotion {

std::string_view name_of(Category category) {
    switch (category) {
        case Category::kOk:
            return "ok";
        case Category::kRefuted:
            return "refuted";
        case Category::kUsage:
            return "usage";
        case Category::kLogInvalid:
            return "log-invalid";
        case Category::kHostLacks:
            return "host-lacks";
        case Category::kInternal:
            return "internal";
        case Category::kInconclusive:
            return "inconclusive";
    }
    std::abort();
}

Status::Status(Category category, std::string message) : category_(category), message_(std::move(message)) {
    if (category == Category::kOk) std::abort();
    std::replace(message_.begin(), message_.end(), '\n', ' ');
}

Status Status::at(std::string_view where) const {
    if (ok()) return *this;
    return {category_, std::string(where) + ": " + message_};
}

Status errno_status(std::string_view what, int error) {
    // generic_category().message() is thread-safe, unlike strerror().
    return {Category::kHostLacks, std::string(what) + ": " + std::generic_category().message(error)};
}

}  // namespace casmotion
