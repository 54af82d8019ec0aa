// SPDX-License-Identifier: GPL-2.0-or-later
//
// The list of what a recording's configuration may hold, field by field.
#include "toolstack/recordable_config.h"

#include <gtest/gtest.h>

#include <string>

#include "casmotion/log_reader.h"
#include "support/honest_config.h"

namespace casmotion::test {
namespace {

using Json = nlohmann::json;

Result<RecordableConfig> read(const std::string& json) {
    return RecordableConfig::read(json, Category::kLogInvalid, "log x");
}

std::string refusal(const std::string& json) {
    const Result<RecordableConfig> config = read(json);
    if (config.ok()) return "";
    EXPECT_EQ(config.status().category(), Category::kLogInvalid);
    return config.status().message();
}

TEST(RecordableConfigTest, HostileFieldsAreRefusedByName) {
    for (const ConfigField& field : kHostileFields) {
        const std::string message = refusal(with_field(honest_config(), field).dump());
        EXPECT_TRUE(message.starts_with("log x: its configuration asks for ")) << field.path << message;
        EXPECT_NE(message.find(std::string(" ") + field.path), std::string::npos) << field.path << message;
        EXPECT_EQ(message.find('\n'), std::string::npos);
    }
    EXPECT_EQ(refusal(with_field(honest_config(), {"b_info.ioports", "[]"}).dump()),
              "log x: its configuration asks for b_info.ioports, which no recording has");
    EXPECT_EQ(refusal(with_field(honest_config(), {"b_info.max_vcpus", "2"}).dump()),
              "log x: its configuration asks for a b_info.max_vcpus that no recording has");
}

TEST(RecordableConfigTest, RequiredFieldsAreMissedByName) {
    for (const char* path : {"/c_info", "/b_info", "/c_info/type", "/b_info/max_vcpus", "/b_info/max_memkb",
                             "/b_info/type.pv"}) {
        Json config = honest_config();
        const Json::json_pointer pointer(path);
        config[pointer.parent_pointer()].erase(pointer.back());
        EXPECT_NE(refusal(config.dump()).find("which every recording has"), std::string::npos) << path;
    }
}

TEST(RecordableConfigTest, WhatIsNoConfigurationIsRefused) {
    for (const char* json : {"", "{", "[]", "null", "1", "{} {}", "\"\xff\"", R"({"c_info": []})"})
        EXPECT_NE(refusal(json), "") << json;
    EXPECT_NE(refusal(std::string(1u << 20, '[')), "");
    // A name with an escape sequence for the terminal.
    EXPECT_EQ(refusal(R"({"\u001b[2J": 1})"),
              "log x: its configuration asks for \\x1b[2J, which no recording has");
}

TEST(RecordableConfigTest, TheGuestsFieldsAreKeptAndTheHostsAreNot) {
    const Json plain = Json::parse(read(honest_config().dump())->json());
    EXPECT_EQ(plain["b_info"]["max_memkb"], 131072);
    EXPECT_EQ(plain["b_info"]["cmdline"], "console=hvc0");
    for (const ConfigField& field : kGuestFields) {
        const Result<RecordableConfig> config = read(with_field(honest_config(), field).dump());
        ASSERT_TRUE(config.ok()) << field.path << config.status().message();
        EXPECT_EQ(Json::parse(config->json()), with_field(plain, field)) << field.path;
        EXPECT_EQ(config->memory_kib(), 131072u);
    }
    for (const ConfigField& field : kHostFields) {
        const Result<RecordableConfig> config = read(with_field(honest_config(), field).dump());
        ASSERT_TRUE(config.ok()) << field.path << config.status().message();
        EXPECT_EQ(Json::parse(config->json()), plain) << field.path;
    }
    // What passed passes again, and stays as it is.
    Json canonical = plain;
    EXPECT_EQ(read(canonical.dump())->json(), canonical.dump());
}

// libxl takes the first of two fields with one name, the parser here the last: it never sees the log's text.
TEST(RecordableConfigTest, FieldGivenTwiceReachesLibxlOnce) {
    std::string json = honest_config().dump();
    json.insert(1, R"("b_info": {"type.pv": {}, "ioports": [{"first": 1016, "number": 8}]},)");
    const Result<RecordableConfig> config = read(json);
    ASSERT_TRUE(config.ok()) << config.status().message();
    EXPECT_EQ(config->json(), read(honest_config().dump())->json());
    EXPECT_EQ(config->json().find("ioports"), std::string::npos);
}

TEST(RecordableConfigTest, ConfigurationsThatLibxlWrotePass) {
    for (const char* name : {"probe-points.log", "probe-shutdown.log", "probe-stopped.log"}) {
        const auto reader = LogReader::open(std::string(CASMOTION_REAL_LOGS) + "/" + name);
        ASSERT_TRUE(reader.ok()) << reader.status().message();
        const GuestIdentity& guest = (*reader)->manifest().guest;
        const Result<RecordableConfig> config = read(guest.config_json);
        ASSERT_TRUE(config.ok()) << config.status().message();
        EXPECT_EQ(config->memory_kib(), guest.memory_kib);
        EXPECT_EQ(Json::parse(config->json())["b_info"]["cmdline"], guest.cmdline);
    }
}

}  // namespace
}  // namespace casmotion::test
