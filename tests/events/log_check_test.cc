// SPDX-License-Identifier: GPL-2.0-or-later
//
// What the checks say of good logs, of logs that break one rule, and of mutants.
#include "casmotion/log_check.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <functional>
#include <nlohmann/json.hpp>

#include "casmotion/taxonomy.h"
#include "mutate/mutation.h"
#include "support/raw_log.h"
#include "support/seed.h"
#include "support/synthetic_log.h"

namespace casmotion::test {
namespace {

LogReport report_of(const std::vector<Record>& records, const SyntheticOptions& options = {},
                    bool closed = true) {
    auto reader = LogReader::open(
        memory_source(raw_log(manifest_file(synthetic_manifest(options)), records, 500, closed)));
    EXPECT_TRUE(reader.ok()) << reader.status().message();
    return check_log(**reader);
}

const CheckResult& result_of(const LogReport& report, const std::string& check) {
    for (const CheckResult& result : report.checks)
        if (result.check == check) return result;
    ADD_FAILURE() << "no check " << check;
    return report.checks.front();
}

std::uint64_t applied(const Record& end, std::uint8_t cls) {
    std::uint64_t count = 0;
    std::memcpy(&count, end.blob.data() + 8 * cls, sizeof(count));
    return count;
}

void set_applied(Record& end, std::uint8_t cls, std::uint64_t count) {
    std::memcpy(end.blob.data() + 8 * cls, &count, sizeof(count));
}

TEST(LogCheck, AcceptsEveryLogThatAHypervisorCanProduce) {
    const std::uint64_t seed = test_seed();
    SCOPED_TRACE(repeat_with(seed));
    for (std::uint64_t round = 0; round < 40; ++round) {
        for (const std::uint32_t reason :
             {CASM_END_SHUTDOWN, CASM_END_CRASHED, CASM_END_STOPPED, CASM_END_DESTROYED}) {
            const SyntheticOptions options{.seed = seed + round,
                                           .entries = 1 + round * 37,
                                           .digest_interval = round % 3 * 50,
                                           .check_bits = static_cast<std::uint32_t>(round % 17),
                                           .end_reason = reason};
            const LogReport report = report_of(synthetic_log(options), options);
            ASSERT_TRUE(report.verdict().ok()) << "round " << round << ": " << to_text(report);
            ASSERT_EQ(report.checks.size(), 4u);
            ASSERT_EQ(report.ordinals, options.entries);
        }
    }
}

TEST(LogCheck, EveryClassOccursInTheLogsOfTheseTests) {
    const LogReport report = report_of(synthetic_log({}));
    for (const ClassInfo& info : kClasses)
        if (kLayouts[info.id].logged) {
            EXPECT_GT(report.classes[info.id].logged, 0u) << info.name;
        }
}

TEST(LogCheck, CannotTellOfALogThatWasCut) {
    std::vector<Record> records = synthetic_log({});
    records.resize(records.size() / 2);
    const LogReport report = report_of(records, {}, false);
    for (const CheckResult& result : report.checks)
        EXPECT_EQ(result.verdict, Verdict::kCannotTell) << result.check;
    EXPECT_EQ(report.verdict().category(), Category::kLogInvalid);
    EXPECT_FALSE(report.classes[CASM_CLS_TSC].applied);
}

TEST(LogCheck, SaysNoAlsoOfALogThatWasCut) {
    std::vector<Record> records = synthetic_log({});
    records.resize(records.size() / 2);
    records.erase(records.begin());
    const LogReport report = report_of(records, {}, false);
    EXPECT_EQ(result_of(report, "order").verdict, Verdict::kRefuted);
    EXPECT_EQ(report.verdict().category(), Category::kLogInvalid);
}

// One effect that was applied and not logged, per class: what a hypervisor with a hook switched off leaves.
TEST(LogCheck, NamesTheClassOfAnEffectThatIsNotLogged) {
    for (const ClassInfo& info : kClasses) {
        if (!kLayouts[info.id].logged || info.id == CASM_CLS_END) continue;
        std::vector<Record> records = synthetic_log({});
        Record& end = records.back();
        set_applied(end, info.id, applied(end, info.id) + 1);
        const LogReport report = report_of(records);
        const CheckResult& result = result_of(report, "completeness");
        EXPECT_EQ(result.verdict, Verdict::kRefuted) << info.name;
        EXPECT_EQ(result.cls, info.name);
        EXPECT_EQ(report.verdict().category(), Category::kRefuted);
        EXPECT_NE(report.verdict().message().find("class " + std::string(info.name)), std::string::npos);
        EXPECT_EQ(result_of(report, "order").verdict, Verdict::kHolds) << "nothing else is wrong";
    }
}

TEST(LogCheck, RefusesEffectsOfClassesItDoesNotKnow) {
    std::vector<Record> records = synthetic_log({});
    set_applied(records.back(), 15, 1);
    EXPECT_EQ(result_of(report_of(records), "completeness").verdict, Verdict::kRefuted);
}

struct OrderCase {
    const char* what;
    std::function<void(std::vector<Record>&)> edit;
    const char* check;  // that must say no
};

// Index of the first record from `from` on for which `test` holds.
std::size_t find(const std::vector<Record>& records, const std::function<bool(const Record&)>& test,
                 std::size_t from = 2) {
    while (from < records.size() && !test(records[from])) ++from;
    EXPECT_LT(from, records.size()) << "the log has no such record";
    return from;
}

std::size_t find_class(const std::vector<Record>& records, std::uint8_t cls, std::size_t from = 2) {
    return find(
        records, [cls](const Record& r) { return r.cls == cls; }, from);
}

std::size_t find_entry(const std::vector<Record>& records, std::uint8_t kind, std::uint32_t detail) {
    return find(records, [=](const Record& r) {
        return r.cls == CASM_CLS_ENTRY && r.kind == kind && r.aux == detail;
    });
}

template <typename T>
auto at(std::vector<T>& v, std::size_t i) {
    return v.begin() + static_cast<std::ptrdiff_t>(i);
}

void move_before(std::vector<Record>& records, std::size_t from, std::size_t to) {
    const Record record = records[from];
    records.erase(at(records, from));
    records.insert(at(records, to), record);
}

TEST(LogCheck, RefusesRecordsWhereTheyCannotBe) {
    const OrderCase cases[] = {
        {"no INIT", [](auto& r) { r.erase(r.begin()); }, "order"},
        {"two INIT", [](auto& r) { r.insert(at(r, 1), Record(r[0])); }, "order"},
        {"INIT later", [](auto& r) { r.insert(at(r, 9), Record(r[0])); }, "order"},
        {"no digest (start)", [](auto& r) { r.erase(at(r, 1)); }, "order"},
        {"two digests (start)", [](auto& r) { r.insert(at(r, 1), Record(r[1])); }, "order"},
        {"digest (start) of ordinal 1", [](auto& r) { r[1].w[0] = 1; }, "order"},
        {"no END", [](auto& r) { r.pop_back(); }, "order"},
        {"two END", [](auto& r) { r.push_back(Record(r.back())); }, "order"},
        {"an entry after END", [](auto& r) { r.push_back({.cls = CASM_CLS_ENTRY, .kind = 1}); }, "order"},
        {"no digest (end)", [](auto& r) { r.erase(r.end() - 2); }, "order"},
        {"digest (end) too early", [](auto& r) { move_before(r, r.size() - 2, r.size() - 4); }, "order"},
        {"END (destroyed) with a digest", [](auto& r) { r.back().kind = CASM_END_DESTROYED; }, "order"},
        {"END (stopped) with the digest of a shutdown",
         [](auto& r) {
             r.back().kind = CASM_END_STOPPED;
             r.back().aux = 0;
         },
         "order"},
        {"END (shutdown) with the digest of a stop", [](auto& r) { (r.end() - 2)->kind = CASM_DIGEST_STOP; },
         "order"},
        {"END of ordinal + 1", [](auto& r) { ++r.back().w[0]; }, "order"},
        {"END with another hash", [](auto& r) { r.back().w[1] ^= std::uint64_t{1} << 63; }, "order"},
        {"END with reason 0", [](auto& r) { r.back().kind = 0; }, "fields"},
        {"END with reason diverged", [](auto& r) { r.back().kind = CASM_END_DIVERGED; }, "fields"},
        {"periodic digest of another ordinal", [](auto& r) { ++r[find_class(r, CASM_CLS_DIGEST)].w[0]; },
         "order"},
        {"periodic digest twice",
         [](auto& r) {
             const auto i = find_class(r, CASM_CLS_DIGEST);
             r.insert(at(r, i), Record(r[i]));
         },
         "order"},
        {"digest of unknown kind", [](auto& r) { r[find_class(r, CASM_CLS_DIGEST)].kind = 7; }, "fields"},
        {"RDTSC without tsc", [](auto& r) { r.erase(at(r, find_class(r, CASM_CLS_TSC))); }, "order"},
        {"RDTSC with two tsc",
         [](auto& r) {
             const auto i = find_class(r, CASM_CLS_TSC);
             r.insert(at(r, i), Record(r[i]));
         },
         "order"},
        {"TSC runs backwards",
         [](auto& r) {
             const auto i = find_class(r, CASM_CLS_TSC);
             std::swap(r[i], r[find_class(r, CASM_CLS_TSC, i + 1)]);
         },
         "order"},
        {"tsc after its entry",
         [](auto& r) {
             const auto i = find_class(r, CASM_CLS_TSC);
             std::swap(r[i], r[i + 1]);
         },
         "order"},
        {"forced CPUID without cpuid", [](auto& r) { r.erase(at(r, find_class(r, CASM_CLS_CPUID))); },
         "order"},
        {"msr in a hypercall",
         [](auto& r) { r.insert(at(r, find_entry(r, CASM_ENTRY_HYPERCALL, 1)), {.cls = CASM_CLS_MSR}); },
         "order"},
        {"result in an exception",
         [](auto& r) {
             r.insert(at(r, find_entry(r, CASM_ENTRY_PRIVOP, 0x0f31) - 1),
                      {.cls = CASM_CLS_RESULT, .kind = 17});
         },
         "order"},
        {"result of another hypercall",
         [](auto& r) { r[find_entry(r, CASM_ENTRY_HYPERCALL, 17) - 1].kind = 18; }, "order"},
        {"two results of one hypercall",
         [](auto& r) {
             const auto i = find_entry(r, CASM_ENTRY_HYPERCALL, 17);
             r.insert(at(r, i), Record(r[i - 1]));
         },
         "order"},
        {"outmem without result",
         [](auto& r) {
             const auto i = find_class(r, CASM_CLS_OUTMEM);
             r.erase(at(r, find_class(r, CASM_CLS_RESULT, i)));
             while (r[i + 1].cls == CASM_CLS_OUTMEM) r.erase(at(r, i + 1));
             while (r[i + 1].cls != CASM_CLS_ENTRY) r.erase(at(r, i + 1));
         },
         "order"},
        {"event before the first entry",
         [](auto& r) { r.insert(at(r, 2), {.cls = CASM_CLS_EVTCHN, .aux = 1}); }, "order"},
        {"event inside an entry",
         [](auto& r) {
             r.insert(at(r, find_class(r, CASM_CLS_TSC, 50) + 1), {.cls = CASM_CLS_EVTCHN, .aux = 1});
         },
         "order"},
        {"ring data inside a hypercall",
         [](auto& r) {
             r.insert(at(r, find_class(r, CASM_CLS_RESULT, 50) + 1),
                      {.cls = CASM_CLS_RING, .check = 1, .blob = {1}});
         },
         "order"},
        {"event for port 0", [](auto& r) { r[find_class(r, CASM_CLS_EVTCHN)].aux = 0; }, "fields"},
        {"ring data over the page", [](auto& r) { r[find_class(r, CASM_CLS_RING)].aux = 4096; }, "fields"},
        {"entry of unknown kind", [](auto& r) { r[find_class(r, CASM_CLS_ENTRY)].kind = 9; }, "fields"},
        {"init that leaves its page", [](auto& r) { r[0].aux = 1; }, "fields"},
        {"an empty log", [](auto& r) { r.clear(); }, "order"},
    };
    for (const OrderCase& c : cases) {
        std::vector<Record> records = synthetic_log({});
        ASSERT_TRUE(report_of(records).verdict().ok()) << "canary: the unchanged log is good";
        c.edit(records);
        const LogReport report = report_of(records);
        EXPECT_EQ(result_of(report, c.check).verdict, Verdict::kRefuted) << c.what << "\n" << to_text(report);
        EXPECT_EQ(report.verdict().category(), Category::kRefuted) << c.what;
        EXPECT_FALSE(result_of(report, c.check).reason.empty());
    }
}

TEST(LogCheck, PeriodicDigestsKeepTheirDistance) {
    const SyntheticOptions options{.digest_interval = 50};
    const std::vector<Record> records = synthetic_log(options);
    EXPECT_TRUE(report_of(records, options).verdict().ok());
    EXPECT_EQ(result_of(report_of(records, {.digest_interval = 51}), "order").verdict, Verdict::kRefuted);
    EXPECT_EQ(result_of(report_of(records, {.digest_interval = 0}), "order").verdict, Verdict::kRefuted);
}

// Every class, every record that was dropped or repeated: the counters of END tell, whatever else is
// plausible.
TEST(LogCheck, DroppedAndRepeatedRecordsAreNoticedInEveryClass) {
    const std::uint64_t seed = test_seed();
    SCOPED_TRACE(repeat_with(seed));
    Random random(seed);
    for (const ClassInfo& info : kClasses) {
        if (!kLayouts[info.id].logged) continue;
        for (const MutationOp op : {MutationOp::kDrop, MutationOp::kDuplicate}) {
            for (int i = 0; i < 10; ++i) {
                std::vector<Record> records = synthetic_log({});
                const auto count = static_cast<std::uint64_t>(std::count_if(
                    records.begin(), records.end(), [&](const Record& r) { return r.cls == info.id; }));
                const auto mutant =
                    mutate_records(records, {.cls = info.id, .op = op, .nth = uniform(random, 0, count - 1)});
                ASSERT_TRUE(mutant.ok());
                const LogReport report = report_of(records);
                EXPECT_EQ(report.verdict().category(), Category::kRefuted) << mutant->before;
                if (info.id == CASM_CLS_END) continue;
                EXPECT_EQ(result_of(report, "completeness").cls, info.name) << mutant->before;
            }
        }
    }
}

TEST(LogCheck, MutantsWithAdjustedCountersFoolOnlyCompleteness) {
    std::vector<Record> records = synthetic_log({});
    ASSERT_TRUE(mutate_records(
                    records, {.cls = CASM_CLS_EVTCHN, .op = MutationOp::kDrop, .nth = 3, .fix_counts = true})
                    .ok());
    EXPECT_TRUE(report_of(records).verdict().ok())
        << "an event more or less is plausible: only a replay can tell";
    records = synthetic_log({});
    ASSERT_TRUE(
        mutate_records(records, {.cls = CASM_CLS_TSC, .op = MutationOp::kDrop, .nth = 3, .fix_counts = true})
            .ok());
    const LogReport report = report_of(records);
    EXPECT_EQ(result_of(report, "completeness").verdict, Verdict::kHolds);
    EXPECT_EQ(result_of(report, "order").verdict, Verdict::kRefuted) << "a RDTSC has one value";
}

TEST(LogCheck, NamesTheRecord) {
    std::vector<Record> records = synthetic_log({});
    const std::size_t i = find_entry(records, CASM_ENTRY_PRIVOP, 0x0f31);
    records.erase(at(records, i - 1));
    const LogReport report = report_of(records);
    const CheckResult& order = result_of(report, "order");
    EXPECT_EQ(order.record, i - 1);
    EXPECT_EQ(order.cls, "entry");
    EXPECT_EQ(order.expected, "1 tsc, 0 msr, 0 cpuid");
    EXPECT_EQ(order.actual, "0 tsc, 0 msr, 0 cpuid");
    EXPECT_EQ(order.condition, "C3");
}

// Xen raises the trap of a guest that steps itself while it emulates the instruction: before that one's own
// entry.
TEST(LogCheck, OnlyADebugTrapMayComeBetweenAnOutputAndItsEntry) {
    for (const auto& [vector, good] : {std::pair{1u, true}, {14u, false}}) {
        std::vector<Record> records = synthetic_log({});
        const std::size_t i = find_entry(records, CASM_ENTRY_PRIVOP, 0x0f31);
        Record trap = records[i];
        trap.kind = CASM_ENTRY_EXCEPTION;
        trap.aux = vector;
        records.insert(at(records, i), trap);
        const LogReport report = report_of(records);
        const CheckResult& order = result_of(report, "order");
        const bool refuted_there =
            order.verdict == Verdict::kRefuted && (order.record == i || order.record == i + 1);
        EXPECT_EQ(refuted_there, !good) << vector;
    }
}

TEST(LogCheck, PrintsTextAndJson) {
    std::vector<Record> records = synthetic_log({});
    const LogReport good = report_of(records);
    EXPECT_NE(to_text(good).find("all checks hold\n"), std::string::npos);
    const auto json = nlohmann::json::parse(to_json(good));
    EXPECT_EQ(json["verdict"], "holds");
    EXPECT_EQ(json["exit_code"], 0);
    EXPECT_EQ(json["checks"].size(), 4u);
    EXPECT_EQ(json["classes"][0]["class"], "entry");

    set_applied(records.back(), CASM_CLS_TSC, 1);
    const LogReport bad = report_of(records);
    const auto refuted = nlohmann::json::parse(to_json(bad));
    EXPECT_EQ(refuted["verdict"], "refuted");
    EXPECT_EQ(refuted["exit_code"], 1);
    EXPECT_EQ(refuted["checks"][3]["class"], "tsc");
    EXPECT_NE(to_text(bad).find("class tsc: 1 applied, "), std::string::npos) << to_text(bad);
}

TEST(Mutate, ChangesOneRecordOnly) {
    const std::uint64_t seed = test_seed();
    SCOPED_TRACE(repeat_with(seed));
    Random random(seed);
    const std::vector<Record> original = synthetic_log({});
    for (const ClassInfo& info : kClasses) {
        if (!kLayouts[info.id].logged) continue;
        std::vector<Record> changed = original;
        const auto report =
            mutate_records(changed, {.cls = info.id, .op = MutationOp::kChange, .seed = random()});
        ASSERT_TRUE(report.ok());
        std::size_t differ = 0;
        for (std::size_t i = 0; i < original.size(); ++i) differ += changed[i] != original[i] ? 1 : 0;
        EXPECT_EQ(differ, 1u) << info.name;
        EXPECT_NE(changed[report->record], original[report->record]);

        std::vector<Record> swapped = original;
        const auto swap = mutate_records(swapped, {.cls = info.id, .op = MutationOp::kSwap});
        ASSERT_TRUE(swap.ok());
        differ = 0;
        for (std::size_t i = 0; i < original.size(); ++i) differ += swapped[i] != original[i] ? 1 : 0;
        EXPECT_EQ(differ, 2u) << info.name;
    }
    std::vector<Record> records = original;
    EXPECT_EQ(mutate_records(records, {.cls = CASM_CLS_INIT, .nth = 1}).status().category(),
              Category::kUsage);
}

TEST(Mutate, WritesALogWithRightChecksums) {
    const TempFolder folder;
    write_log(folder / "log", synthetic_manifest({}), synthetic_log({}));
    for (const MutationOp op :
         {MutationOp::kChange, MutationOp::kDrop, MutationOp::kDuplicate, MutationOp::kSwap}) {
        const std::string out = folder / ("mutant" + std::to_string(static_cast<int>(op)));
        const auto report = mutate_log(folder / "log", out, {.cls = CASM_CLS_RING, .op = op, .nth = 2});
        ASSERT_TRUE(report.ok()) << report.status().message();
        auto reader = LogReader::open(out);
        ASSERT_TRUE(reader.ok()) << reader.status().message();
        EXPECT_EQ(result_of(check_log(**reader), "integrity").verdict, Verdict::kHolds);
        EXPECT_EQ(mutate_log(folder / "log", out, {.cls = CASM_CLS_RING, .op = op}).status().category(),
                  Category::kUsage)
            << "does not overwrite";
    }
}

}  // namespace
}  // namespace casmotion::test
