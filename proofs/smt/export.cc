// SPDX-License-Identifier: GPL-2.0-or-later
//
// Writes the obligations of model/ as SMT-LIB files: FOLDER/<group>/<name>.smt2, one per proof. Nothing else
// is in these files' folders with that ending; files of obligations that no longer exist are removed.
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>
#include <system_error>

#include "effects/conformance.h"
#include "machine/theorem.h"

namespace {

namespace fs = std::filesystem;
using namespace casmotion;

// Every obligation's group, name and text.
template <typename Visit>
void each_obligation(const Visit& visit) {
    const model::AnyMachine machine;
    for (const model::Obligation& obligation : model::theorem_obligations(machine)) visit(obligation);
    for (const model::Obligation& obligation : model::injectivity_obligations(machine)) visit(obligation);
    for (const ClassInfo& info : kClasses)
        for (const model::Property property :
             {model::Property::kEquivalence, model::Property::kDetection, model::Property::kFrame,
              model::Property::kContainment, model::Property::kDetermination})
            visit(model::ClassObligation(info.id, property).obligation());
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 2) {
        std::fprintf(stderr, "usage: casmotion-proofs-export FOLDER\n");
        return 2;
    }
    const fs::path root = argv[1];
    std::set<fs::path> written;
    bool failed = false;
    each_obligation([&](const model::Obligation& obligation) {
        const fs::path file = root / obligation.folder / (obligation.name + ".smt2");
        std::error_code error;
        fs::create_directories(file.parent_path(), error);
        std::ofstream out(file, std::ios::binary);
        out << model::script_of(obligation).text();
        out.close();
        if (!out) {
            std::fprintf(stderr, "casmotion-proofs-export: cannot write %s\n", file.c_str());
            failed = true;
        }
        written.insert(file);
    });
    for (const char* group : {"theorem", "injectivity", "effects"})
        for (const fs::directory_entry& entry : fs::directory_iterator(root / group))
            if (entry.path().extension() == ".smt2" && !written.contains(entry.path()))
                fs::remove(entry.path());
    std::printf("%zu obligations\n", written.size());
    return failed ? 69 : 0;
}
