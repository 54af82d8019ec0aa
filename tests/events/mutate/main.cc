// SPDX-License-Identifier: GPL-2.0-or-later
//
// casmotion-mutate: a log with one record changed, dropped, duplicated or swapped; for tests. Prints what it
// did.
#include <CLI/CLI.hpp>
#include <iostream>
#include <map>

#include "casmotion/taxonomy.h"
#include "mutate/mutation.h"

int main(int argc, char** argv) {
    using namespace casmotion;
    using namespace casmotion::test;
    CLI::App app{
        "Writes a mutant of a log: one record changed, dropped, duplicated or swapped, all checksums right.\n"
        "  casmotion-mutate LOG OUT --class tsc --op change --nth 5 --seed 1"};
    std::string log, out, cls;
    Mutation mutation;
    std::map<std::string, std::uint8_t> classes;
    for (const ClassInfo& info : kClasses)
        if (kLayouts[info.id].logged) classes[std::string(info.name)] = info.id;
    const std::map<std::string, MutationOp> ops = {{"change", MutationOp::kChange},
                                                   {"drop", MutationOp::kDrop},
                                                   {"duplicate", MutationOp::kDuplicate},
                                                   {"swap", MutationOp::kSwap}};
    app.add_option("LOG", log, "the log to read")->required();
    app.add_option("OUT", out, "the folder to make")->required();
    app.add_option("--class", mutation.cls, "class of the record")
        ->required()
        ->transform(CLI::CheckedTransformer(classes));
    app.add_option("--op", mutation.op, "what to do with it")
        ->required()
        ->transform(CLI::CheckedTransformer(ops));
    app.add_option("--nth", mutation.nth, "which record of that class, from 0")->capture_default_str();
    app.add_option("--seed", mutation.seed, "which field and bit 'change' flips")->capture_default_str();
    app.add_flag("--fix-counts", mutation.fix_counts,
                 "make END's counters agree, so that only a replay can notice");
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return app.exit(error) == 0 ? 0 : 2;
    }
    const auto report = mutate_log(log, out, mutation);
    if (!report.ok()) {
        std::cerr << "casmotion-mutate: " << report.status().message() << '\n';
        return report.status().exit_code();
    }
    std::cout << "record " << report->record << "\nbefore " << report->before << "\nafter  "
              << (report->after.empty() ? "(dropped)" : report->after) << '\n';
    return 0;
}
