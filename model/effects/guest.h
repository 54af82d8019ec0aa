// SPDX-License-Identifier: GPL-2.0-or-later
//
// What of a guest the classes of events read and write, as symbolic values.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "casmotion/smt/term.h"

namespace casmotion::model {

// An array of numbers, as the function from index to element. Two arrays are equal if they are at an index of
// which nothing is known; so no theory of arrays is needed to compare them.
struct Cells {
    unsigned index_bits = 0, element_bits = 0;
    std::function<smt::Term(const smt::Term&)> at;
};

// Numbers by name ("rax"), and cells by name ("memory"). Asking for a name that is not there aborts.
class Guest {
  public:
    // Free values; constants are named `prefix`.name.
    Guest(const smt::Context& context, std::string_view prefix);

    [[nodiscard]] const smt::Context& context() const { return context_; }
    [[nodiscard]] const smt::Term& word(std::string_view name) const;
    void set(std::string_view name, const smt::Term& value);  // of the same width
    [[nodiscard]] const Cells& cells(std::string_view name) const;
    void set_cells(std::string_view name, std::function<smt::Term(const smt::Term&)> at);

    struct Word {
        std::string name;
        smt::Term value;
    };
    struct Array {
        std::string name;
        Cells cells;
    };
    [[nodiscard]] const std::vector<Word>& words() const { return words_; }
    [[nodiscard]] const std::vector<Array>& arrays() const { return arrays_; }

  private:
    smt::Context context_;
    std::vector<Word> words_;
    std::vector<Array> arrays_;
};

// All names of words and cells, in order.
[[nodiscard]] std::vector<std::string> guest_parts();

}  // namespace casmotion::model
