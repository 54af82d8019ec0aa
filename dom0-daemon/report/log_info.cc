// SPDX-License-Identifier: GPL-2.0-or-later
#include "report/log_info.h"

#include <algorithm>
#include <cstdio>
#include <ctime>

#include "base/host_text.h"
#include "casmotion/ring_codec.h"
#include "casmotion/taxonomy.h"
#include "cpu/physical_cpu.h"
#include "report/status_report.h"

namespace casmotion {
namespace {

std::string date_text(int64_t unix_s) {
    const auto time = static_cast<std::time_t>(unix_s);
    std::tm parts = {};
    if (gmtime_r(&time, &parts) == nullptr) return std::to_string(unix_s);
    char text[64];
    std::strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S UTC", &parts);
    return text;
}

std::string file_text(const BootFile& file) {
    return printable(file.name) + ", " + size_text(file.size_bytes) + ", SHA-256 " +
           to_hex(file.sha256).substr(0, 16) + "..., " +
           (file.embedded ? "in the log" : "not in the log (by hash)");
}

std::string line(const char* label, const std::string& value) {
    char text[32];
    std::snprintf(text, sizeof(text), "%-12s", label);
    return text + value + "\n";
}

std::string per_entry(uint64_t bytes, uint64_t entries) {
    char text[48];
    std::snprintf(text, sizeof(text), "%.3f",
                  entries == 0 ? 0.0 : static_cast<double>(bytes) / static_cast<double>(entries));
    return text;
}

std::string class_list(uint32_t bits) {
    std::string out;
    for (const ClassInfo& info : kClasses)
        if ((bits & (1u << info.id)) != 0) out += (out.empty() ? "" : ", ") + std::string(info.name);
    return out;
}

std::string joined(const std::vector<std::string>& words) {
    std::string out;
    for (const std::string& word : words) out += (out.empty() ? "" : ", ") + word;
    return out;
}

Json policy_json(const CpuPolicy& policy) {
    Json leaves = Json::array(), msrs = Json::array();
    for (const CpuidRow& row : policy.leaves) {
        Json out = {{"leaf", hex_text(row.leaf)}};
        if (row.subleaf != CpuidRow::kNoSubleaf) out["subleaf"] = row.subleaf;
        out["eax"] = hex_text(row.eax);
        out["ebx"] = hex_text(row.ebx);
        out["ecx"] = hex_text(row.ecx);
        out["edx"] = hex_text(row.edx);
        leaves.push_back(std::move(out));
    }
    for (const MsrRow& row : policy.msrs)
        msrs.push_back({{"msr", hex_text(row.index)}, {"value", hex_text(row.value)}});
    return {{"vendor", policy.vendor()},
            {"features", feature_names(feature_words(policy))},
            {"hidden_inputs", feature_names(hidden_inputs(feature_words(policy)))},
            {"leaves", leaves},
            {"msrs", msrs}};
}

Json isolation_json(uint32_t isolation) {
    return {{"cpuid", (isolation & CASM_ISOLATE_CPUID) != 0},
            {"descriptors", (isolation & CASM_ISOLATE_DESCRIPTORS) != 0},
            {"umip", (isolation & CASM_ISOLATE_UMIP) != 0}};
}

Json physical_json(const PhysicalCpu& cpu) {
    return {{"cpu", cpu.cpu},
            {"apic_id", cpu.apic_id},
            {"x2apic_id", cpu.x2apic_id},
            {"ext_apic_id", cpu.ext_apic_id},
            {"ext_core", cpu.ext_core},
            {"ext_node", cpu.ext_node},
            {"signature", hex_text(cpu.signature)},
            {"leaves", hex_text(cpu.leaves)},
            {"idt_base", hex_text(cpu.idt_base)}};
}

Json file_json(const BootFile& file) {
    return {{"name", file.name},
            {"size_bytes", file.size_bytes},
            {"sha256", to_hex(file.sha256)},
            {"embedded", file.embedded}};
}

}  // namespace

Result<LogInfo> read_log_info(LogReader& reader) {
    LogInfo info;
    info.name = reader.name();
    info.manifest = reader.manifest();
    info.summary = reader.summary();
    info.torn_tail = reader.torn_tail();
    CASM_TRY(reader.seek(RecordIndex{0}));
    Record record;
    for (;;) {
        CASM_ASSIGN(const bool more, reader.next(record));
        if (!more) break;
        const uint64_t bytes = ring_size_bytes(record);
        ++info.records;
        if (record.cls == CASM_CLS_APOINT)
            ++(record.kind == CASM_APOINT_CANONICAL ? info.apoints_canonical : info.apoints_by_state);
        if (record.cls == CASM_CLS_BRANCHES) info.branches = record.w[0];
        info.ring_bytes += bytes;
        if (record.cls < CASM_CLASSES_MAX) {
            ++info.class_records[record.cls];
            info.class_bytes[record.cls] += bytes;
        }
    }
    info.entries = info.class_records[CASM_CLS_ENTRY];
    for (const ChunkInfo& chunk : reader.chunks())
        info.events_bytes = std::max<uint64_t>(info.events_bytes, chunk.offset + chunk.stored_bytes);
    if (info.summary) info.events_bytes = info.summary->events_bytes;
    return info;
}

std::string to_text(const LogInfo& info) {
    const Manifest& manifest = info.manifest;
    std::string out;
    out += line("log", info.name + (info.summary ? "" : " (incomplete: the recording was not closed)"));
    out += line("guest", printable(manifest.guest.name) + ", " + std::to_string(manifest.guest.vcpus) +
                             " vCPU, " + size_text(manifest.guest.memory_kib * 1024) + ", UUID " +
                             printable(manifest.guest.uuid));
    out += line("cmdline", printable(manifest.guest.cmdline));
    out += line("kernel", file_text(manifest.kernel));
    if (manifest.ramdisk) out += line("ramdisk", file_text(*manifest.ramdisk));
    out += line("recorded",
                date_text(manifest.created_unix_s) + " by casmotion " + printable(manifest.tool_version));
    out += line("host",
                printable(manifest.cpu.model_name) + ", Xen " + printable(manifest.xen.version) +
                    (manifest.xen.build_id.empty() ? "" : ", build " + printable(manifest.xen.build_id)));
    const std::vector<std::string> visible = visible_instructions(manifest.cpu.isolation);
    out += line("processor",
                to_text(manifest.cpu.physical) +
                    (visible.empty() ? std::string(", which the guest could not see")
                                     : ", which the guest could see: " + joined(visible) + " did not trap"));
    const std::vector<std::string> features = feature_names(feature_words(manifest.cpu.policy));
    out += line("CPUID said", printable(manifest.cpu.policy.vendor()) + ", " +
                                  std::to_string(features.size()) + " features: " + joined(features));
    out += line("pool", hex_text(manifest.pool_first_mfn * 4096) + ", " +
                            with_thousands(manifest.pool_frames) + " frames");
    out +=
        line("format", "log " + std::to_string(manifest.format_version) + ", hypervisor interface " +
                           std::to_string(manifest.abi_version) + ", digests " +
                           (manifest.options.digest_interval == 0
                                ? std::string("at start and end")
                                : "every " + with_thousands(manifest.options.digest_interval) + " entries"));
    out += line("counter",
                manifest.options.counter == CASM_COUNTER_ABSENT
                    ? std::string("none: events were injected at entries into Xen only")
                    : std::string(counter_name(manifest.options.counter)) + ", events waited at most about " +
                          with_thousands(manifest.options.max_delay_ns / 1000) + " us for an entry");
    if (manifest.options.counter != CASM_COUNTER_ABSENT)
        out += line("points", with_thousands(info.apoints_canonical) +
                                  " between entries named by the branch count, " +
                                  with_thousands(info.apoints_by_state) + " by state; " +
                                  with_thousands(info.branches) + " branches counted");
    if (manifest.options.disabled_classes != 0)
        out += line("switched off",
                    class_list(manifest.options.disabled_classes) + " (a test's log: it will not replay)");
    if (info.summary) {
        const auto duration = info.summary->measurements.find("duration_ns");
        out += line("end", "the guest " + end_text(info.summary->end_reason, info.summary->end_code) +
                               (duration == info.summary->measurements.end()
                                    ? ""
                                    : " after " + seconds_text(duration->second)));
    } else if (info.torn_tail) {
        out += line("end", "none: " + info.torn_tail->reason + " (" +
                               size_text(info.torn_tail->dropped_bytes) + " dropped)");
    }
    out += line("size", size_text(info.events_bytes) + " of events, " +
                            per_entry(info.events_bytes, info.entries) + " bytes per entry; " +
                            size_text(info.ring_bytes) + " uncompressed");
    char row[128];
    std::snprintf(row, sizeof(row), "\n%-10s %14s %16s\n", "class", "records", "bytes (raw)");
    out += row;
    for (const ClassInfo& each : kClasses) {
        if (each.timing == Timing::kReport) continue;
        std::snprintf(row, sizeof(row), "%-10s %14s %16s\n", std::string(each.name).c_str(),
                      with_thousands(info.class_records[each.id]).c_str(),
                      with_thousands(info.class_bytes[each.id]).c_str());
        out += row;
    }
    std::snprintf(row, sizeof(row), "%-10s %14s %16s\n", "all", with_thousands(info.records).c_str(),
                  with_thousands(info.ring_bytes).c_str());
    out += row;
    if (info.summary && !info.summary->measurements.empty()) {
        out += "\nmeasured while recording\n";
        for (const auto& [name, value] : info.summary->measurements)
            out += "  " + printable(name) + " " + with_thousands(value) + "\n";
    }
    return out;
}

Json to_json(const LogInfo& info) {
    const Manifest& manifest = info.manifest;
    Json out;
    out["log"] = info.name;
    out["complete"] = info.summary.has_value();
    out["format_version"] = manifest.format_version;
    out["abi_version"] = manifest.abi_version;
    out["guest"] = {{"name", manifest.guest.name},
                    {"uuid", manifest.guest.uuid},
                    {"cmdline", manifest.guest.cmdline},
                    {"memory_kib", manifest.guest.memory_kib},
                    {"vcpus", manifest.guest.vcpus},
                    {"config", Json::parse(manifest.guest.config_json, nullptr, false)}};
    // A configuration that is no JSON is shown as the text it is.
    if (out["guest"]["config"].is_discarded()) out["guest"]["config"] = manifest.guest.config_json;
    out["kernel"] = file_json(manifest.kernel);
    out["ramdisk"] = manifest.ramdisk ? file_json(*manifest.ramdisk) : Json();
    out["cpu"] = {{"vendor", manifest.cpu.vendor},
                  {"model_name", manifest.cpu.model_name},
                  {"family", manifest.cpu.family},
                  {"model", manifest.cpu.model},
                  {"stepping", manifest.cpu.stepping},
                  {"policy", policy_json(manifest.cpu.policy)},
                  {"isolation", isolation_json(manifest.cpu.isolation)},
                  {"physical", physical_json(manifest.cpu.physical)}};
    out["xen"] = {{"version", manifest.xen.version},
                  {"build_id", manifest.xen.build_id},
                  {"changeset", manifest.xen.changeset},
                  {"command_line", manifest.xen.command_line}};
    out["pool_first_mfn"] = manifest.pool_first_mfn;
    out["pool_frames"] = manifest.pool_frames;
    out["tsc_khz"] = manifest.tsc_khz;
    out["digest_interval"] = manifest.options.digest_interval;
    out["check_bits"] = manifest.options.check_bits;
    out["counter"] = std::string(counter_name(manifest.options.counter));
    out["max_delay_ns"] = manifest.options.max_delay_ns;
    out["apoints"] = {{"canonical", info.apoints_canonical}, {"by_state", info.apoints_by_state}};
    out["branches"] = info.branches;
    Json disabled = Json::array();
    for (const ClassInfo& each : kClasses)
        if ((manifest.options.disabled_classes & (1u << each.id)) != 0)
            disabled.push_back(std::string(each.name));
    out["disabled_classes"] = disabled;
    out["created_unix_s"] = manifest.created_unix_s;
    out["tool_version"] = manifest.tool_version;
    out["records"] = info.records;
    out["entries"] = info.entries;
    out["events_bytes"] = info.events_bytes;
    out["ring_bytes"] = info.ring_bytes;
    Json classes = Json::object();
    for (const ClassInfo& each : kClasses)
        if (each.timing != Timing::kReport)
            classes[std::string(each.name)] = {{"records", info.class_records[each.id]},
                                               {"ring_bytes", info.class_bytes[each.id]}};
    out["classes"] = classes;
    if (info.summary) {
        out["end_reason"] = std::string(end_reason_name(info.summary->end_reason));
        out["end_code"] = info.summary->end_code;
        out["content_digest"] = hex_text(info.summary->content_digest);
        out["chunks"] = info.summary->chunks;
        out["closed_unix_s"] = info.summary->closed_unix_s;
        out["measurements"] = info.summary->measurements;
    }
    if (info.torn_tail)
        out["torn_tail"] = {{"chunk", info.torn_tail->chunk},
                            {"offset", info.torn_tail->offset},
                            {"dropped_bytes", info.torn_tail->dropped_bytes},
                            {"reason", info.torn_tail->reason}};
    return out;
}

}  // namespace casmotion
