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
        if (info.cls == cls) seen_.push_back({&info, {}, {}, {}, {}, {}});
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

Term Payload::arbitrary(const FieldInfo& info) const {
    return context_.bv_constant("replay.assumes." + std::string(info.name), place_bits(info.place));
}

Blob Payload::arbitrary_blob(const FieldInfo& info) const {
    const std::string name = "replay.assumes." + std::string(info.name);
    const Term base = context_.constant(name, context_.array_sort(context_.bv_sort(16), context_.bv_sort(8)));
    return {context_.bv_constant(name + ".length", 16),
            {16, 8, [base](const Term& index) { return smt::select(base, index); }}};
}

void Payload::put(std::string_view name, const Term& value) {
    field(name).put = value;
}
void Payload::put(std::string_view name, const Blob& blob) {
    field(name).put_blob = blob;
}
void Payload::make_hostile() {
    hostile_ = true;
}

Term Payload::get(std::string_view name) {
    Seen& seen = field(name);
    if (name == change_.removed_field || hostile_) {
        seen.found = arbitrary(*seen.info);
    } else {
        seen.found = smt::zero_extend(logged(seen), place_bits(seen.info->place));
    }
    return *seen.found;
}

Blob Payload::get_blob(std::string_view name) {
    Seen& seen = field(name);
    if (name == change_.removed_field || hostile_) {
        seen.found_blob = arbitrary_blob(*seen.info);
    } else {
        if (!seen.put_blob) wrong(name, "was not recorded");
        seen.found_blob = seen.put_blob;
    }
    return *seen.found_blob;
}

Term Payload::expect(std::string_view name, const Term& value) {
    Seen& seen = field(name);
    seen.found = value;
    if (name == change_.removed_field) return context_.bool_value(true);  // nothing to compare with
    const Term in_log = hostile_ ? cut(*seen.info, arbitrary(*seen.info)) : logged(seen);
    return smt::equal(in_log, cut(*seen.info, value));
}

Term Payload::expect(std::string_view name, const Blob& blob) {
    Seen& seen = field(name);
    seen.found_blob = blob;
    if (name == change_.removed_field) return context_.bool_value(true);
    return same_blob(context_, name, hostile_ ? arbitrary_blob(*seen.info) : *seen.put_blob, blob);
}

}  // namespace casmotion::model
