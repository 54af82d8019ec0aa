// SPDX-License-Identifier: GPL-2.0-or-later
#include "report/verify_page.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>

#include "base/host_text.h"
#include "casmotion/taxonomy.h"
#include "report/html_text.h"

namespace casmotion {
namespace {

constexpr char kHead[] = R"(<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width">
<title>casmotion verify</title>
<style>
body { font: 15px/1.45 system-ui, sans-serif; max-width: 64em; margin: 2em auto; padding: 0 1em; color: #1b1f24; background: #fff }
h1 { font-size: 1.5em } h2 { font-size: 1.15em; margin-top: 2em }
table { border-collapse: collapse; width: 100% } th, td { text-align: left; padding: .3em .6em; vertical-align: top }
tr + tr { border-top: 1px solid #d8dee4 } th { font-weight: 600 } td.n { text-align: right; font-variant-numeric: tabular-nums }
pre { background: #f3f5f7; padding: .6em; overflow-x: auto; font-size: .85em; margin: .4em 0 }
.verdict { padding: .7em 1em; border-radius: .4em; border-left: .5em solid }
.yes { border-color: #1a7f37; background: #eaf6ec } .no { border-color: #c0242c; background: #fdecec }
.unknown { border-color: #9a6700; background: #fff6de } td.yes, td.no, td.unknown { background: none; border: 0; white-space: nowrap }
td.yes { color: #1a7f37 } td.no { color: #c0242c } td.unknown { color: #9a6700 }
svg { display: block; width: 100%; height: 2.2em } svg rect { fill: #3b6ea8 } .note { color: #57606a; font-size: .9em }
</style></head><body>
)";

constexpr int kChartWidth = 960, kChartHeight = 40;  // in the chart's own units

const char* css_of(Verdict verdict) {
    switch (verdict) {
        case Verdict::kHolds:
            return "yes";
        case Verdict::kRefuted:
            return "no";
        case Verdict::kCannotTell:
            return "unknown";
    }
    return "unknown";
}

std::string row(const std::string& name, const std::string& value) {
    return "<tr><th>" + html(name) + "</th><td>" + html(value) + "</td></tr>\n";
}

// Bars of equal width, the highest over the full height. `label` is what a screen reader says.
std::string bars(const std::vector<std::uint64_t>& values, const std::string& label) {
    const std::uint64_t most = values.empty() ? 0 : *std::max_element(values.begin(), values.end());
    std::string out = "<svg viewBox=\"0 0 " + std::to_string(kChartWidth) + " " +
                      std::to_string(kChartHeight) +
                      "\" preserveAspectRatio=\"none\" role=\"img\" aria-label=\"" + html(label) + "\">";
    for (std::size_t i = 0; most != 0 && i < values.size(); ++i) {
        if (values[i] == 0) continue;
        const auto x = static_cast<int>(i * kChartWidth / values.size());
        const auto next = static_cast<int>((i + 1) * kChartWidth / values.size());
        // A value that is not 0 is to be seen.
        const int height = std::max(
            1, static_cast<int>(static_cast<double>(values[i]) / static_cast<double>(most) * kChartHeight));
        char text[96];
        std::snprintf(text, sizeof(text), "<rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\"/>", x,
                      kChartHeight - height, std::max(1, next - x), height);
        out += text;
    }
    return out + "</svg>";
}

std::string identity(const TraceReport& report, const LogReader& reader) {
    const Manifest& manifest = reader.manifest();
    std::string out = "<h2>The log</h2>\n<table>\n";
    out += row("Log", report.log.log);
    out += row("Guest", manifest.guest.name + ", " + size_text(manifest.guest.memory_kib * 1024) +
                            ", kernel " + manifest.kernel.name + " (SHA-256 " +
                            to_hex(manifest.kernel.sha256).substr(0, 16) + "…)");
    out += row("Command line", manifest.guest.cmdline);
    out += row("Host",
               manifest.cpu.model_name + ", Xen " + manifest.xen.version + " build " + manifest.xen.build_id);
    out += row("Recorded by",
               manifest.tool_version + ", hypervisor interface " + std::to_string(manifest.abi_version));
    out += row("Length", with_thousands(report.log.ordinals) + " entries, " +
                             with_thousands(report.log.records) + " records");
    if (const auto& summary = reader.summary()) {
        out += row("Ended", std::string(end_reason_name(summary->end_reason)));
        const auto duration = summary->measurements.find("duration_ns");
        if (duration != summary->measurements.end())
            out += row("Recording took", seconds_text(duration->second));
    }
    return out + "</table>\n";
}

std::string conditions(const TraceReport& report) {
    std::string out = "<h2>Conditions for an equivalent replay</h2>\n<table>\n";
    for (const ConditionResult& result : report.conditions) {
        out += "<tr><th>" + std::string(name_of(result.condition)) + "</th><td>" +
               std::string(title_of(result.condition)) + "</td><td class=\"" + css_of(result.verdict) +
               "\">" + std::string(name_of(result.verdict)) + "</td><td>" + html(result.reason);
        if (result.verdict == Verdict::kRefuted && result.record)
            out += "<br>at record " + with_thousands(*result.record) +
                   (result.ordinal ? ", behind " + with_thousands(*result.ordinal) + " entries" : "");
        if (result.verdict == Verdict::kRefuted && (!result.expected.empty() || !result.actual.empty()))
            out += "<br>expected " + html(result.expected) + ", actual " + html(result.actual);
        if (!result.explanation.empty()) {
            out += "<pre>";
            for (const std::string& line : result.explanation) out += html(line) + "\n";
            out += "</pre>";
        }
        out += "</td></tr>\n";
    }
    out += "</table>\n";
    if (report.queries.shapes != 0)
        out += "<p class=\"note\">" + with_thousands(report.queries.windows) +
               " trips of the guest through Xen have " + with_thousands(report.queries.shapes) +
               " shapes; for each the solver was asked whether two executions that agree with the log can "
               "end in different "
               "states (" +
               with_thousands(report.queries.queries) + " queries, " + with_thousands(report.queries.steps) +
               " steps).</p>\n";
    return out;
}

std::string checks(const TraceReport& report) {
    std::string out = "<h2>Checks of the log itself</h2>\n<table>\n";
    for (const CheckResult& check : report.log.checks)
        out += "<tr><th>" + html(check.check) + "</th><td class=\"" + css_of(check.verdict) + "\">" +
               std::string(name_of(check.verdict)) + "</td><td>" + html(check.reason) + "</td></tr>\n";
    return out + "</table>\n";
}

std::string event_mix(const TraceReport& report, const LogReader& reader) {
    const Timeline& timeline = report.timeline;
    std::string out = "<h2>Events over time</h2>\n<p class=\"note\">Left to right: the whole log, " +
                      with_thousands(timeline.entries_per_bucket) +
                      " entries per bar; each row has its own scale.";
    std::optional<std::uint64_t> first, last;
    for (const Timeline::Bucket& bucket : timeline.buckets) {
        if (!bucket.first_tsc) continue;
        if (!first) first = bucket.first_tsc;
        last = bucket.first_tsc;
    }
    if (first && reader.manifest().tsc_khz != 0 && *last >= *first) {
        const double seconds = static_cast<double>(*last - *first) * (1u << CASM_TSC_QUANTUM_BITS) /
                               (static_cast<double>(reader.manifest().tsc_khz) * 1000);
        char text[64];
        std::snprintf(text, sizeof(text), " In all about %.2f s of the guest's time.", seconds);
        out += text;
    }
    out +=
        "</p>\n<table>\n<tr><th>class</th><th>records</th><th>bytes, uncompressed</th><th "
        "style=\"width:60%\"></th></tr>\n";
    for (const ClassInfo& info : kClasses) {
        const std::uint64_t count = report.log.classes[info.id].logged;
        if (count == 0) continue;
        std::vector<std::uint64_t> values;
        for (const Timeline::Bucket& bucket : timeline.buckets) values.push_back(bucket.records[info.id]);
        out += "<tr><th>" + std::string(info.name) + "</th><td class=\"n\">" + with_thousands(count) +
               "</td><td class=\"n\">" + with_thousands(timeline.ring_bytes[info.id]) + "</td><td>" +
               bars(values, std::string(info.name) + " records over the log") + "</td></tr>\n";
    }
    return out + "</table>\n";
}

std::string bytes_on_disk(const TraceReport& report, const LogReader& reader) {
    // Chunks do not end at bars: a chunk's bytes are spread evenly over its entries.
    const Timeline& timeline = report.timeline;
    std::vector<double> spread(timeline.buckets.size(), 0);
    std::uint64_t stored = 0;
    for (const ChunkInfo& chunk : reader.chunks()) {
        stored += chunk.stored_bytes;
        const std::size_t first =
            std::min<std::size_t>(chunk.first_ordinal / timeline.entries_per_bucket, spread.size() - 1);
        const std::size_t last = std::min<std::size_t>(
            (chunk.first_ordinal + chunk.ordinals) / timeline.entries_per_bucket, spread.size() - 1);
        for (std::size_t i = first; i <= last; ++i)
            spread[i] += static_cast<double>(chunk.stored_bytes) / static_cast<double>(last - first + 1);
    }
    std::vector<std::uint64_t> values;
    for (const double bytes : spread) values.push_back(static_cast<std::uint64_t>(bytes));
    std::string out =
        "<h2>Where the bytes went</h2>\n<p>" + html(size_text(stored)) + " of compressed events";
    if (report.log.ordinals != 0) {
        char text[64];
        std::snprintf(text, sizeof(text), ", %.3f bytes per entry",
                      static_cast<double>(stored) / static_cast<double>(report.log.ordinals));
        out += text;
    }
    const Manifest& manifest = reader.manifest();
    out += "; kernel " + html(size_text(manifest.kernel.size_bytes)) +
           (manifest.kernel.embedded ? " (in the log)" : " (not in the log)");
    if (manifest.ramdisk)
        out += "; ramdisk " + html(size_text(manifest.ramdisk->size_bytes)) +
               (manifest.ramdisk->embedded ? " (in the log)" : " (not in the log)");
    return out + ".</p>\n" + bars(values, "compressed bytes over the log") + "\n";
}

std::string time_points(const TraceReport& report) {
    if (report.apoints == 0) return "";
    std::string out = "<h2>Time points between entries</h2>\n<p>" + with_thousands(report.apoints) +
                      ", of which " + with_thousands(report.apoints_by_state) + " are named by state" +
                      (report.apoints > report.first_apoints.size()
                           ? "; the first " + with_thousands(report.first_apoints.size()) + ":"
                           : ":") +
                      "</p>\n<table>\n<tr><th>record</th><th>entry</th><th>branches "
                      "since</th><th>RIP</th><th>named by</th></tr>\n";
    for (const APointRow& point : report.first_apoints)
        out += "<tr><td class=\"n\">" + with_thousands(point.record) + "</td><td class=\"n\">" +
               with_thousands(point.ordinal) + "</td><td class=\"n\">" + with_thousands(point.branches) +
               "</td><td>" + hex_text(point.rip) + "</td><td>" +
               (point.canonical ? "branch count" : "state") + "</td></tr>\n";
    return out + "</table>\n";
}

}  // namespace

std::string verify_page(const TraceReport& report, const LogReader& reader, const Status& verdict,
                        const std::optional<std::string>& replay) {
    const char* css = verdict.ok() ? "yes" : verdict.category() == Category::kInconclusive ? "unknown" : "no";
    std::string out = kHead;
    out += "<h1>casmotion verify: " + html(reader.manifest().guest.name) + "</h1>\n<p class=\"verdict " +
           std::string(css) + "\"><strong>" +
           (verdict.ok() ? "verified" : html(name_of(verdict.category()))) + "</strong>" +
           (verdict.ok() ? ": every condition holds" : ": " + html(verdict.message())) + "</p>\n";
    out += "<p>" +
           (replay ? html(*replay)
                   : std::string("No replay was run: a value that is plausible and wrong shows only "
                                 "in one (<code>--replay</code>).")) +
           "</p>\n";
    out += conditions(report);
    out += identity(report, reader);
    out += event_mix(report, reader);
    out += bytes_on_disk(report, reader);
    out += time_points(report);
    out += checks(report);
    return out + "</body></html>\n";
}

Status write_page(const std::string& path, const std::string& text) {
    const std::string part = path + ".part";
    const auto failed = [&](const std::string& what, int error) {
        std::remove(part.c_str());
        return errno_status(what, error);
    };
    FILE* file = std::fopen(part.c_str(), "wb");
    if (file == nullptr) return errno_status("cannot write " + path, errno);
    const bool written = std::fwrite(text.data(), 1, text.size(), file) == text.size();
    const int error = errno;
    if (std::fclose(file) != 0 || !written) return failed("cannot write " + path, written ? errno : error);
    if (std::rename(part.c_str(), path.c_str()) != 0) return failed("cannot write " + path, errno);
    return {};
}

}  // namespace casmotion
