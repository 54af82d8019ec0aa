// SPDX-License-Identifier: GPL-2.0-or-later
#include "machine/machine.h"

#include <string>
#include <vector>

namespace casmotion::model {
namespace {

using smt::Sort;
using smt::Term;

// Sorts with at most this many values are written out.
constexpr unsigned kSmallBits = 6;

bool is_small(const Sort& sort) {
    return sort.is_bool() || (sort.is_bv() && sort.bits() <= kSmallBits);
}

void write_out(const smt::Context& context, std::span<const Sort> sorts, std::vector<Term>& chosen,
               const Machine::Body& body, std::vector<Term>& cases) {
    if (chosen.size() == sorts.size()) {
        cases.push_back(body(chosen));
        return;
    }
    const Sort& sort = sorts[chosen.size()];
    const std::uint64_t values = sort.is_bool() ? 2 : std::uint64_t{1} << sort.bits();
    for (std::uint64_t value = 0; value < values; ++value) {
        chosen.push_back(sort.is_bool() ? context.bool_value(value != 0)
                                        : context.bv_value(value, sort.bits()));
        write_out(context, sorts, chosen, body, cases);
        chosen.pop_back();
    }
}

}  // namespace

Machine::Map Machine::map(std::string_view name, unsigned bits, const Sort& range) const {
    if (bits > kSmallBits) {
        const smt::Function function = context_.function(name, {context_.bv_sort(bits)}, range);
        return [function](const Term& index) { return function(index); };
    }
    std::vector<Term> table;
    for (std::uint64_t i = 0; i < std::uint64_t{1} << bits; ++i)
        table.push_back(context_.constant(std::string(name) + "." + std::to_string(i), range));
    return [table](const Term& index) {
        if (const auto literal = index.as_u64()) return table[*literal];
        Term value = table[0];
        for (std::size_t i = 1; i < table.size(); ++i)
            value = smt::ite(smt::equal(index, i), table[i], value);
        return value;
    };
}

Term Machine::for_every(std::span<const Sort> sorts, const Body& body) const {
    bool small = true;
    for (const Sort& sort : sorts) small = small && is_small(sort);
    std::vector<Term> terms;
    if (small) {
        std::vector<Term> chosen;
        write_out(context_, sorts, chosen, body, terms);
        return smt::all_of(terms);
    }
    for (const Sort& sort : sorts)
        terms.push_back(context_.constant(
            "any" + std::to_string(terms.size()) + "." + (sort.is_bv() ? "bv" : sort.text()), sort));
    return smt::for_all(terms, body(terms));
}

AnyMachine::AnyMachine()
    : state_(context_.uninterpreted_sort("State")),
      hidden_(context_.uninterpreted_sort("Hidden")),
      payload_(context_.uninterpreted_sort("Payload")),
      run_(context_.function("run", {state_, hidden_}, state_)),
      enters_(context_.function("enters", {state_, hidden_}, context_.bool_sort())),
      entry_(context_.function("entry", {state_, payload_, hidden_}, state_)),
      effect_(context_.function("effect", {state_, payload_, hidden_}, state_)),
      branches_(context_.function("branches", {state_}, context_.bool_sort())),
      counted_(context_.function("counted", {state_, hidden_}, context_.bool_sort())),
      boundary_(context_.function("boundary", {state_}, context_.bool_sort())) {}

Term AnyMachine::run(const Term& s, const Term& hidden) const {
    return run_(s, hidden);
}
Term AnyMachine::enters(const Term& s, const Term& hidden) const {
    return enters_(s, hidden);
}
Term AnyMachine::entry(const Term& s, const Term& value, const Term& hidden) const {
    return entry_(s, value, hidden);
}
Term AnyMachine::effect(const Term& s, const Term& effect, const Term& hidden) const {
    return effect_(s, effect, hidden);
}
Term AnyMachine::branches(const Term& s) const {
    return branches_(s);
}
Term AnyMachine::counted(const Term& s, const Term& hidden) const {
    return counted_(s, hidden);
}
Term AnyMachine::boundary(const Term& s) const {
    return boundary_(s);
}

}  // namespace casmotion::model
