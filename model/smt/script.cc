// SPDX-License-Identifier: GPL-2.0-or-later
#include "casmotion/smt/script.h"

#include <set>
#include <unordered_set>

#include "access.h"

namespace casmotion::smt {
namespace {

using detail::Access;
using detail::fail;

// `text` as comment lines.
std::string comment(std::string_view text) {
    std::string lines;
    while (true) {
        const std::size_t end = text.find('\n');
        lines += "; ";
        lines += text.substr(0, end);
        lines += '\n';
        if (end == std::string_view::npos) return lines;
        text.remove_prefix(end + 1);
    }
}

// Declares what the terms use, in the order in which it is met: sorts before the functions that need them.
class Declarations {
  public:
    void visit(const z3::expr& expr) {
        if (!seen_.insert(expr.id()).second) return;
        if (expr.is_quantifier()) {
            visit(expr.body());
            return;
        }
        if (expr.is_var()) {
            visit(expr.get_sort());
            return;
        }
        for (unsigned i = 0; i < expr.num_args(); ++i) visit(expr.arg(i));
        const z3::func_decl decl = expr.decl();
        if (decl.decl_kind() != Z3_OP_UNINTERPRETED) return;
        visit(decl.range());
        for (unsigned i = 0; i < decl.arity(); ++i) visit(decl.domain(i));
        if (declared_.insert(decl.name().str()).second) functions_ += decl.to_string() + "\n";
    }

    [[nodiscard]] std::string text() const { return sorts_ + functions_; }

  private:
    void visit(const z3::sort& sort) {
        if (sort.is_array()) {
            visit(sort.array_domain());
            visit(sort.array_range());
        } else if (sort.sort_kind() == Z3_UNINTERPRETED_SORT && declared_.insert(sort.name().str()).second) {
            sorts_ += "(declare-sort " + sort.name().str() + " 0)\n";
        }
    }

    std::unordered_set<unsigned> seen_;
    std::set<std::string> declared_;
    std::string sorts_, functions_;
};

}  // namespace

Script::Script(std::string title, std::string logic, Outcome expected)
    : title_(std::move(title)), logic_(std::move(logic)), expected_(expected) {}

void Script::add(std::string_view comment, const Term& term) {
    if (!term.sort().is_bool()) fail("script", "not a boolean: " + term.sort().text());
    terms_.push_back(term);
    comments_.emplace_back(comment);
}

std::string Script::text() const {
    Declarations declarations;
    for (const Term& term : terms_) declarations.visit(Access::expr(term));
    std::string text = "; SPDX-License-Identifier: GPL-2.0-or-later\n" + comment(title_);
    text += "(set-logic " + logic_ + ")\n";
    text += "(set-info :status " + std::string(name_of(expected_)) + ")\n";
    text += declarations.text();
    for (std::size_t i = 0; i < terms_.size(); ++i)
        text += comment(comments_[i]) + "(assert " + terms_[i].text() + ")\n";
    return text + "(check-sat)\n";
}

}  // namespace casmotion::smt
