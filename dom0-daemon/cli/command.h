// SPDX-License-Identifier: GPL-2.0-or-later
//
// A command of the program: declares its options, then runs. One file per command; main() wires them
// together.
#pragma once

#include <CLI/CLI.hpp>
#include <memory>
#include <string>
#include <vector>

#include "casmotion/status.h"

namespace casmotion {

/// Options that every command has.
struct GlobalOptions {
    bool quiet = false;    ///< no notices and no progress
    bool verbose = false;  ///< messages of libxl too
};

class Command {
  public:
    virtual ~Command() = default;
    /// Runs after the options were parsed. What failed comes back as a Status, whose category is the exit
    /// code; a failure that the command reported in full itself has the same form, and its line is printed
    /// after the report.
    virtual Status run(const GlobalOptions& global) = 0;
};

/// A command that was declared, and the parser's node that says whether it was chosen.
struct DeclaredCommand {
    CLI::App* app;
    std::unique_ptr<Command> command;
};

DeclaredCommand declare_record(CLI::App& parent);
DeclaredCommand declare_replay(CLI::App& parent);
DeclaredCommand declare_info(CLI::App& parent);
DeclaredCommand declare_events(CLI::App& parent);
DeclaredCommand declare_verify(CLI::App& parent);
DeclaredCommand declare_doctor(CLI::App& parent);
DeclaredCommand declare_setup(CLI::App& parent);
DeclaredCommand declare_attend(CLI::App& parent);

/// Writes to stdout; host lacks (69) when that fails (a full disk, a closed pipe).
Status write_stdout(std::string_view text);

}  // namespace casmotion
