// SPDX-License-Identifier: GPL-2.0-or-later
//
// What the models are written with: the steps that leave a state, and the name of a seeded bug.
#pragma once

#include <string_view>
#include <vector>

namespace casmotion::protocol {

// The steps that leave one state, gathered by the agents of a model one after the other.
template <typename State>
class Steps {
  public:
    explicit Steps(const State& from) : from_(from) {}

    // The step `transition` leads to `to`.
    void add(unsigned transition, const State& to) { steps_.push_back({transition, to}); }

    // The step `transition` makes `change` to a copy of the state that is left.
    template <typename Change>
    void step(unsigned transition, Change change) {
        State to = from_;
        change(to);
        add(transition, to);
    }

    template <typename Emit>
    void emit_all(Emit emit) const {
        for (const Step& step : steps_) emit(step.transition, step.to);
    }

  private:
    struct Step {
        unsigned transition;
        State to;
    };
    State from_;
    std::vector<Step> steps_;
};

// A seeded bug with its name and what is wrong in it.
template <typename Bug>
struct BugName {
    Bug bug;
    std::string_view name;
    std::string_view what;
};

}  // namespace casmotion::protocol
