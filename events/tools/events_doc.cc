// SPDX-License-Identifier: GPL-2.0-or-later
//
// Prints docs/events.md from the taxonomy. A test compares; to update: events_doc > docs/events.md.
#include <iostream>
#include <string>

#include "casmotion/taxonomy.h"

namespace {

using namespace casmotion;

std::string_view meaning_of(Timing timing) {
    switch (timing) {
        case Timing::kSync:
            return "output of a synchronous entry; its `entry` record follows";
        case Timing::kAsync:
            return "effect from outside, applied at the injection point behind the `entry` record before it";
        case Timing::kCheck:
            return "no input: replay computes it again and compares";
        case Timing::kPoint:
            return "names the injection point of the asynchronous records behind it, when that is not the "
                   "exit of an entry";
        case Timing::kMeta:
            return "frame of the log";
        case Timing::kReport:
            return "from Xen to dom0 only; never in a log";
    }
    return {};
}

// A table cell: '|' would end it.
std::string cell(std::string_view text) {
    std::string out;
    for (const char c : text) {
        if (c == '|') out += '\\';
        out += c;
    }
    return out;
}

void print_values(const char* title, std::string_view (*name)(std::uint32_t), std::uint32_t first,
                  std::uint32_t last) {
    std::cout << "\n| " << title << " | name |\n|---|---|\n";
    for (std::uint32_t value = first; value <= last; ++value)
        if (!name(value).empty()) std::cout << "| " << value << " | " << cell(name(value)) << " |\n";
}

}  // namespace

int main() {
    std::cout
        << "<!-- SPDX-License-Identifier: GPL-2.0-or-later -->\n"
           "<!-- Printed by events/tools/events_doc.cc from events/abi/casm_taxonomy.def: do not edit. -->\n"
           "# Events: the classes of records in a log\n\n"
           "Interface version "
        << CASM_ABI_VERSION
        << ". The order in which records can follow each other, and how a log stores them, are in\n"
           "[log-format.md](log-format.md). A condition C1 to C6 is one of the sufficient conditions for an "
           "equivalent "
           "replay.\n\n"
           "| number | class | timing | recorded | replayed |\n|---|---|---|---|---|\n";
    for (const ClassInfo& info : kClasses)
        std::cout << "| " << static_cast<int>(info.id) << " | [" << info.name << "](#" << info.name << ") | "
                  << name_of(info.timing) << " | " << cell(info.recorded) << " | " << cell(info.replayed)
                  << " |\n";
    std::cout << "\nTiming:\n\n";
    for (const Timing timing :
         {Timing::kSync, Timing::kAsync, Timing::kCheck, Timing::kPoint, Timing::kMeta, Timing::kReport})
        std::cout << "- **" << name_of(timing) << "**: " << meaning_of(timing) << ".\n";
    std::cout << "\nPlaces of fields: `kind` (8 bits), `check` (16) and `aux` (32) are words of the record's "
                 "header; `w0` to "
                 "`w2` are 64-bit\nwords behind it; `blob` is bytes at the end, whose length is then in "
                 "`check`. Roles: a "
                 "**value** is given to the guest, a\n**key** is compared with what the replay asks for, "
                 "**compare** is "
                 "computed again and compared.\n";
    for (const ClassInfo& info : kClasses) {
        std::cout << "\n## " << info.name << "\n\nNumber " << static_cast<int>(info.id) << ", `CASM_CLS_"
                  << info.symbol << "`, " << name_of(info.timing) << ": " << meaning_of(info.timing)
                  << ".\n\n- Hooked: " << info.where << "\n- Recorded: " << info.recorded
                  << "\n- Replayed: " << info.replayed << "\n- Obligation: " << info.obligation
                  << "\n\n| field | place | role | encoding | meaning |\n|---|---|---|---|---|\n";
        for (const FieldInfo& field : fields_of(info.id))
            std::cout << "| " << field.name << " | " << name_of(field.place) << " | " << name_of(field.role)
                      << " | " << name_of(field.encoding) << " | " << cell(field.meaning) << " |\n";
    }
    std::cout << "\n## Values\n";
    print_values("entry.kind", entry_kind_name, 0, 255);
    print_values("ring.page", bridge_page_name, 0, 255);
    print_values("apoint.kind", apoint_kind_name, 0, 255);
    print_values("digest.when", digest_when_name, 0, 255);
    print_values("end.reason", end_reason_name, 1, CASM_END_DIVERGED - 1);
    print_values("end.code (shutdown)", shutdown_code_name, 0, 255);
    return 0;
}
