// SPDX-License-Identifier: GPL-2.0-or-later
//
// A record as the taxonomy lays it out: what the recording puts into each field, and what the replay finds
// there.
//
// Fields are addressed by the names of events/abi/casm_taxonomy.def, checked at compile time; their widths
// are those of their places, so a value that does not fit loses its upper bits here as it would in the log.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "casmotion/smt/term.h"
#include "casmotion/taxonomy.h"
#include "effects/column.h"
#include "effects/guest.h"

namespace casmotion::model {

// A field of class `cls`. Not to compile is the point of it: a name that the table does not have.
template <casm_class cls>
struct Field {
    std::string_view name;
    consteval Field(const char* text) : name(text) {  // NOLINT(google-explicit-constructor)
        bool found = false;
        for (const FieldInfo& info : kFields) found = found || (info.cls == cls && info.name == name);
        if (!found) throw "the taxonomy has no such field";
    }
};

// A blob: its length in bytes (16 bits: it is kept in the header's check word) and its bytes.
struct Blob {
    smt::Term length;
    Cells bytes;  // index: 16 bits
};

// Same length, and same byte at an index of which nothing is known; the same index for the same field. As a
// goal this says that all bytes are equal; as an assumption it says less than that.
[[nodiscard]] smt::Term same_blob(const smt::Context& context, std::string_view field, const Blob& a,
                                  const Blob& b);

// One change of a record's layout: how a mutant differs from the taxonomy.
struct LayoutChange {
    std::string_view removed_field;  // not in the record: the replay finds an arbitrary value
    std::string_view moved_field;    // at another place
    Place moved_to = Place::kKind;
    std::string_view broken_column;  // the field whose column has `defect`
    ColumnDefect defect = ColumnDefect::kNone;
};

class Payload {
  public:
    Payload(const smt::Context& context, casm_class cls, LayoutChange change = {});

    // Recording: `value` goes into the field, cut to the field's width or filled with zeros.
    void put(std::string_view field, const smt::Term& value);
    void put(std::string_view field, const Blob& blob);
    // Replay: what is in the field, of the place's width.
    [[nodiscard]] smt::Term get(std::string_view field);
    [[nodiscard]] Blob get_blob(std::string_view field);
    // Replay: the field holds what the replay computed: `value`, cut as put() does.
    [[nodiscard]] smt::Term expect(std::string_view field, const smt::Term& value);
    [[nodiscard]] smt::Term expect(std::string_view field, const Blob& blob);
    // Makes every field that was not put an arbitrary value: the record of a log that nobody vouches for.
    // With `who`, two such records have the same values, and keys and compared values each of its own.
    void make_hostile(std::string_view who = {});

    // What is known of the columns that values went through.
    [[nodiscard]] const std::vector<smt::Term>& facts() const { return facts_; }

    // For each field: what the recording put and what the replay found or computed, before they were cut;
    // and that the log returned what was put into it. Empty where it did not happen.
    struct Seen {
        const FieldInfo* info;
        std::optional<smt::Term> put, found, kept;
        std::optional<Blob> put_blob, found_blob;
        // What a hostile record holds.
        std::optional<smt::Term> held;
        std::optional<Blob> held_blob;
    };
    [[nodiscard]] const std::vector<Seen>& seen() const { return seen_; }

  private:
    Seen& field(std::string_view name);
    [[nodiscard]] unsigned bits(const FieldInfo& info) const;
    [[nodiscard]] smt::Term cut(const FieldInfo& info, const smt::Term& value) const;
    // What the replay finds in the log of what was put.
    smt::Term logged(Seen& seen);
    [[nodiscard]] std::string arbitrary_name(const FieldInfo& info) const;
    smt::Term arbitrary(Seen& seen) const;
    Blob arbitrary_blob(Seen& seen) const;
    smt::Context context_;
    LayoutChange change_;
    bool hostile_ = false;
    std::string who_;
    std::vector<smt::Term> facts_;
    std::vector<Seen> seen_;
};

}  // namespace casmotion::model
