// SPDX-License-Identifier: GPL-2.0-or-later
//
// How a function says that it failed: a category, which is also the program's exit code, and one line for the
// user. Expected failures (bad input, a full disk, a host that lacks something) travel as Status; programming
// errors abort.
#pragma once

#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace casmotion {

// What the caller can do about a failure. The values are the documented exit codes of the program.
enum class Category : int {
    kOk = 0,
    kRefuted = 1,        // the replay diverged, or a check on a log says no
    kUsage = 2,          // wrong arguments; also a target that exists, a domain that does not
    kLogInvalid = 65,    // the log is damaged, incomplete, of another version, or not a log
    kHostLacks = 69,     // the host lacks what is needed: Xen, the pool, permission, disk space
    kInternal = 70,      // a bug in CASMotion
    kInconclusive = 75,  // neither yes nor no
};

// Short name for messages and JSON: "ok", "refuted", "usage", "log-invalid", "host-lacks", "internal",
// "inconclusive".
[[nodiscard]] std::string_view name_of(Category category);

// Success, or a category with one line of text (no newline, no trailing period) that says what is wrong,
// where, and, if it is not obvious, what to do. Immutable; copies may be used in any thread.
class [[nodiscard]] Status {
  public:
    Status() = default;  // success

    // A failure. `category` must not be kOk. Newlines in `message` become spaces.
    Status(Category category, std::string message);

    [[nodiscard]] bool ok() const { return category_ == Category::kOk; }
    [[nodiscard]] Category category() const { return category_; }
    [[nodiscard]] int exit_code() const { return static_cast<int>(category_); }
    [[nodiscard]] const std::string& message() const { return message_; }

    // The same failure with "`where`: " in front. Success stays success.
    [[nodiscard]] Status at(std::string_view where) const;

    // Says in the source that a failure is dropped on purpose.
    void ignore() const {}

  private:
    Category category_ = Category::kOk;
    std::string message_;
};

[[nodiscard]] inline Status log_invalid(std::string message) {
    return {Category::kLogInvalid, std::move(message)};
}

// "`what`: No space left on device" and the like, as kHostLacks. `error` is an errno value.
[[nodiscard]] Status errno_status(std::string_view what, int error);

// A value, or the Status that says why there is none. Reading the value of a failure aborts the program.
template <typename T>
class [[nodiscard]] Result {
    static_assert(!std::is_same_v<T, Status>);

  public:
    Result(T value) : value_(std::move(value)) {}         // NOLINT(google-explicit-constructor)
    Result(Status status) : status_(std::move(status)) {  // NOLINT(google-explicit-constructor)
        if (status_.ok()) std::abort();                   // success without a value is a bug of the callee
    }

    [[nodiscard]] bool ok() const { return value_.has_value(); }
    [[nodiscard]] const Status& status() const { return status_; }

    [[nodiscard]] T& value() & {
        require();
        return *value_;
    }
    [[nodiscard]] const T& value() const& {
        require();
        return *value_;
    }
    [[nodiscard]] T&& value() && {
        require();
        return std::move(*value_);
    }
    [[nodiscard]] T& operator*() & { return value(); }
    [[nodiscard]] const T& operator*() const& { return value(); }
    [[nodiscard]] T&& operator*() && { return std::move(*this).value(); }
    [[nodiscard]] T* operator->() { return &value(); }
    [[nodiscard]] const T* operator->() const { return &value(); }

  private:
    void require() const {
        if (!value_) std::abort();
    }
    Status status_;
    std::optional<T> value_;
};

}  // namespace casmotion

// Returns the Status of `expression` from the calling function if it is a failure.
#define CASM_TRY(expression)                                                           \
    do {                                                                               \
        if (::casmotion::Status casm_try_status = (expression); !casm_try_status.ok()) \
            return casm_try_status;                                                    \
    } while (false)

// `CASM_ASSIGN(auto x, f());` sets x to the value of a Result, or returns its Status.
#define CASM_ASSIGN(target, expression) CASM_ASSIGN_1(target, expression, __COUNTER__)
#define CASM_ASSIGN_1(target, expression, n) CASM_ASSIGN_2(target, expression, n)
#define CASM_ASSIGN_2(target, expression, n)                    \
    auto casm_result_##n = (expression);                        \
    if (!casm_result_##n.ok()) return casm_result_##n.status(); \
    target = std::move(casm_result_##n).value()
