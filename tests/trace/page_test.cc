// SPDX-License-Identifier: GPL-2.0-or-later
//
// The page of `casmotion verify --report`: everything from the log is escaped, nothing is fetched from
// anywhere.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include "casmotion/trace/trace_check.h"
#include "report/html_text.h"
#include "report/verify_page.h"
#include "support/log_files.h"
#include "support/raw_log.h"
#include "support/synthetic_log.h"

namespace casmotion {
namespace {

std::string page_of(const Manifest& manifest, const std::vector<Record>& records) {
    auto reader = LogReader::open(test::memory_source(test::raw_log(test::manifest_file(manifest), records)));
    EXPECT_TRUE(reader.ok()) << reader.status().message();
    const TraceReport report = check_trace(**reader);
    return verify_page(report, **reader, report.verdict(), std::nullopt);
}

std::size_t count(const std::string& text, const std::string& what) {
    std::size_t n = 0;
    for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) ++n;
    return n;
}

TEST(Page, WhatComesFromTheLogIsEscaped) {
    constexpr char kHostile[] = "</td><script>alert(1)</script><img src=x onerror=\"y\">&'\x1b[2J\xff";
    Manifest manifest = test::synthetic_manifest({});
    manifest.guest.name = manifest.guest.cmdline = manifest.kernel.name = kHostile;
    manifest.cpu.model_name = manifest.xen.version = manifest.xen.build_id = manifest.tool_version = kHostile;
    const std::string page = page_of(manifest, test::synthetic_log({}));
    EXPECT_EQ(page.find("<script"), std::string::npos);
    EXPECT_EQ(page.find("<img"), std::string::npos);
    EXPECT_EQ(page.find('\x1b'), std::string::npos);
    EXPECT_NE(page.find("&lt;script&gt;alert(1)"), std::string::npos);
    EXPECT_EQ(html("a<b>\"c'&"), "a&lt;b&gt;&quot;c&#39;&amp;");
}

TEST(Page, StandsAlone) {
    const std::string page = page_of(test::synthetic_manifest({}), test::synthetic_log({.entries = 3000}));
    for (const char* outside :
         {"http:", "https:", "src=", "href=", "url(", "@import", "<script", "<link", "<iframe"})
        EXPECT_EQ(page.find(outside), std::string::npos) << outside;
    EXPECT_NE(page.find("default-src 'none'"), std::string::npos);
    for (const char* tag : {"table", "svg", "p", "h2", "pre", "body", "html", "tr", "td", "th"})
        EXPECT_EQ(count(page, "<" + std::string(tag) + " ") + count(page, "<" + std::string(tag) + ">"),
                  count(page, "</" + std::string(tag) + ">"))
            << tag;
    EXPECT_GT(count(page, "<rect"), 100u);
}

TEST(Page, SaysVerdictConditionsAndTimePoints) {
    const std::string page = page_of(test::synthetic_manifest({}), test::synthetic_log({}));
    EXPECT_NE(page.find("inconclusive"), std::string::npos);
    for (const Condition condition : kConditions)
        EXPECT_NE(page.find("<th>" + std::string(name_of(condition)) + "</th>"), std::string::npos);
    EXPECT_NE(page.find("Time points between entries"), std::string::npos);
    std::vector<Record> wrong = test::synthetic_log({});
    wrong.erase(
        std::find_if(wrong.begin(), wrong.end(), [](const Record& r) { return r.cls == CASM_CLS_TSC; }));
    const std::string refuted = page_of(test::synthetic_manifest({}), wrong);
    EXPECT_NE(refuted.find("class=\"verdict no\""), std::string::npos);
    EXPECT_NE(refuted.find("<pre>"), std::string::npos);
}

TEST(Page, IsWrittenAsAWholeOrNotAtAll) {
    const test::TempFolder folder;
    EXPECT_TRUE(write_page(folder / "page.html", "first").ok());
    EXPECT_TRUE(write_page(folder / "page.html", "second").ok());
    EXPECT_EQ(test::read_file(folder / "page.html"), "second");
    EXPECT_EQ(write_page(folder / "no/page.html", "x").category(), Category::kHostLacks);
    EXPECT_FALSE(std::filesystem::exists(folder / "page.html.part"));
}

}  // namespace
}  // namespace casmotion
