// SPDX-License-Identifier: GPL-2.0-or-later
#include "support/model.h"

#include <algorithm>
#include <array>
#include <span>
#include <stdexcept>

extern "C" {
#include <public/event_channel.h>
#include <public/sched.h>
#include <public/vcpu.h>
}

namespace casmotion::test {

namespace {

std::uint32_t load(const std::uint8_t* page, unsigned at) {
    std::uint32_t word;
    std::memcpy(&word, page + at, 4);
    return word;
}
void store(std::uint8_t* page, unsigned at, std::uint32_t word) {
    std::memcpy(page + at, &word, 4);
}

class Model {
  public:
    Model(std::uint64_t guest_seed, std::uint64_t outside_seed, const ModelOptions& options)
        : options_(options), outside_(outside_seed), state_(guest_seed) {
        shim.ctx = this;
        shim.interrupt = [](void* ctx) { static_cast<Model*>(ctx)->while_in_xen(); };
        shim.soft_rdtsc = [](void* ctx) { return static_cast<Model*>(ctx)->clock(); };
        shim.now = static_cast<s_time_t>(outside_.below(1u << 30));
    }

    Outcome record(std::vector<std::uint8_t>& log) {
        log_ = &log;
        check(world_.attach(options_.ring_bytes) == 0, "attach");
        check(world_.start(CASM_MODE_RECORD, options_.digest_interval, options_.disable) == 0, "start");
        // Before the last step is over: after it the guest shuts itself down.
        const unsigned stop_at =
            options_.stop_early ? static_cast<unsigned>(1 + outside_.below(options_.steps - 1)) : ~0u;
        run(stop_at);
        return outcome();
    }

    Outcome replay(const std::vector<std::uint8_t>& log) {
        feed_ = log;
        replaying_ = true;
        check(world_.attach(options_.ring_bytes, options_.ring_bytes) == 0, "attach");
        daemon(true);
        const long rc = world_.start(CASM_MODE_REPLAY);
        check(rc == 0 || rc == -EXDEV || rc == -ENODATA, "start");  // the last: cut before the first digest
        if (rc == 0) run(~0u);
        return outcome();
    }

  private:
    static void check(bool condition, const char* what) {
        if (!condition)
            throw std::runtime_error(std::string("model: ") + what +
                                     "; repeat with CASMOTION_TEST_SEED=" + std::to_string(base_seed()));
    }

    // --- The surroundings ---

    std::uint64_t clock() { return clock_ += outside_.below(100000); }

    // dom0's daemon: takes from the log, gives to the feed; as much as it likes, or all it can.
    void daemon(bool all) {
        const std::uint64_t most = all ? ~std::uint64_t{0} : outside_.below(20000);
        const auto bytes = RingEnd(c_.log).consume(most);
        if (log_ != nullptr) log_->insert(log_->end(), bytes.begin(), bytes.end());
        if (replaying_) {
            for (std::size_t at = 0; at < bytes.size();) {  // reports only
                casm_rec rec;
                if (bytes.size() - at < 8) break;
                std::memcpy(&rec, bytes.data() + at, 8);
                check(rec.cls == CASM_CLS_CONSOLE && all, "a record in the log of a replay");
                console_.append(reinterpret_cast<const char*>(bytes.data()) + at + 8, rec.check);
                at += 8 + (rec.check + 7u) / 8 * 8;
            }
            fed_ += RingEnd(c_.feed).produce(feed_.subspan(fed_), most);
            if (fed_ == feed_.size()) RingEnd(c_.feed).finish();
        }
        world_.kick();
    }

    // Whatever may happen to a guest from outside, at any moment.
    void outside() {
        shim.now += static_cast<s_time_t>(outside_.below(50000));
        if (outside_.one_in(6)) signal(kTimerPort);
        if (outside_.one_in(8)) signal(static_cast<unsigned>(outside_.below(kPorts)));
        if (outside_.one_in(60))
            for (unsigned port = 10; port < kPorts; ++port) signal(port);  // more than one exit takes
        if (outside_.one_in(5)) back_end(CASM_PAGE_CONSOLE, casm_console_layout, kConsolePort);
        if (outside_.one_in(5)) back_end(CASM_PAGE_XENSTORE, casm_xenstore_layout, kXenstorePort);
        if (outside_.one_in(4)) daemon(replaying_);
    }

    // Xen has interrupts on in the middle of its exit path: other CPUs and this one's devices go on.
    void while_in_xen() {
        if (!outside_.one_in(3) || !world_.dom().creation_finished) return;
        vcpu* before = shim.running;
        world_.dom0();
        outside();
        shim.running = before;
    }

    void signal(unsigned port) {
        if (world_.dom().evtchn[port].state == ECS_FREE) return;
        world_.signal(port);
        if (replaying_) events_dropped_++;
    }

    // An interrupt that found the guest running: its exit is not counted.
    void stray_exit() {
        if (world_.cpu().paused != 0) return;
        const auto before = state_;
        world_.take_pending();
        world_.guest();
        shim.irqs_on = false;
        const unsigned what = casm_exit_work();
        // A damaged log may have something that can be anywhere but here.
        check(what == CASM_EXIT_SKIP || casm_told_mode(&c_) == CASM_MODE_DIVERGED,
              "an exit that was not counted");
        shim.irqs_on = true;
        world_.dom0();
        check(world_.take_pending().empty() && before == state_, "a stray exit applied something");
        stray_exits_++;
    }

    void back_end(unsigned page, const casm_bridge_layout& layout, unsigned port) {
        std::uint8_t* standin = c_.bridge[page].standin;
        check(standin != nullptr, "no stand-in");
        // Consumes what the guest sent.
        std::uint32_t cons = load(standin, layout.up.cons);
        const std::uint32_t prod = load(standin, layout.up.prod);
        if (prod - cons > layout.up.size_bytes) cons = prod;  // never so in a ring
        for (; cons != prod; ++cons)
            if (page == CASM_PAGE_CONSOLE && !replaying_)
                console_ += static_cast<char>(standin[layout.up.data + (cons & (layout.up.size_bytes - 1u))]);
        store(standin, layout.up.cons, cons);
        // Produces something.
        std::uint32_t in = load(standin, layout.down.prod);
        const std::uint32_t sent = in - load(standin, layout.down.cons);
        const std::uint32_t room = sent > layout.down.size_bytes ? 0 : layout.down.size_bytes - sent;
        for (auto n = outside_.below(room + 1u); n != 0; --n)
            standin[layout.down.data + (in++ & (layout.down.size_bytes - 1u))] =
                static_cast<std::uint8_t>(outside_.word());
        store(standin, layout.down.prod, in);
        if (layout.word[0] != 0 && outside_.one_in(10))
            store(standin, layout.word[outside_.below(3)], static_cast<std::uint32_t>(outside_.word()));
        signal(port);
    }

    // --- The guest ---

    // A decision of the guest: a function of what it saw.
    std::uint64_t choose(std::uint64_t n) {
        state_ = casm_mix(state_, 0x1234567);
        return (state_ >> 20) % n;
    }
    void saw(std::uint64_t word) { state_ = casm_mix(state_, word); }

    void run(unsigned stop_at) {
        for (unsigned step = 0; step < options_.steps && !over(); ++step) {
            if (step == stop_at) check(world_.stop() == 0, "stop");
            world_.dom0();
            outside();
            if (outside_.one_in(3)) stray_exit();
            world_.guest();
            entry();
            if (!leave()) break;
        }
        if (!over() && casm_told_mode(&c_) != CASM_MODE_ENDED) {
            world_.guest();
            // Registers at a shutdown are not compared, a known limit (docs/what-is-proved.md); memory is.
            std::memcpy(world_.frame(3), &state_, sizeof(state_));
            hypercall(29, SCHEDOP_shutdown, [&] {
                shim_domain_shutdown(&world_.dom(), SHUTDOWN_poweroff);
                return 0ul;
            });
        }
        world_.dom0();
        if (c_.log.hdr != nullptr) daemon(true);
    }
    [[nodiscard]] bool over() const {
        return casm_told_mode(&c_) != CASM_MODE_RECORD && casm_told_mode(&c_) != CASM_MODE_REPLAY;
    }

    template <typename Handler>
    unsigned long hypercall(unsigned nr, unsigned long arg0, Handler handler) {
        unsigned long result = 0;
        shim.regs.rdi = arg0;
        if (!casm_wrap_enter(nr, arg0, 0, &result)) result = handler();
        casm_wrap_leave(nr, result);
        shim.regs.rax = result;
        casm_count_entry(CASM_ENTRY_HYPERCALL, nr);
        return result;
    }

    // One synchronous entry, with all it does inside Xen.
    void entry() {
        std::uint64_t* words =
            reinterpret_cast<std::uint64_t*>(world_.frame(static_cast<unsigned>(3 + choose(8))));
        shim.regs.rip = World::va(1) + choose(4096);
        shim.regs.rsp = state_;
        shim.regs.rflags =
            0x202 | (outside_.one_in(2) ? X86_EFLAGS_RF : 0);  // how Xen was entered: must not count
        switch (choose(12)) {
            case 0:  // the clock
            case 1: {
                world_.frame(0)[16] = 0x0f;
                world_.frame(0)[17] = 0x31;
                shim.regs.rip = World::va(0) + 16;
                shim.regs.cs = FLAT_KERNEL_CS64;
                check(casm_fast_rdtsc(&shim.regs), "rdtsc");
                saw(shim.regs.rax | shim.regs.rdx << 32);
                break;
            }
            case 2: {
                std::uint64_t value = outside_.word();
                casm_log_msr(X86EMUL_OKAY, static_cast<unsigned>(0x1a0 + choose(3)), &value);
                casm_count_entry(CASM_ENTRY_PRIVOP, 0x320f);
                saw(value);
                break;
            }
            case 3: {
                cpuid_leaf leaf = {static_cast<std::uint32_t>(outside_.word()), 1, 2,
                                   static_cast<std::uint32_t>(outside_.word())};
                casm_log_cpuid(static_cast<std::uint32_t>(choose(20)), &leaf);
                casm_count_entry(CASM_ENTRY_FORCED_CPUID, 0);
                saw(leaf.a);
                saw(leaf.d);
                break;
            }
            case 4: {  // xen_version with an output in memory that differs each time
                const std::uint64_t at = World::va(static_cast<unsigned>(3 + choose(8))) + choose(5000);
                const std::uint64_t size = choose(1500);
                saw(hypercall(17, choose(9), [&] {
                    std::vector<std::uint8_t> out(outside_.one_in(2) ? size : size / 2);
                    for (auto& byte : out) byte = static_cast<std::uint8_t>(outside_.word());
                    return copy_to_guest_pv(reinterpret_cast<void*>(at), out.data(),
                                            static_cast<unsigned>(out.size())) != 0
                               ? static_cast<unsigned long>(-EFAULT)
                               : outside_.word();
                }));
                break;
            }
            case 5:  // executed: a function of the guest's state
                words[choose(512)] = state_;
                saw(hypercall(14, state_, [&] { return static_cast<unsigned long>(state_ & 0xff); }));
                break;
            case 6:
                saw(hypercall(24, VCPUOP_set_singleshot_timer, [&] { return outside_.below(2); }));
                break;
            case 7:  // prints, and tells the console
                produce(world_.console(), casm_console_layout.up);
                hypercall(32, EVTCHNOP_send, [] { return 0ul; });
                break;
            case 8:  // asks xenstore; tells it only sometimes, as Linux does
                produce(world_.xenstore(), casm_xenstore_layout.up);
                if (choose(2) == 0)
                    hypercall(32, EVTCHNOP_send, [] { return 0ul; });
                else
                    casm_count_entry(CASM_ENTRY_TOGGLE, 0);
                break;
            case 9:
                consume(world_.console(), casm_console_layout.down);
                consume(world_.xenstore(), casm_xenstore_layout.down);
                casm_count_entry(CASM_ENTRY_EXCEPTION, 14 | 4 << 8);
                break;
            case 10:
                hypercall(29, SCHEDOP_block, [&] {
                    local_event_delivery_enable();
                    return 0ul;
                });
                break;
            case 11:  // unmasks or masks upcalls in memory
                world_.cpu().vcpu_info->evtchn_upcall_mask = static_cast<std::uint8_t>(choose(2));
                words[choose(512)] ^= state_;
                casm_count_entry(CASM_ENTRY_PTWR, 0);
                break;
        }
    }

    void produce(std::uint8_t* page, const casm_half& half) {
        std::uint32_t prod = load(page, half.prod);
        std::uint64_t room = half.size_bytes - (prod - load(page, half.cons));
        saw(room);
        for (auto n = choose(std::min<std::uint64_t>(room, 200) + 1); n != 0; --n) {
            page[half.data + (prod & (half.size_bytes - 1u))] = static_cast<std::uint8_t>('a' + prod % 26);
            if (page == world_.console()) printed_ += static_cast<char>('a' + prod % 26);
            ++prod;
        }
        store(page, half.prod, prod);
    }
    void consume(std::uint8_t* page, const casm_half& half) {
        std::uint32_t cons = load(page, half.cons);
        const std::uint32_t prod = load(page, half.prod);
        // Only a forged log has it. A guest that believed it would consume for minutes.
        if (prod - cons > half.size_bytes) return saw(prod);
        for (; cons != prod; ++cons) saw(page[half.data + (cons & (half.size_bytes - 1u))]);
        store(page, half.cons, cons);
    }

    // The exit path of entry.S, until the guest runs again. False: it never will.
    bool leave() {
        for (unsigned tries = 0; tries < 10000; ++tries) {
            shim.irqs_on = false;
            const unsigned what = casm_exit_work();
            check(!shim.irqs_on, "interrupts are on in the exit path");
            shim.irqs_on = true;
            switch (what) {
                case CASM_EXIT_SKIP:
                    return true;
                case CASM_EXIT_DELIVER: {
                    vcpu_info_t& info = *world_.cpu().vcpu_info;
                    if (info.evtchn_upcall_pending != 0 && info.evtchn_upcall_mask == 0) {
                        upcall();
                        continue;  // jmp test_all_events
                    }
                    return true;
                }
                case CASM_EXIT_AGAIN:
                    if (world_.cpu().paused == 0) continue;
                    if (over()) return false;
                    world_.dom0();
                    outside_.one_in(2) ? outside() : daemon(replaying_);
                    world_.guest();
                    if (over()) return false;
                    continue;
                default:
                    check(false, "an unknown exit");
            }
        }
        check(false, "an exit that never ends");
        return false;
    }

    void upcall() {
        upcalls_++;
        saw(0xacce55);
        shared_info_t& info = *world_.dom().shared_info;
        world_.cpu().vcpu_info->evtchn_upcall_pending = 0;
        world_.cpu().vcpu_info->evtchn_pending_sel = 0;
        for (unsigned word = 0; word < kPorts / 64; ++word) {
            saw(info.evtchn_pending[word]);
            info.evtchn_pending[word] = 0;
        }
        world_.take_pending();
        // Some handlers leave upcalls masked, as Linux' entry does until its iret.
        world_.cpu().vcpu_info->evtchn_upcall_mask = static_cast<std::uint8_t>(choose(2));
    }

    Outcome outcome() {
        Outcome outcome;
        outcome.guest_state = state_;
        outcome.memory = CASM_HASH_SEED;
        for (unsigned pfn = 0; pfn < 16; ++pfn)
            outcome.memory =
                casm_mix(outcome.memory, casm_page_hash(reinterpret_cast<std::uint64_t*>(world_.frame(pfn))));
        outcome.memory = casm_mix(outcome.memory,
                                  casm_page_hash(reinterpret_cast<std::uint64_t*>(world_.dom().shared_info)));
        outcome.status = world_.status();
        outcome.printed = printed_;
        outcome.console = console_;
        outcome.upcalls = upcalls_;
        outcome.stray_exits = stray_exits_;
        outcome.events_dropped = events_dropped_;
        check(shim.crashes == 0 && shim.locks_held == 0 && shim.evtchn_locks_held == 0,
              "a crash or a lock left");
        return outcome;
    }

    ModelOptions options_;
    World world_;
    casm_domain& c_ = world_.casm();
    Random outside_;
    std::uint64_t state_, clock_ = 1u << 20;
    std::vector<std::uint8_t>* log_ = nullptr;
    std::span<const std::uint8_t> feed_;
    std::uint64_t fed_ = 0;
    bool replaying_ = false;
    std::string console_, printed_;
    unsigned upcalls_ = 0, stray_exits_ = 0, events_dropped_ = 0;
};

}  // namespace

Outcome record_model(std::uint64_t guest_seed, std::uint64_t outside_seed, const ModelOptions& options,
                     std::vector<std::uint8_t>& log) {
    log.clear();
    return Model(guest_seed, outside_seed, options).record(log);
}

Outcome replay_model(std::uint64_t guest_seed, std::uint64_t outside_seed, const ModelOptions& options,
                     const std::vector<std::uint8_t>& log) {
    return Model(guest_seed, outside_seed, options).replay(log);
}

}  // namespace casmotion::test
