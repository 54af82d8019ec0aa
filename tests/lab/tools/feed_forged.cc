// SPDX-License-Identifier: GPL-2.0-or-later
//
// casm-feed-forged: forged feeds for Xen's replay, past every check of the program, which never feeds a
// record that it does not believe.
//   casm-feed-forged KERNEL CMDLINE [--counter] [--seed S] [--random N] [--first K] [--count N] [--races N]
//       [--sample N] [--lengths STEP]
//   casm-feed-forged KERNEL ticker
// Records a guest, then builds it again for each case and feeds it that recording with one forged record in
// it (tests/events/support/forgery.h), with nonsense in the ring's header, with arbitrary bytes, or with
// bytes that change while Xen reads them. Each case is named on stdout before it runs, so that the last line
// says which one the host did not survive. Exit code 1 if something is left that should not be: a domain
// that did not stop, memory, a class of records that no consumer ever looked at. `ticker`: keeps the
// recording pool's processor from being idle until its standard input ends; replays are over a second
// earlier.
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <iomanip>
#include <iostream>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "bare_domain.h"
#include "base/clock.h"
#include "base/failures.h"
#include "casmotion/ring_codec.h"
#include "casmotion/taxonomy.h"
#include "hypervisor/op_text.h"
#include "hypervisor/xen_hypervisor.h"
#include "rings/ring_header.h"
#include "rings/ring_reader.h"
#include "support/forgery.h"
#include "support/synthetic_log.h"

namespace casmotion::test {
namespace {

constexpr RingBytes kRing{128u << 10};  // holds any of the feeds as a whole
const std::string kLengths = "len ";    // begins the groups of these cases
constexpr uint64_t kStuckNs = 300'000'000;
constexpr std::chrono::milliseconds kPoll{2};
// dom0's daemons and Xen's own heap take and give a page now and then. What a case leaks, a whole class of
// them does.
constexpr uint64_t kFreeSlackPages = 16;
// A domain that ends moves to cpupool 0, and Xen 4.17 forgets the three CPU masks of its old scheduling unit
// (sched_move_domain_cleanup() in common/sched/core.c): 3 * 48 bytes. Of ordinary domains too.
constexpr uint64_t kForgottenBytesPerDomain = 144, kPageBytes = 4096;

struct Options {
    std::string kernel, cmdline;
    bool counter = false;
    uint64_t seed = 1, random = 500, races = 40, first = 0, count = ~uint64_t{0}, sample = ~uint64_t{0},
             lengths = 0;
};

// What is put into the feed ring.
struct Feed {
    std::string name;
    std::string group;  // how it is counted
    std::vector<std::byte> bytes;
    uint64_t forged_at = 0;  // where the forged part starts, in `bytes`
    uint64_t prod = 0;       // as published; bytes.size() if it is right
    bool eof = true;
    bool race = false;  // words behind forged_at change while Xen reads
};

enum class End { kRefusedAtStart, kDiverged, kRanOut, kEqual, kStuck };
constexpr const char* kEndNames[] = {"at start", "diverged", "ran out", "equal", "stuck"};

struct Tally {
    uint64_t cases = 0, met = 0;
    uint64_t ends[std::size(kEndNames)] = {};
};

class Feeder {
  public:
    Feeder(Hypervisor& xen, DomainFactory& factory, CpupoolId pool, const Options& options)
        : xen_(xen), factory_(factory), pool_(pool), options_(options) {}

    Result<std::vector<Record>> record();
    // What became of the feed; `met`: Xen looked at the forged part; `record`: how many it consumed.
    Result<End> replay(const Feed& feed, bool& met, uint64_t& record);

  private:
    struct Run;
    Result<std::unique_ptr<Run>> begin(RingBytes feed);
    Status finish(std::unique_ptr<Run> run);
    Status wait_for_pool();
    StartOptions start_options(casm_mode mode) const;

    Hypervisor& xen_;
    DomainFactory& factory_;
    CpupoolId pool_;
    const Options& options_;
    SteadyClock clock_;
};

// A domain with its rings.
struct Feeder::Run {
    DomId domain;
    std::unique_ptr<RingMapping> log, feed;
};

Result<std::unique_ptr<Feeder::Run>> Feeder::begin(RingBytes feed) {
    auto run = std::make_unique<Run>();
    CASM_ASSIGN(run->domain, factory_.build(options_.cmdline, pool_));
    if (const OpResult result = xen_.attach(run->domain, kRing, feed); !result.ok())
        return op_failure("allocate the rings of", run->domain, result);
    CASM_ASSIGN(run->log, xen_.map_ring(run->domain, RingKind::kLog, kRing));
    if (feed.value != 0) {
        CASM_ASSIGN(run->feed, xen_.map_ring(run->domain, RingKind::kFeed, feed));
    }
    return run;
}

Status Feeder::wait_for_pool() {
    for (int waited_ms = 0; waited_ms < 5000; ++waited_ms) {
        HostInfo host;
        if (const OpResult result = xen_.host_info(host); !result.ok())
            return op_failure("ask about", DomId{0}, result);
        if (host.user_domid < 0) return {};
        usleep(1000);
    }
    return internal_error("the domain of the last case still has the pool");
}

Status Feeder::finish(std::unique_ptr<Run> run) {
    run->log.reset();
    run->feed.reset();
    (void)xen_.detach(run->domain);  // what a failed start left cannot always be detached
    CASM_TRY(factory_.destroy(run->domain));
    return wait_for_pool();
}

StartOptions Feeder::start_options(casm_mode mode) const {
    StartOptions start;
    start.mode = mode;
    start.digest_interval = 16;
    start.check_bits = 8;
    start.counter = options_.counter;
    start.max_delay_ns = mode == CASM_MODE_RECORD ? 100'000 : 0;
    return start;
}

Result<std::vector<Record>> Feeder::record() {
    CASM_ASSIGN(std::unique_ptr<Run> run, begin(RingBytes{}));
    if (const OpResult result = xen_.start(run->domain, start_options(CASM_MODE_RECORD)); !result.ok())
        return op_failure("start the recording of", run->domain, result);
    CASM_ASSIGN(RingReader ring, RingReader::open(run->log->base(), kRing));
    CASM_TRY(factory_.type(run->domain, "hello"));
    CASM_TRY(factory_.unpause(run->domain));
    std::vector<std::byte> bytes(kRing.value);
    size_t have = 0;
    for (int rounds = 0;; ++rounds) {
        const bool eof = ring.eof();
        CASM_ASSIGN(const size_t more, ring.peek(std::span(bytes).subspan(have)));
        ring.consume(more);
        have += more;
        if (eof) break;
        if (rounds > 10'000 || have == bytes.size()) return internal_error("the guest does not end");
        (void)xen_.kick(run->domain);
        xen_.wait(kPoll);
    }
    CASM_TRY(finish(std::move(run)));
    std::vector<Record> records;
    for (std::span<const std::byte> rest(bytes.data(), have); !rest.empty();) {
        Record record;
        CASM_ASSIGN(const size_t taken, decode_ring(rest, record));
        if (taken == 0) return internal_error("a part of a record");
        records.push_back(std::move(record));
        rest = rest.subspan(taken);
    }
    return records;
}

// Changes words of the feed as long as it lives.
class Racer {
  public:
    Racer(uint64_t* words, size_t count, uint64_t seed) {
        if (count != 0) thread_ = std::thread([=, this] { run(words, count, seed); });
    }
    ~Racer() {
        over_ = true;
        if (thread_.joinable()) thread_.join();
    }

  private:
    // Some words at a time: one is rarely read while it is another, and of all of them the first already
    // would be.
    void run(uint64_t* words, size_t count, uint64_t seed) {
        constexpr size_t kAtATime = 8;
        Random random(seed);
        uint64_t* word[kAtATime];
        uint64_t was[kAtATime], other[kAtATime];
        while (!over_.load(std::memory_order_relaxed)) {
            for (size_t i = 0; i < kAtATime; ++i) {
                word[i] = words + uniform(random, 0, count - 1);
                was[i] = std::atomic_ref(*word[i]).load(std::memory_order_relaxed);
                other[i] = was[i] ^ (uniform(random, 0, 3) == 0 ? random() : uint64_t{0xffff} << 16);
            }
            for (int round = 0; round < 64; ++round) {
                for (size_t i = 0; i < kAtATime; ++i)
                    std::atomic_ref(*word[i]).store(other[i], std::memory_order_relaxed);
                for (size_t i = kAtATime; i > 0; --i)  // a word may be there twice
                    std::atomic_ref(*word[i - 1]).store(was[i - 1], std::memory_order_relaxed);
            }
        }
    }
    std::atomic<bool> over_ = false;
    std::thread thread_;
};

Result<End> Feeder::replay(const Feed& feed, bool& met, uint64_t& record) {
    CASM_ASSIGN(std::unique_ptr<Run> run, begin(kRing));
    auto& header = *static_cast<casm_ring*>(run->feed->base());
    std::byte* data = static_cast<std::byte*>(run->feed->base()) + CASM_RING_DATA_OFFSET;
    std::memcpy(data, feed.bytes.data(), std::min<size_t>(feed.bytes.size(), kRing.value));
    store_release(header.prod, feed.prod);
    store_release(header.eof, uint32_t{feed.eof});
    CASM_ASSIGN(RingReader log, RingReader::open(run->log->base(), kRing));

    const size_t racing = feed.race ? (feed.bytes.size() - feed.forged_at) / 8 : 0;
    std::optional<Racer> racer;
    racer.emplace(reinterpret_cast<uint64_t*>(data + feed.forged_at), racing, options_.seed);
    const OpResult started = xen_.start(run->domain, start_options(CASM_MODE_REPLAY));
    casm_status status = {};
    End end = End::kRefusedAtStart;
    if (started.ok()) {
        CASM_TRY(factory_.unpause(run->domain));
        uint64_t last_ns = clock_.now_ns(), ordinal = 0, records = 0;
        for (;;) {
            if (const OpResult result = xen_.status(run->domain, status); !result.ok())
                return op_failure("read the status of", run->domain, result);
            if (status.mode != CASM_MODE_REPLAY) break;
            const uint64_t now_ns = clock_.now_ns();
            if (status.ordinal != ordinal || status.records != records) last_ns = now_ns;
            ordinal = status.ordinal;
            records = status.records;
            if (now_ns - last_ns > kStuckNs) break;
            CASM_ASSIGN(const uint64_t waiting, log.available());
            log.consume(waiting);
            (void)xen_.kick(run->domain);
            xen_.wait(kPoll);
        }
        // The mode changes first, what Xen publishes with it a moment later.
        while (status.mode != CASM_MODE_REPLAY && !log.eof()) {
            if (clock_.now_ns() - last_ns > 10 * kStuckNs) return internal_error("an end without eof");
            xen_.wait(kPoll);
        }
        if (const OpResult result = xen_.status(run->domain, status); !result.ok())
            return op_failure("read the status of", run->domain, result);
        if (status.mode == CASM_MODE_REPLAY) {
            end = End::kStuck;
            if (const OpResult result = xen_.stop(run->domain); !result.ok())
                return op_failure("stop", run->domain, result);
        } else if (status.mode == CASM_MODE_DIVERGED) {
            end = End::kDiverged;
        } else if (status.mode == CASM_MODE_ENDED) {
            end = status.end_reason == CASM_END_NONE ? End::kRanOut : End::kEqual;
        } else {
            return internal_error("the replay is in mode " + std::to_string(status.mode));
        }
    } else if (started.error != EXDEV && started.error != ENODATA) {
        return op_failure("start the replay of", run->domain, started);
    }
    // Xen publishes how far it came; the record that it did not like is not consumed.
    met = load_acquire(header.cons) >= feed.forged_at;
    record = status.records;
    racer.reset();  // before its memory goes
    CASM_TRY(finish(std::move(run)));
    return end;
}

std::string group_of(const Forgery& forgery) {
    return find_class(forgery.cls) != nullptr ? std::string(class_name(forgery.cls)) : "no class";
}

std::vector<Feed> feeds(const Options& options, const std::vector<Record>& records) {
    std::vector<Feed> out;
    for (const Forgery& forgery : forgeries(records, edge_lengths(), options.seed, options.random)) {
        size_t at = 0;
        auto bytes = forged_feed(forgery, records, &at);
        if (!bytes.ok() || bytes->size() > kRing.value) continue;
        out.push_back({to_text(forgery), group_of(forgery), *bytes, at, bytes->size()});
    }
    std::vector<std::byte> whole;
    for (const Record& record : records) (void)encode_ring(record, whole);

    const auto header = [&](const std::string& name, uint64_t prod, bool eof) {
        out.push_back({"header," + name, "header", whole, 0, prod, eof});
    };
    for (const uint64_t prod :
         {uint64_t{0}, uint64_t{1}, uint64_t{4}, uint64_t{7}, uint64_t{8}, uint64_t{4104}, uint64_t{4111},
          whole.size() - 8, whole.size() - 1, whole.size() + 1, whole.size() + 8, kRing.value,
          kRing.value + 8, uint64_t{1} << 32, uint64_t{1} << 63, ~uint64_t{0}, ~uint64_t{7}, ~uint64_t{4095}})
        for (const bool eof : {true, false})
            header("prod=" + std::to_string(prod) + (eof ? ",eof" : ""), prod, eof);

    Random random(options.seed);
    for (uint64_t i = 0; i < options.random / 5; ++i) {
        Feed feed{"noise," + std::to_string(i), "noise", whole, 8 * uniform(random, 0, whole.size() / 8 - 1)};
        for (size_t at = feed.forged_at; at < feed.bytes.size(); ++at)
            feed.bytes[at] = static_cast<std::byte>(random());
        if (uniform(random, 0, 3) != 0)  // a class that is one, or the first header stops it
            feed.bytes[feed.forged_at] = static_cast<std::byte>(uniform(random, 1, CASM_CLS_BRANCHES));
        feed.prod = feed.bytes.size();
        out.push_back(std::move(feed));
    }
    for (uint64_t i = 0; i < options.races; ++i) {
        Feed feed{"race," + std::to_string(i), "race", whole, 0, whole.size()};
        feed.race = true;
        // From the start, or what is only read when the guest runs.
        if (i % 4 != 0) feed.forged_at = 8 * uniform(random, whole.size() / 16, whole.size() / 8 - 1);
        out.push_back(std::move(feed));
    }
    return out;
}

// `count` of each group, the same for the same seed.
std::vector<Feed> sample(std::vector<Feed> all, uint64_t count, uint64_t seed) {
    Random random(seed);
    for (size_t i = all.size(); i > 1; --i) std::swap(all[i - 1], all[uniform(random, 0, i - 1)]);
    std::map<std::string, uint64_t> taken;
    std::erase_if(all, [&](const Feed& feed) { return ++taken[feed.group] > count; });
    return all;
}

// Every `step`th length, in place of the first record of the class; of a class that the recording has none
// of, and of none at all, before the first effect, where points and reports would be.
std::vector<Feed> lengths(uint64_t step, const std::vector<Record>& records) {
    std::set<size_t> lengths;
    for (const size_t length : edge_lengths()) lengths.insert(length);
    for (size_t length = 0; length <= CASM_BLOB_MAX_BYTES; length += step) lengths.insert(length);
    std::vector<Feed> out;
    for (unsigned cls = 0; cls < CASM_CLASSES_MAX; ++cls) {
        Forgery forgery;
        forgery.cls = static_cast<uint8_t>(cls);
        forgery.anchor = forgery.cls;
        if (cls == 0 || !place_of(forgery, records)) {
            forgery.how = Forgery::How::kInsert;
            forgery.anchor = CASM_CLS_EVTCHN;
        }
        for (const size_t length : lengths) {
            forgery.blob_bytes = length;
            size_t at = 0;
            const auto bytes = forged_feed(forgery, records, &at);
            if (!bytes.ok() || bytes->size() > kRing.value) continue;
            out.push_back({to_text(forgery), kLengths + group_of(forgery), *bytes, at, bytes->size()});
        }
    }
    return out;
}

// A domain that is not recorded and keeps waking the pool's processor up. The last reference to a recorded
// one is often dropped there, and an idle processor waits up to 0.1 s at a time for RCU: a second for each
// case.
class Ticker {
  public:
    explicit Ticker(DomainFactory& factory) : factory_(factory) {}
    ~Ticker() {
        if (domain_.value != 0) factory_.destroy(domain_).ignore();
    }
    Status start(CpupoolId pool) {
        CASM_ASSIGN(domain_, factory_.build("forever", CpupoolId{0}));
        CASM_TRY(factory_.move(domain_, pool));
        return factory_.unpause(domain_);
    }

  private:
    DomainFactory& factory_;
    DomId domain_;
};

Result<CpupoolId> recording_pool(Hypervisor& xen) {
    HostInfo host;
    if (const OpResult result = xen.host_info(host); !result.ok())
        return op_failure("ask about", DomId{0}, result);
    if (host.cpupool < 0) return host_lacks("no recording cpupool");
    return CpupoolId{static_cast<uint32_t>(host.cpupool)};
}

Status tick(const std::string& kernel) {
    CASM_ASSIGN(const std::unique_ptr<Hypervisor> xen, open_xen_hypervisor());
    CASM_ASSIGN(const CpupoolId pool, recording_pool(*xen));
    CASM_ASSIGN(const std::unique_ptr<DomainFactory> factory, DomainFactory::open(kernel));
    Ticker ticker(*factory);
    CASM_TRY(ticker.start(pool));
    std::cout << "ticks" << std::endl;
    for (std::string line; std::getline(std::cin, line);) continue;
    return {};
}

Status run(const Options& options) {
    CASM_ASSIGN(const std::unique_ptr<Hypervisor> xen, open_xen_hypervisor());
    CASM_ASSIGN(const CpupoolId pool, recording_pool(*xen));
    CASM_ASSIGN(const std::unique_ptr<DomainFactory> factory, DomainFactory::open(options.kernel));
    Ticker ticker(*factory);
    CASM_TRY(ticker.start(pool));
    Feeder feeder(*xen, *factory, pool, options);
    CASM_ASSIGN(const std::vector<Record> records, feeder.record());
    std::vector<Feed> all = sample(feeds(options, records), options.sample, options.seed);
    if (options.lengths != 0)
        for (Feed& feed : lengths(options.lengths, records)) all.push_back(std::move(feed));

    // What is not forged is replayed to its end, or nothing below says anything.
    Feed right{"right", "right", {}, 0, 0};
    for (const Record& record : records) CASM_TRY(encode_ring(record, right.bytes));
    right.prod = right.bytes.size();
    bool met = false;
    uint64_t record = 0;
    CASM_ASSIGN(const End untouched, feeder.replay(right, met, record));
    if (untouched != End::kEqual)
        return internal_error(std::string("the recording itself: ") + kEndNames[static_cast<int>(untouched)]);

    CASM_ASSIGN(const uint64_t free_before, factory->free_pages());
    SteadyClock clock;
    const uint64_t since = clock.now_ns();
    std::map<std::string, Tally> tallies;
    uint64_t cases = 0;
    const uint64_t last = options.count > all.size() - std::min<uint64_t>(options.first, all.size())
                              ? all.size()
                              : options.first + options.count;
    for (uint64_t i = options.first; i < last; ++i, ++cases) {
        std::cout << "case " << i << ": " << all[i].name << std::flush;
        const Result<End> end = feeder.replay(all[i], met, record);
        if (!end.ok()) return end.status().at(all[i].name);
        CASM_ASSIGN(const uint64_t free, factory->free_pages());  // what 'xl info' asks
        std::cout << ": " << kEndNames[static_cast<int>(*end)] << (met ? "" : ", not met") << " at record "
                  << record << ", " << free << " pages free" << std::endl;
        // Of the fields, some say nothing to a replay; a length always does.
        if (all[i].group.starts_with(kLengths) && *end == End::kEqual && all[i].bytes != right.bytes)
            return internal_error("equal: " + all[i].name);
        Tally& tally = tallies[all[i].group];
        ++tally.cases;
        tally.met += met ? 1 : 0;
        ++tally.ends[static_cast<int>(*end)];
    }
    const double seconds = static_cast<double>(clock.now_ns() - since) / 1e9;
    std::cout << "\nclass            cases      met";
    for (const char* name : kEndNames) std::cout << std::setw(10) << name;
    std::cout << '\n';
    Status status;
    for (const auto& [group, tally] : tallies) {
        std::cout << std::left << std::setw(14) << group << std::right << std::setw(8) << tally.cases << ' '
                  << std::setw(8) << tally.met;
        for (const uint64_t count : tally.ends) std::cout << std::setw(10) << count;
        std::cout << '\n';
        // Of the lengths, each one: all before the record is as it was recorded.
        if (tally.met == 0 || (group.starts_with(kLengths) && tally.met != tally.cases))
            status = internal_error("no consumer looked at forged records of class " + group);
        if (group == "race" && tally.ends[static_cast<int>(End::kEqual)] == tally.cases)
            status = internal_error("no bytes changed while Xen read them");
    }
    std::cout << cases << " cases in " << std::fixed << std::setprecision(1) << seconds << " s\n";
    CASM_TRY(status);
    for (int waited = 0;; ++waited) {
        CASM_ASSIGN(const uint64_t free_after, factory->free_pages());
        if (free_after + kFreeSlackPages + cases * kForgottenBytesPerDomain / kPageBytes >= free_before &&
            free_before + kFreeSlackPages >= free_after)
            return {};
        if (waited == 200)
            return internal_error("Xen had " + std::to_string(free_before) + " free pages before, and has " +
                                  std::to_string(free_after) + " now");
        usleep(10'000);
    }
}

bool parse(int argc, char** argv, Options& options) {
    if (argc < 3) return false;
    options.kernel = argv[1];
    options.cmdline = argv[2];
    for (int i = 3; i < argc; ++i) {
        const std::string name = argv[i];
        if (name == "--counter") {
            options.counter = true;
            continue;
        }
        if (++i == argc) return false;
        const uint64_t value = std::strtoull(argv[i], nullptr, 0);
        if (name == "--seed")
            options.seed = value;
        else if (name == "--random")
            options.random = value;
        else if (name == "--races")
            options.races = value;
        else if (name == "--first")
            options.first = value;
        else if (name == "--count")
            options.count = value;
        else if (name == "--sample")
            options.sample = value;
        else if (name == "--lengths")
            options.lengths = value;
        else
            return false;
    }
    return true;
}

}  // namespace
}  // namespace casmotion::test

int main(int argc, char** argv) {
    casmotion::test::Options options;
    if (!casmotion::test::parse(argc, argv, options)) {
        std::cerr << "usage: casm-feed-forged KERNEL CMDLINE [--counter] [--seed S] [--random N] [--races N] "
                     "[--first K] [--count N] [--sample N] [--lengths STEP]\n"
                     "       casm-feed-forged KERNEL ticker\n";
        return 2;
    }
    const casmotion::Status status =
        options.cmdline == "ticker" ? casmotion::test::tick(options.kernel) : casmotion::test::run(options);
    if (!status.ok()) std::cerr << "casm-feed-forged: " << status.message() << '\n';
    return status.ok() ? 0 : status.exit_code() == 2 ? 2 : 1;
}
