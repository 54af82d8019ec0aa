// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/cpu_info.h"

#include <fstream>
#include <iterator>

#include "base/host_text.h"

namespace casmotion {
namespace {

std::string_view trimmed(std::string_view text) {
    const auto first = text.find_first_not_of(" \t");
    if (first == std::string_view::npos) return {};
    return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

uint32_t number(std::string_view text) {
    return static_cast<uint32_t>(parse_u64(text).value_or(0));
}

}  // namespace

CpuIdentity parse_cpu_info(std::string_view cpuinfo) {
    CpuIdentity out;
    while (!cpuinfo.empty()) {
        const auto end = cpuinfo.find('\n');
        const std::string_view line = cpuinfo.substr(0, end);
        cpuinfo.remove_prefix(end == std::string_view::npos ? cpuinfo.size() : end + 1);
        if (line.empty()) break;  // the first processor is enough
        const auto colon = line.find(':');
        if (colon == std::string_view::npos) continue;
        const std::string_view key = trimmed(line.substr(0, colon));
        const std::string_view value = trimmed(line.substr(colon + 1));
        if (key == "vendor_id") out.vendor = value;
        if (key == "model name") out.model_name = value;
        if (key == "cpu family") out.family = number(value);
        if (key == "model") out.model = number(value);
        if (key == "stepping") out.stepping = number(value);
    }
    return out;
}

CpuIdentity read_cpu_info() {
    return parse_cpu_info(read_small_file("/proc/cpuinfo"));
}

std::string read_small_file(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

}  // namespace casmotion
