// SPDX-License-Identifier: GPL-2.0-or-later
#include "casmotion/manifest.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <vector>

#include "casmotion/log/v1/log.pb.h"
#include "casmotion/taxonomy.h"
#include "file.h"
#include "sha256.h"

namespace casmotion {

namespace pb = log::v1;

namespace {

constexpr std::size_t kTextMaxBytes = 1u << 20;

// Xen has at most some 110 leaves and 2 MSRs.
constexpr int kPolicyLeavesMax = 1024, kPolicyMsrsMax = 64;

void to_pb(const BootFile& file, pb::BootFile* out) {
    out->set_name(file.name);
    out->set_sha256(file.sha256.data(), file.sha256.size());
    out->set_size_bytes(file.size_bytes);
    out->set_embedded(file.embedded);
}

Result<BootFile> from_pb(const pb::BootFile& in, const char* what) {
    BootFile file;
    if (in.sha256().size() != file.sha256.size())
        return log_invalid(std::string("manifest: the SHA-256 of the ") + what + " has " +
                           std::to_string(in.sha256().size()) + " bytes, must be 32");
    file.name = in.name();
    std::copy(in.sha256().begin(), in.sha256().end(), file.sha256.begin());
    file.size_bytes = in.size_bytes();
    file.embedded = in.embedded();
    return file;
}

void to_pb(const CpuPolicy& policy, pb::CpuPolicy* out) {
    for (const CpuidRow& row : policy.leaves) {
        pb::CpuidRow* to = out->add_leaves();
        to->set_leaf(row.leaf);
        to->set_subleaf(row.subleaf);
        to->set_eax(row.eax);
        to->set_ebx(row.ebx);
        to->set_ecx(row.ecx);
        to->set_edx(row.edx);
    }
    for (const MsrRow& row : policy.msrs) {
        pb::MsrRow* to = out->add_msrs();
        to->set_index(row.index);
        to->set_flags(row.flags);
        to->set_value(row.value);
    }
}

Result<CpuPolicy> from_pb(const pb::CpuPolicy& in) {
    if (in.leaves_size() > kPolicyLeavesMax || in.msrs_size() > kPolicyMsrsMax)
        return log_invalid("manifest: the CPU policy has " + std::to_string(in.leaves_size()) +
                           " leaves and " + std::to_string(in.msrs_size()) + " MSRs, must be at most " +
                           std::to_string(kPolicyLeavesMax) + " and " + std::to_string(kPolicyMsrsMax));
    CpuPolicy policy;
    for (const pb::CpuidRow& row : in.leaves())
        policy.leaves.push_back({row.leaf(), row.subleaf(), row.eax(), row.ebx(), row.ecx(), row.edx()});
    for (const pb::MsrRow& row : in.msrs()) policy.msrs.push_back({row.index(), row.flags(), row.value()});
    return policy;
}

void to_pb(const PhysicalCpu& cpu, pb::PhysicalCpu* out) {
    out->set_cpu(cpu.cpu);
    out->set_apic_id(cpu.apic_id);
    out->set_x2apic_id(cpu.x2apic_id);
    out->set_ext_apic_id(cpu.ext_apic_id);
    out->set_ext_core(cpu.ext_core);
    out->set_ext_node(cpu.ext_node);
    out->set_signature(cpu.signature);
    out->set_leaves(cpu.leaves);
    out->set_idt_base(cpu.idt_base);
}

PhysicalCpu from_pb(const pb::PhysicalCpu& in) {
    return {.cpu = in.cpu(),
            .apic_id = in.apic_id(),
            .x2apic_id = in.x2apic_id(),
            .ext_apic_id = in.ext_apic_id(),
            .ext_core = in.ext_core(),
            .ext_node = in.ext_node(),
            .signature = in.signature(),
            .leaves = in.leaves(),
            .idt_base = in.idt_base()};
}

template <typename Message>
Result<std::string> to_bytes(const Message& message) {
    std::string bytes;
    if (!message.SerializeToString(&bytes)) return Status(Category::kInternal, "protobuf cannot serialise");
    return bytes;
}

template <typename Message>
Status from_bytes(std::string_view bytes, const char* what, Message& message) {
    if (!message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())))
        return log_invalid(std::string(what) + " is not a valid protobuf message");
    return {};
}

}  // namespace

std::string to_hex(const Sha256& hash) {
    static constexpr char kDigits[] = "0123456789abcdef";
    std::string text;
    for (const std::uint8_t byte : hash) {
        text += kDigits[byte >> 4];
        text += kDigits[byte & 15];
    }
    return text;
}

Result<std::string> serialize(const Manifest& m) {
    for (const std::string* text : {&m.guest.config_json, &m.guest.cmdline, &m.xen.command_line})
        if (text->size() > kTextMaxBytes)
            return Status(Category::kUsage, "manifest: a text of " + std::to_string(text->size()) +
                                                " bytes is over the limit of " +
                                                std::to_string(kTextMaxBytes));
    pb::Manifest out;
    out.set_format_version(m.format_version);
    out.set_abi_version(m.abi_version);
    pb::Guest* guest = out.mutable_guest();
    guest->set_name(m.guest.name);
    guest->set_uuid(m.guest.uuid);
    guest->set_config_json(m.guest.config_json);
    guest->set_cmdline(m.guest.cmdline);
    guest->set_memory_kib(m.guest.memory_kib);
    guest->set_vcpus(m.guest.vcpus);
    to_pb(m.kernel, out.mutable_kernel());
    if (m.ramdisk) to_pb(*m.ramdisk, out.mutable_ramdisk());
    pb::Cpu* cpu = out.mutable_cpu();
    cpu->set_vendor(m.cpu.vendor);
    cpu->set_model_name(m.cpu.model_name);
    cpu->set_family(m.cpu.family);
    cpu->set_model(m.cpu.model);
    cpu->set_stepping(m.cpu.stepping);
    cpu->mutable_feature_words()->Add(m.cpu.feature_words.begin(), m.cpu.feature_words.end());
    to_pb(m.cpu.policy, cpu->mutable_policy());
    cpu->set_isolation(m.cpu.isolation);
    to_pb(m.cpu.physical, cpu->mutable_physical());
    pb::Xen* xen = out.mutable_xen();
    xen->set_version(m.xen.version);
    xen->set_build_id(m.xen.build_id);
    xen->set_changeset(m.xen.changeset);
    xen->set_command_line(m.xen.command_line);
    out.set_pool_first_mfn(m.pool_first_mfn);
    out.set_pool_frames(m.pool_frames);
    out.set_tsc_khz(m.tsc_khz);
    pb::Options* options = out.mutable_options();
    options->set_digest_interval(m.options.digest_interval);
    options->set_check_bits(m.options.check_bits);
    options->set_disabled_classes(m.options.disabled_classes);
    options->set_counter(m.options.counter);
    options->set_max_delay_ns(m.options.max_delay_ns);
    out.set_created_unix_s(m.created_unix_s);
    out.set_tool_version(m.tool_version);
    return to_bytes(out);
}

Result<Manifest> parse_manifest(std::string_view payload) {
    pb::Manifest in;
    CASM_TRY(from_bytes(payload, "manifest", in));
    Manifest m;
    m.format_version = in.format_version();
    if (m.format_version != kLogFormatVersion)
        return log_invalid("manifest: log format version " + std::to_string(m.format_version) +
                           ", this program reads version " + std::to_string(kLogFormatVersion));
    m.abi_version = in.abi_version();
    m.guest = {.name = in.guest().name(),
               .uuid = in.guest().uuid(),
               .config_json = in.guest().config_json(),
               .cmdline = in.guest().cmdline(),
               .memory_kib = in.guest().memory_kib(),
               .vcpus = in.guest().vcpus()};
    CASM_ASSIGN(m.kernel, from_pb(in.kernel(), "kernel"));
    if (in.has_ramdisk()) {
        CASM_ASSIGN(m.ramdisk, from_pb(in.ramdisk(), "ramdisk"));
    }
    m.cpu = {.vendor = in.cpu().vendor(),
             .model_name = in.cpu().model_name(),
             .family = in.cpu().family(),
             .model = in.cpu().model(),
             .stepping = in.cpu().stepping(),
             .feature_words = {in.cpu().feature_words().begin(), in.cpu().feature_words().end()},
             .policy = {},
             .isolation = in.cpu().isolation(),
             .physical = from_pb(in.cpu().physical())};
    CASM_ASSIGN(m.cpu.policy, from_pb(in.cpu().policy()));
    m.xen = {.version = in.xen().version(),
             .build_id = in.xen().build_id(),
             .changeset = in.xen().changeset(),
             .command_line = in.xen().command_line()};
    m.pool_first_mfn = in.pool_first_mfn();
    m.pool_frames = in.pool_frames();
    m.tsc_khz = in.tsc_khz();
    m.options = {.digest_interval = in.options().digest_interval(),
                 .check_bits = in.options().check_bits(),
                 .disabled_classes = in.options().disabled_classes(),
                 .counter = in.options().counter(),
                 .max_delay_ns = in.options().max_delay_ns()};
    if (m.options.check_bits > 16)
        return log_invalid("manifest: check_bits is " + std::to_string(m.options.check_bits) +
                           ", must be 0 to 16");
    if (counter_name(m.options.counter).empty())
        return log_invalid("manifest: counter is " + std::to_string(m.options.counter) + ", must be 0 to 3");
    m.created_unix_s = in.created_unix_s();
    m.tool_version = in.tool_version();
    return m;
}

Result<std::string> serialize(const Summary& s) {
    pb::Summary out;
    out.set_records(s.records);
    for (std::size_t cls = 0; cls < s.class_records.size(); ++cls) {
        if (s.class_records[cls] == 0) continue;
        pb::ClassRecords* row = out.add_class_records();
        row->set_cls(static_cast<std::uint32_t>(cls));
        row->set_records(s.class_records[cls]);
    }
    out.set_ordinals(s.ordinals);
    out.set_end_reason(s.end_reason);
    out.set_end_code(s.end_code);
    out.set_content_digest(s.content_digest);
    out.set_chunks(s.chunks);
    out.set_events_bytes(s.events_bytes);
    out.set_ring_bytes(s.ring_bytes);
    out.set_closed_unix_s(s.closed_unix_s);
    for (const auto& [name, value] : s.measurements) {
        pb::Measurement* row = out.add_measurements();
        row->set_name(name);
        row->set_value(value);
    }
    return to_bytes(out);
}

Result<Summary> parse_summary(std::string_view payload) {
    pb::Summary in;
    CASM_TRY(from_bytes(payload, "summary", in));
    Summary s;
    s.records = in.records();
    for (const pb::ClassRecords& row : in.class_records()) {
        if (row.cls() >= CASM_CLASSES_MAX || !kLayouts[row.cls()].logged || s.class_records[row.cls()] != 0)
            return log_invalid("summary: bad row for class " + std::to_string(row.cls()));
        s.class_records[row.cls()] = row.records();
    }
    s.ordinals = in.ordinals();
    s.end_reason = in.end_reason();
    s.end_code = in.end_code();
    s.content_digest = in.content_digest();
    s.chunks = in.chunks();
    s.events_bytes = in.events_bytes();
    s.ring_bytes = in.ring_bytes();
    s.closed_unix_s = in.closed_unix_s();
    for (const pb::Measurement& row : in.measurements())
        if (!s.measurements.emplace(row.name(), row.value()).second)
            return log_invalid("summary: measurement '" + row.name() + "' occurs twice");
    return s;
}

Result<BootFile> identify_boot_file(const std::string& path) {
    const FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!file.valid())
        return Status(Category::kUsage, errno_status("cannot read '" + path + "'", errno).message());
    BootFile identity;
    identity.name = path.substr(path.find_last_of('/') + 1);
    Sha256Stream hash;
    std::vector<std::byte> buffer(1u << 18);
    for (;;) {
        const ssize_t got = read_some(file.get(), buffer);
        if (got < 0)
            return Status(Category::kUsage, errno_status("cannot read '" + path + "'", errno).message());
        if (got == 0) break;
        hash.update(std::span(buffer).first(static_cast<std::size_t>(got)));
        identity.size_bytes += static_cast<std::uint64_t>(got);
    }
    identity.sha256 = hash.finish();
    return identity;
}

}  // namespace casmotion
