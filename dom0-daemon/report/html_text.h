// SPDX-License-Identifier: GPL-2.0-or-later
//
// Text for HTML pages.
#pragma once

#include <string>
#include <string_view>

#include "base/host_text.h"

namespace casmotion {

/// `text` as it has to stand between tags or in a quoted attribute. Control characters become visible; what
/// is no UTF-8 does not get through as markup either.
inline std::string html(std::string_view text) {
    std::string out;
    for (const char c : printable(text)) {
        switch (c) {
            case '<':
                out += "&lt;";
                break;
            case '>':
                out += "&gt;";
                break;
            case '&':
                out += "&amp;";
                break;
            case '"':
                out += "&quot;";
                break;
            case '\'':
                out += "&#39;";
                break;
            default:
                out += c;
        }
    }
    return out;
}

}  // namespace casmotion
