// SPDX-License-Identifier: GPL-2.0-or-later
//
// Exhaustive search of a finite transition system: every state that any interleaving of its agents reaches,
// breadth first, so that the trace to a broken rule is a shortest one.
#pragma once

#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace casmotion::protocol {

// One kind of step: who makes it, what it does, and what code it stands for.
struct Transition {
    const char* agent;     // "vcpu", "daemon", "sender", ...
    const char* what;      // for people
    const char* file;      // below the repository's root; empty: the environment, or code that is not ours
    const char* function;  // defined in that file
};

enum class Verdict : std::uint8_t {
    kHolds,
    kBroken,        // a rule is broken; there is a trace
    kInconclusive,  // more states than the limit
};

struct Result {
    Verdict verdict = Verdict::kInconclusive;
    std::string rule;                // kBroken: the rule, in words
    std::vector<std::string> trace;  // kBroken: the steps from an initial state, one line each
    std::uint64_t states = 0;
    std::uint64_t steps = 0;
};

// A model has
//   State                               trivially copyable, without padding
//   std::vector<State> initial() const
//   void successors(const State&, Emit) const      calls emit(transition number, next state) for each step
//   const char* broken(const State&) const         the rule that this state breaks, or nullptr
//   bool good(const State&) const                  an end that is as it should be (see below)
//   std::string text(const State&) const           one line for a trace
//   std::span<const Transition> transitions() const
//
// Two kinds of properties are checked: no reachable state is broken(); and from every reachable state a
// good() state can be reached (so nothing is stuck for ever, provided that every agent that can move does so
// some time).
template <typename Model>
class Explorer {
  public:
    using State = typename Model::State;
    static_assert(std::has_unique_object_representations_v<State>);

    Explorer(const Model& model, std::uint64_t max_states) : model_(model), max_states_(max_states) {
        table_.assign(1u << 16, kNone);
    }

    Result run() {
        Result result;
        for (const State& state : model_.initial()) add(state, kNone, 0);
        for (std::uint32_t at = 0; at < states_.size(); ++at) {
            if (const char* rule = model_.broken(states_[at])) return refute(result, rule, at);
            if (states_.size() > max_states_) {
                result.states = states_.size();
                return result;
            }
            const State state = states_[at];  // a copy: add() may move the vector
            model_.successors(state, [&](unsigned transition, const State& next) {
                ++result.steps;
                edges_.push_back({at, add(next, at, transition)});
            });
        }
        result.states = states_.size();
        if (const std::uint32_t stuck = find_stuck(); stuck != kNone)
            return refute(result,
                          "from here no good end can be reached any more (a deadlock or a lost wake-up)",
                          stuck);
        result.verdict = Verdict::kHolds;
        return result;
    }

  private:
    static constexpr std::uint32_t kNone = 0xffffffff;
    struct Edge {
        std::uint32_t from, to;
    };
    struct Origin {
        std::uint32_t parent;
        std::uint32_t transition;
    };

    static std::uint64_t hash(const State& state) {
        const auto* bytes = reinterpret_cast<const unsigned char*>(&state);
        std::uint64_t h = 0xcbf29ce484222325u;
        for (std::size_t i = 0; i < sizeof(State); ++i) h = (h ^ bytes[i]) * 0x100000001b3u;
        return h ^ (h >> 29);
    }

    // The number of a state; a new one is remembered with where it came from.
    std::uint32_t add(const State& state, std::uint32_t parent, unsigned transition) {
        if (2 * states_.size() >= table_.size()) grow();
        std::size_t slot = hash(state) & (table_.size() - 1);
        for (; table_[slot] != kNone; slot = (slot + 1) & (table_.size() - 1)) {
            if (std::memcmp(&states_[table_[slot]], &state, sizeof(State)) == 0) return table_[slot];
        }
        table_[slot] = static_cast<std::uint32_t>(states_.size());
        states_.push_back(state);
        origins_.push_back({parent, transition});
        return table_[slot];
    }

    void grow() {
        table_.assign(table_.size() * 4, kNone);
        for (std::uint32_t i = 0; i < states_.size(); ++i) {
            std::size_t slot = hash(states_[i]) & (table_.size() - 1);
            while (table_[slot] != kNone) slot = (slot + 1) & (table_.size() - 1);
            table_[slot] = i;
        }
    }

    // The first state found from which no good state can be reached; kNone if there is none.
    std::uint32_t find_stuck() const {
        std::vector<std::uint32_t> first(states_.size() + 1, 0), from(edges_.size());
        for (const Edge& edge : edges_) ++first[edge.to + 1];
        for (std::size_t i = 1; i < first.size(); ++i) first[i] += first[i - 1];
        std::vector<std::uint32_t> next(first.begin(), first.end() - 1);
        for (const Edge& edge : edges_) from[next[edge.to]++] = edge.from;

        std::vector<bool> can(states_.size(), false);
        std::vector<std::uint32_t> todo;
        for (std::uint32_t i = 0; i < states_.size(); ++i) {
            if (model_.good(states_[i])) {
                can[i] = true;
                todo.push_back(i);
            }
        }
        while (!todo.empty()) {
            const std::uint32_t at = todo.back();
            todo.pop_back();
            for (std::uint32_t e = first[at]; e < first[at + 1]; ++e) {
                if (!can[from[e]]) {
                    can[from[e]] = true;
                    todo.push_back(from[e]);
                }
            }
        }
        for (std::uint32_t i = 0; i < states_.size(); ++i) {
            if (!can[i]) return i;
        }
        return kNone;
    }

    Result& refute(Result& result, const char* rule, std::uint32_t at) const {
        result.verdict = Verdict::kBroken;
        result.rule = rule;
        result.states = states_.size();
        std::vector<std::uint32_t> path;
        for (std::uint32_t i = at; i != kNone; i = origins_[i].parent) path.push_back(i);
        for (std::size_t i = path.size(); i-- > 0;) {
            const State& state = states_[path[i]];
            if (origins_[path[i]].parent == kNone) {
                result.trace.push_back("start: " + model_.text(state));
                continue;
            }
            const Transition& step = model_.transitions()[origins_[path[i]].transition];
            std::string line = std::string(step.agent) + ": " + step.what;
            if (*step.function) line += std::string(" [") + step.function + "]";
            result.trace.push_back(line + "  " + model_.text(state));
        }
        return result;
    }

    const Model& model_;
    std::uint64_t max_states_;
    std::vector<State> states_;
    std::vector<Origin> origins_;
    std::vector<Edge> edges_;
    std::vector<std::uint32_t> table_;  // open addressing; numbers of states
};

}  // namespace casmotion::protocol
