// SPDX-License-Identifier: GPL-2.0-or-later
#include "support/feed.h"

#include <algorithm>
#include <array>
#include <stdexcept>

extern "C" {
#include <public/sched.h>
}

namespace casmotion::test {

namespace {

constexpr std::uint64_t kNop = SHIM_GUEST_VA, kBranch = SHIM_GUEST_VA + 1;
constexpr unsigned kXenVersion = 17;

Bytes nothing(FeedWorld&) {
    return {};
}

Bytes entry(unsigned kind, std::uint32_t detail) {
    return record_bytes({CASM_CLS_ENTRY, static_cast<std::uint8_t>(kind), 0, detail});
}

Bytes exception(FeedWorld&) {
    return entry(CASM_ENTRY_EXCEPTION, 14);
}

void count_exception(FeedWorld&) {
    casm_count_entry(CASM_ENTRY_EXCEPTION, 14);
}

void exit_of_an_entry(FeedWorld& f) {
    f.c.point = CASM_POINT_OPEN;
    f.exit();
}

void ask_version(FeedWorld&) {
    unsigned long result = 0;
    casm_wrap_enter(kXenVersion, 0, 0, &result);
    casm_wrap_leave(kXenVersion, result);
}

Bytes end(FeedWorld& f, unsigned reason, unsigned code, bool digest) {
    std::array<std::uint64_t, CASM_CLASSES_MAX> applied;
    std::copy(std::begin(f.c.applied), std::end(f.c.applied), applied.begin());
    if (digest) applied[CASM_CLS_DIGEST]++;
    const std::uint64_t with_registers = casm_regs_hash(f.c.hash, &shim.regs, &f.world.cpu());
    const std::array<std::uint64_t, 2> words{
        f.c.ordinal, reason == CASM_END_DESTROYED ? f.c.hash : (f.c.hash >> 48 << 48 | with_registers >> 16)};
    return record_bytes({CASM_CLS_END, static_cast<std::uint8_t>(reason), 0, code}, words,
                        {reinterpret_cast<const std::uint8_t*>(applied.data()), sizeof(applied)});
}

Bytes apoint(FeedWorld& f, unsigned kind, std::uint64_t branches, std::uint64_t rip) {
    cpu_user_regs there = shim.regs;
    there.rip = rip;
    const std::array<std::uint64_t, 3> words{branches, rip, casm_regs_hash(f.c.hash, &there, &f.world.cpu())};
    const std::array<std::uint64_t, 3> state{kind == CASM_APOINT_CANONICAL ? kBranch : 0, there.rcx,
                                             there.rsp};
    return record_bytes({CASM_CLS_APOINT, static_cast<std::uint8_t>(kind), 0, 0}, words,
                        {reinterpret_cast<const std::uint8_t*>(state.data()), sizeof(state)});
}

// The guest runs on as the search for a point wants it: to a breakpoint, an overflow, or one instruction
// further.
void search(FeedWorld& f) {
    casm_timepoint& tp = f.c.tp;
    for (int i = 0; i < 12; ++i) {
        f.exit();
        if (casm_told_mode(&f.c) != CASM_MODE_REPLAY || f.c.logged[CASM_CLS_APOINT] != 0) return;
        if (f.world.cpu().paused != 0) return;  // it waits for the feed: nothing runs
        unsigned long dr6 = 0;
        if ((shim.regs.rflags & X86_EFLAGS_TF) != 0) {
            shim.branches++;
            shim.regs.rip = kNop;
            dr6 = DR_STEP;
        } else if (tp.slot >= 0) {
            shim.regs.rip = tp.address;
            dr6 = 1ul << tp.slot;
        } else if (shim.overflow_at != 0) {
            shim.branches = shim.overflow_at;
        } else if (shim.transfers_overflow_at != 0) {
            shim.transfers = shim.transfers_overflow_at;
        } else {
            return;
        }
        if (dr6 != 0) casm_debug_trap(&shim.regs, &dr6);
    }
}

void start(FeedWorld& f) {
    f.world.start(CASM_MODE_REPLAY, 0, 0, 0);
    f.world.guest();
}

// Name, class, started, blob, refuses; before, record, behind, take.
const std::vector<Consumer> kConsumers = {
    {"INIT at the start", CASM_CLS_INIT, false, true, true, nothing,
     [](FeedWorld& f) {
         const auto* page = reinterpret_cast<const std::uint8_t*>(f.world.dom().shared_info);
         return record_bytes({CASM_CLS_INIT, 0, 0, 0}, {}, {page, PAGE_SIZE});
     },
     [](FeedWorld& f) { return f.digest(CASM_DIGEST_START); }, start},
    {"DIGEST at the start", CASM_CLS_DIGEST, false, false, true, nothing,
     [](FeedWorld& f) { return f.digest(CASM_DIGEST_START); }, nothing, start},
    {"ENTRY", CASM_CLS_ENTRY, true, false, true, nothing, exception, nothing, count_exception},
    {"BRANCHES", CASM_CLS_BRANCHES, true, false, true, exception,
     [](FeedWorld& f) {
         f.c.ordinal = CASM_BRANCHES_INTERVAL - 1;
         const std::array<std::uint64_t, 1> total{shim.branches};
         return record_bytes({CASM_CLS_BRANCHES, 0, 0, 0}, total);
     },
     nothing, count_exception},
    {"TSC", CASM_CLS_TSC, true, false, false, nothing,
     [](FeedWorld&) {
         const std::array<std::uint64_t, 1> quanta{12345};
         return record_bytes({CASM_CLS_TSC, 0, 0, 0}, quanta);
     },
     [](FeedWorld&) { return entry(CASM_ENTRY_PRIVOP, 0x0f31); },
     [](FeedWorld& f) {
         f.world.frame(0)[16] = 0x0f;
         f.world.frame(0)[17] = 0x31;
         shim.regs.rip = kNop + 16;
         casm_fast_rdtsc(&shim.regs);
     }},
    {"MSR", CASM_CLS_MSR, true, false, true, nothing,
     [](FeedWorld&) {
         const std::array<std::uint64_t, 1> value{77};
         return record_bytes({CASM_CLS_MSR, X86EMUL_OKAY, 0, 0x1a0}, value);
     },
     nothing,
     [](FeedWorld&) {
         std::uint64_t value = 0;
         casm_log_msr(X86EMUL_OKAY, 0x1a0, &value);
     }},
    {"CPUID", CASM_CLS_CPUID, true, false, true, nothing,
     [](FeedWorld&) {
         const std::array<std::uint64_t, 2> values{1, 2};
         return record_bytes({CASM_CLS_CPUID, 0, 0, 1}, values);
     },
     nothing,
     [](FeedWorld&) {
         cpuid_leaf leaf{};
         casm_log_cpuid(1, &leaf);
     }},
    {"RESULT", CASM_CLS_RESULT, true, false, true, nothing,
     [](FeedWorld&) {
         const std::array<std::uint64_t, 1> value{0};
         return record_bytes({CASM_CLS_RESULT, kXenVersion, 0, 0}, value);
     },
     nothing, ask_version},
    {"OUTMEM", CASM_CLS_OUTMEM, true, true, true, nothing,
     [](FeedWorld&) {
         const std::array<std::uint64_t, 1> va{World::va(4) + 4090};
         return record_bytes({CASM_CLS_OUTMEM, 0, 0, 0}, va, Bytes(1000, 7));
     },
     [](FeedWorld&) {
         const std::array<std::uint64_t, 1> value{0};
         return record_bytes({CASM_CLS_RESULT, kXenVersion, 0, 0}, value);
     },
     ask_version},
    {"EVTCHN", CASM_CLS_EVTCHN, true, false, false, nothing,
     [](FeedWorld&) {
         return record_bytes({CASM_CLS_EVTCHN, 0, 0, kTimerPort});
     },
     nothing, exit_of_an_entry},
    {"RING", CASM_CLS_RING, true, true, true, nothing,
     [](FeedWorld&) {
         return record_bytes({CASM_CLS_RING, CASM_PAGE_XENSTORE, 0, 1024}, {}, Bytes(1000, 9));
     },
     nothing, exit_of_an_entry},
    {"DIGEST at a point", CASM_CLS_DIGEST, true, false, true, nothing,
     [](FeedWorld& f) { return f.digest(CASM_DIGEST_PERIODIC); }, nothing, exit_of_an_entry},
    {"DIGEST of a stop", CASM_CLS_DIGEST, true, false, true, nothing,
     [](FeedWorld& f) { return f.digest(CASM_DIGEST_STOP); },
     [](FeedWorld& f) { return end(f, CASM_END_STOPPED, 0, true); }, exit_of_an_entry},
    {"END of a stop", CASM_CLS_END, true, true, true, [](FeedWorld& f) { return f.digest(CASM_DIGEST_STOP); },
     [](FeedWorld& f) { return end(f, CASM_END_STOPPED, 0, true); }, nothing, exit_of_an_entry},
    {"END of a destroyed domain", CASM_CLS_END, true, true, true, nothing,
     [](FeedWorld& f) { return end(f, CASM_END_DESTROYED, 0, false); }, nothing, exit_of_an_entry},
    {"DIGEST of a shutdown", CASM_CLS_DIGEST, true, false, true, nothing,
     [](FeedWorld& f) { return f.digest(CASM_DIGEST_END); },
     [](FeedWorld& f) { return end(f, CASM_END_SHUTDOWN, SHUTDOWN_poweroff, true); },
     [](FeedWorld& f) { shim_domain_shutdown(&f.world.dom(), SHUTDOWN_poweroff); }},
    {"END of a shutdown", CASM_CLS_END, true, true, true,
     [](FeedWorld& f) { return f.digest(CASM_DIGEST_END); },
     [](FeedWorld& f) { return end(f, CASM_END_SHUTDOWN, SHUTDOWN_poweroff, true); }, nothing,
     [](FeedWorld& f) { shim_domain_shutdown(&f.world.dom(), SHUTDOWN_poweroff); }},
    {"END of a crash", CASM_CLS_END, true, true, true, [](FeedWorld& f) { return f.digest(CASM_DIGEST_END); },
     [](FeedWorld& f) { return end(f, CASM_END_CRASHED, SHUTDOWN_crash, true); }, nothing,
     [](FeedWorld& f) { shim_domain_shutdown(&f.world.dom(), SHUTDOWN_crash); }},
    {"APOINT, canonical", CASM_CLS_APOINT, true, true, true, nothing,
     [](FeedWorld& f) { return apoint(f, CASM_APOINT_CANONICAL, 1, kNop); }, nothing, search},
    {"APOINT by state", CASM_CLS_APOINT, true, true, true, nothing,
     [](FeedWorld& f) { return apoint(f, CASM_APOINT_BY_STATE, 0, kBranch); }, nothing, search},
};

}  // namespace

FeedWorld::FeedWorld() {
    const auto check = [](bool condition) {
        if (!condition) throw std::runtime_error("feed world");
    };
    check(world.attach(CASM_RING_MIN_BYTES, CASM_RING_MIN_BYTES) == 0);
    check(casm_bridges_init(&c) == 0);
    std::copy_n(std::to_array<std::uint8_t>({0x90, 0x75, 0xfd}).data(), 3, world.frame(0));  // nop; jne
    idle_ = save();
    casm_domctl op{};
    op.u.start.flags = CASM_START_COUNTER;
    check(casm_tp_start(&c, &op) == 0);
    c.state = CASM_STATE_REPLAY;
    c.hash = CASM_HASH_SEED;
    c.check_shift = 64;
    started_ = save();
}

std::vector<std::uint8_t*> FeedWorld::pages() {
    std::vector<std::uint8_t*> pages{reinterpret_cast<std::uint8_t*>(world.dom().shared_info)};
    for (unsigned pfn = 0; pfn < 16; ++pfn) pages.push_back(world.frame(pfn));
    return pages;
}

FeedWorld::Saved FeedWorld::save() {
    Saved saved{c, {}};
    for (const std::uint8_t* page : pages()) saved.memory.insert(saved.memory.end(), page, page + PAGE_SIZE);
    return saved;
}

void FeedWorld::rewind(bool started, std::uint64_t pos) {
    const Saved& saved = started ? started_ : idle_;
    c = saved.casm;
    std::size_t at = 0;
    for (std::uint8_t* page : pages()) {
        std::memcpy(page, saved.memory.data() + at, PAGE_SIZE);
        at += PAGE_SIZE;
    }
    world.take_pending();
    world.dom().creation_finished = started;
    world.dom().is_shutting_down = 0;
    world.cpu().paused = 0;
    world.guest();
    shim.irqs_on = true;
    shim.on_rmb = nullptr;
    shim.branches = shim.transfers = shim.overflow_at = shim.transfers_overflow_at = 0;
    std::fill(std::begin(shim.dr), std::end(shim.dr), 0);
    shim.regs = {};
    shim.regs.rip = kNop;
    shim.regs.cs = FLAT_KERNEL_CS64;
    shim.regs.rflags = 0x202;
    if (started) casm_switch_to(&world.cpu());
    c.feed.pos = c.feed.other = c.feed.notified = pos;
    c.feed.limit = pos + CASM_TRIP_BYTES;
    header().prod = header().cons = pos;
    header().eof = 0;
    *c.log.hdr = {};
}

void FeedWorld::feed(std::span<const std::uint8_t> bytes) {
    RingEnd(c.feed).produce(bytes);
}

unsigned FeedWorld::exit() {
    // Softirqs come first on the way out: a paused vCPU is off its processor before it gets there.
    if (world.cpu().paused != 0) throw std::logic_error("a paused vCPU is made to run");
    shim.irqs_on = false;
    const unsigned what = casm_exit_work();
    shim.irqs_on = true;
    return what;
}

Bytes FeedWorld::digest(unsigned when) {
    const casm_domain before = c;
    c.state = CASM_STATE_RECORD;
    casm_digest_point(&c, when);
    std::array<std::uint64_t, 4> record;
    for (std::size_t i = 0; i < record.size(); ++i)
        record[i] = c.log.data[((before.log.pos & c.log.mask) >> 3) + i];
    c = before;
    Bytes bytes(sizeof(record));
    std::memcpy(bytes.data(), record.data(), bytes.size());
    return bytes;
}

std::span<const Consumer> consumers() {
    return kConsumers;
}

}  // namespace casmotion::test
