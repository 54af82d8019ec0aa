// SPDX-License-Identifier: GPL-2.0-or-later
//
// A guest at the exits of its entries: counted or not, recorded or replayed.
#pragma once

#include <gtest/gtest.h>

#include <cstring>
#include <vector>

#include "support/world.h"

namespace casmotion::test {

struct Entry {
    casm_rec rec;
    std::vector<std::uint8_t> payload;
};

// Header, words (by class) and blob of each record.
inline std::vector<Entry> parse(const std::vector<std::uint8_t>& bytes) {
    std::vector<Entry> entries;
    for (std::size_t at = 0; at < bytes.size();) {
        Entry entry;
        std::memcpy(&entry.rec, bytes.data() + at, 8);
        std::size_t size = 0;
        switch (entry.rec.cls) {
            case CASM_CLS_DIGEST:
                size = 24;
                break;
            case CASM_CLS_END:
                size = 16 + CASM_CLASSES_MAX * 8;
                break;
            case CASM_CLS_RING:
                size = (entry.rec.check + 7u) / 8 * 8;
                break;
            case CASM_CLS_TSC:
                size = 8;
                break;
            default:
                break;
        }
        entry.payload.assign(bytes.begin() + static_cast<long>(at) + 8,
                             bytes.begin() + static_cast<long>(at + 8 + size));
        at += 8 + size;
        entries.push_back(std::move(entry));
    }
    return entries;
}

class Exits : public testing::Test {
  protected:
    void record(std::uint64_t digest_interval = 0) {
        ASSERT_EQ(world.attach(), 0);
        ASSERT_EQ(world.start(CASM_MODE_RECORD, digest_interval), 0);
        RingEnd(c.log).consume();
        world.guest();
    }
    void count() { casm_count_entry(CASM_ENTRY_EXCEPTION, 14); }
    // The exit tests once.
    unsigned pass() {
        shim.irqs_on = false;
        const unsigned what = casm_exit_work();
        EXPECT_FALSE(shim.irqs_on);
        shim.irqs_on = true;
        return what;
    }
    // ... until the guest may run, or is paused.
    unsigned leave() {
        unsigned what = pass();
        for (int i = 0; what == CASM_EXIT_AGAIN && world.cpu().paused == 0; ++i) {
            EXPECT_LT(i, 1000) << "the exit tests go round and round";
            if (i == 1000) break;
            what = pass();
        }
        return what;
    }
    std::vector<Entry> logged() {
        casm_publish(&c, true);
        return parse(RingEnd(c.log).consume());
    }
    std::vector<unsigned> classes() {
        std::vector<unsigned> list;
        for (const Entry& entry : logged()) list.push_back(entry.rec.cls);
        return list;
    }

    World world;
    casm_domain& c = world.casm();
};

class ReplayExits : public Exits {
  protected:
    void replay(const std::vector<std::vector<std::uint8_t>>& records, bool eof = true) {
        ASSERT_EQ(world.attach(CASM_RING_MIN_BYTES, CASM_RING_MIN_BYTES), 0);
        ASSERT_EQ(casm_bridges_init(&c), 0);
        c.state = CASM_STATE_REPLAY;
        c.check_shift = 64;
        for (const auto& record : records) ASSERT_EQ(RingEnd(c.feed).produce(record), record.size());
        if (eof) RingEnd(c.feed).finish();
        world.guest();
    }
    static std::vector<std::uint8_t> entry() {
        return record_bytes({CASM_CLS_ENTRY, CASM_ENTRY_EXCEPTION, 0, 14});
    }
    static std::vector<std::uint8_t> event(unsigned port) {
        return record_bytes({CASM_CLS_EVTCHN, 0, 0, port});
    }
};

}  // namespace casmotion::test
