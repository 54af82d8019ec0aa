// SPDX-License-Identifier: GPL-2.0-or-later
//
// casm-trace-mutants LOG [SURVIVORS [all]]: makes the mutants of a log, has the conditions checked on each,
// and prints who killed how many. Fails if a mutant that must be refuted is not. What only a replay can tell
// is counted, and written as a log each into the folder SURVIVORS (with the log's own kernel and ramdisk),
// for a test that replays them: one of each class and operation, or all. Names:
// NUMBER.CONDITION.CLASS.OPERATION[.same-states].
#include <algorithm>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <map>

#include "casmotion/taxonomy.h"
#include "mutants.h"
#include "support/seed.h"

namespace casmotion::test {
namespace {

constexpr const char* kKillers[] = {"integrity", "C1", "C2", "C3", "C4", "C5", "C6"};
constexpr const char* kReplay = "replay";

void write_survivor(const Mutant& mutant, const std::string& log, const std::string& folder,
                    unsigned number) {
    std::string op = mutant.op;
    std::replace_if(
        op.begin(), op.end(), [](char c) { return c == ' ' || c == ',' || c == '.'; }, '-');
    char digits[16];
    std::snprintf(digits, sizeof(digits), "%03u", number);
    const std::string name = std::string(digits) + "." + std::string(condition_of(mutant)) + "." +
                             mutant.cls + "." + op + (mutant.same_states ? ".same-states" : "");
    const std::filesystem::path out = std::filesystem::path(folder) / name;
    std::filesystem::create_directories(out);
    for (const auto& [file, content] : mutant.files) write_file((out / file).string(), content);
    for (const char* file : {"kernel", "ramdisk"})
        if (std::filesystem::exists(log + "/" + file)) std::filesystem::copy(log + "/" + file, out / file);
}

void print_row(const std::string& name, const std::map<std::string, unsigned>& row) {
    const auto count = [&row](const char* killer) { return row.contains(killer) ? row.at(killer) : 0; };
    std::printf("%-10s", name.c_str());
    for (const char* killer : kKillers) std::printf(" %9u", count(killer));
    std::printf(" %14u\n", count(kReplay));
}

int run(const std::string& log, const std::string& survivors, bool all) {
    const std::uint64_t seed = test_seed();
    auto mutants = mutants_of(log, seed);
    if (!mutants.ok()) {
        std::fprintf(stderr, "casm-trace-mutants: %s\n", mutants.status().message().c_str());
        return mutants.status().exit_code();
    }
    const auto untold = untold_of(log);
    if (!untold.ok()) {
        std::fprintf(stderr, "casm-trace-mutants: the log itself: %s\n", untold.status().message().c_str());
        return untold.status().exit_code();
    }
    std::map<std::string, std::map<std::string, unsigned>> table;  // class, killer: how many
    std::map<std::string, unsigned> for_replay;  // condition: how many only a replay can tell
    std::vector<const Mutant*> chosen;           // to be written
    // One of each class and operation, as each costs a replay: the last in the log. What goes into memory may
    // be overwritten before anybody looks; behind the last there is the final digest.
    std::map<std::string, const Mutant*> survivors_of_kind;
    std::map<std::string, unsigned> reasons;
    unsigned killed = 0, undecided = 0, wrong = 0, written = 0;
    for (const Mutant& mutant : *mutants) {
        const std::string killer = killer_of(mutant, *untold);
        if (!killer.empty() && killer != "cannot be told") {
            ++killed;
            ++table[mutant.cls][killer];
            continue;
        }
        // Not accepted without a replay either; a manifest without checks is a log that tells nothing.
        if (!killer.empty()) ++undecided;
        if (mutant.only_replay.empty() && killer.empty()) {
            ++wrong;
            std::printf("NOT KILLED: %s: %s: %s\n", mutant.cls.c_str(), mutant.op.c_str(),
                        mutant.what.c_str());
            continue;
        }
        ++table[mutant.cls][kReplay];
        ++for_replay[std::string(condition_of(mutant))];
        if (all) chosen.push_back(&mutant);
        ++reasons[mutant.cls + " " + mutant.op + ": " + (killer.empty() ? mutant.only_replay : killer)];
        const std::string op = mutant.op.substr(0, mutant.op.find_first_of(" ,"));
        const bool behind = mutant.op.find("behind an apoint") != std::string::npos;
        const Mutant*& last = survivors_of_kind[mutant.cls + " " + op + (behind ? " behind" : "") +
                                                (mutant.same_states ? " same" : "")];
        if (last == nullptr || last->record <= mutant.record) last = &mutant;
    }
    for (const auto& [kind, mutant] : survivors_of_kind)
        if (!all && mutant != nullptr) chosen.push_back(mutant);
    for (const Mutant* mutant : chosen)
        if (!survivors.empty()) write_survivor(*mutant, log, survivors, written++);
    std::printf("%-10s", "");
    for (const char* killer : kKillers) std::printf(" %9s", killer);
    std::printf(" %14s\n", "needs --replay");
    std::map<std::string, unsigned> sum;
    for (const auto& [cls, row] : table) {
        print_row(cls, row);
        for (const auto& [killer, count] : row) sum[killer] += count;
    }
    print_row("all", sum);
    std::printf("by condition, for a replay:");
    for (const auto& [condition, count] : for_replay) std::printf(" %s %u", condition.c_str(), count);
    std::printf("\n");
    std::printf("\nonly a replay can tell, and why:\n");
    for (const auto& [reason, count] : reasons) std::printf("%5u  %s\n", count, reason.c_str());
    std::printf(
        "\n%zu mutants: %u killed by verify alone, %zu need a replay (%u of them not accepted either), %u "
        "wrong; to repeat: "
        "CASMOTION_SEED=%llu\n",
        mutants->size(), killed, mutants->size() - killed - wrong, undecided, wrong,
        static_cast<unsigned long long>(seed));
    if (!survivors.empty()) std::printf("%u survivors written\n", written);
    return wrong == 0 ? 0 : 1;
}

}  // namespace
}  // namespace casmotion::test

int main(int argc, char** argv) {
    const bool all = argc == 4 && std::strcmp(argv[3], "all") == 0;
    if (argc < 2 || argc > 4 || (argc == 4 && !all)) {
        std::fprintf(stderr, "usage: casm-trace-mutants LOG [SURVIVORS [all]]\n");
        return 2;
    }
    return casmotion::test::run(argv[1], argc > 2 ? argv[2] : "", all);
}
