// SPDX-License-Identifier: GPL-2.0-or-later
//
// Runs the checks of the model whose names start with the argument and prints each with its time; "--list"
// prints the names. Exit code: that of the verdict.
#include <cstdio>
#include <string>

#include "casmotion/model_checks.h"

int main(int argc, char** argv) {
    using namespace casmotion;
    ModelCheckOptions options;
    if (argc > 1 && std::string(argv[1]) == "--list") {
        for (const std::string& name : model_check_names()) std::puts(name.c_str());
        return 0;
    }
    if (argc > 1) options.only = argv[1];
    const auto print = [](const ModelCheck& check) {
        std::printf("%s: %s in %.2f s, %llu solver steps\n  %s\n%s\n\n", check.name.c_str(),
                    std::string(name_of(check.result)).c_str(), static_cast<double>(check.time_ns) / 1e9,
                    static_cast<unsigned long long>(check.solver_steps), check.meaning.c_str(),
                    check.detail.c_str());
    };
    const auto checks = run_model_checks(options, print);
    const Status verdict = checks.ok() ? verdict_of(*checks) : checks.status();
    if (!verdict.ok()) std::fprintf(stderr, "%s\n", verdict.message().c_str());
    return verdict.exit_code();
}
