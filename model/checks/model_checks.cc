// SPDX-License-Identifier: GPL-2.0-or-later
#include "casmotion/model_checks.h"

#include <chrono>
#include <cstdlib>

#include "checks/checks.h"

namespace casmotion {

std::string_view name_of(ModelResult result) {
    switch (result) {
        case ModelResult::kProved:
            return "proved";
        case ModelResult::kRefuted:
            return "refuted";
        case ModelResult::kInconclusive:
            return "inconclusive";
    }
    std::abort();
}

namespace {

std::vector<model::NamedCheck> all_checks() {
    std::vector<model::NamedCheck> all;
    for (auto* const group : {model::theorem_checks, model::injectivity_checks, model::minimality_checks,
                              model::conformance_checks, model::mutation_checks, model::protocol_checks})
        for (model::NamedCheck& check : group()) all.push_back(std::move(check));
    return all;
}

}  // namespace

std::vector<std::string> model_check_names() {
    std::vector<std::string> names;
    for (const model::NamedCheck& check : all_checks()) names.push_back(check.name);
    return names;
}

Result<std::vector<ModelCheck>> run_model_checks(const ModelCheckOptions& options,
                                                 const std::function<void(const ModelCheck&)>& done) {
    std::vector<ModelCheck> results;
    for (const model::NamedCheck& check : all_checks()) {
        if (!check.name.starts_with(options.only)) continue;
        const auto start = std::chrono::steady_clock::now();
        model::Finding finding = check.run(smt::Limits{options.rlimit, options.seed});
        const auto time = std::chrono::steady_clock::now() - start;
        results.push_back(
            {check.group, check.name, check.meaning, finding.result,
             static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(time).count()),
             finding.solver_steps, std::move(finding.detail)});
        if (done) done(results.back());
    }
    if (results.empty())
        return Status(Category::kUsage, "no check of the model is named '" + options.only + "...'");
    return results;
}

Status verdict_of(const std::vector<ModelCheck>& checks) {
    for (const ModelCheck& check : checks)
        if (check.result == ModelResult::kRefuted)
            return {Category::kRefuted, "the model's check " + check.name + " is refuted"};
    for (const ModelCheck& check : checks)
        if (check.result == ModelResult::kInconclusive)
            return {Category::kInconclusive, "the model's check " + check.name + " is inconclusive"};
    return {};
}

}  // namespace casmotion
