// SPDX-License-Identifier: GPL-2.0-or-later
#include "cpu/physical_cpu.h"

#include "base/failures.h"
#include "base/host_text.h"

namespace casmotion {

std::vector<std::string> visible_instructions(uint32_t isolation) {
    std::vector<std::string> out;
    if ((isolation & CASM_ISOLATE_CPUID) == 0) out.emplace_back("plain CPUID");
    if ((isolation & CASM_ISOLATE_DESCRIPTORS) == 0) out.emplace_back("SIDT, SGDT, SLDT, STR and SMSW");
    return out;
}

std::string to_text(const PhysicalCpu& cpu) {
    return "CPU " + std::to_string(cpu.cpu) + " (APIC id " + std::to_string(cpu.apic_id) +
           ", family, model and stepping " + hex_text(cpu.signature) + ")";
}

bool looks_like(const PhysicalCpu& a, const PhysicalCpu& b, uint32_t isolation) {
    if ((isolation & CASM_ISOLATE_DESCRIPTORS) == 0 && a.idt_base != b.idt_base) return false;
    if ((isolation & CASM_ISOLATE_CPUID) != 0) return true;
    PhysicalCpu left = a, right = b;
    left.cpu = right.cpu = 0;
    left.idt_base = right.idt_base = 0;
    return left == right;
}

Status check_isolation(uint32_t recorded, uint32_t here) {
    static constexpr struct {
        uint32_t bit;
        const char* instructions;
    } kTraps[] = {{CASM_ISOLATE_CPUID, "plain CPUID"}, {CASM_ISOLATE_UMIP, "SIDT, SGDT, SLDT, STR and SMSW"}};
    for (const auto& [bit, instructions] : kTraps)
        if (((recorded ^ here) & bit) != 0)
            return host_lacks(
                std::string("the log was recorded where ") + instructions +
                ((recorded & bit) != 0 ? " trapped, and this processor does not let Xen trap them"
                                       : " did not trap, and on this host it does") +
                ": replay it on a host like the recording one ('casmotion doctor' shows what traps)");
    return {};
}

}  // namespace casmotion
