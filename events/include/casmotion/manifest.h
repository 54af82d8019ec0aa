// SPDX-License-Identifier: GPL-2.0-or-later
//
// What a log says about itself: the manifest, written when the recording starts, and the summary, written
// when it ends. Plain data; the protobuf form is hidden in the .cc file and described in docs/log-format.md.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "casm_abi.h"
#include "casmotion/cpu_policy.h"
#include "casmotion/status.h"

namespace casmotion {

// Version of the log format that this code writes, and the only one that it reads.
inline constexpr std::uint32_t kLogFormatVersion = 2;

using Sha256 = std::array<std::uint8_t, 32>;

// Lower-case hexadecimal, 64 characters.
[[nodiscard]] std::string to_hex(const Sha256& hash);

// A file that the guest boots from.
struct BootFile {
    std::string name;  // base name of the file that was used; for messages only
    Sha256 sha256{};
    std::uint64_t size_bytes = 0;
    bool embedded = false;  // a copy is in the log

    bool operator==(const BootFile&) const = default;
};

struct GuestIdentity {
    std::string name;
    std::string uuid;         // 8-4-4-4-12 hexadecimal digits
    std::string config_json;  // libxl_domain_config as JSON text
    std::string cmdline;      // kernel command line; any bytes
    std::uint64_t memory_kib = 0;
    std::uint32_t vcpus = 1;

    bool operator==(const GuestIdentity&) const = default;
};

// What instructions that do not trap tell a guest about the physical CPU that it runs on, besides its
// features: CASM_OP_cpu_identity.
struct PhysicalCpu {
    std::uint32_t cpu = 0;  // as Xen numbers them
    std::uint32_t apic_id = 0, x2apic_id = 0;
    std::uint32_t ext_apic_id = 0, ext_core = 0, ext_node = 0;
    std::uint32_t signature = 0;  // leaf 1, EAX
    std::uint64_t leaves = 0;     // hash of the other leaves
    std::uint64_t idt_base = 0;   // what SIDT tells

    bool operator==(const PhysicalCpu&) const = default;
};

struct CpuIdentity {
    std::string vendor;      // "AuthenticAMD"
    std::string model_name;  // as in /proc/cpuinfo
    std::uint32_t family = 0, model = 0, stepping = 0;
    std::vector<std::uint32_t> feature_words;  // host featureset as Xen numbers it
    CpuPolicy policy = {};                     // the guest's, as it was when it started
    std::uint32_t isolation = 0;  // CASM_ISOLATE_*: what the guest could not see of the processor
    PhysicalCpu physical = {};    // that it ran on, from start to end

    bool operator==(const CpuIdentity&) const = default;
};

struct XenIdentity {
    std::string version;   // "4.17.5"
    std::string build_id;  // hexadecimal
    std::string changeset;
    std::string command_line;

    bool operator==(const XenIdentity&) const = default;
};

struct RecordingOptions {
    std::uint64_t digest_interval = 0;   // entries between memory digests; 0: only at start and end
    std::uint32_t check_bits = 16;       // top bits of the registers hash in an ENTRY's check; 0 to 16
    std::uint32_t disabled_classes = 0;  // bit n: class n was not logged (debug switch)
    std::uint32_t counter = 0;  // enum casm_counter: what counted the branches; 0: nothing, S-points only
    std::uint64_t max_delay_ns = 0;  // an effect that waited this long for an entry got an A-point

    bool operator==(const RecordingOptions&) const = default;
};

struct Manifest {
    std::uint32_t format_version = kLogFormatVersion;
    std::uint32_t abi_version = CASM_ABI_VERSION;
    GuestIdentity guest;
    BootFile kernel;
    std::optional<BootFile> ramdisk;
    CpuIdentity cpu;
    XenIdentity xen;
    std::uint64_t pool_first_mfn = 0;
    std::uint64_t pool_frames = 0;
    std::uint64_t tsc_khz = 0;  // frequency of the guest's TSC
    RecordingOptions options;
    std::int64_t created_unix_s = 0;
    std::string tool_version;

    bool operator==(const Manifest&) const = default;
};

// What is known at the end. The writer fills in everything except `measurements`.
struct Summary {
    std::uint64_t records = 0;
    std::array<std::uint64_t, CASM_CLASSES_MAX> class_records{};  // by class number
    std::uint64_t ordinals = 0;                                   // synchronous entries
    std::uint32_t end_reason = CASM_END_NONE;
    std::uint32_t end_code = 0;
    std::uint64_t content_digest = 0;  // of the manifest and all records; see docs/log-format.md
    std::uint64_t chunks = 0;
    std::uint64_t events_bytes = 0;  // size of the file `events`
    std::uint64_t ring_bytes = 0;    // the same records as ring records
    std::int64_t closed_unix_s = 0;
    // Whatever the recorder measured, by name with its unit ("delay_max_ns"); shown by `info`, never
    // interpreted.
    std::map<std::string, std::uint64_t> measurements;

    bool operator==(const Summary&) const = default;
};

// Protobuf payload of the manifest. Any manifest can be written, except one whose text is over 1 MiB
// (kUsage).
[[nodiscard]] Result<std::string> serialize(const Manifest& manifest);
[[nodiscard]] Result<std::string> serialize(const Summary& summary);

// The inverse. kLogInvalid if `payload` is no such message or a field is out of range (hash not of 32 bytes,
// ...).
[[nodiscard]] Result<Manifest> parse_manifest(std::string_view payload);
[[nodiscard]] Result<Summary> parse_summary(std::string_view payload);

// SHA-256 and size of the file at `path`; embedded is false. kUsage if it cannot be read.
[[nodiscard]] Result<BootFile> identify_boot_file(const std::string& path);

}  // namespace casmotion
