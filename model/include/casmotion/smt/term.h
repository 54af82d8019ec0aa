// SPDX-License-Identifier: GPL-2.0-or-later
//
// Sorts, functions and terms of first-order logic: booleans, bit vectors, arrays, uninterpreted sorts and
// functions.
//
// A thin layer over Z3; only model/smt/*.cc includes Z3's headers. Everything here is a small value that is
// cheap to copy and keeps its Context alive. Terms of different contexts must not meet, and sorts must fit:
// either is a programming error and aborts with a line that says which operation it was. A Context and all
// that came from it belong to one thread at a time; two contexts share nothing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

struct _Z3_ast;  // Z3's own handle type, never dereferenced outside model/smt

namespace casmotion::smt {

class Context;
class Sort;
class Term;
class Function;

namespace detail {
struct Store;   // owns the z3::context
struct Access;  // lets model/smt/*.cc see the handles

// One counted reference to a node that Z3 owns.
class Handle {
  public:
    Handle() = default;
    Handle(std::shared_ptr<Store> store, _Z3_ast* node);
    Handle(const Handle& other);
    Handle(Handle&& other) noexcept;
    Handle& operator=(Handle other) noexcept;
    ~Handle();

    [[nodiscard]] const std::shared_ptr<Store>& store() const { return store_; }
    [[nodiscard]] _Z3_ast* node() const { return node_; }

  private:
    std::shared_ptr<Store> store_;
    _Z3_ast* node_ = nullptr;
};
}  // namespace detail

// The sort (type) of a term.
class Sort {
  public:
    [[nodiscard]] bool is_bool() const;
    [[nodiscard]] bool is_bv() const;
    [[nodiscard]] bool is_array() const;
    // Width of a bit-vector sort, in bits (at least 1). Aborts for another sort.
    [[nodiscard]] unsigned bits() const;
    // Index and element sort of an array sort. Abort for another sort.
    [[nodiscard]] Sort index() const;
    [[nodiscard]] Sort element() const;
    // As SMT-LIB writes it: "Bool", "(_ BitVec 64)", "State".
    [[nodiscard]] std::string text() const;
    [[nodiscard]] bool operator==(const Sort& other) const;

  private:
    friend struct detail::Access;
    explicit Sort(detail::Handle handle) : handle_(std::move(handle)) {}
    detail::Handle handle_;
};

// A term. Bit-vector operations are modulo 2^bits; comparisons of bit vectors are unsigned. There is no
// operator== that gives a bool, and no conversion to bool: a term is a formula, not its truth.
class Term {
  public:
    [[nodiscard]] Sort sort() const;
    // The term as SMT-LIB writes it, with lets for shared parts.
    [[nodiscard]] std::string text() const;
    // True if both are the same node (built the same way); equal values may still be different nodes.
    [[nodiscard]] bool same_as(const Term& other) const;
    // The number that a bit-vector literal of at most 64 bits stands for; nothing for any other term.
    [[nodiscard]] std::optional<std::uint64_t> as_u64() const;
    // The truth of the literals true and false; nothing for any other term.
    [[nodiscard]] std::optional<bool> as_bool() const;

  private:
    friend struct detail::Access;
    explicit Term(detail::Handle handle) : handle_(std::move(handle)) {}
    detail::Handle handle_;
};

// An uninterpreted function: of its values nothing is known but that equal arguments give equal results.
class Function {
  public:
    // The application to `arguments`, whose sorts must be those of the declaration.
    [[nodiscard]] Term operator()(std::initializer_list<Term> arguments) const;
    [[nodiscard]] Term operator()(std::span<const Term> arguments) const;
    template <typename... More>
    [[nodiscard]] Term operator()(const Term& first, const More&... more) const {
        return (*this)({first, more...});
    }
    [[nodiscard]] std::string name() const;

  private:
    friend struct detail::Access;
    explicit Function(detail::Handle handle) : handle_(std::move(handle)) {}
    detail::Handle handle_;
};

// Where sorts and terms come from.
class Context {
  public:
    Context();

    [[nodiscard]] Sort bool_sort() const;
    [[nodiscard]] Sort bv_sort(unsigned bits) const;  // bits: at least 1
    [[nodiscard]] Sort array_sort(const Sort& index, const Sort& element) const;
    // A sort of which nothing is known but that it is not empty. The same name gives the same sort.
    [[nodiscard]] Sort uninterpreted_sort(std::string_view name) const;

    // A free constant. The same name and sort give the same constant. `name`: a simple SMT-LIB symbol
    // (letters, digits and
    // ~!@$%^&*_-+=<>.?/, not starting with a digit), else abort.
    [[nodiscard]] Term constant(std::string_view name, const Sort& sort) const;
    [[nodiscard]] Term bool_constant(std::string_view name) const { return constant(name, bool_sort()); }
    [[nodiscard]] Term bv_constant(std::string_view name, unsigned bits) const {
        return constant(name, bv_sort(bits));
    }
    // A function of at least one argument; names as for constants.
    [[nodiscard]] Function function(std::string_view name, std::span<const Sort> domain,
                                    const Sort& range) const;
    [[nodiscard]] Function function(std::string_view name, std::initializer_list<Sort> domain,
                                    const Sort& range) const;

    [[nodiscard]] Term bool_value(bool value) const;
    // The literal `value` modulo 2^bits.
    [[nodiscard]] Term bv_value(std::uint64_t value, unsigned bits) const;
    // The array that holds `element` at every index.
    [[nodiscard]] Term constant_array(const Sort& index, const Term& element) const;

  private:
    friend struct detail::Access;
    std::shared_ptr<detail::Store> store_;
};

// Logic. all_of({}) and any_of({}) need a context, so the list must not be empty.
[[nodiscard]] Term operator!(const Term& a);
[[nodiscard]] Term operator&&(const Term& a, const Term& b);
[[nodiscard]] Term operator||(const Term& a, const Term& b);
[[nodiscard]] Term implies(const Term& a, const Term& b);
[[nodiscard]] Term iff(const Term& a, const Term& b);
[[nodiscard]] Term all_of(std::span<const Term> terms);
[[nodiscard]] Term any_of(std::span<const Term> terms);
[[nodiscard]] Term all_of(std::initializer_list<Term> terms);
[[nodiscard]] Term any_of(std::initializer_list<Term> terms);
// All terms differ pairwise; at least one term.
[[nodiscard]] Term distinct(std::span<const Term> terms);
// Equality of two terms of the same sort, arrays included (extensional).
[[nodiscard]] Term equal(const Term& a, const Term& b);
[[nodiscard]] Term not_equal(const Term& a, const Term& b);
// `condition` ? `then` : `otherwise`; both of the same sort.
[[nodiscard]] Term ite(const Term& condition, const Term& then, const Term& otherwise);

// Bit vectors: both of the same width. The forms with a number take it modulo 2^bits.
[[nodiscard]] Term operator+(const Term& a, const Term& b);
[[nodiscard]] Term operator-(const Term& a, const Term& b);
[[nodiscard]] Term operator*(const Term& a, const Term& b);
[[nodiscard]] Term operator&(const Term& a, const Term& b);
[[nodiscard]] Term operator|(const Term& a, const Term& b);
[[nodiscard]] Term operator^(const Term& a, const Term& b);
[[nodiscard]] Term operator~(const Term& a);
[[nodiscard]] Term operator+(const Term& a, std::uint64_t b);
[[nodiscard]] Term operator-(const Term& a, std::uint64_t b);
[[nodiscard]] Term operator&(const Term& a, std::uint64_t b);
[[nodiscard]] Term equal(const Term& a, std::uint64_t b);
[[nodiscard]] Term less(const Term& a, const Term& b);  // unsigned
[[nodiscard]] Term less(const Term& a, std::uint64_t b);
[[nodiscard]] Term at_most(const Term& a, const Term& b);  // unsigned
[[nodiscard]] Term at_most(const Term& a, std::uint64_t b);
[[nodiscard]] Term shift_left(const Term& a, unsigned by_bits);
[[nodiscard]] Term shift_right(const Term& a, unsigned by_bits);  // zeros come in
[[nodiscard]] Term shift_left(const Term& a, const Term& by_bits);
[[nodiscard]] Term shift_right(const Term& a, const Term& by_bits);
// Bits high..low of `a`, inclusive; low <= high < width.
[[nodiscard]] Term extract(const Term& a, unsigned high, unsigned low);
[[nodiscard]] Term concat(const Term& high, const Term& low);
// `a` with zeros in front, `bits` wide in all; bits at least the width of `a`.
[[nodiscard]] Term zero_extend(const Term& a, unsigned bits);

// Arrays.
[[nodiscard]] Term select(const Term& array, const Term& index);
[[nodiscard]] Term store(const Term& array, const Term& index, const Term& element);

// For all (there is a) value of `bound`, free constants: `body`. Quantified queries may end as unknown.
[[nodiscard]] Term for_all(std::span<const Term> bound, const Term& body);
[[nodiscard]] Term exists(std::span<const Term> bound, const Term& body);

}  // namespace casmotion::smt
