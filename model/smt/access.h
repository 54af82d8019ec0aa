// SPDX-License-Identifier: GPL-2.0-or-later
//
// Between the public handles and Z3's C++ API. Included by model/smt/*.cc only.
#pragma once

#include <z3++.h>

#include <memory>
#include <string_view>

#include "casmotion/smt/term.h"

namespace casmotion::smt::detail {

struct Store {
    z3::context z3;
};

// Reports a programming error and aborts.
[[noreturn]] void fail(std::string_view operation, std::string_view message);

struct Access {
    static const std::shared_ptr<Store>& store(const Context& context) { return context.store_; }

    static Term term(const std::shared_ptr<Store>& store, const z3::expr& expr) {
        return Term(Handle(store, expr));
    }
    static Sort sort(const std::shared_ptr<Store>& store, const z3::sort& sort) {
        return Sort(Handle(store, z3::ast(sort)));
    }
    static Function function(const std::shared_ptr<Store>& store, const z3::func_decl& decl) {
        return Function(Handle(store, z3::ast(decl)));
    }

    static const Handle& handle(const Term& term) { return term.handle_; }
    static const Handle& handle(const Sort& sort) { return sort.handle_; }
    static const Handle& handle(const Function& function) { return function.handle_; }

    static z3::expr expr(const Term& term) { return {term.handle_.store()->z3, term.handle_.node()}; }
    static z3::sort sort(const Sort& sort) {
        return {sort.handle_.store()->z3, reinterpret_cast<Z3_sort>(sort.handle_.node())};
    }
    static z3::func_decl decl(const Function& function) {
        return {function.handle_.store()->z3, reinterpret_cast<Z3_func_decl>(function.handle_.node())};
    }
};

}  // namespace casmotion::smt::detail
