// SPDX-License-Identifier: GPL-2.0-or-later
//
// What a mistake in the taxonomy or in an effect would look like. The first two kinds follow from the table:
// a new class or field gets its mutants by itself.
#include "effects/conformance.h"

namespace casmotion::model {
namespace {

// Every field of every class left out of the record.
void leave_out_fields(std::vector<Mutant>& list) {
    for (const FieldInfo& field : kFields) {
        const bool value = field.role == Role::kValue;
        Mutant mutant{field.cls,
                      value ? "C3" : "C6",
                      "field '" + std::string(field.name) + "' left out of the record",
                      value ? Property::kEquivalence : Property::kDetection,
                      {},
                      std::string(field.name)};
        mutant.mutation.layout.removed_field = field.name;
        list.push_back(mutant);
        // And what the queries over a log rely on notices it too.
        mutant.property = Property::kDetermination;
        list.push_back(std::move(mutant));
    }
}

// Every part that an event writes also depends on hidden state, which no payload covers.
void read_hidden_state(std::vector<Mutant>& list) {
    for (const ClassInfo& info : kClasses)
        for (const Written& part : effect_of(info.id).writes()) {
            Mutant mutant{info.id,
                          "C3",
                          "hidden state gets into '" + std::string(part.part) + "'",
                          Property::kEquivalence,
                          {},
                          std::string(part.part)};
            mutant.mutation.hidden_read = part.part;
            list.push_back(std::move(mutant));
        }
}

void move_field(std::vector<Mutant>& list, casm_class cls, std::string_view field, Place place) {
    const FieldInfo* info = nullptr;
    for (const FieldInfo& candidate : kFields)
        if (candidate.cls == cls && candidate.name == field) info = &candidate;
    const bool value = info != nullptr && info->role == Role::kValue;
    Mutant mutant{
        cls,
        value ? "C3" : "C6",
        "field '" + std::string(field) + "' in a place of " + std::to_string(place_bits(place)) + " bits",
        value ? Property::kEquivalence : Property::kDetection,
        {},
        std::string(field)};
    mutant.mutation.layout.moved_field = field;
    mutant.mutation.layout.moved_to = place;
    list.push_back(std::move(mutant));
}

void mistake(std::vector<Mutant>& list, casm_class cls, const char* condition, const char* what,
             Property property, Defect defect, const char* must_name) {
    Mutant mutant{cls, condition, what, property, {}, must_name};
    mutant.mutation.defect = defect;
    list.push_back(std::move(mutant));
}

void column(std::vector<Mutant>& list, casm_class cls, std::string_view field, const char* what,
            ColumnDefect defect) {
    Mutant mutant{cls,
                  "C3",
                  "field '" + std::string(field) + "': " + what,
                  Property::kEquivalence,
                  {},
                  std::string(field)};
    mutant.mutation.layout.broken_column = field;
    mutant.mutation.layout.defect = defect;
    list.push_back(std::move(mutant));
}

// Columns that lose something.
void break_columns(std::vector<Mutant>& list) {
    for (const FieldInfo& field : kFields) {
        switch (field.encoding) {
            case Encoding::kPlain:
            case Encoding::kBytes:
                break;
            case Encoding::kDelta:
                column(list, field.cls, field.name, "its column forgets a difference's sign",
                       ColumnDefect::kSignLost);
                column(list, field.cls, field.name, "its column keeps 32 bits of a difference",
                       ColumnDefect::kNarrowDelta);
                break;
            case Encoding::kFixed16:
                column(list, field.cls, field.name, "its column has too few bits", ColumnDefect::kTooFewBits);
                break;
        }
    }
}

}  // namespace

std::vector<Mutant> mutants() {
    std::vector<Mutant> list;
    leave_out_fields(list);
    read_hidden_state(list);
    break_columns(list);

    move_field(list, CASM_CLS_TSC, "quanta", Place::kAux);
    move_field(list, CASM_CLS_MSR, "value", Place::kAux);
    move_field(list, CASM_CLS_MSR, "index", Place::kCheck);
    move_field(list, CASM_CLS_CPUID, "eax_ebx", Place::kAux);
    move_field(list, CASM_CLS_CPUID, "leaf", Place::kCheck);
    move_field(list, CASM_CLS_RESULT, "value", Place::kAux);
    move_field(list, CASM_CLS_OUTMEM, "va", Place::kAux);
    move_field(list, CASM_CLS_EVTCHN, "port", Place::kKind);
    move_field(list, CASM_CLS_RING, "offset", Place::kKind);
    move_field(list, CASM_CLS_INIT, "offset", Place::kKind);

    const auto equivalence = Property::kEquivalence;
    const auto containment = Property::kContainment;
    mistake(list, CASM_CLS_TSC, "C3", "the guest gets more digits of the clock than the log", equivalence,
            Defect::kTscNotRounded, "rax");
    mistake(list, CASM_CLS_TSC, "C3", "the replay does not scale the value back", equivalence,
            Defect::kTscNotScaled, "rax");
    mistake(list, CASM_CLS_MSR, "C3", "the replay forgets that the read failed", equivalence,
            Defect::kMsrFaultForgotten, "raised");
    mistake(list, CASM_CLS_CPUID, "C3", "the replay mixes up two registers", equivalence,
            Defect::kCpuidHalvesSwapped, "rax");
    mistake(list, CASM_CLS_RESULT, "C6", "hypercall numbers that do not fit into the field are wrapped",
            Property::kDetection, Defect::kHypercallUnbounded, "hypercall");
    mistake(list, CASM_CLS_OUTMEM, "C3", "the replay leaves out the last byte", equivalence,
            Defect::kOutmemOneShort, "memory");
    mistake(list, CASM_CLS_EVTCHN, "C5", "the replay takes a port beyond the table", containment,
            Defect::kEvtchnUnbounded, "pending");
    mistake(list, CASM_CLS_RING, "C5", "the replay checks neither offset nor length", containment,
            Defect::kRingUnbounded, "");
    mistake(list, CASM_CLS_RING, "C5", "the replay checks a sum that can wrap", containment,
            Defect::kRingLengthOnly, "");
    mistake(list, CASM_CLS_RING, "C3", "the replay ignores the page", equivalence, Defect::kRingOtherPage,
            "");
    mistake(list, CASM_CLS_INIT, "C5", "the replay checks neither offset nor length", containment,
            Defect::kInitUnbounded, "shared-info");
    mistake(list, CASM_CLS_INIT, "C5", "the replay checks a sum that can wrap", containment,
            Defect::kInitLengthOnly, "shared-info");
    mistake(list, CASM_CLS_ENTRY, "C6", "the replay's running hash stands still", equivalence,
            Defect::kEntryHashNotRun, "regs-hash");
    mistake(list, CASM_CLS_APOINT, "C6", "the replay's running hash stands still", equivalence,
            Defect::kApointHashNotRun, "regs-hash");
    mistake(list, CASM_CLS_END, "C6", "the replay goes on after the end", equivalence, Defect::kEndNotEnded,
            "ended");
    return list;
}

}  // namespace casmotion::model
