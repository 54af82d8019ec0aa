// SPDX-License-Identifier: GPL-2.0-or-later
//
// The symbolic effect of each class of the taxonomy: what it reads besides the guest's state, what it writes,
// what its record carries, and what the replay does with the record.
//
// Each class has a specialisation of SymbolicEffect in sync_effects.h, async_effects.h or check_effects.h.
// The primary template is not defined, and effect_of() instantiates it for every row of
// events/abi/casm_taxonomy.def: a class without a symbolic effect does not compile, and the compiler's
// message names it.
#pragma once

#include <string>
#include <vector>

#include "effects/guest.h"
#include "effects/payload.h"

namespace casmotion::model {

// What the world supplies: values that are no function of the guest's state. The same name is the same value.
class Inputs {
  public:
    explicit Inputs(const smt::Context& context) : context_(context) {}
    [[nodiscard]] smt::Term word(std::string_view name, unsigned bits) const {
        return context_.bv_constant("input." + std::string(name), bits);
    }
    [[nodiscard]] Blob blob(std::string_view name) const;
    [[nodiscard]] smt::Term yes() const { return context_.bool_value(true); }

  private:
    smt::Context context_;
};

// A mistake in an effect that a check must notice; kNone outside mutation tests.
enum class Defect : std::uint8_t {
    kNone,
    kTscNotRounded,       // recording: the guest gets the clock, the log the rounded one
    kTscNotScaled,        // replay: forgets to scale back
    kMsrFaultForgotten,   // replay: always says that the read succeeded
    kCpuidHalvesSwapped,  // replay: EBX and EAX mixed up
    kHypercallUnbounded,  // numbers that do not fit into the field are wrapped too
    kOutmemOneShort,      // replay: leaves out the last byte
    kEvtchnUnbounded,     // replay: no bound on the port
    kRingUnbounded,       // replay: no check of offset and length
    kRingLengthOnly,      // replay: offset + length only; the sum wraps
    kRingOtherPage,       // replay: into the console page always
    kInitUnbounded,       // replay: no check of offset and length
    kInitLengthOnly,      // replay: offset + length only; the sum wraps
    kEntryHashNotRun,     // replay: the running hash is not brought forward
    kApointHashNotRun,    // replay: the running hash is not brought forward
    kEndNotEnded,         // replay: goes on after the end
};

// A part of the guest that an effect writes. bound: cells at this index and above stay as they are; 0: no
// bound.
struct Written {
    std::string_view part;
    std::uint64_t bound = 0;
};

// Per class: all members static.
//   std::vector<Written> writes();
//   smt::Term possible(const Guest&, const Inputs&)                    what the recording side guarantees of
//   inputs and keys void record(Guest&, const Inputs&, Payload&, Defect)               the step or effect,
//   and its record smt::Term replay(Guest&, const Inputs&, Payload&, Defect)          the same from the
//   record; true where it is accepted
// record() and replay() must use every field of the class: put(), and get() or expect(); checked when they
// run.
template <casm_class cls>
struct SymbolicEffect;

struct EffectOps {
    casm_class cls;
    std::vector<Written> (*writes)();
    smt::Term (*possible)(const Guest&, const Inputs&, Defect);
    void (*record)(Guest&, const Inputs&, Payload&, Defect);
    smt::Term (*replay)(Guest&, const Inputs&, Payload&, Defect);
};

// The effect of a class of the taxonomy.
[[nodiscard]] EffectOps effect_of(casm_class cls);

// The bytes of `cells` from 0 on, `length` of them.
[[nodiscard]] Blob blob_of(const smt::Context& context, const Cells& cells, std::uint64_t length);
// Writes `blob` into the cells `name` at `offset` (of the cells' index width) where `enabled`.
void write_blob(Guest& guest, std::string_view name, const smt::Term& enabled, const smt::Term& offset,
                const Blob& blob);
// The registers hash after the registers at this place were mixed in.
[[nodiscard]] smt::Term mixed_hash(const Guest& guest);

}  // namespace casmotion::model
