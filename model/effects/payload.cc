// SPDX-License-Identifier: GPL-2.0-or-later
#include "effects/payload.h"

#include <cstdio>
#include <cstdlib>

namespace casmotion::model {

using smt::Term;

namespace {

[[noreturn]] void wrong(std::string_view field, const char* what) {
    std::fprintf(stderr, "casmotion::model: field '%.*s' %s\n", static_cast<int>(field.size()), field.data(),
                 what);
    std::abort();
}

}  // namespace

Term same_blob(const smt::Context& context, std::string_view field, const Blob& a, const Blob& b) {
    const Term index = context.bv_constant("any-byte." + std::string(field), 16);
    return smt::equal(a.length, b.length) &&
           smt::implies(smt::less(index, a.length), smt::equal(a.bytes.at(index), b.bytes.at(index)));
}

Payload::Payload(const smt::Context& context, casm_class cls, LayoutChange change)
    : context_(context), change_(change) {
    for (const FieldInfo& info : kFields)
        if (info.cls == cls) seen_.push_back({&info, {}, {}, {}, {}, {}, {}, {}});
}

Payload::Seen& Payload::field(std::string_view name) {
    for (Seen& seen : seen_)
        if (seen.info->name == name) return seen;
    wrong(name, "is not in the class");
}

unsigned Payload::bits(const FieldInfo& info) const {
    return place_bits(info.name == change_.moved_field ? change_.moved_to : info.place);
}

Term Payload::cut(const FieldInfo& info, const Term& value) const {
    const unsigned have = value.sort().bits(), width = bits(info);
    return have > width ? smt::extract(value, width - 1, 0) : smt::zero_extend(value, width);
}

Term Payload::logged(Seen& seen) {
    if (!seen.put) wrong(seen.info->name, "was not recorded");
    const Term in_ring = cut(*seen.info, *seen.put);
    const ColumnDefect defect =
        seen.info->name == change_.broken_column ? change_.defect : ColumnDefect::kNone;
    const Term in_log = through_column(context_, *seen.info, in_ring, defect, facts_);
    seen.kept = smt::equal(in_ring, in_log);
    return in_log;
}

std::string Payload::arbitrary_name(const FieldInfo& info) const {
    const bool shared = who_.empty() || (info.role == Role::kValue && info.name != change_.removed_field);
    return "replay.assumes." + (shared ? "" : who_ + ".") + std::string(info.name);
}

Term Payload::arbitrary(Seen& seen) const {
    seen.held = context_.bv_constant(arbitrary_name(*seen.info), place_bits(seen.info->place));
    return *seen.held;
}

Blob Payload::arbitrary_blob(Seen& seen) const {
    const std::string name = arbitrary_name(*seen.info);
    const Term base = context_.constant(name, context_.array_sort(context_.bv_sort(16), context_.bv_sort(8)));
    seen.held_blob = Blob{context_.bv_constant(name + ".length", 16),
                          {16, 8, [base](const Term& index) { return smt::select(base, index); }}};
    return *seen.held_blob;
}

void Payload::put(std::string_view name, const Term& value) {
    field(name).put = value;
}
void Payload::put(std::string_view name, const Blob& blob) {
    field(name).put_blob = blob;
}
void Payload::make_hostile(std::string_view who) {
    hostile_ = true;
    who_ = who;
}

Term Payload::get(std::string_view name) {
    Seen& seen = field(name);
    if (name == change_.removed_field || hostile_) {
        seen.found = arbitrary(seen);
    } else {
        seen.found = smt::zero_extend(logged(seen), place_bits(seen.info->place));
    }
    return *seen.found;
}

Blob Payload::get_blob(std::string_view name) {
    Seen& seen = field(name);
    if (name == change_.removed_field || hostile_) {
        seen.found_blob = arbitrary_blob(seen);
    } else {
        if (!seen.put_blob) wrong(name, "was not recorded");
        seen.found_blob = seen.put_blob;
    }
    return *seen.found_blob;
}

Term Payload::expect(std::string_view name, const Term& value) {
    Seen& seen = field(name);
    seen.found = value;
    const std::optional<Term> held = hostile_ ? std::optional(arbitrary(seen)) : std::nullopt;
    if (name == change_.removed_field) return context_.bool_value(true);  // nothing to compare with
    const Term in_log = held ? cut(*seen.info, *held) : logged(seen);
    return smt::equal(in_log, cut(*seen.info, value));
}

Term Payload::expect(std::string_view name, const Blob& blob) {
    Seen& seen = field(name);
    seen.found_blob = blob;
    const std::optional<Blob> held = hostile_ ? std::optional(arbitrary_blob(seen)) : std::nullopt;
    if (name == change_.removed_field) return context_.bool_value(true);
    return same_blob(context_, name, held ? *held : *seen.put_blob, blob);
}

}  // namespace casmotion::model
