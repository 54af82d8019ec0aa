// SPDX-License-Identifier: GPL-2.0-or-later
#include "support/small_guest.h"

#include <algorithm>
#include <array>
#include <span>
#include <stdexcept>
#include <string>

namespace casmotion::test {
namespace {

constexpr std::uint64_t kTf = X86_EFLAGS_TF, kRf = X86_EFLAGS_RF, kFlags = 0x202;
constexpr std::uint64_t kMultiplier = 6364136223846793005u;
constexpr std::uint64_t kCode = SHIM_GUEST_VA;

// A random program: jumps go to starts of instructions, the end to the beginning.
std::vector<std::uint8_t> make_program(const GuestOptions& options) {
    Random random(options.program);
    std::vector<std::uint8_t> code;
    std::vector<std::size_t> starts, jumps;
    const unsigned length = 2 + static_cast<unsigned>(random.below(14));
    const std::uint64_t entries =
        options.cpu_bound ? 0 : random.below(3);  // none: the program never enters Xen
    const auto add = [&](std::initializer_list<std::uint8_t> bytes) {
        starts.push_back(code.size());
        code.insert(code.end(), bytes);
    };
    const auto jump = [&](std::uint8_t opcode) {
        add({opcode, 0});
        jumps.push_back(code.size() - 1);
    };
    if (options.cpu_bound) jump(0x75);
    for (unsigned i = 0; i < length; ++i) {
        switch (random.below(13)) {
            case 0:
            case 1:
                jump(0x75);  // jne
                break;
            case 2:
                jump(0xe2);  // loop
                break;
            case 3:
                jump(0xeb);  // jmp
                break;
            case 4:
                add({0x9c});  // pushf
                break;
            case 5:
                add({0x9d});  // popf
                break;
            case 6:
                add({0xf3, 0xaa});  // rep stosb
                break;
            case 7:
                add({0x8e, 0xd0});  // mov ss
                break;
            case 8:
                add({0x48, 0xcf});  // iret
                break;
            case 9:
                if (entries == 0) break;
                entries == 1 ? add({0x0f, 0x05}) : add({0x0f, 0x0b});  // syscall, ud2
                break;
            case 10:
                add({0xf8});  // clc: changes no register
                break;
            default:
                add({0x90});  // stands for arithmetic
                break;
        }
    }
    jump(0xeb);
    for (const std::size_t at : jumps) {
        const std::size_t target = at + 1 == code.size() ? 0 : starts[random.below(starts.size())];
        code[at] = static_cast<std::uint8_t>(static_cast<int>(target) - static_cast<int>(at + 1));
    }
    return code;
}

class SmallGuest {
  public:
    explicit SmallGuest(const GuestOptions& options)
        : options_(options), outside_(options.surroundings), code_(make_program(options)) {
        std::copy(code_.begin(), code_.end(), world_.frame(0));
        shim.ctx = this;
        shim.interrupt = [](void* ctx) { static_cast<SmallGuest*>(ctx)->while_in_xen(); };
    }

    GuestRun record(std::vector<std::uint8_t>& log) {
        start(CASM_MODE_RECORD, 0);
        log_ = &log;
        run();
        drain_log();
        return finish();
    }

    GuestRun replay(const std::vector<std::uint8_t>& log) {
        feed_ = log;
        if (start(CASM_MODE_REPLAY, CASM_RING_MIN_BYTES)) run();
        return finish();
    }

  private:
    bool start(casm_mode mode, std::uint64_t feed_bytes) {
        replaying_ = mode == CASM_MODE_REPLAY;
        world_.attach(CASM_RING_MIN_BYTES, feed_bytes);
        while (replaying_ && fed_ < std::min<std::size_t>(feed_.size(), 6000))
            feed();  // the start needs INIT and a digest
        casm_domctl op{};
        op.op = CASM_OP_start;
        op.u.start.cpu = CASM_CPU_ANY;
        op.u.start.mode = mode;
        op.u.start.flags = CASM_START_COUNTER;
        op.u.start.check_bits = 16;
        op.u.start.max_delay_ns = 20'000;
        if (!replaying_) {
            op.u.start.dense_every = options_.dense_every;
            op.u.start.dense_first = kCode;
            op.u.start.dense_last = kCode + code_.size();
        }
        if (world_.domctl(op) != 0) {
            if (options_.forged) return false;
            throw std::runtime_error("small guest: not started");
        }
        world_.dom().creation_finished = true;
        world_.guest();
        shim.regs = {};
        shim.regs.rip = kCode;
        shim.regs.cs = FLAT_KERNEL_CS64;
        shim.regs.rflags = kFlags;
        shim.regs.rbx = options_.program;
        shim.regs.rcx = 3;
        casm_switch_to(&world_.cpu());
        return true;
    }

    GuestRun finish() {
        result_.status = world_.status();
        result_.regs = shim.regs;
        return result_;
    }

    // --- dom0 ---

    void drain_log() {
        casm_publish(&c_, true);
        const auto bytes = RingEnd(c_.log).consume();
        if (log_ != nullptr) log_->insert(log_->end(), bytes.begin(), bytes.end());
    }
    void feed() {
        RingEnd end(c_.feed);
        const auto rest = std::span(feed_).subspan(fed_);
        fed_ += end.produce(rest, 8 * (1 + outside_.below(2000)));
        if (fed_ == feed_.size()) end.finish();
    }
    void serve() {
        drain_log();
        if (replaying_) feed();
        world_.kick();
    }
    // Between two instructions, something may happen. True: the guest is interrupted.
    bool outside() {
        shim.now += static_cast<s_time_t>(outside_.below(400));
        bool interrupted = outside_.one_in(97);
        if (outside_.one_in(options_.instructions_per_signal))
            world_.signal(3 + static_cast<unsigned>(outside_.below(5)));
        interrupted |= expire();
        if (!replaying_ && result_.retired >= options_.instructions && !stopped_) {
            stopped_ = true;
            world_.stop();
            interrupted = true;
        }
        interrupted |= overflow(branches_, shim.branches, shim.overflow_at);
        interrupted |= overflow(transfers_, shim.transfers, shim.transfers_overflow_at);
        if (interrupted) shim.transfers++;
        if (outside_.one_in(500)) reschedule();
        return interrupted;
    }
    bool expire() {
        timer& t = c_.tp.timer;
        if (t.expires == 0 || t.expires > shim.now) return false;
        t.expires = 0;
        t.function(t.data);
        return true;
    }
    void reschedule() {
        casm_switch_from(&world_.cpu());
        for (unsigned long& dr : shim.dr) dr = 0;
        casm_switch_to(&world_.cpu());
    }
    // Xen has interrupts on in the middle of its exit path.
    void while_in_xen() {
        shim.now += static_cast<s_time_t>(outside_.below(400));
        if (outside_.one_in(5)) world_.signal(3 + static_cast<unsigned>(outside_.below(5)));
    }
    // All exit tests run again: softirqs are looked at.
    void softirqs() {
        if (!outside_.one_in(3)) return;
        expire();
        reschedule();
    }

    struct Overflow {
        std::uint64_t armed = 0, late = 0;
    };
    // A counter that Xen armed; its interrupt comes late.
    bool overflow(Overflow& counter, std::uint64_t count, std::uint64_t& at) {
        if (at != counter.armed) {
            counter.armed = at;
            counter.late = outside_.below(options_.skid + 1);
        }
        if (counter.armed == 0 || count < counter.armed + counter.late) return false;
        counter.armed = at = 0;
        return true;
    }

    // --- Xen's exit path, as in entry.S ---

    bool running() const {
        return casm_told_mode(&c_) == CASM_MODE_RECORD || casm_told_mode(&c_) == CASM_MODE_REPLAY;
    }

    void leave() {
        for (unsigned again = 0; running(); ++again) {
            if (again > 10000) throw std::runtime_error("small guest: the exit tests have no end");
            shim.irqs_on = false;
            const unsigned what = casm_exit_work();
            shim.irqs_on = true;
            if (what == CASM_EXIT_SKIP) break;
            if (what == CASM_EXIT_AGAIN) softirqs();
            if (what == CASM_EXIT_DELIVER) {
                if (world_.cpu().vcpu_info->evtchn_upcall_pending == 0) break;
                upcall();
            }
            if (world_.cpu().paused != 0 && running()) serve();
        }
        cpu_user_regs& r = shim.regs;
        if ((r.entry_vector & TRAP_syscall) == 0) return;
        if ((r.rflags & kTf) != 0) leak("SYSRET with the trap flag");
        r.entry_vector = 0;
        r.rcx = r.rip;
        r.r11 = r.rflags & ~kRf;
        r.rflags &= ~kRf;
    }

    void upcall() {
        shared_info_t& info = *world_.dom().shared_info;
        for (auto& word : info.evtchn_pending) word = 0;
        world_.cpu().vcpu_info->evtchn_upcall_pending = 0;
        world_.cpu().vcpu_info->evtchn_pending_sel = 0;
        frame("an upcall's frame");
        passage(true);
        shim.regs.r10 = shim.regs.r10 * kMultiplier ^ shim.regs.rip ^ shim.regs.rflags;
        shim.regs.entry_vector = TRAP_syscall;  // as create_bounce_frame leaves it
    }

    void enter(unsigned kind, std::uint32_t detail) {
        casm_count_entry(kind, detail);
        frame("an entry's frame");
        passage(false);
        leave();
    }

    // --- The processor ---

    void leak(const char* what) {
        if (result_.leak == nullptr) result_.leak = what;
    }
    void frame(const char* what) {
        if ((shim.regs.rflags & kTf) != 0) leak(what);
    }
    void passage(bool upcall) {
        cpu_user_regs r = shim.regs;
        if ((r.entry_vector & TRAP_syscall) != 0) r.rcx = r.r11 = 0;  // what SYSRET will leave there
        result_.passages.push_back(
            {c_.ordinal, shim.branches, r.rip, casm_regs_hash(0, &r, &world_.cpu()), upcall});
    }

    void trap(unsigned long dr6) {
        shim.transfers++;  // as processors count exceptions
        if (!casm_debug_trap(&shim.regs, &dr6) || dr6 != 0) leak("a debug trap");
        leave();
    }

    // Slot whose breakpoint is at RIP; -1: none.
    int breakpoint() const {
        if ((shim.regs.rflags & kRf) != 0 || shadow_) return -1;
        for (int slot = 0; slot < 4; ++slot)
            if ((shim.dr[7] & (3ul << (2 * slot))) != 0 && shim.dr[slot] == shim.regs.rip) return slot;
        return -1;
    }

    void run() {
        enter(CASM_ENTRY_EXCEPTION, 3);
        const std::uint64_t limit = 40ull * options_.instructions + 20000;
        for (std::uint64_t turns = 0; running(); ++turns) {
            if (turns > limit && (options_.forged || (!replaying_ && result_.nameless))) return;
            if (turns > limit) {
                std::string what =
                    std::string("small guest: no end when ") + (replaying_ ? "replayed:" : "recorded:");
                for (const std::uint8_t byte : code_) what += " " + std::to_string(byte);
                throw std::runtime_error(what);
            }
            if (!shadow_ && outside()) {
                leave();
                continue;
            }
            const int slot = breakpoint();
            if (slot >= 0) {
                trap(1ul << slot);
                continue;
            }
            const bool tf = (shim.regs.rflags & kTf) != 0;
            shadow_ = false;
            const bool entered = execute();
            if (entered) continue;
            shim.regs.rflags &= ~kRf;
            if (tf && !shadow_) trap(DR_STEP);
        }
    }

    // Runs the instruction at RIP, or a round of it. True: it entered Xen.
    bool execute() {
        cpu_user_regs& r = shim.regs;
        const std::size_t at = r.rip - kCode;
        const std::uint8_t opcode = code_.at(at);
        const auto relative = [&] {
            return r.rip + 2 + static_cast<std::uint64_t>(static_cast<std::int8_t>(code_[at + 1]));
        };
        result_.retired++;
        if (opcode == 0x8e || opcode == 0x48) last_shadow_ = result_.retired;
        result_.nameless = last_shadow_ != 0 && result_.retired - last_shadow_ < 64;
        switch (opcode) {
            case 0x75:
                shim.branches++, shim.transfers++;
                r.rbx = r.rbx * kMultiplier + 1442695040888963407u;
                r.rip = (r.rbx >> 63) != 0 ? relative() : r.rip + 2;
                break;
            case 0xe2:
                shim.branches++, shim.transfers++;
                r.rip = --r.rcx != 0 ? relative() : r.rip + 2;
                break;
            case 0xeb:
                shim.transfers++;
                r.rip = relative();
                break;
            case 0x9c:
                if ((r.rflags & kTf) != 0) leak("PUSHF");
                r.r8 = r.r8 * kMultiplier ^ (r.rflags & ~kRf);
                r.rip += 1;
                break;
            case 0x9d:
                r.rflags = kFlags;
                r.rip += 1;
                break;
            case 0xf3:
                if ((r.rcx & 7) == 0) {
                    r.rip += 2;
                    break;
                }
                r.rcx--;
                r.rdi++;
                if ((r.rcx & 7) == 0)
                    r.rip += 2;
                else
                    result_.retired--;
                break;
            case 0x8e:
                r.rip += 2;
                shadow_ = true;
                break;
            case 0x48:
                shim.transfers++;
                r.rflags = kFlags;
                r.rip += 2;
                break;
            case 0x0f:
                r.rip += 2;
                if (code_[at + 1] == 0x05) {
                    r.rcx = r.rip;
                    r.r11 = r.rflags & ~kRf;
                    r.entry_vector = TRAP_syscall;
                    unsigned long result = 0;
                    casm_wrap_enter(__HYPERVISOR_iret, 0, 0, &result);
                    casm_wrap_leave(__HYPERVISOR_iret, 0);
                    enter(CASM_ENTRY_HYPERCALL, __HYPERVISOR_iret);
                } else {
                    casm_hide_step(&r);
                    enter(CASM_ENTRY_EXCEPTION, 6);
                    r.r9 = r.r9 * kMultiplier ^ r.rip;
                }
                return true;
            case 0xf8:
                r.rip += 1;
                break;
            default:
                r.rax = r.rax * kMultiplier + r.rip;
                r.rip += 1;
                break;
        }
        return false;
    }

    GuestOptions options_;
    Random outside_;
    std::vector<std::uint8_t> code_;
    World world_;
    casm_domain& c_ = world_.casm();
    bool replaying_ = false, stopped_ = false, shadow_ = false;
    std::vector<std::uint8_t>* log_ = nullptr;
    std::vector<std::uint8_t> feed_;
    std::size_t fed_ = 0;
    Overflow branches_, transfers_;
    std::uint64_t last_shadow_ = 0;
    GuestRun result_;
};

}  // namespace

GuestRun record_small_guest(const GuestOptions& options, std::vector<std::uint8_t>& log) {
    return SmallGuest(options).record(log);
}

GuestRun replay_small_guest(const GuestOptions& options, const std::vector<std::uint8_t>& log) {
    return SmallGuest(options).replay(log);
}

}  // namespace casmotion::test
