// SPDX-License-Identifier: GPL-2.0-or-later
#include "toolstack/recordable_config.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <utility>

#include "base/host_text.h"

namespace casmotion {
namespace {

/// Sorted keys: a text of a megabyte with as many keys as fit is read in no time.
using Tree = nlohmann::json;

// What values a field may have.

bool any(const Tree&) {
    return true;
}
bool text(const Tree& value) {
    return value.is_string();
}
template <const char*... kTexts>
bool one_of(const Tree& value) {
    return value.is_string() && ((value.get_ref<const std::string&>() == kTexts) || ...);
}
template <uint64_t kMin, uint64_t kMax>
bool number(const Tree& value) {
    return value.is_number_unsigned() && value.get<uint64_t>() >= kMin && value.get<uint64_t>() <= kMax;
}
bool number32(const Tree& value) {
    return number<0, std::numeric_limits<uint32_t>::max()>(value);
}
/// The bitmap of vCPU 0 alone.
bool first_only(const Tree& value) {
    return value.is_array() && value.size() == 1 && number<0, 0>(value[0]);
}
bool uuid(const Tree& value) {
    if (!value.is_string()) return false;
    const auto& digits = value.get_ref<const std::string&>();
    if (digits.size() != 36) return false;
    for (size_t i = 0; i < digits.size(); ++i) {
        const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        if (dash ? digits[i] != '-' : std::isxdigit(static_cast<unsigned char>(digits[i])) == 0) return false;
    }
    return true;
}

constexpr char kPv[] = "pv", kDisabled[] = "disabled";
constexpr char kDefault[] = "default", kEmulate[] = "always_emulate", kNative[] = "native",
               kParavirt[] = "native_paravirt";
constexpr char kTrue[] = "True", kFalse[] = "False", kUnset[] = "<default>";  // a libxl_defbool

constexpr auto kBoolean = one_of<kTrue, kFalse, kUnset>;
constexpr auto kOff = one_of<kFalse, kUnset>;
constexpr auto kZero = number<0, 0>;
constexpr auto kMemory = number<1, uint64_t{1} << 40>;  // KiB; keeps sums of sizes from wrapping

enum class Use {
    kGuest,     ///< the guest can notice it: the replay's domain gets it
    kRequired,  ///< so too, and every recording has it
    kHost,      ///< the business of a host: replay has its own
};

struct Field {
    const char* name;
    Use use;
    bool (*fits)(const Tree&);           ///< nullptr: an object
    std::span<const Field> inside = {};  ///< all fields of the object
};

constexpr std::array kCreate = {
    Field{"type", Use::kRequired, one_of<kPv>},
    Field{"uuid", Use::kGuest, uuid},  // /sys/hypervisor/uuid
    Field{"name", Use::kHost, text},
    Field{"domid", Use::kHost, number32},
    Field{"poolid", Use::kHost, number32},
    Field{"pool_name", Use::kHost, text},
    Field{"run_hotplug_scripts", Use::kHost, kBoolean},  // of xl.conf; without devices there is none to run
    Field{"passthrough", Use::kHost, one_of<kDefault, kDisabled>},
    Field{"driver_domain", Use::kHost, kOff},
};

// The elder places of kernel, boot loader and so on are not on the list: no xl writes them.
constexpr std::array kBuildPv = {
    Field{"slack_memkb", Use::kHost, kZero},
    Field{"e820_host", Use::kGuest,
          kBoolean},  // a memory map to ask for, which a replay answers from the log
};

constexpr std::array kBuildX86 = {
    Field{"msr_relaxed", Use::kGuest, kOff},  // else unknown MSRs answer as the machine's do
};

constexpr std::array kBuild = {
    Field{"max_vcpus", Use::kRequired, number<1, 1>},
    Field{"avail_vcpus", Use::kGuest, first_only},
    Field{"max_memkb", Use::kRequired, kMemory},
    Field{"target_memkb", Use::kGuest, kMemory},
    Field{"video_memkb", Use::kGuest, kZero},
    Field{"shadow_memkb", Use::kGuest, kZero},
    Field{"iommu_memkb", Use::kGuest, kZero},
    Field{"stubdomain_memkb", Use::kGuest, kZero},
    Field{"cmdline", Use::kGuest, text},
    Field{"tsc_mode", Use::kGuest, one_of<kDefault, kEmulate, kNative, kParavirt>},
    Field{"rtc_timeoffset", Use::kGuest, number32},
    Field{"localtime", Use::kGuest, kBoolean},
    Field{"disable_migrate", Use::kGuest, kBoolean},
    Field{"event_channels", Use::kGuest, number32},
    Field{"max_grant_frames", Use::kGuest, number32},
    Field{"max_maptrack_frames", Use::kGuest, number32},
    Field{"max_grant_version", Use::kGuest, number<0, 2>},
    Field{"claim_mode", Use::kGuest, kBoolean},  // no memory is taken that another domain was promised
    Field{"type.pv", Use::kRequired, nullptr, kBuildPv},
    Field{"arch_arm", Use::kGuest, nullptr},
    Field{"arch_x86", Use::kGuest, nullptr, kBuildX86},
    Field{"vpmu", Use::kHost, kOff},
    Field{"device_model_stubdomain", Use::kHost, kOff},
    Field{"dm_restrict", Use::kHost, kOff},
    // Replay gives paths of its own, of files whose content it has checked.
    Field{"kernel", Use::kHost, text},
    Field{"ramdisk", Use::kHost, text},
    // The log holds the CPU policy that came of it. libxl would refuse leaves that this processor lacks.
    Field{"cpuid", Use::kHost, any},
    Field{"blkdev_start", Use::kHost, text},  // of xl.conf; there is no disk
    // Placement: the replay's domain has the recording pool, and the CPU that `start` names.
    Field{"cpumap", Use::kHost, any},
    Field{"nodemap", Use::kHost, any},
    Field{"vcpu_hard_affinity", Use::kHost, any},
    Field{"vcpu_soft_affinity", Use::kHost, any},
    Field{"numa_placement", Use::kHost, kBoolean},
    Field{"sched_params", Use::kHost, any},
};

// Replay keeps its domain, whatever becomes of the guest.
constexpr std::array kConfig = {
    Field{"c_info", Use::kRequired, nullptr, kCreate},
    Field{"b_info", Use::kRequired, nullptr, kBuild},
    Field{"on_poweroff", Use::kHost, text},
    Field{"on_reboot", Use::kHost, text},
    Field{"on_watchdog", Use::kHost, text},
    Field{"on_crash", Use::kHost, text},
    Field{"on_soft_reset", Use::kHost, text},
};

/// Copies what the guest can notice from `in` to `out`. Returns what is wrong with it, if anything, as it
/// follows "its configuration".
std::optional<std::string> copy(const Tree& in, std::span<const Field> fields, const std::string& prefix,
                                Tree& out) {
    for (const auto& [key, value] : in.items()) {
        const auto field = std::ranges::find(fields, std::string_view(key), &Field::name);
        const std::string path = prefix + printable(key);
        if (field == fields.end()) return "asks for " + path + ", which no recording has";
        const bool object = field->fits == nullptr;
        if (object ? !value.is_object() : !field->fits(value))
            return "asks for a " + path + " that no recording has";
        if (object) {
            Tree inner = Tree::object();
            if (auto wrong = copy(value, field->inside, path + ".", inner)) return wrong;
            out[key] = std::move(inner);
        } else if (field->use != Use::kHost) {
            out[key] = value;
        }
    }
    for (const Field& field : fields)
        if (field.use == Use::kRequired && !in.contains(field.name))
            return "has no " + prefix + field.name + ", which every recording has";
    return std::nullopt;
}

}  // namespace

Result<RecordableConfig> RecordableConfig::read(std::string_view json, Category category,
                                                const std::string& whose) {
    const Tree in = Tree::parse(json, nullptr, false);
    if (!in.is_object()) return Status(category, whose + ": its configuration is not a JSON object");
    Tree out = Tree::object();
    if (const auto wrong = copy(in, kConfig, "", out))
        return Status(category, whose + ": its configuration " + *wrong);
    const auto memory_kib = out["b_info"]["max_memkb"].get<uint64_t>();
    if (out["b_info"].value("target_memkb", memory_kib) > memory_kib)
        return Status(category,
                      whose + ": its configuration asks for a b_info.target_memkb that no recording has");
    return RecordableConfig(out.dump(), memory_kib);
}

}  // namespace casmotion
