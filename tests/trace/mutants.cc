// SPDX-License-Identifier: GPL-2.0-or-later
#include "mutants.h"

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <random>

#include "casmotion/taxonomy.h"
#include "casmotion/trace/trace_check.h"
#include "conditions.h"
#include "support/raw_log.h"

namespace casmotion::test {

namespace {

using Records = std::vector<Record>;

constexpr std::size_t kRecordsPerClass = 4;  // first, last, and between
constexpr std::uint64_t kDigestLateEntries =
    64;  // docs/log-format.md: a digest may come so much later than it is due

void fix_counts(Records& records) {
    std::array<std::uint64_t, CASM_CLASSES_MAX> counts{};
    for (const Record& record : records) ++counts[record.cls];
    counts[CASM_CLS_END] = 0;  // END does not count itself
    for (Record& record : records)
        if (record.cls == CASM_CLS_END && record.blob.size() == sizeof(counts))
            std::memcpy(record.blob.data(), counts.data(), sizeof(counts));
}

unsigned bits_of(const FieldInfo& field, const Record& record) {
    return field.place == Place::kBlob ? static_cast<unsigned>(record.blob.size() * 8)
                                       : place_bits(field.place);
}

void flip(Record& record, const FieldInfo& field, unsigned bit) {
    switch (field.place) {
        case Place::kKind:
            record.kind = static_cast<std::uint8_t>(record.kind ^ 1u << bit);
            break;
        case Place::kCheck:
            record.check = static_cast<std::uint16_t>(record.check ^ 1u << bit);
            break;
        case Place::kAux:
            record.aux ^= 1u << bit;
            break;
        case Place::kW0:
            record.w[0] ^= std::uint64_t{1} << bit;
            break;
        case Place::kW1:
            record.w[1] ^= std::uint64_t{1} << bit;
            break;
        case Place::kW2:
            record.w[2] ^= std::uint64_t{1} << bit;
            break;
        case Place::kBlob:
            record.blob[bit / 8] = static_cast<std::uint8_t>(record.blob[bit / 8] ^ 1u << bit % 8);
            break;
    }
}

// Fields of which a log says nothing twice, so that another value in range is as good as the first: inputs,
// what the guest asked for, and hashes.
bool is_said_once(const Record& record, const FieldInfo& field) {
    switch (static_cast<casm_class>(record.cls)) {
        case CASM_CLS_TSC:
        case CASM_CLS_MSR:
        case CASM_CLS_CPUID:
        case CASM_CLS_OUTMEM:
        case CASM_CLS_EVTCHN:
        case CASM_CLS_RING:
        case CASM_CLS_BRANCHES:
            return true;
        case CASM_CLS_RESULT:
            return true;  // of a multicall: any hypercall that is answered
        case CASM_CLS_ENTRY:
            return true;  // check: a hash; kind and detail: of an entry without outputs
        case CASM_CLS_DIGEST:
            return field.name == "digest" || field.name == "frames";
        case CASM_CLS_INIT:
            return field.name == "bytes";
        case CASM_CLS_END:
            return field.name == "hash" || field.name == "code";
        case CASM_CLS_APOINT:
            return true;
        case CASM_CLS_CONSOLE:
            return false;
    }
    return false;
}

// END counts all classes but itself and those that are in no log.
bool is_no_count(const Record& record, const FieldInfo& field, unsigned bit) {
    const auto cls = static_cast<std::uint8_t>(bit / 64);
    return record.cls == CASM_CLS_END && field.place == Place::kBlob && kLayouts[cls].known &&
           (cls == CASM_CLS_END || !kLayouts[cls].logged);
}

class Factory {
  public:
    Factory(std::string manifest, std::uint64_t digest_interval, Records records, std::uint64_t seed)
        : manifest_(std::move(manifest)),
          digest_interval_(digest_interval),
          original_(std::move(records)),
          random_(seed) {}

    std::vector<Mutant> make() {
        for (const ClassInfo& info : kClasses) {
            if (info.timing == Timing::kReport) continue;
            for (const std::size_t at :
                 chosen([&](std::size_t i) { return original_[i].cls == info.id && !is_behind_point(i); }))
                each_operation(at);
            for (const std::size_t at :
                 chosen([&](std::size_t i) { return original_[i].cls == info.id && is_behind_point(i); })) {
                behind_ = ", behind an apoint";
                each_operation(at);
                behind_.clear();
            }
        }
        for (const casm_apoint_kind kind : {CASM_APOINT_CANONICAL, CASM_APOINT_BY_STATE})
            for (const std::size_t at : chosen([&](std::size_t i) {
                     return original_[i].cls == CASM_CLS_APOINT && original_[i].kind == kind &&
                            i + 1 < end_of_point(i);
                 }))
                each_point_operation(at);
        return std::move(mutants_);
    }

    void manifests(const Manifest& good) {
        const auto add = [&](const char* what, auto&& edit, const char* only_replay = "",
                             bool same_states = false) {
            Manifest manifest = good;
            edit(manifest);
            mutants_.push_back({.cls = "manifest",
                                .op = "change",
                                .what = what,
                                .only_replay = only_replay,
                                .same_states = same_states,
                                .files = raw_log(manifest_file(manifest), original_)});
        };
        for (const ClassInfo& info : kClasses)
            if (info.timing != Timing::kReport)
                add(("switched off: " + std::string(info.name)).c_str(),
                    [&](Manifest& m) { m.options.disabled_classes = 1u << info.id; });
        add("no kernel hash", [](Manifest& m) { m.kernel.sha256 = {}; });
        add("no configuration", [](Manifest& m) { m.guest.config_json.clear(); });
        add("two vCPUs", [](Manifest& m) { m.guest.vcpus = 2; });
        add("more memory than the digest covers", [](Manifest& m) { m.guest.memory_kib *= 2; });
        add("a pool smaller than the guest", [](Manifest& m) { m.pool_frames = 100; });
        add("no check bits", [](Manifest& m) { m.options.check_bits = 0; });
        add("fewer check bits", [](Manifest& m) { m.options.check_bits = 4; });
        add("more check bits", [](Manifest& m) { m.options.check_bits = 16; });
        add("no digests", [](Manifest& m) { m.options.digest_interval = 0; });
        // A replay takes a digest where the log has one.
        const bool overdue =
            good.options.digest_interval > good.options.digest_interval / 4 + kDigestLateEntries;
        add(
            "digests four times as often", [](Manifest& m) { m.options.digest_interval /= 4; },
            overdue ? "" : "fewer checks than it says, and none was overdue", true);
        add("digests less often", [](Manifest& m) { m.options.digest_interval *= 2; });
        add(
            "another kernel", [](Manifest& m) { m.kernel.sha256[3] ^= 1; },
            "names another kernel, which a replay refuses");
    }

    void cuts(const Files& good) {
        const std::string& events = good.at("events");
        for (int i = 0; i < 12; ++i) {
            Files cut = good;
            const std::size_t size = 1 + random_() % (events.size() - 1);
            cut["events"].resize(size);
            mutants_.push_back({.cls = "file",
                                .op = "cut",
                                .what = "events at " + std::to_string(size),
                                .only_replay = {},
                                .files = cut});
            cut.erase("summary");
            cut.erase("index");
            mutants_.push_back({.cls = "file",
                                .op = "cut, unclosed",
                                .what = "events at " + std::to_string(size),
                                .only_replay = {},
                                .files = cut});
        }
    }

    std::vector<Mutant> take() { return std::move(mutants_); }

  private:
    void each_operation(std::size_t at) {
        change(at);
        drop(at);
        duplicate(at);
        swap(at);
        move(at);
    }

    // Of the points that have effects.
    void each_point_operation(std::size_t at) {
        rename(at);
        part(at);
        drop_with_effects(at);
        move_with_effects(at);
        cut_behind(at);
    }

    static bool is_effect(const Record& record) {
        return record.cls == CASM_CLS_EVTCHN || record.cls == CASM_CLS_RING;
    }

    // It takes effect at a point between entries.
    bool is_behind_point(std::size_t at) const {
        if (!is_effect(original_[at])) return false;
        while (at != 0 && is_effect(original_[at])) --at;
        return original_[at].cls == CASM_CLS_APOINT;
    }
    // Behind the effects of the point at `at`.
    std::size_t end_of_point(std::size_t at) const {
        while (++at < original_.size() && is_effect(original_[at]))
            ;
        return at;
    }

    template <typename Predicate>
    std::vector<std::size_t> chosen(Predicate wanted) {
        std::vector<std::size_t> all;
        for (std::size_t i = 0; i < original_.size(); ++i)
            if (wanted(i)) all.push_back(i);
        if (all.size() <= kRecordsPerClass) return all;
        std::vector<std::size_t> some{all.front(), all.back()};
        while (some.size() < kRecordsPerClass) {
            const std::size_t at = all[random_() % all.size()];
            if (std::find(some.begin(), some.end(), at) == some.end()) some.push_back(at);
        }
        return some;
    }

    void add(std::string op, std::string what, std::size_t at, const Records& records,
             std::string only_replay, bool same_states = false) {
        const bool ended = std::any_of(records.begin(), records.end(),
                                       [](const Record& r) { return r.cls == CASM_CLS_END; });
        mutants_.push_back({.cls = std::string(class_name(original_[at].cls)),
                            .op = op + behind_,
                            .what = "record " + std::to_string(at) + (what.empty() ? "" : ", " + what),
                            .only_replay = std::move(only_replay),
                            .same_states = same_states,
                            .record = at,
                            .files = raw_log(manifest_, records, 65536, ended)});
    }

    // As it is, and with END's counters made right.
    void add_counted(const std::string& op, std::size_t at, Records records, const std::string& only_replay,
                     bool same_states = false) {
        add(op, "", at, records, "");
        fix_counts(records);
        add(op + ", counted", "", at, records, only_replay, same_states);
    }

    void change(std::size_t at) {
        for (const FieldInfo& field : fields_of(original_[at].cls)) {
            if (original_[at].cls == CASM_CLS_APOINT && field.place == Place::kBlob) {
                constexpr const char* kWords[] = {"from", "rcx", "rsp"};
                for (unsigned word = 0; word < 3; ++word) change(at, field, kWords[word], 64 * word, 64);
            } else {
                change(at, field, "", 0, bits_of(field, original_[at]));
            }
        }
    }

    void change(std::size_t at, const FieldInfo& field, const std::string& part, unsigned first,
                unsigned bits) {
        const std::string op = "change " + std::string(field.name) + (part.empty() ? "" : "." + part);
        // The lowest bit is the one that most often leaves the value in range, the highest the one that never
        // does.
        for (const unsigned bit : {0u, static_cast<unsigned>(random_() % bits), bits - 1}) {
            Records records = original_;
            flip(records[at], field, first + bit);
            add(op, "bit " + std::to_string(first + bit), at, records,
                is_said_once(original_[at], field) || is_no_count(original_[at], field, first + bit)
                    ? "a value that is said only once"
                    : "");
        }
    }

    // The other kind of name for the same place, as it is and made right. A canonical place can be named by
    // state too.
    void rename(std::size_t at) {
        Records records = original_;
        const bool canonical = records[at].kind == CASM_APOINT_CANONICAL;
        records[at].kind = canonical ? CASM_APOINT_BY_STATE : CASM_APOINT_CANONICAL;
        add("rename, as it is", "", at, records, "");
        const std::uint64_t from = canonical ? 0 : records[at].w[1];
        std::memcpy(records[at].blob.data(), &from, sizeof(from));
        add(canonical ? "rename by state" : "rename canonical", "", at, records,
            canonical ? "another name of the same place" : "a branch that is said to be before the point",
            canonical);
    }

    // Its effects take place at the injection point before; or those before it, at this point.
    void part(std::size_t at) {
        const std::size_t end = end_of_point(at);
        const auto first = static_cast<std::ptrdiff_t>(at), last = static_cast<std::ptrdiff_t>(end);
        Records records = original_;
        std::rotate(records.begin() + first, records.begin() + first + 1, records.begin() + last);
        add("part from its effects", "", at, records, "another place where they could have been");
        std::ptrdiff_t before = first;
        while (before != 0 && is_effect(original_[static_cast<std::size_t>(before - 1)])) --before;
        if (before == first) return;
        records = original_;
        std::rotate(records.begin() + before, records.begin() + first, records.begin() + first + 1);
        add("give it the effects before it", "", at, records, "another place where they could have been");
    }

    void drop_with_effects(std::size_t at) {
        Records records = original_;
        records.erase(records.begin() + static_cast<std::ptrdiff_t>(at),
                      records.begin() + static_cast<std::ptrdiff_t>(end_of_point(at)));
        add_counted("drop with its effects", at, std::move(records),
                    "a point and its effects may not have happened");
    }

    // Behind the next entry, or before this one.
    void move_with_effects(std::size_t at) {
        const auto begin = original_.begin();
        const auto first = static_cast<std::ptrdiff_t>(at),
                   last = static_cast<std::ptrdiff_t>(end_of_point(at));
        const auto entry = [](const Record& r) { return r.cls == CASM_CLS_ENTRY; };
        const auto next = std::find_if(begin + last, original_.end(), entry) - begin;
        if (static_cast<std::size_t>(next) < original_.size()) {
            // A branch count belongs to the entry.
            const auto to = next + 1 < static_cast<std::ptrdiff_t>(original_.size()) &&
                                    begin[next + 1].cls == CASM_CLS_BRANCHES
                                ? next + 2
                                : next + 1;
            Records records = original_;
            std::rotate(records.begin() + first, records.begin() + last, records.begin() + to);
            add("move with its effects, later", "", at, records, "another place where they could have been");
        }
        const auto own = std::find_if(std::make_reverse_iterator(begin + first), original_.rend(), entry);
        if (own == original_.rend()) return;
        std::ptrdiff_t to = own.base() - begin - 1;
        while (to != 0 && find_class(begin[to - 1].cls)->timing == Timing::kSync) --to;
        Records records = original_;
        std::rotate(records.begin() + to, records.begin() + first, records.begin() + last);
        add("move with its effects, earlier", "", at, records, "another place where they could have been");
    }

    void cut_behind(std::size_t at) {
        for (const std::size_t end : {at + 1, end_of_point(at)})
            add("cut behind record " + std::to_string(end - 1), "", at,
                Records(original_.begin(), original_.begin() + static_cast<std::ptrdiff_t>(end)), "");
    }

    void drop(std::size_t at) {
        Records records = original_;
        records.erase(records.begin() + static_cast<std::ptrdiff_t>(at));
        // A check less changes no state; replay takes a digest where the log has one.
        add_counted("drop", at, std::move(records), may_be_missing(at), original_[at].cls == CASM_CLS_DIGEST);
    }

    void duplicate(std::size_t at) {
        Records records = original_;
        const Record copy = records[at];
        records.insert(records.begin() + static_cast<std::ptrdiff_t>(at), copy);
        const std::uint8_t cls = copy.cls;
        const bool outmem = cls == CASM_CLS_OUTMEM;
        const bool accepted =
            outmem || cls == CASM_CLS_ENTRY || cls == CASM_CLS_RESULT || cls == CASM_CLS_APOINT;
        add_counted("duplicate", at, std::move(records),
                    outmem     ? "the same bytes written twice"
                    : accepted ? "one more that the guest may have had"
                               : "",
                    outmem);
    }

    void swap(std::size_t at) {
        std::size_t with = at;
        for (std::size_t i = at + 1; i < original_.size() && with == at; ++i)
            if (original_[i].cls == original_[at].cls && original_[i] != original_[at]) with = i;
        if (with == at) with = at + 1 < original_.size() ? at + 1 : at - 1;
        Records records = original_;
        std::swap(records[at], records[with]);
        const auto timing = [this](std::size_t i) { return find_class(original_[i].cls)->timing; };
        const bool effects = timing(at) == Timing::kAsync && timing(with) == Timing::kAsync && with <= at + 1;
        const bool possible = original_[at].cls == original_[with].cls ||
                              original_[at].cls == CASM_CLS_RESULT || original_[at].cls == CASM_CLS_ENTRY ||
                              timing(at) == Timing::kAsync || timing(at) == Timing::kPoint;
        add("swap", "with " + std::to_string(with), at, records,
            effects    ? "two effects at one point, in the other order"
            : possible ? "both are possible in the other's place"
                       : "",
            effects);
    }

    // Two entries later.
    void move(std::size_t at) {
        std::size_t to = at, entries = 0;
        while (to + 1 < original_.size() && entries < 2)
            entries += original_[++to].cls == CASM_CLS_ENTRY ? 1 : 0;
        if (to == at) return;
        Records records = original_;
        std::rotate(records.begin() + static_cast<std::ptrdiff_t>(at),
                    records.begin() + static_cast<std::ptrdiff_t>(at) + 1,
                    records.begin() + static_cast<std::ptrdiff_t>(to) + 1);
        const ClassInfo* info = find_class(original_[at].cls);
        const bool possible = info->timing == Timing::kAsync || original_[at].cls == CASM_CLS_ENTRY ||
                              info->timing == Timing::kPoint || info->timing == Timing::kSync;
        add("move", "to " + std::to_string(to), at, records,
            possible ? "another place where it could have been" : "");
    }

    // Why a log without that record could be whole.
    std::string may_be_missing(std::size_t at) const {
        switch (static_cast<casm_class>(original_[at].cls)) {
            case CASM_CLS_ENTRY:
                return "an entry without outputs may not have happened";
            case CASM_CLS_EVTCHN:
            case CASM_CLS_RING:
                return "an effect may not have happened";
            case CASM_CLS_OUTMEM:
            case CASM_CLS_RESULT:
                return "whether the call has it depends on its sub-operation";
            case CASM_CLS_MSR:
                return "a refused RDMSR has none";
            case CASM_CLS_APOINT:
                return "its effects could belong to the point before";
            case CASM_CLS_DIGEST:
                // That one is missing shows when the next is overdue; behind the last one nothing is.
                return original_[at].kind == CASM_DIGEST_PERIODIC &&
                               (is_last_of_its_kind(at) || digest_interval_ <= kDigestLateEntries)
                           ? "a check less, and none was overdue"
                           : "";
            case CASM_CLS_TSC:
            case CASM_CLS_CPUID:
            case CASM_CLS_INIT:
            case CASM_CLS_END:
            case CASM_CLS_BRANCHES:
            case CASM_CLS_CONSOLE:
                return "";
        }
        return "";
    }

    bool is_last_of_its_kind(std::size_t at) const {
        return std::none_of(
            original_.begin() + static_cast<std::ptrdiff_t>(at) + 1, original_.end(),
            [&](const Record& r) { return r.cls == original_[at].cls && r.kind == original_[at].kind; });
    }

    std::string manifest_;
    std::uint64_t digest_interval_;
    std::string behind_;  // behind_: joins each operation's name
    Records original_;
    std::mt19937_64 random_;
    std::vector<Mutant> mutants_;
};

}  // namespace

Result<std::vector<Mutant>> mutants_of(const std::string& log, std::uint64_t seed) {
    std::unique_ptr<LogReader> reader;
    CASM_ASSIGN(reader, LogReader::open(log));
    ReadBack read = read_all(*reader);
    if (!read.status.ok()) return read.status;
    const std::string manifest = read_file(log + "/manifest");
    const Files good = raw_log(manifest, read.records);
    Factory factory(manifest, reader->manifest().options.digest_interval, std::move(read.records), seed);
    std::vector<Mutant> mutants = factory.make();
    factory.manifests(reader->manifest());
    factory.cuts(good);
    for (Mutant& mutant : factory.take()) mutants.push_back(std::move(mutant));
    return mutants;
}

Result<Untold> untold_of(const std::string& log) {
    std::unique_ptr<LogReader> reader;
    CASM_ASSIGN(reader, LogReader::open(log));
    const TraceReport report = check_trace(*reader);
    const Status verdict = report.verdict();
    if (!verdict.ok() && verdict.category() != Category::kInconclusive) return verdict;
    Untold untold{};
    for (const ConditionResult& result : report.conditions)
        untold[static_cast<std::size_t>(result.condition)] = result.verdict == Verdict::kCannotTell;
    return untold;
}

std::string_view condition_of(const Mutant& mutant) {
    if (mutant.cls == "manifest") return "C1";  // that only a replay can tell: another kernel
    const ClassInfo* info = find_class(mutant.cls);
    return info == nullptr ? "" : name_of(trace::condition_of_class(info->id));
}

std::string killer_of(const Mutant& mutant, const Untold& untold) {
    const auto reader = LogReader::open(memory_source(mutant.files));
    if (!reader.ok()) return "integrity";
    // Mutants of one log have most windows in common.
    static const std::shared_ptr<WindowAnswers> answers = make_window_answers();
    TraceOptions options;
    options.answers = answers;
    const TraceReport report = check_trace(**reader, options);
    const Category category = report.verdict().category();
    if (category == Category::kOk) return "";
    if (category == Category::kInconclusive) {
        for (const ConditionResult& result : report.conditions)
            if (result.verdict == Verdict::kCannotTell && !untold[static_cast<std::size_t>(result.condition)])
                return "cannot be told";
        return "";
    }
    if (category == Category::kLogInvalid) return "integrity";
    for (const ConditionResult& result : report.conditions)
        if (result.verdict == Verdict::kRefuted) return std::string(name_of(result.condition));
    return "integrity";
}

}  // namespace casmotion::test
