// SPDX-License-Identifier: GPL-2.0-or-later
#include "selftest/counter_memory.h"

#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <system_error>

#include "base/cpu_info.h"
#include "base/failures.h"
#include "base/version.h"
#include "report/json.h"

namespace casmotion {
namespace {

Json key_json(const CounterKey& key) {
    return {{"boot_id", key.boot_id},
            {"xen_build_id", key.xen_build_id},
            {"tool_version", key.tool_version},
            {"counter", static_cast<uint32_t>(key.counter)}};
}

}  // namespace

std::optional<CounterVerdict> CounterMemory::recall(const CounterKey& key) const {
    if (key.boot_id.empty()) return std::nullopt;
    const Json json = Json::parse(read_small_file(path_), nullptr, false);
    if (!json.is_object() || !json.contains("for") || json["for"] != key_json(key)) return std::nullopt;
    CounterVerdict verdict;
    const auto exact = json.find("exact"), text = json.find("text"), late = json.find("late_max_branches"),
               margin = json.find("margin_branches");
    if (exact == json.end() || !exact->is_boolean() || text == json.end() || !text->is_string() ||
        late == json.end() || !late->is_number_unsigned() || margin == json.end() ||
        !margin->is_number_unsigned())
        return std::nullopt;
    verdict.health = exact->get<bool>() ? CounterHealth::kUsable : CounterHealth::kNotExact;
    verdict.text = text->get<std::string>();
    verdict.late_max_branches = late->get<uint64_t>();
    verdict.margin_branches = margin->get<uint32_t>();
    return verdict;
}

Status CounterMemory::remember(const CounterKey& key, const CounterVerdict& verdict) const {
    if (key.boot_id.empty()) return {};
    if (verdict.health != CounterHealth::kUsable && verdict.health != CounterHealth::kNotExact)
        return internal_error("only results of a test are kept");
    std::error_code error;
    const std::filesystem::path folder = std::filesystem::path(path_).parent_path();
    std::filesystem::create_directories(folder, error);
    if (error) return host_lacks("cannot make " + folder.string() + ": " + error.message());
    const std::string fresh = path_ + "." + std::to_string(getpid());
    std::ofstream file(fresh, std::ios::binary);
    file << json_text({{"for", key_json(key)},
                       {"exact", verdict.health == CounterHealth::kUsable},
                       {"text", verdict.text},
                       {"late_max_branches", verdict.late_max_branches},
                       {"margin_branches", verdict.margin_branches}});
    file.close();
    if (!file || std::rename(fresh.c_str(), path_.c_str()) != 0) {
        std::filesystem::remove(fresh, error);
        return host_lacks("cannot write " + path_);
    }
    return {};
}

CounterKey counter_key(Toolstack& toolstack, casm_counter counter) {
    CounterKey key;
    key.boot_id = read_small_file("/proc/sys/kernel/random/boot_id");
    key.xen_build_id = toolstack.xen_identity().build_id;
    key.tool_version = kVersion;
    key.counter = counter;
    return key;
}

}  // namespace casmotion
