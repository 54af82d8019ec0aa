// SPDX-License-Identifier: GPL-2.0-or-later
//
// Runs of the small processor: recording and replay unrolled from the start, printed as two columns.
#pragma once

#include <string>
#include <vector>

#include "machine/conditions.h"
#include "machine/product.h"
#include "machine/tiny_machine.h"

namespace casmotion::model {

// `steps` steps of both systems from free initial states, with the log between them.
class Run {
  public:
    // steps: 1 to 14, so that no counter of the small processor wraps.
    Run(const TinyMachine& machine, unsigned steps);

    [[nodiscard]] const TinyMachine& machine() const { return machine_; }
    [[nodiscard]] const Log& log() const { return log_; }
    [[nodiscard]] unsigned steps() const { return static_cast<unsigned>(worlds_.size()); }
    [[nodiscard]] const Side& record(unsigned step) const { return record_[step]; }  // 0 to steps()
    [[nodiscard]] const Side& replay(unsigned step) const { return replay_[step]; }
    [[nodiscard]] const World& world(unsigned step) const { return worlds_[step]; }  // 0 to steps() - 1

    // The log is the recording's at every step, and the recording ended within the steps.
    [[nodiscard]] smt::Term complete() const;
    // The condition, of the machine and the log as a whole: the same for runs of any length of one machine.
    [[nodiscard]] smt::Term holds_as_a_whole(Condition condition) const;
    // The condition, of every step.
    [[nodiscard]] smt::Term holds_at_each_step(Condition condition) const;
    // At some step the systems are not in the same state, or one has ended and the other has not.
    [[nodiscard]] smt::Term diverges() const;
    // After the last step the systems are in different states.
    [[nodiscard]] smt::Term ends_differently() const;
    // Some record of this kind was used by the recording.
    [[nodiscard]] smt::Term has_record(std::uint64_t kind) const;

    // Program, log and the two columns.
    [[nodiscard]] std::string text(const smt::Model& model) const;

  private:
    [[nodiscard]] std::string log_text(const smt::Model& model) const;
    const TinyMachine& machine_;
    Log log_;
    std::vector<Side> record_, replay_;
    std::vector<World> worlds_;
};

}  // namespace casmotion::model
