// SPDX-License-Identifier: GPL-2.0-or-later
#include <cstdio>
#include <exception>
#include <string>
#include <vector>

#include "base/host_text.h"
#include "base/version.h"
#include "casm_abi.h"
#include "casmotion/manifest.h"
#include "cli/command.h"
#include "cli/suggest.h"

namespace casmotion {
namespace {

std::string version_text() {
    return "casmotion " + std::string(kVersion) + " (log format " + std::to_string(kLogFormatVersion) +
           ", hypervisor interface " + std::to_string(CASM_ABI_VERSION) + ")";
}

int run(int argc, char** argv) {
    CLI::App app{"Records a Xen PV guest and replays it, instruction for instruction", "casmotion"};
    app.set_version_flag("--version", version_text());
    app.require_subcommand(1);
    app.fallthrough();
    GlobalOptions global;
    app.add_flag("-q,--quiet", global.quiet, "no notices and no progress on stderr");
    app.add_flag("-v,--verbose", global.verbose, "show libxl's own messages");
    app.footer(
        "Examples:\n"
        "  casmotion setup                           once after boot: the recording cpupool\n"
        "  casmotion record guest.cfg -o boot.log    record a guest until it ends\n"
        "  casmotion replay boot.log                 the same again, every state compared\n"
        "\n"
        "Exit codes: 0 ok, 1 diverged or refuted, 2 usage, 65 log invalid or incomplete, 69 the host lacks "
        "something,\n"
        "70 internal error, 75 inconclusive.");

    std::vector<DeclaredCommand> commands;
    commands.push_back(declare_record(app));
    commands.push_back(declare_replay(app));
    commands.push_back(declare_info(app));
    commands.push_back(declare_events(app));
    commands.push_back(declare_verify(app));
    commands.push_back(declare_doctor(app));
    commands.push_back(declare_setup(app));
    commands.push_back(declare_attend(app));

    try {
        app.parse(argc, argv);
    } catch (const CLI::Success& success) {  // --help, --version
        app.exit(success);
        return std::fflush(stdout) == 0 ? 0 : static_cast<int>(Category::kHostLacks);
    } catch (const CLI::ParseError& error) {
        std::fprintf(stderr, "casmotion: %s\n", usage_message(app, error, {argv + 1, argv + argc}).c_str());
        return static_cast<int>(Category::kUsage);
    }

    for (const DeclaredCommand& each : commands) {
        if (!each.app->parsed()) continue;
        const Status status = each.command->run(global);
        if (!status.ok())
            std::fprintf(stderr, "casmotion: %s: %s\n", each.app->get_name().c_str(),

                         without_controls(status.message()).c_str());
        return status.exit_code();
    }
    return static_cast<int>(Category::kInternal);
}

}  // namespace
}  // namespace casmotion

int main(int argc, char** argv) {
    try {
        return casmotion::run(argc, argv);
    } catch (const std::exception& error) {  // out of memory, or a bug
        std::fprintf(stderr, "casmotion: internal error: %s\n", error.what());
        return static_cast<int>(casmotion::Category::kInternal);
    }
}
