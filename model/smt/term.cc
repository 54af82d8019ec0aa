// SPDX-License-Identifier: GPL-2.0-or-later
#include "casmotion/smt/term.h"

#include <cstdio>
#include <cstdlib>
#include <utility>
#include <vector>

#include "access.h"

namespace casmotion::smt {
namespace detail {

void fail(std::string_view operation, std::string_view message) {
    std::fprintf(stderr, "casmotion::smt: %.*s: %.*s\n", static_cast<int>(operation.size()), operation.data(),
                 static_cast<int>(message.size()), message.data());
    std::abort();
}

Handle::Handle(std::shared_ptr<Store> store, _Z3_ast* node) : store_(std::move(store)), node_(node) {
    if (node_ != nullptr) Z3_inc_ref(store_->z3, node_);
}

Handle::Handle(const Handle& other) : Handle(other.store_, other.node_) {}

Handle::Handle(Handle&& other) noexcept
    : store_(std::move(other.store_)), node_(std::exchange(other.node_, nullptr)) {}

Handle& Handle::operator=(Handle other) noexcept {
    std::swap(store_, other.store_);
    std::swap(node_, other.node_);
    return *this;
}

Handle::~Handle() {
    if (node_ != nullptr) Z3_dec_ref(store_->z3, node_);
}

}  // namespace detail

namespace {

using detail::Access;
using detail::fail;

void require(bool condition, std::string_view operation, std::string_view message) {
    if (!condition) fail(operation, message);
}

// Runs `build` and turns Z3's exceptions, which here always mean a wrong use, into an abort that names the
// operation.
template <typename Build>
auto guarded(std::string_view operation, Build build) {
    try {
        return build();
    } catch (const z3::exception& error) {
        fail(operation, error.msg());
    }
}

void require_same_context(std::string_view operation, const Term& a, const Term& b) {
    require(Access::handle(a).store() == Access::handle(b).store(), operation, "terms of different contexts");
}

void require_same_sort(std::string_view operation, const Term& a, const Term& b) {
    require_same_context(operation, a, b);
    require(a.sort() == b.sort(), operation, "sorts " + a.sort().text() + " and " + b.sort().text());
}

void require_bool(std::string_view operation, const Term& a) {
    require(a.sort().is_bool(), operation, "not a boolean: " + a.sort().text());
}

void require_bv(std::string_view operation, const Term& a) {
    require(a.sort().is_bv(), operation, "not a bit vector: " + a.sort().text());
}

template <typename Build>
Term unary(std::string_view operation, const Term& a, Build build) {
    return guarded(operation,
                   [&] { return Access::term(Access::handle(a).store(), build(Access::expr(a))); });
}

template <typename Build>
Term bv_binary(std::string_view operation, const Term& a, const Term& b, Build build) {
    require_bv(operation, a);
    require_same_sort(operation, a, b);
    return guarded(operation, [&] {
        return Access::term(Access::handle(a).store(), build(Access::expr(a), Access::expr(b)));
    });
}

template <typename Build>
Term bool_binary(std::string_view operation, const Term& a, const Term& b, Build build) {
    require_bool(operation, a);
    require_same_sort(operation, a, b);
    return guarded(operation, [&] {
        return Access::term(Access::handle(a).store(), build(Access::expr(a), Access::expr(b)));
    });
}

z3::expr number(z3::context& z3, std::uint64_t value, unsigned bits) {
    return z3.bv_val(bits < 64 ? value & ((std::uint64_t{1} << bits) - 1) : value, bits);
}

// `value` as a literal of the width of `like`.
Term literal_like(std::string_view operation, const Term& like, std::uint64_t value) {
    require_bv(operation, like);
    const auto& store = Access::handle(like).store();
    return Access::term(store, number(store->z3, value, like.sort().bits()));
}

bool is_simple_symbol(std::string_view name) {
    if (name.empty() || (name[0] >= '0' && name[0] <= '9')) return false;
    for (const char c : name) {
        const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        const bool digit = c >= '0' && c <= '9';
        if (!letter && !digit && std::string_view("~!@$%^&*_-+=<>.?/").find(c) == std::string_view::npos)
            return false;
    }
    return true;
}

Term all_or_any(std::string_view operation, std::span<const Term> terms, bool all) {
    require(!terms.empty(), operation, "empty list");
    const auto& store = Access::handle(terms[0]).store();
    z3::expr_vector list(store->z3);
    for (const Term& term : terms) {
        require_bool(operation, term);
        require_same_context(operation, terms[0], term);
        list.push_back(Access::expr(term));
    }
    if (terms.size() == 1) return terms[0];
    return guarded(operation, [&] { return Access::term(store, all ? z3::mk_and(list) : z3::mk_or(list)); });
}

Term quantified(std::string_view operation, std::span<const Term> bound, const Term& body, bool all) {
    require_bool(operation, body);
    require(!bound.empty(), operation, "nothing is bound");
    const auto& store = Access::handle(body).store();
    std::vector<Z3_app> variables;
    for (const Term& term : bound) {
        require_same_context(operation, term, body);
        variables.push_back(reinterpret_cast<Z3_app>(Access::handle(term).node()));
    }
    // Not z3::forall: it gives the quantifier a weight, which is printed, and which other solvers do not
    // know.
    const auto count = static_cast<unsigned>(variables.size());
    return guarded(operation, [&] {
        const Z3_ast quantifier = Z3_mk_quantifier_const(store->z3, all, 1, count, variables.data(), 0,
                                                         nullptr, Access::handle(body).node());
        store->z3.check_error();
        return Access::term(store, z3::expr(store->z3, quantifier));
    });
}

}  // namespace

bool Sort::is_bool() const {
    return Access::sort(*this).is_bool();
}
bool Sort::is_bv() const {
    return Access::sort(*this).is_bv();
}
bool Sort::is_array() const {
    return Access::sort(*this).is_array();
}

unsigned Sort::bits() const {
    require(is_bv(), "bits", "not a bit-vector sort: " + text());
    return Access::sort(*this).bv_size();
}

Sort Sort::index() const {
    require(is_array(), "index", "not an array sort: " + text());
    return Access::sort(handle_.store(), Access::sort(*this).array_domain());
}

Sort Sort::element() const {
    require(is_array(), "element", "not an array sort: " + text());
    return Access::sort(handle_.store(), Access::sort(*this).array_range());
}

std::string Sort::text() const {
    return Access::sort(*this).to_string();
}

bool Sort::operator==(const Sort& other) const {
    return handle_.store() == other.handle_.store() && handle_.node() == other.handle_.node();
}

Sort Term::sort() const {
    return Access::sort(handle_.store(), Access::expr(*this).get_sort());
}
std::string Term::text() const {
    return Access::expr(*this).to_string();
}

bool Term::same_as(const Term& other) const {
    return handle_.store() == other.handle_.store() && handle_.node() == other.handle_.node();
}

std::optional<std::uint64_t> Term::as_u64() const {
    const z3::expr expr = Access::expr(*this);
    std::uint64_t value = 0;
    if (!expr.is_bv() || !expr.is_numeral() || !expr.is_numeral_u64(value)) return std::nullopt;
    return value;
}

std::optional<bool> Term::as_bool() const {
    const z3::expr expr = Access::expr(*this);
    if (expr.is_true()) return true;
    if (expr.is_false()) return false;
    return std::nullopt;
}

Term Function::operator()(std::initializer_list<Term> arguments) const {
    return (*this)(std::span<const Term>(arguments.begin(), arguments.size()));
}

Term Function::operator()(std::span<const Term> arguments) const {
    const z3::func_decl decl = Access::decl(*this);
    require(arguments.size() == decl.arity(), "application", "wrong number of arguments for " + name());
    z3::expr_vector list(handle_.store()->z3);
    for (const Term& argument : arguments) {
        require(Access::handle(argument).store() == handle_.store(), "application",
                "terms of different contexts");
        list.push_back(Access::expr(argument));
    }
    return guarded("application", [&] { return Access::term(handle_.store(), decl(list)); });
}

std::string Function::name() const {
    return Access::decl(*this).name().str();
}

Context::Context() : store_(std::make_shared<detail::Store>()) {}

Sort Context::bool_sort() const {
    return Access::sort(store_, store_->z3.bool_sort());
}

Sort Context::bv_sort(unsigned bits) const {
    require(bits > 0, "bv_sort", "a bit vector has at least one bit");
    return Access::sort(store_, store_->z3.bv_sort(bits));
}

Sort Context::array_sort(const Sort& index, const Sort& element) const {
    return Access::sort(store_, store_->z3.array_sort(Access::sort(index), Access::sort(element)));
}

Sort Context::uninterpreted_sort(std::string_view name) const {
    require(is_simple_symbol(name), "uninterpreted_sort", "not a simple symbol");
    return Access::sort(store_, store_->z3.uninterpreted_sort(std::string(name).c_str()));
}

Term Context::constant(std::string_view name, const Sort& sort) const {
    require(is_simple_symbol(name), "constant", "not a simple symbol: '" + std::string(name) + "'");
    return Access::term(store_, store_->z3.constant(std::string(name).c_str(), Access::sort(sort)));
}

Function Context::function(std::string_view name, std::span<const Sort> domain, const Sort& range) const {
    require(is_simple_symbol(name), "function", "not a simple symbol");
    require(!domain.empty(), "function", "no argument; use a constant");
    z3::sort_vector sorts(store_->z3);
    for (const Sort& sort : domain) sorts.push_back(Access::sort(sort));
    return Access::function(store_,
                            store_->z3.function(std::string(name).c_str(), sorts, Access::sort(range)));
}

Function Context::function(std::string_view name, std::initializer_list<Sort> domain,
                           const Sort& range) const {
    return function(name, std::span<const Sort>(domain.begin(), domain.size()), range);
}

Term Context::bool_value(bool value) const {
    return Access::term(store_, store_->z3.bool_val(value));
}

Term Context::bv_value(std::uint64_t value, unsigned bits) const {
    require(bits > 0, "bv_value", "a bit vector has at least one bit");
    return Access::term(store_, number(store_->z3, value, bits));
}

Term Context::constant_array(const Sort& index, const Term& element) const {
    return Access::term(store_, z3::const_array(Access::sort(index), Access::expr(element)));
}

Term operator!(const Term& a) {
    require_bool("not", a);
    return unary("not", a, [](const z3::expr& x) { return !x; });
}
Term operator&&(const Term& a, const Term& b) {
    return bool_binary("and", a, b, [](const z3::expr& x, const z3::expr& y) { return x && y; });
}
Term operator||(const Term& a, const Term& b) {
    return bool_binary("or", a, b, [](const z3::expr& x, const z3::expr& y) { return x || y; });
}
Term implies(const Term& a, const Term& b) {
    return bool_binary("implies", a, b,
                       [](const z3::expr& x, const z3::expr& y) { return z3::implies(x, y); });
}
Term iff(const Term& a, const Term& b) {
    return bool_binary("iff", a, b, [](const z3::expr& x, const z3::expr& y) { return x == y; });
}
Term all_of(std::span<const Term> terms) {
    return all_or_any("all_of", terms, true);
}
Term any_of(std::span<const Term> terms) {
    return all_or_any("any_of", terms, false);
}
Term all_of(std::initializer_list<Term> terms) {
    return all_of(std::span(terms.begin(), terms.size()));
}
Term any_of(std::initializer_list<Term> terms) {
    return any_of(std::span(terms.begin(), terms.size()));
}

Term distinct(std::span<const Term> terms) {
    require(!terms.empty(), "distinct", "empty list");
    const auto& store = Access::handle(terms[0]).store();
    z3::expr_vector list(store->z3);
    for (const Term& term : terms) {
        require_same_sort("distinct", terms[0], term);
        list.push_back(Access::expr(term));
    }
    if (terms.size() == 1) return Access::term(store, store->z3.bool_val(true));
    return guarded("distinct", [&] { return Access::term(store, z3::distinct(list)); });
}

Term equal(const Term& a, const Term& b) {
    require_same_sort("equal", a, b);
    return unary("equal", a, [&](const z3::expr& x) { return x == Access::expr(b); });
}
Term not_equal(const Term& a, const Term& b) {
    return !equal(a, b);
}

Term ite(const Term& condition, const Term& then, const Term& otherwise) {
    require_bool("ite", condition);
    require_same_context("ite", condition, then);
    require_same_sort("ite", then, otherwise);
    return unary("ite", condition,
                 [&](const z3::expr& x) { return z3::ite(x, Access::expr(then), Access::expr(otherwise)); });
}

Term operator+(const Term& a, const Term& b) {
    return bv_binary("+", a, b, [](const z3::expr& x, const z3::expr& y) { return x + y; });
}
Term operator-(const Term& a, const Term& b) {
    return bv_binary("-", a, b, [](const z3::expr& x, const z3::expr& y) { return x - y; });
}
Term operator*(const Term& a, const Term& b) {
    return bv_binary("*", a, b, [](const z3::expr& x, const z3::expr& y) { return x * y; });
}
Term operator&(const Term& a, const Term& b) {
    return bv_binary("&", a, b, [](const z3::expr& x, const z3::expr& y) { return x & y; });
}
Term operator|(const Term& a, const Term& b) {
    return bv_binary("|", a, b, [](const z3::expr& x, const z3::expr& y) { return x | y; });
}
Term operator^(const Term& a, const Term& b) {
    return bv_binary("^", a, b, [](const z3::expr& x, const z3::expr& y) { return x ^ y; });
}
Term operator~(const Term& a) {
    require_bv("~", a);
    return unary("~", a, [](const z3::expr& x) { return ~x; });
}
Term operator+(const Term& a, std::uint64_t b) {
    return a + literal_like("+", a, b);
}
Term operator-(const Term& a, std::uint64_t b) {
    return a - literal_like("-", a, b);
}
Term operator&(const Term& a, std::uint64_t b) {
    return a & literal_like("&", a, b);
}
Term equal(const Term& a, std::uint64_t b) {
    return equal(a, literal_like("equal", a, b));
}

Term less(const Term& a, const Term& b) {
    return bv_binary("less", a, b, [](const z3::expr& x, const z3::expr& y) { return z3::ult(x, y); });
}
Term less(const Term& a, std::uint64_t b) {
    return less(a, literal_like("less", a, b));
}
Term at_most(const Term& a, const Term& b) {
    return bv_binary("at_most", a, b, [](const z3::expr& x, const z3::expr& y) { return z3::ule(x, y); });
}
Term at_most(const Term& a, std::uint64_t b) {
    return at_most(a, literal_like("at_most", a, b));
}

Term shift_left(const Term& a, const Term& by_bits) {
    return bv_binary("shift_left", a, by_bits,
                     [](const z3::expr& x, const z3::expr& y) { return z3::shl(x, y); });
}
Term shift_right(const Term& a, const Term& by_bits) {
    return bv_binary("shift_right", a, by_bits,
                     [](const z3::expr& x, const z3::expr& y) { return z3::lshr(x, y); });
}
Term shift_left(const Term& a, unsigned by_bits) {
    return shift_left(a, literal_like("shift_left", a, by_bits));
}
Term shift_right(const Term& a, unsigned by_bits) {
    return shift_right(a, literal_like("shift_right", a, by_bits));
}

Term extract(const Term& a, unsigned high, unsigned low) {
    require_bv("extract", a);
    require(low <= high && high < a.sort().bits(), "extract", "bits out of range");
    return unary("extract", a, [&](const z3::expr& x) { return x.extract(high, low); });
}

Term concat(const Term& high, const Term& low) {
    require_bv("concat", high);
    require_bv("concat", low);
    require_same_context("concat", high, low);
    return unary("concat", high, [&](const z3::expr& x) { return z3::concat(x, Access::expr(low)); });
}

Term zero_extend(const Term& a, unsigned bits) {
    require_bv("zero_extend", a);
    const unsigned have = a.sort().bits();
    require(have <= bits, "zero_extend", "wider than the result");
    if (have == bits) return a;
    return unary("zero_extend", a, [&](const z3::expr& x) { return z3::zext(x, bits - have); });
}

Term select(const Term& array, const Term& index) {
    require_same_context("select", array, index);
    require(array.sort().is_array() && array.sort().index() == index.sort(), "select", "sorts do not fit");
    return unary("select", array, [&](const z3::expr& x) { return z3::select(x, Access::expr(index)); });
}

Term store(const Term& array, const Term& index, const Term& element) {
    require_same_context("store", array, index);
    require_same_context("store", array, element);
    require(array.sort().is_array() && array.sort().index() == index.sort() &&
                array.sort().element() == element.sort(),
            "store", "sorts do not fit");
    return unary("store", array,
                 [&](const z3::expr& x) { return z3::store(x, Access::expr(index), Access::expr(element)); });
}

Term for_all(std::span<const Term> bound, const Term& body) {
    return quantified("for_all", bound, body, true);
}
Term exists(std::span<const Term> bound, const Term& body) {
    return quantified("exists", bound, body, false);
}

}  // namespace casmotion::smt
