// SPDX-License-Identifier: GPL-2.0-or-later
//
// Conformance of the classes of events: what Z3 proves of each, for all guest states, inputs and payloads.
//
//   equivalence    recording the event and replaying its record, from the same state, gives the same state;
//   the
//                  replay accepts the record
//   detection      a replay in any other state that accepts the record has the same keys and the same
//   compared
//                  values
//   frame          the recording's event changes nothing but the parts it is declared to write
//   containment    a record with any content, accepted, changes nothing but these, and nothing past the end
//   of
//                  a page or table
//   determination  what a record does to a state is a function of the state and the record's values, and keys
//                  and compared values are functions of the state. So the queries over a log, which know of a
//                  class no more than that (model/trace/window_query.h), speak of this effect.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "effects/effect.h"
#include "machine/obligation.h"

namespace casmotion::model {

enum class Property : std::uint8_t { kEquivalence, kDetection, kFrame, kContainment, kDetermination };
inline constexpr std::size_t kPropertyCount = 5;
[[nodiscard]] std::string_view name_of(Property property);

// How the model differs from the one that is claimed. Without any of these: not at all.
struct Mutation {
    LayoutChange layout;
    std::string_view hidden_read;  // a part of the guest that is written: hidden state gets into it
    Defect defect = Defect::kNone;
};

// The property of a class as one obligation, and what the names in a counterexample refer to.
class ClassObligation {
  public:
    ClassObligation(casm_class cls, Property property, const Mutation& mutation = {});

    [[nodiscard]] const smt::Context& context() const { return context_; }
    [[nodiscard]] const Obligation& obligation() const { return *obligation_; }
    // The fields of the record, and the parts of the guest, that differ in a counterexample.
    [[nodiscard]] std::vector<std::string> different_fields(const smt::Model& model) const;
    [[nodiscard]] std::vector<std::string> different_parts(const smt::Model& model) const;

  private:
    struct Named {
        std::string name;
        smt::Term same;
    };
    void compare_fields(const Payload& payload);
    void compare_fields(const Payload& a, const Payload& b);  // of two hostile records
    // Same words; same cells at an index of which nothing is known (at `bound` or above, if given).
    void compare_parts(const Guest& a, const Guest& b, const std::vector<Written>& but_for);

    smt::Context context_;
    std::vector<Named> fields_, parts_;
    std::optional<Obligation> obligation_;
};

// A counterexample or the lack of one.
struct Verdict {
    smt::Answer answer = smt::Answer::unknown("not run");  // unsat: the property holds
    std::vector<std::string> fields, parts;                // what differs in the counterexample
    std::uint64_t steps = 0;
};
[[nodiscard]] Verdict check(casm_class cls, Property property, const Mutation& mutation = {},
                            smt::Limits limits = {});

// A change of the model or the taxonomy that must be noticed.
struct Mutant {
    casm_class cls;
    std::string condition;  // "C3": the condition that it breaks
    std::string what;       // "field 'quanta' left out of the record"
    Property property;      // of which a counterexample is expected
    Mutation mutation;
    std::string must_name;  // a field or part that the counterexample must name; empty: any
};
// Every field of every class left out; every part that an event writes read from hidden state; values in
// places too narrow for them; and mistakes in an effect.
[[nodiscard]] std::vector<Mutant> mutants();

}  // namespace casmotion::model
