// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/suggest.h"

#include <algorithm>

#include "base/host_text.h"

namespace casmotion {
namespace {

const CLI::App& chosen(const CLI::App& app) {
    const std::vector<CLI::App*> parsed = app.get_subcommands();
    return parsed.empty() ? app : *parsed.front();
}

std::vector<std::string> option_names(const CLI::App& app) {
    std::vector<std::string> out;
    for (const CLI::Option* option : app.get_options())
        for (const std::string& name : option->get_lnames()) out.push_back("--" + name);
    return out;
}

}  // namespace

size_t edit_distance(std::string_view a, std::string_view b) {
    std::vector<size_t> row(b.size() + 1);
    for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
    for (size_t i = 1; i <= a.size(); ++i) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b.size(); ++j) {
            const size_t above = row[j];
            row[j] = std::min({row[j] + 1, row[j - 1] + 1, diagonal + (a[i - 1] == b[j - 1] ? 0 : 1)});
            diagonal = above;
        }
    }
    return row[b.size()];
}

std::string nearest(std::string_view word, const std::vector<std::string>& known) {
    std::string best;
    size_t best_distance = std::max<size_t>(2, word.size() / 3) + 1;
    for (const std::string& each : known) {
        // The beginning of a word means that word, however long it is.
        const size_t distance = word.size() >= 3 && each.starts_with(word) ? 1 : edit_distance(word, each);
        if (distance < best_distance) {
            best_distance = distance;
            best = each;
        }
    }
    return best;
}

std::string usage_message(const CLI::App& app, const CLI::ParseError& error,
                          const std::vector<std::string>& arguments) {
    const CLI::App& command = chosen(app);
    std::string text = printable(error.what());
    std::string meant;
    if (&command == &app) {
        std::vector<std::string> names;
        for (const CLI::App* each : app.get_subcommands([](const CLI::App*) { return true; }))
            names.push_back(each->get_name());
        for (const std::string& argument : arguments) {
            if (argument.starts_with("-")) continue;
            text = "there is no command '" + printable(argument) + "'";
            meant = nearest(argument, names);
            break;
        }
        if (arguments.empty()) text = "a command is missing";
    } else {
        std::vector<std::string> known = option_names(command);
        for (const std::string& name : option_names(app)) known.push_back(name);
        for (const std::string& argument : arguments) {
            const std::string name = argument.substr(0, argument.find('='));
            if (!name.starts_with("--") || name == "--" ||
                std::find(known.begin(), known.end(), name) != known.end())
                continue;
            text = "there is no option " + printable(name);
            meant = nearest(name, known);
            break;
        }
    }
    if (!meant.empty()) text += "; did you mean " + meant + "?";
    return text + " (see 'casmotion " + (&command == &app ? "" : command.get_name() + " ") + "--help')";
}

}  // namespace casmotion
