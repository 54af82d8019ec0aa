// SPDX-License-Identifier: GPL-2.0-or-later
//
// libFuzzer: every place that takes records from the feed (support/feed.h), with a record that would be
// accepted there and what a log file, or dom0 meanwhile, can make of it: other headers, words, blobs and
// lengths, a ring header that lies, data that change between two looks. Nothing may be written outside
// (AddressSanitizer), no lock stay held, no more be consumed than the ring holds. At the end of a run each
// place must have been reached: it accepted a record; and of each class records were refused, if any are.
#include <fuzzer/FuzzedDataProvider.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>

#include "support/feed.h"

using namespace casmotion::test;

namespace {

// Says which condition does not hold: of several in one function the trace of the abort shows none.
void check(bool condition, const char* text) {
    if (condition) return;
    std::fprintf(stderr, "fuzz_feed: does not hold: %s\n", text);
    std::abort();
}
#define CHECK(condition) check(condition, #condition)

struct Count {
    std::uint64_t calls, accepted, refused;
};
std::vector<Count> counts;
std::uint64_t executions;

void report() {
    bool missed = false;
    std::array<std::uint64_t, 256> refused{};
    for (std::size_t i = 0; i < counts.size(); ++i) refused[consumers()[i].cls] += counts[i].refused;
    std::printf("%-28s %10s %10s %10s\n", "consumer", "calls", "accepted", "refused");
    for (std::size_t i = 0; i < counts.size(); ++i) {
        const Consumer& consumer = consumers()[i];
        std::printf("%-28s %10llu %10llu %10llu\n", consumer.name,
                    static_cast<unsigned long long>(counts[i].calls),
                    static_cast<unsigned long long>(counts[i].accepted),
                    static_cast<unsigned long long>(counts[i].refused));
        missed |= counts[i].accepted == 0 || (consumer.refuses && refused[consumer.cls] == 0);
    }
    std::printf("%llu executions\n", static_cast<unsigned long long>(executions));
    std::fflush(stdout);
    // One input that is run again reaches what it reaches.
    if (missed && executions >= 5000) {
        std::printf("a consumer was never reached\n");
        std::fflush(stdout);
        std::_Exit(1);
    }
}

std::uint64_t number(FuzzedDataProvider& input) {
    static const std::uint64_t kNumbers[] = {0,
                                             1,
                                             7,
                                             8,
                                             24,
                                             127,
                                             128,
                                             129,
                                             1023,
                                             1024,
                                             1025,
                                             4088,
                                             4095,
                                             4096,
                                             4097,
                                             65535,
                                             0x7fffffff,
                                             0x80000000,
                                             ~0ull,
                                             ~0ull >> 1,
                                             1ull << 63,
                                             SHIM_GUEST_VA,
                                             CASM_TRIP_BYTES,
                                             CASM_RING_MIN_BYTES};
    return input.ConsumeBool() ? input.PickValueInArray(kNumbers) : input.ConsumeIntegral<std::uint64_t>();
}

void change(FuzzedDataProvider& input, Bytes& record) {
    casm_rec header;
    std::memcpy(&header, record.data(), 8);
    switch (input.ConsumeIntegralInRange<int>(0, 9)) {
        case 0:
            header.cls = input.ConsumeIntegral<std::uint8_t>();
            break;
        case 1:
        case 8:
        case 9:
            header.kind = input.ConsumeIntegral<std::uint8_t>();
            break;
        case 2:
        case 3:
            header.check = static_cast<std::uint16_t>(number(input));
            break;
        case 4:
            header.aux = static_cast<std::uint32_t>(number(input));
            break;
        case 5: {  // a word
            const std::uint64_t word = number(input);
            const std::size_t at = 8 * input.ConsumeIntegralInRange<std::size_t>(1, record.size() / 8);
            if (at + 8 <= record.size()) std::memcpy(record.data() + at, &word, 8);
            break;
        }
        case 6:
            record[input.ConsumeIntegralInRange<std::size_t>(0, record.size() - 1)] =
                input.ConsumeIntegral<std::uint8_t>();
            std::memcpy(&header, record.data(), 8);
            break;
        case 7:  // longer, or cut
            record.resize(std::max<std::size_t>(8, 8 * input.ConsumeIntegralInRange<std::size_t>(0, 600)),
                          input.ConsumeIntegral<std::uint8_t>());
            std::memcpy(&header, record.data(), 8);
            break;
    }
    std::memcpy(record.data(), &header, 8);
}

// dom0, between two looks of Xen's at the feed.
struct Meddler {
    FeedWorld* f;
    unsigned looks, at;  // does it at this look
    std::uint64_t offset, value, prod;
    bool moves_prod;
};

void meddle(void* ctx) {
    auto& m = *static_cast<Meddler*>(ctx);
    if (m.looks++ != m.at) return;
    if (m.moves_prod)
        m.f->header().prod = m.prod;
    else
        m.f->c.feed.data[((m.f->c.feed.pos + m.offset) & m.f->c.feed.mask) >> 3] = m.value;
}

void one(FeedWorld& f, FuzzedDataProvider& input) {
    const std::size_t which = input.ConsumeIntegralInRange<std::size_t>(0, consumers().size() - 1);
    const Consumer& consumer = consumers()[which];
    Count& count = counts[which];
    const std::uint64_t pos = 8 * input.ConsumeIntegralInRange<std::uint64_t>(0, CASM_RING_MIN_BYTES / 4);
    f.rewind(consumer.started, pos);
    Bytes before = consumer.before(f), record = consumer.record(f), behind = consumer.behind(f);
    for (int n = input.ConsumeIntegralInRange<int>(0, 3); n > 0; --n) change(input, record);
    if (input.ConsumeIntegralInRange<int>(0, 15) == 0 && !before.empty()) change(input, before);
    if (input.ConsumeIntegralInRange<int>(0, 15) == 0 && !behind.empty()) change(input, behind);
    const bool tail = consumer.started && input.ConsumeBool();

    f.feed(before);
    f.feed(record);
    f.feed(behind);
    if (tail) f.feed(Bytes(CASM_TRIP_BYTES, input.ConsumeIntegral<std::uint8_t>()));
    f.header().eof = input.ConsumeIntegralInRange<int>(0, 3) == 0 ? 1 : 0;
    if (input.ConsumeIntegralInRange<int>(0, 7) == 0) f.header().prod = pos + number(input);
    Meddler meddler{&f, 0, input.ConsumeIntegralInRange<unsigned>(0, 7), 0, 0, 0, false};
    if (input.ConsumeIntegralInRange<int>(0, 3) == 0) {
        meddler.offset = 8 * input.ConsumeIntegralInRange<std::uint64_t>(0, 16);
        meddler.value = number(input);
        meddler.moves_prod = input.ConsumeBool();
        meddler.prod = pos + number(input);
        shim.ctx = &meddler;
        shim.on_rmb = meddle;
    }

    const std::uint64_t accepted = f.c.logged[consumer.cls];
    count.calls++;
    consumer.take(f);
    count.accepted +=
        f.c.logged[consumer.cls] > accepted + (!before.empty() && before[0] == consumer.cls ? 1 : 0);
    count.refused +=
        casm_told_mode(&f.c) == CASM_MODE_DIVERGED && f.c.divergence.expected.cls == consumer.cls;
    // A paused vCPU is off its processor until somebody unpauses it.
    for (int i = 0; i < 4 && f.world.cpu().paused == 0; ++i) {
        const unsigned what = f.exit();
        CHECK(what <= CASM_EXIT_AGAIN);
        if (i == 1 && f.world.cpu().paused == 0) casm_count_entry(CASM_ENTRY_EXCEPTION, 14);
    }
    shim.on_rmb = nullptr;

    CHECK(shim.locks_held == 0 && shim.evtchn_locks_held == 0 && shim.irqs_on);
    CHECK(shim.crashes == 0);
    CHECK(f.c.feed.pos - pos <= CASM_RING_MIN_BYTES);
    CHECK(f.c.feed.pos % 8 == 0);
    CHECK(f.c.feed.other - f.c.feed.pos <= CASM_RING_MIN_BYTES);
    CHECK(f.c.log.pos <= CASM_RING_MIN_BYTES);
    CHECK(casm_told_mode(&f.c) == CASM_MODE_REPLAY || casm_told_mode(&f.c) == CASM_MODE_ENDED ||
          casm_told_mode(&f.c) == CASM_MODE_DIVERGED);
    CHECK(casm_told_mode(&f.c) == CASM_MODE_REPLAY || f.world.cpu().paused == 1);
    CHECK(casm_told_mode(&f.c) != CASM_MODE_DIVERGED || f.c.end_reason == CASM_END_DIVERGED);
    CHECK(casm_told_mode(&f.c) != CASM_MODE_DIVERGED || f.c.log.hdr->eof == 1);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static FeedWorld* const world = [] {
        counts.resize(consumers().size());
        std::atexit(report);
        return new FeedWorld;
    }();
    FuzzedDataProvider input(data, size);
    ++executions;
    while (input.remaining_bytes() >= 32) one(*world, input);  // with fewer nothing would be changed
    return 0;
}
