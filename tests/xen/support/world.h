// SPDX-License-Identifier: GPL-2.0-or-later
//
// One recordable domain on the shim, built as the toolstack would: created in the recording cpupool,
// populated from the pool, console and xenstore pages granted. Dom0 is a second vCPU that is `running` unless
// guest() says otherwise.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "support/product.h"

namespace casmotion::test {

inline constexpr unsigned kPorts = 128;
inline constexpr unsigned kConsolePort = 2;   // bound to dom0
inline constexpr unsigned kXenstorePort = 1;  // bound to dom0
inline constexpr unsigned kTimerPort = 5;     // a VIRQ
inline constexpr unsigned kClosedPort = 9;    // valid, not usable

class World {
  public:
    struct Options {
        std::string pool = "8M@16M";
        unsigned frames = 16;  // of the guest; the last two are the console and xenstore pages
        bool bridges = true;
    };

    World() : World(Options{}) {}
    explicit World(Options options);
    ~World();
    World(const World&) = delete;
    World& operator=(const World&) = delete;

    domain& dom() { return domain_; }
    cpupool& pool() { return pool_; }  // CPUs 2 and 3
    vcpu& cpu() { return vcpu_; }
    casm_domain& casm() { return *domain_.arch.casm; }

    // Who executes: the domain's vCPU, or dom0's.
    void guest() { shim.running = &vcpu_; }
    void dom0() { shim.running = &dom0_vcpu_; }

    long domctl(casm_domctl& op);
    long attach(std::uint64_t log_bytes = CASM_RING_MIN_BYTES, std::uint64_t feed_bytes = 0);
    // Starts with all bits in ENTRY's check, and lets the guest run (creation finished).
    long start(casm_mode mode, std::uint64_t digest_interval = 0, std::uint32_t disable = 0,
               std::uint32_t check_bits = 16, std::uint32_t flags = 0);
    long kick();
    long stop();
    casm_status status();

    // Frames of the guest by PFN.
    std::uint8_t* frame(unsigned pfn);
    std::uint8_t* console() { return frame(options_.frames - 2); }
    std::uint8_t* xenstore() { return frame(options_.frames - 1); }
    static std::uint64_t va(unsigned pfn) { return SHIM_GUEST_VA + std::uint64_t{pfn} * PAGE_SIZE; }

    // A signal from outside the domain, as evtchn_port_set_pending() makes it, possibly in an interrupt.
    void signal(unsigned port);

    // The ports that became pending since the last call, in order.
    std::vector<unsigned> take_pending();

    // Destroys the domain as `xl destroy` does. Later calls do nothing.
    void destroy();

  private:
    Options options_;
    domain domain_{}, dom0_{};
    vcpu vcpu_{}, dom0_vcpu_{};
    cpumask_t affinity_{}, dirty_{};
    sched_unit unit_{&affinity_};
    cpupool pool_{};
    std::vector<evtchn> ports_;
    bool destroyed_ = false;
};

// dom0's end of a ring: what the daemon does, in its shortest form.
class RingEnd {
  public:
    explicit RingEnd(casm_stream& stream) : stream_(&stream) {}

    // Bytes that Xen published and nobody consumed yet.
    [[nodiscard]] std::uint64_t published() const { return header().prod - header().cons; }
    // Consumes at most `max` bytes.
    std::vector<std::uint8_t> consume(std::uint64_t max = ~std::uint64_t{0});
    // Produces as much of `bytes` as there is room for, at most `max`; returns how much.
    std::uint64_t produce(std::span<const std::uint8_t> bytes, std::uint64_t max = ~std::uint64_t{0});
    void finish() { header().eof = 1; }

  private:
    [[nodiscard]] casm_ring& header() const { return *stream_->hdr; }

    casm_stream* stream_;
};

// A record as bytes of a ring.
std::vector<std::uint8_t> record_bytes(casm_rec header, std::span<const std::uint64_t> words = {},
                                       std::span<const std::uint8_t> blob = {});

}  // namespace casmotion::test
