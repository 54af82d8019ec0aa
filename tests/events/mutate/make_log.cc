// SPDX-License-Identifier: GPL-2.0-or-later
//
// casmotion-make-log OUT SEED ENTRIES [FLUSH]: a synthetic log on which all checks hold; for tests of other
// programs. With FLUSH a chunk ends after every so many records.
#include <cstdlib>
#include <iostream>
#include <string>

#include "casmotion/log_writer.h"
#include "support/synthetic_log.h"

int main(int argc, char** argv) {
    using namespace casmotion;
    if (argc != 4 && argc != 5) {
        std::cerr << "usage: casmotion-make-log OUT SEED ENTRIES [FLUSH]\n";
        return 2;
    }
    const test::SyntheticOptions options{.seed = std::strtoull(argv[2], nullptr, 0),
                                         .entries = std::strtoull(argv[3], nullptr, 0)};
    const std::uint64_t flush = argc == 5 ? std::strtoull(argv[4], nullptr, 0) : 0;
    const auto run = [&]() -> Status {
        std::unique_ptr<LogWriter> writer;
        CASM_ASSIGN(writer, LogWriter::create(argv[1], test::synthetic_manifest(options), {}));
        std::uint64_t records = 0;
        for (const Record& record : test::synthetic_log(options)) {
            CASM_TRY(writer->append(record));
            if (flush != 0 && ++records % flush == 0) CASM_TRY(writer->flush());
        }
        return writer->close({});
    };
    if (const Status status = run(); !status.ok()) {
        std::cerr << "casmotion-make-log: " << status.message() << '\n';
        return status.exit_code();
    }
    return 0;
}
