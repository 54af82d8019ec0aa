// SPDX-License-Identifier: GPL-2.0-or-later
#include "mutants.h"

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <random>

#include "casmotion/taxonomy.h"
#include "casmotion/trace/trace_check.h"
#include "support/raw_log.h"

namespace casmotion::test {

namespace {

using Records = std::vector<Record>;

constexpr std::size_t kRecordsPerClass = 4;  // first, last, and between

void fix_counts(Records& records) {
    std::array<std::uint64_t, CASM_CLASSES_MAX> counts{};
    for (const Record& record : records) ++counts[record.cls];
    counts[CASM_CLS_END] = 0;  // END does not count itself
    for (Record& record : records)
        if (record.cls == CASM_CLS_END && record.blob.size() == sizeof(counts))
            std::memcpy(record.blob.data(), counts.data(), sizeof(counts));
}

unsigned bits_of(const FieldInfo& field, const Record& record) {
    return field.place == Place::kBlob ? static_cast<unsigned>(record.blob.size() * 8) : place_bits(field.place);
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

// Fields of which a log says nothing twice, so that another value in range is as good as the first: inputs, what the guest
// asked for, and hashes.
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
    Factory(std::string manifest, Records records, std::uint64_t seed)
        : manifest_(std::move(manifest)), original_(std::move(records)), random_(seed) {}

    std::vector<Mutant> make() {
        for (const ClassInfo& info : kClasses) {
            if (info.timing == Timing::kReport) continue;
            for (const std::size_t at : chosen(info.id)) {
                change(at);
                drop(at);
                duplicate(at);
                swap(at);
                move(at);
            }
        }
        return std::move(mutants_);
    }

    void manifests(const Manifest& good) {
        const auto add = [&](const char* what, auto&& edit, const char* only_replay = "") {
            Manifest manifest = good;
            edit(manifest);
            mutants_.push_back({.cls = "manifest", .op = "change", .what = what, .only_replay = only_replay, .files = raw_log(manifest_file(manifest), original_)});
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
        add("digests twice as often", [](Manifest& m) { m.options.digest_interval /= 4; });
        add("digests less often", [](Manifest& m) { m.options.digest_interval *= 2; });
        add("another kernel", [](Manifest& m) { m.kernel.sha256[3] ^= 1; }, "names another kernel, which a replay refuses");
    }

    void cuts(const Files& good) {
        const std::string& events = good.at("events");
        for (int i = 0; i < 12; ++i) {
            Files cut = good;
            const std::size_t size = 1 + random_() % (events.size() - 1);
            cut["events"].resize(size);
            mutants_.push_back({.cls = "file", .op = "cut", .what = "events at " + std::to_string(size), .only_replay = {}, .files = cut});
            cut.erase("summary");
            cut.erase("index");
            mutants_.push_back({.cls = "file", .op = "cut, unclosed", .what = "events at " + std::to_string(size), .only_replay = {}, .files = cut});
        }
    }

    std::vector<Mutant> take() { return std::move(mutants_); }

  private:
    std::vector<std::size_t> chosen(std::uint8_t cls) {
        std::vector<std::size_t> all;
        for (std::size_t i = 0; i < original_.size(); ++i)
            if (original_[i].cls == cls) all.push_back(i);
        if (all.size() <= kRecordsPerClass) return all;
        std::vector<std::size_t> some{all.front(), all.back()};
        while (some.size() < kRecordsPerClass) {
            const std::size_t at = all[random_() % all.size()];
            if (std::find(some.begin(), some.end(), at) == some.end()) some.push_back(at);
        }
        return some;
    }

    void add(std::string op, std::string what, std::size_t at, const Records& records, std::string only_replay,
             bool same_states = false) {
        const bool ended = std::any_of(records.begin(), records.end(), [](const Record& r) { return r.cls == CASM_CLS_END; });
        mutants_.push_back({.cls = std::string(class_name(original_[at].cls)),
                            .op = std::move(op),
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
            const unsigned bits = bits_of(field, original_[at]);
            // The lowest bit is the one that most often leaves the value in range, the highest the one that never does.
            for (const unsigned bit : {0u, static_cast<unsigned>(random_() % bits), bits - 1}) {
                Records records = original_;
                flip(records[at], field, bit);
                add("change " + std::string(field.name), "bit " + std::to_string(bit), at, records,
                    is_said_once(original_[at], field) || is_no_count(original_[at], field, bit) ? "a value that is said only once" : "");
            }
        }
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
        const bool accepted = outmem || cls == CASM_CLS_ENTRY || cls == CASM_CLS_RESULT || cls == CASM_CLS_APOINT;
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
        const bool possible = original_[at].cls == original_[with].cls || original_[at].cls == CASM_CLS_RESULT ||
                              original_[at].cls == CASM_CLS_ENTRY || timing(at) == Timing::kAsync;
        add("swap", "with " + std::to_string(with), at, records,
            effects    ? "two effects at one point, in the other order"
            : possible ? "both are possible in the other's place"
                       : "",
            effects);
    }

    // Two entries later.
    void move(std::size_t at) {
        std::size_t to = at, entries = 0;
        while (to + 1 < original_.size() && entries < 2) entries += original_[++to].cls == CASM_CLS_ENTRY ? 1 : 0;
        if (to == at) return;
        Records records = original_;
        std::rotate(records.begin() + static_cast<std::ptrdiff_t>(at), records.begin() + static_cast<std::ptrdiff_t>(at) + 1,
                    records.begin() + static_cast<std::ptrdiff_t>(to) + 1);
        const ClassInfo* info = find_class(original_[at].cls);
        const bool possible = info->timing == Timing::kAsync || original_[at].cls == CASM_CLS_ENTRY ||
                              info->timing == Timing::kPoint || info->timing == Timing::kSync;
        add("move", "to " + std::to_string(to), at, records, possible ? "another place where it could have been" : "");
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
                return original_[at].kind == CASM_DIGEST_PERIODIC && is_last_of_its_kind(at) ? "a check less, and none was overdue" : "";
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
        return std::none_of(original_.begin() + static_cast<std::ptrdiff_t>(at) + 1, original_.end(), [&](const Record& r) {
            return r.cls == original_[at].cls && r.kind == original_[at].kind;
        });
    }

    std::string manifest_;
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
    Factory factory(manifest, std::move(read.records), seed);
    std::vector<Mutant> mutants = factory.make();
    factory.manifests(reader->manifest());
    factory.cuts(good);
    for (Mutant& mutant : factory.take()) mutants.push_back(std::move(mutant));
    return mutants;
}

std::string killer_of(const Mutant& mutant) {
    const auto reader = LogReader::open(memory_source(mutant.files));
    if (!reader.ok()) return "integrity";
    const TraceReport report = check_trace(**reader);
    const Category category = report.verdict().category();
    if (category == Category::kOk) return "";
    if (category == Category::kInconclusive) return "cannot be told";
    if (category == Category::kLogInvalid) return "integrity";
    for (const ConditionResult& result : report.conditions)
        if (result.verdict == Verdict::kRefuted) return std::string(name_of(result.condition));
    return "integrity";
}

}  // namespace casmotion::test
