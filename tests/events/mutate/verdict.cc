// SPDX-License-Identifier: GPL-2.0-or-later
//
// casmotion-log-verdict LOG: what check_log() says of a log, as JSON; exits with its code. The other side of
// the comparison with scripts/check-log.
#include <iostream>

#include "casmotion/log_check.h"

int main(int argc, char** argv) {
    using namespace casmotion;
    if (argc != 2) {
        std::cerr << "usage: casmotion-log-verdict LOG\n";
        return 2;
    }
    auto reader = LogReader::open(argv[1]);
    if (!reader.ok()) {
        std::cerr << "casmotion-log-verdict: " << reader.status().message() << '\n';
        return reader.status().exit_code();
    }
    const LogReport report = check_log(**reader);
    std::cout << to_json(report);
    return report.verdict().exit_code();
}
