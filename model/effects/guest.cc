// SPDX-License-Identifier: GPL-2.0-or-later
#include "effects/guest.h"

#include <cstdio>
#include <cstdlib>

namespace casmotion::model {
namespace {

struct WordKind {
    const char* name;
    unsigned bits;
};
// Registers and what the guest can tell from its own behaviour; each is a function of the guest's state.
constexpr WordKind kWords[] = {
    {"rax", 64},           {"rbx", 64},
    {"rcx", 64},           {"rdx", 64},
    {"rip", 64},           {"rsp", 64},
    {"raised", 1},      // an exception is raised in the guest
    {"msr-result", 8},  // X86EMUL_*: what reading the MSR in RCX comes to, by the CPU policy
    {"ended", 1},       // it runs no more
    {"entry-kind", 8},     {"entry-detail", 32},    // what its last entry was
    {"ordinal", 64},       {"regs-hash", 64},       // entries so far; running hash of its registers
    {"branches", 64},      {"branches-total", 64},  // conditional branches since the entry; since the start
    {"last-branch", 64},                            // address of the branch that retired last
    {"boundary", 8},                                // enum casm_apoint_kind that can name this place
    {"memory-digest", 64}, {"frames", 64},
    {"digest-due", 8},                        // digest of its memory; frames; which digest is due
    {"end-reason", 8},     {"end-code", 32},  // why it ends
};
struct ArrayKind {
    const char* name;
    unsigned index_bits, element_bits;
};
constexpr ArrayKind kArrays[] = {
    {"memory", 64, 8},   // by guest virtual address
    {"console", 32, 8},  // ring pages and shared_info; offsets are wider than a page so that a write past it
                         // shows
    {"xenstore", 32, 8},
    {"shared-info", 32, 8},
    {"pending", 32, 1},  // event channel ports
    {"applied", 16, 8},  // effects applied so far: what END carries
    {"printed", 16, 8},  // what it printed on the console
};

[[noreturn]] void no_such(std::string_view name) {
    std::fprintf(stderr, "casmotion::model: a guest has no '%.*s'\n", static_cast<int>(name.size()),
                 name.data());
    std::abort();
}

}  // namespace

std::vector<std::string> guest_parts() {
    std::vector<std::string> names;
    for (const WordKind& word : kWords) names.emplace_back(word.name);
    for (const ArrayKind& array : kArrays) names.emplace_back(array.name);
    return names;
}

Guest::Guest(const smt::Context& context, std::string_view prefix) : context_(context) {
    const std::string dot = std::string(prefix) + ".";
    for (const WordKind& word : kWords)
        words_.push_back({word.name, context.bv_constant(dot + word.name, word.bits)});
    for (const ArrayKind& array : kArrays) {
        const smt::Term base = context.constant(
            dot + array.name,
            context.array_sort(context.bv_sort(array.index_bits), context.bv_sort(array.element_bits)));
        arrays_.push_back({array.name, {array.index_bits, array.element_bits, [base](const smt::Term& index) {
                                            return smt::select(base, index);
                                        }}});
    }
}

const smt::Term& Guest::word(std::string_view name) const {
    for (const Word& word : words_)
        if (word.name == name) return word.value;
    no_such(name);
}

void Guest::set(std::string_view name, const smt::Term& value) {
    for (Word& word : words_)
        if (word.name == name) {
            word.value = value;
            return;
        }
    no_such(name);
}

const Cells& Guest::cells(std::string_view name) const {
    for (const Array& array : arrays_)
        if (array.name == name) return array.cells;
    no_such(name);
}

void Guest::set_cells(std::string_view name, std::function<smt::Term(const smt::Term&)> at) {
    for (Array& array : arrays_)
        if (array.name == name) {
            array.cells.at = std::move(at);
            return;
        }
    no_such(name);
}

}  // namespace casmotion::model
