// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/common.h"

#include <cerrno>
#include <cmath>
#include <cstdio>
#include <cstdlib>

#include "base/failures.h"
#include "base/host_text.h"
#include "casmotion/taxonomy.h"
#include "hypervisor/xen_hypervisor.h"
#include "session/host_check.h"
#include "toolstack/libxl_toolstack.h"

namespace casmotion {

Result<std::unique_ptr<XenHost>> XenHost::open(const GlobalOptions& global) {
    std::unique_ptr<XenHost> host(new XenHost(global));
    CASM_ASSIGN(host->hypervisor_, open_xen_hypervisor());
    CASM_TRY(require_patched_xen(*host->hypervisor_).status());
    CASM_ASSIGN(host->toolstack_, open_libxl_toolstack(global.verbose));
    return host;
}

Result<uint64_t> size_option(const std::string& option, const std::string& text) {
    const std::optional<uint64_t> size = parse_size(text);
    if (!size)
        return usage_error(option + ": '" + printable(text) +
                           "' is not a size (examples: 65536, 64K, 16M, 2G)");
    return *size;
}

Result<uint64_t> count_option(const std::string& option, const std::string& text, uint64_t max) {
    const std::optional<uint64_t> count = parse_u64(text);
    if (!count) return usage_error(option + ": '" + printable(text) + "' is not a count");
    if (*count > max)
        return usage_error(option + ": '" + printable(text) + "' is too large: at most " +
                           std::to_string(max));
    return *count;
}

Result<uint64_t> seconds_option(const std::string& option, const std::string& text) {
    char* end = nullptr;
    errno = 0;
    const double seconds = std::strtod(text.c_str(), &end);
    constexpr double kMaxSeconds = 1e9;  // 30 years; keeps the nanoseconds within 64 bits
    if (text.empty() || *end != '\0' || errno != 0 || !std::isfinite(seconds) || seconds < 0 ||
        seconds > kMaxSeconds)
        return usage_error(option + ": '" + printable(text) + "' is not a number of seconds");
    return static_cast<uint64_t>(seconds * 1e9);
}

Result<AddressRange> address_range_option(const std::string& option, const std::string& text) {
    const size_t dash = text.find('-');
    const std::string_view all(text);
    const std::optional<uint64_t> first = parse_hex(all.substr(0, dash));
    const std::optional<uint64_t> last =
        dash == std::string::npos ? std::nullopt : parse_hex(all.substr(dash + 1));
    if (!first || !last || *last < *first)
        return usage_error(option + ": '" + printable(text) +
                           "' is not a range of addresses (example: ffffffff81000000-ffffffff81000fff)");
    return AddressRange{*first, *last};
}

Result<uint32_t> classes_option(const std::vector<std::string>& names) {
    uint32_t bits = 0;
    for (const std::string& name : names) {
        const ClassInfo* info = find_class(std::string_view(name));
        if (info == nullptr) {
            std::string known;
            for (const ClassInfo& each : kClasses) known += " " + std::string(each.name);
            return usage_error("there is no class '" + printable(name) + "'; the classes are" + known);
        }
        bits |= 1u << info->id;
    }
    return bits;
}

Status write_stdout(std::string_view text) {
    if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size() || std::fflush(stdout) != 0)
        return errno_status("cannot write to stdout", errno);
    return {};
}

}  // namespace casmotion
