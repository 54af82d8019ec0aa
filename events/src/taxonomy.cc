// SPDX-License-Identifier: GPL-2.0-or-later
#include "casmotion/taxonomy.h"

#include <cstdlib>

namespace casmotion {

std::string_view class_name(std::uint8_t id) {
    const ClassInfo* info = find_class(id);
    return info != nullptr ? info->name : "unknown";
}

std::string_view name_of(Timing timing) {
    switch (timing) {
        case Timing::kSync:
            return "sync";
        case Timing::kAsync:
            return "async";
        case Timing::kCheck:
            return "check";
        case Timing::kPoint:
            return "point";
        case Timing::kMeta:
            return "meta";
        case Timing::kReport:
            return "report";
    }
    std::abort();
}

std::string_view name_of(Place place) {
    switch (place) {
        case Place::kKind:
            return "kind";
        case Place::kCheck:
            return "check";
        case Place::kAux:
            return "aux";
        case Place::kW0:
            return "w0";
        case Place::kW1:
            return "w1";
        case Place::kW2:
            return "w2";
        case Place::kBlob:
            return "blob";
    }
    std::abort();
}

std::string_view name_of(Role role) {
    switch (role) {
        case Role::kValue:
            return "value";
        case Role::kKey:
            return "key";
        case Role::kCompare:
            return "compare";
    }
    std::abort();
}

std::string_view name_of(Encoding encoding) {
    switch (encoding) {
        case Encoding::kPlain:
            return "plain";
        case Encoding::kDelta:
            return "delta";
        case Encoding::kFixed16:
            return "fixed16";
        case Encoding::kBytes:
            return "bytes";
    }
    std::abort();
}

namespace {

template <std::size_t N>
std::string_view at(const std::string_view (&names)[N], std::uint32_t index) {
    return index < N ? names[index] : std::string_view();
}

}  // namespace

std::string_view entry_kind_name(std::uint32_t kind) {
    static constexpr std::string_view kNames[] = {"",     "hypercall", "exception", "privop", "forced_cpuid",
                                                  "ptwr", "toggle"};
    static_assert(std::size(kNames) == CASM_ENTRY_TOGGLE + 1);
    return at(kNames, kind);
}

std::string_view bridge_page_name(std::uint32_t page) {
    static constexpr std::string_view kNames[] = {"console", "xenstore"};
    static_assert(std::size(kNames) == CASM_PAGE_XENSTORE + 1);
    return at(kNames, page);
}

std::string_view apoint_kind_name(std::uint32_t kind) {
    static constexpr std::string_view kNames[] = {"", "canonical", "by state"};
    static_assert(std::size(kNames) == CASM_APOINT_BY_STATE + 1);
    return at(kNames, kind);
}

std::string_view counter_name(std::uint32_t counter) {
    static constexpr std::string_view kNames[] = {"none", "AMD", "AMD core", "Intel"};
    static_assert(std::size(kNames) == CASM_COUNTER_INTEL + 1);
    return at(kNames, counter);
}

std::string_view digest_when_name(std::uint32_t when) {
    static constexpr std::string_view kNames[] = {"start", "periodic", "end", "stop"};
    static_assert(std::size(kNames) == CASM_DIGEST_STOP + 1);
    return at(kNames, when);
}

std::string_view end_reason_name(std::uint32_t reason) {
    static constexpr std::string_view kNames[] = {"none",    "shutdown",  "crashed",
                                                  "stopped", "destroyed", "diverged"};
    static_assert(std::size(kNames) == CASM_END_DIVERGED + 1);
    return at(kNames, reason);
}

std::string_view shutdown_code_name(std::uint32_t code) {
    // SHUTDOWN_* of xen/include/public/sched.h (4.17).
    static constexpr std::string_view kNames[] = {"poweroff", "reboot",   "suspend",
                                                  "crash",    "watchdog", "soft_reset"};
    return at(kNames, code);
}

std::string_view hypercall_name(std::uint32_t number) {
    // __HYPERVISOR_* of xen/include/public/xen.h (4.17).
    static constexpr std::string_view kNames[] = {"set_trap_table",
                                                  "mmu_update",
                                                  "set_gdt",
                                                  "stack_switch",
                                                  "set_callbacks",
                                                  "fpu_taskswitch",
                                                  "sched_op_compat",
                                                  "platform_op",
                                                  "set_debugreg",
                                                  "get_debugreg",
                                                  "update_descriptor",
                                                  "",
                                                  "memory_op",
                                                  "multicall",
                                                  "update_va_mapping",
                                                  "set_timer_op",
                                                  "event_channel_op_compat",
                                                  "xen_version",
                                                  "console_io",
                                                  "physdev_op_compat",
                                                  "grant_table_op",
                                                  "vm_assist",
                                                  "update_va_mapping_otherdomain",
                                                  "iret",
                                                  "vcpu_op",
                                                  "set_segment_base",
                                                  "mmuext_op",
                                                  "xsm_op",
                                                  "nmi_op",
                                                  "sched_op",
                                                  "callback_op",
                                                  "xenoprof_op",
                                                  "event_channel_op",
                                                  "physdev_op",
                                                  "hvm_op",
                                                  "sysctl",
                                                  "domctl",
                                                  "kexec_op",
                                                  "tmem_op",
                                                  "argo_op",
                                                  "xenpmu_op",
                                                  "dm_op",
                                                  "hypfs_op",
                                                  "",
                                                  "",
                                                  "",
                                                  "",
                                                  "",
                                                  "mca",
                                                  "paging_domctl_cont"};
    static_assert(std::size(kNames) == 50);
    return at(kNames, number);
}

std::string_view exception_name(std::uint32_t vector) {
    // Intel SDM vol. 3A, table 6-1.
    static constexpr std::string_view kNames[] = {"#DE", "#DB", "NMI", "#BP", "#OF", "#BR", "#UD", "#NM",
                                                  "#DF", "",    "#TS", "#NP", "#SS", "#GP", "#PF", "",
                                                  "#MF", "#AC", "#MC", "#XM", "#VE", "#CP"};
    return at(kNames, vector);
}

}  // namespace casmotion
