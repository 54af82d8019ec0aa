// SPDX-License-Identifier: GPL-2.0-or-later
//
// `replay` builds no domain from a configuration that `record` would not take, and `record` takes none that
// `replay` would refuse.
#include <filesystem>
#include <random>
#include <span>

#include "session/record_session.h"
#include "session/replay_session.h"
#include "support/honest_config.h"
#include "support/raw_log.h"
#include "support/session_fixture.h"

namespace casmotion::test {
namespace {

class ForeignConfigTest : public SessionTest {
  protected:
    ForeignConfigTest() {
        trace_ = synthetic_log({.seed = 1, .entries = 20});
        toolstack_.trace_of_created = trace_;
        toolstack_.config_template.json = honest_config().dump();
    }

    /// The log of recorded(), with another configuration and every checksum right, as `replay` sees it.
    Status replay_with(const std::string& config_json) {
        {
            auto reader = std::move(LogReader::open(folder_ / "log")).value();
            Manifest manifest = reader->manifest();
            manifest.guest.config_json = config_json;
            write_file(folder_ / "log/manifest", manifest_file(manifest));
            const ReadBack all = read_all(*reader);
            for (const auto& [name, content] : raw_log(manifest_file(manifest), all.records))
                write_file(folder_ / "log/" + name, content);
        }
        auto reader = std::move(LogReader::open(folder_ / "log")).value();
        ReplayRequest request;
        request.log_ring = request.feed_ring = RingBytes{CASM_RING_MIN_BYTES};
        toolstack_.rebuilt_json.clear();
        return replay(host(), *reader, request, {}).status();
    }

    /// `record` of a domain with this configuration.
    Status record_with(const std::string& config_json) {
        std::filesystem::remove_all(folder_ / "log");
        const DomId domain = toolstack_.add_domain("guest", trace_);
        toolstack_.configs[domain.value].json = config_json;
        request_.target = std::to_string(domain.value);
        const Status status = record(host(), request_).status();
        toolstack_.destroy(domain).ignore();
        return status;
    }
};

TEST_F(ForeignConfigTest, HostileLogStartsNothing) {
    recorded();
    ASSERT_TRUE(replay_with(honest_config().dump()).ok());
    for (const ConfigField& field : kHostileFields) {
        const uint16_t next = toolstack_.next_domid;
        const Status status = replay_with(with_field(honest_config(), field).dump());
        EXPECT_EQ(status.category(), Category::kLogInvalid) << field.path << ": " << status.message();
        EXPECT_TRUE(contains(status.message(), field.path)) << status.message();
        EXPECT_TRUE(contains(status.message(), "log " + (folder_ / "log"))) << status.message();
        EXPECT_EQ(toolstack_.rebuilt_json, "") << field.path;
        EXPECT_EQ(toolstack_.next_domid, next) << field.path;
    }
}

TEST_F(ForeignConfigTest, NameCannotWriteToATerminal) {
    recorded();
    auto reader = std::move(LogReader::open(folder_ / "log")).value();
    Manifest manifest = reader->manifest();
    manifest.guest.name = "\x1b[2J";
    const ReadBack all = read_all(*reader);
    for (const auto& [name, content] : raw_log(manifest_file(manifest), all.records))
        write_file(folder_ / "log/" + name, content);
    ASSERT_TRUE(replay_with(honest_config().dump()).ok());
    EXPECT_EQ(toolstack_.rebuilt.name, "\\x1b[2J-replay");
}

// A host that could not replay it anyway is no reason to look at the log's configuration less closely.
TEST_F(ForeignConfigTest, TheLogIsLookedAtBeforeTheHost) {
    recorded();
    xen_.host_info_error = ENOSYS;
    EXPECT_EQ(replay_with(with_field(honest_config(), kHostileFields[0]).dump()).category(),
              Category::kLogInvalid);
}

TEST_F(ForeignConfigTest, AnotherSizeThanTheManifestsIsRefused) {
    recorded();
    const Status status = replay_with(honest_config(131072 * 4).dump());
    EXPECT_EQ(status.category(), Category::kLogInvalid) << status.message();
    EXPECT_TRUE(contains(status.message(), "b_info.max_memkb")) << status.message();
}

TEST_F(ForeignConfigTest, RecordRefusesTheSame) {
    for (const ConfigField& field : kHostileFields) {
        const Status status = record_with(with_field(honest_config(), field).dump());
        EXPECT_EQ(status.category(), Category::kUsage) << field.path << ": " << status.message();
        EXPECT_TRUE(contains(status.message(), field.path)) << status.message();
        expect_nothing_left();
    }
}

TEST_F(ForeignConfigTest, WhatRecordTakesReplayTakes) {
    std::mt19937 random(12);
    const auto some = [&random](nlohmann::json& config, std::span<const ConfigField> fields) {
        for (const ConfigField& field : fields)
            if (random() % 4 == 0) config = with_field(config, field);
    };
    int taken = 0, refused = 0;
    for (int round = 0; round < 100; ++round) {
        nlohmann::json config = honest_config();
        some(config, kGuestFields);
        some(config, kHostFields);
        if (random() % 2 == 0)
            config = with_field(config, kHostileFields[random() % std::size(kHostileFields)]);
        const Status recording = record_with(config.dump());
        if (!recording.ok()) {
            ++refused;
            EXPECT_EQ(recording.category(), Category::kUsage) << recording.message();
            ASSERT_TRUE(record_with(honest_config().dump()).ok());
        } else {
            ++taken;
        }
        const Status replaying = replay_with(config.dump());
        EXPECT_EQ(replaying.ok(), recording.ok()) << config << replaying.message() << recording.message();
    }
    EXPECT_GT(taken, 20);
    EXPECT_GT(refused, 20);
}

}  // namespace
}  // namespace casmotion::test
