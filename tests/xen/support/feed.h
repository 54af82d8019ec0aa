// SPDX-License-Identifier: GPL-2.0-or-later
//
// Every place of the hypervisor that takes records from the feed, each with a domain that stands right before
// it and the record that it accepts there. What is fed is what a log file says: tests and fuzzers change it.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "support/world.h"

namespace casmotion::test {

class FeedWorld {
  public:
    FeedWorld();

    // As a domain that is replayed, past its start; or before it. The feed is empty and begins at ring
    // position `pos`, a multiple of 8.
    void rewind(bool started, std::uint64_t pos = 0);
    // Appends to what Xen will see in the feed, as a daemon with or without manners.
    void feed(std::span<const std::uint8_t> bytes);
    casm_ring& header() { return *c.feed.hdr; }

    // The exit path, once.
    unsigned exit();
    // The digest record that would be accepted now.
    std::vector<std::uint8_t> digest(unsigned when);

    World world;
    casm_domain& c = world.casm();

  private:
    struct Saved {
        casm_domain casm;
        std::vector<std::uint8_t> memory;
    };
    Saved save();
    std::vector<std::uint8_t*> pages();

    Saved idle_, started_;
};

using Bytes = std::vector<std::uint8_t>;

struct Consumer {
    const char* name;
    unsigned cls;
    bool started;  // the replay has begun
    bool blob;     // the record has one
    bool refuses;  // some records of this class are not accepted
    // What the domain takes before the record, the record, and what it takes behind it in the same call.
    Bytes (*before)(FeedWorld& world);
    Bytes (*record)(FeedWorld& world);
    Bytes (*behind)(FeedWorld& world);
    void (*take)(FeedWorld& world);
};
std::span<const Consumer> consumers();

}  // namespace casmotion::test
