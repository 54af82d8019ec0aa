// SPDX-License-Identifier: GPL-2.0-or-later
//
// The bridge between a guest's ring page and the stand-in page of the back end (casm/bridge.c).
#include <gtest/gtest.h>

#include <array>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "support/product.h"
#include "support/seed.h"

extern "C" {
#include <xen/io/console.h>
#include <xen/io/xs_wire.h>
}

namespace casmotion::test {
namespace {

using Page = std::array<std::uint8_t, 4096>;
struct Write {
    unsigned offset, len;
    bool operator==(const Write&) const = default;
};

// A bridge over two pages of their own, guarded by AddressSanitizer, with a list of what it wrote into the
// guest's.
class Pair {
  public:
    explicit Pair(const casm_bridge_layout& layout) {
        shim = {};
        guest.fill(0);
        standin.fill(0);
        bridge.guest = guest.data();
        bridge.standin = standin.data();
        bridge.layout = &layout;
    }

    bool up() { return casm_bridge_up(&bridge); }
    std::vector<Write> down() {
        writes.clear();
        casm_bridge_down(
            &bridge,
            [](void* ctx, unsigned offset, unsigned len) {
                auto& self = *static_cast<Pair*>(ctx);
                self.writes.push_back({offset, len});
                self.pages.push_back(self.guest);
            },
            this);
        return writes;
    }
    static std::uint32_t load(const Page& page, unsigned at) {
        std::uint32_t word;
        std::memcpy(&word, page.data() + at, 4);
        return word;
    }
    static void store(Page& page, unsigned at, std::uint32_t word) {
        std::memcpy(page.data() + at, &word, 4);
    }

    // A producer and a consumer of one direction, on the given side.
    static void produce(Page& page, const casm_half& half, const std::string& text) {
        std::uint32_t prod = load(page, half.prod);
        for (char c : text)
            page[half.data + (prod++ & (half.size_bytes - 1u))] = static_cast<std::uint8_t>(c);
        store(page, half.prod, prod);
    }
    static std::string consume(Page& page, const casm_half& half, std::uint32_t max = ~0u) {
        std::uint32_t cons = load(page, half.cons);
        std::string text;
        for (const std::uint32_t prod = load(page, half.prod); cons != prod && text.size() < max;)
            text += static_cast<char>(page[half.data + (cons++ & (half.size_bytes - 1u))]);
        store(page, half.cons, cons);
        return text;
    }

  private:  // before the references to it
    std::unique_ptr<Page> guest_ = std::make_unique<Page>(), standin_ = std::make_unique<Page>();

  public:
    Page& guest = *guest_;
    Page& standin = *standin_;
    casm_bridge bridge{};
    std::vector<Write> writes;
    std::vector<Page> pages;  // the guest's page after each write
};

// The bytes of a page that the layout names, by what they are.
bool in_half_data(const casm_half& half, unsigned at) {
    return at >= half.data && at < half.data + half.size_bytes;
}
bool in_word(unsigned word, unsigned at) {
    return at >= word && at < word + 4;
}

class BothLayouts : public testing::TestWithParam<const casm_bridge_layout*> {
  protected:
    const casm_bridge_layout& layout() const { return *GetParam(); }
};
INSTANTIATE_TEST_SUITE_P(Bridge, BothLayouts, testing::Values(&casm_console_layout, &casm_xenstore_layout),
                         [](const auto& info) { return info.index == 0 ? "Console" : "Xenstore"; });

TEST(BridgeLayout, ConsoleIsThatOfThePublicHeader) {
    using Interface = xencons_interface;
    EXPECT_EQ(casm_console_layout.up.data, offsetof(Interface, out));
    EXPECT_EQ(casm_console_layout.up.size_bytes, sizeof(Interface::out));
    EXPECT_EQ(casm_console_layout.up.cons, offsetof(Interface, out_cons));
    EXPECT_EQ(casm_console_layout.up.prod, offsetof(Interface, out_prod));
    EXPECT_EQ(casm_console_layout.down.data, offsetof(Interface, in));
    EXPECT_EQ(casm_console_layout.down.size_bytes, sizeof(Interface::in));
    EXPECT_EQ(casm_console_layout.down.cons, offsetof(Interface, in_cons));
    EXPECT_EQ(casm_console_layout.down.prod, offsetof(Interface, in_prod));
    for (auto word : casm_console_layout.word) EXPECT_EQ(word, 0);
}

TEST(BridgeLayout, XenstoreIsThatOfThePublicHeader) {
    using Interface = xenstore_domain_interface;
    EXPECT_EQ(casm_xenstore_layout.up.data, offsetof(Interface, req));
    EXPECT_EQ(casm_xenstore_layout.up.size_bytes, sizeof(Interface::req));
    EXPECT_EQ(casm_xenstore_layout.up.cons, offsetof(Interface, req_cons));
    EXPECT_EQ(casm_xenstore_layout.up.prod, offsetof(Interface, req_prod));
    EXPECT_EQ(casm_xenstore_layout.down.data, offsetof(Interface, rsp));
    EXPECT_EQ(casm_xenstore_layout.down.size_bytes, sizeof(Interface::rsp));
    EXPECT_EQ(casm_xenstore_layout.down.cons, offsetof(Interface, rsp_cons));
    EXPECT_EQ(casm_xenstore_layout.down.prod, offsetof(Interface, rsp_prod));
    EXPECT_EQ(casm_xenstore_layout.word[0], offsetof(Interface, server_features));
    EXPECT_EQ(casm_xenstore_layout.word[1], offsetof(Interface, connection));
    EXPECT_EQ(casm_xenstore_layout.word[2], offsetof(Interface, error));
}

TEST_P(BothLayouts, AttachCopiesThePage) {
    Pair pair(layout());
    for (unsigned i = 0; i < 4096; ++i) pair.guest[i] = static_cast<std::uint8_t>(i * 7 + i / 256);
    casm_bridge_attach(&pair.bridge);
    EXPECT_EQ(pair.standin, pair.guest);
    EXPECT_FALSE(pair.up());
    EXPECT_TRUE(pair.down().empty());
}

TEST_P(BothLayouts, UpCarriesWhatTheGuestPublishedAndSaysSo) {
    Pair pair(layout());
    casm_bridge_attach(&pair.bridge);
    EXPECT_FALSE(pair.up()) << "nothing was published";
    Pair::produce(pair.guest, layout().up, "hello");
    EXPECT_TRUE(pair.up());
    EXPECT_EQ(Pair::consume(pair.standin, layout().up), "hello");
    EXPECT_FALSE(pair.up()) << "it was carried already";
}

TEST_P(BothLayouts, DownCarriesWhatTheBackEndPublished) {
    Pair pair(layout());
    casm_bridge_attach(&pair.bridge);
    Pair::produce(pair.standin, layout().down, "reply");
    EXPECT_EQ(pair.down(), (std::vector<Write>{{layout().down.data, 5}, {layout().down.prod, 4}}));
    EXPECT_EQ(Pair::consume(pair.guest, layout().down), "reply");
    EXPECT_TRUE(pair.down().empty()) << "it was carried already";
}

TEST_P(BothLayouts, ConsumerIndexesTravelToTheProducer) {
    Pair pair(layout());
    casm_bridge_attach(&pair.bridge);
    Pair::produce(pair.guest, layout().up, "request");
    pair.up();
    Pair::consume(pair.standin, layout().up);
    EXPECT_EQ(pair.down(), (std::vector<Write>{{layout().up.cons, 4}}));
    EXPECT_EQ(Pair::load(pair.guest, layout().up.cons), 7u);

    Pair::produce(pair.standin, layout().down, "xyz");
    pair.down();
    Pair::consume(pair.guest, layout().down);
    EXPECT_TRUE(pair.up()) << "the back end may wait for room";
    EXPECT_EQ(Pair::load(pair.standin, layout().down.cons), 3u);
}

TEST_P(BothLayouts, DataWrapsInBothDirections) {
    Pair pair(layout());
    for (Page* page : {&pair.guest, &pair.standin}) {
        for (const casm_half* half : {&layout().up, &layout().down}) {
            // Also across 2^32, which the indexes pass.
            Pair::store(*page, half->prod, 0u - 3);
            Pair::store(*page, half->cons, 0u - 3);
        }
    }
    casm_bridge_attach(&pair.bridge);
    Pair::produce(pair.guest, layout().up, "abcdefg");
    Pair::produce(pair.standin, layout().down, "tuvwxyz");
    EXPECT_TRUE(pair.up());
    const unsigned size = layout().down.size_bytes, data = layout().down.data;
    EXPECT_EQ(pair.down(), (std::vector<Write>{{data + size - 3, 3}, {data, 4}, {layout().down.prod, 4}}));
    EXPECT_EQ(Pair::consume(pair.standin, layout().up), "abcdefg");
    EXPECT_EQ(Pair::consume(pair.guest, layout().down), "tuvwxyz");
}

TEST_P(BothLayouts, AFullRingIsCarriedInOnePiece) {
    Pair pair(layout());
    casm_bridge_attach(&pair.bridge);
    const std::string text(layout().down.size_bytes, 'f');
    Pair::produce(pair.standin, layout().down, text);
    EXPECT_EQ(pair.down(),
              (std::vector<Write>{{layout().down.data, layout().down.size_bytes}, {layout().down.prod, 4}}));
    EXPECT_EQ(Pair::consume(pair.guest, layout().down), text);
}

TEST_P(BothLayouts, UpWritesDataThenABarrierThenTheIndex) {
    Pair pair(layout());
    casm_bridge_attach(&pair.bridge);
    Pair::produce(pair.guest, layout().up, "ordered");
    shim.ctx = &pair;
    shim.on_wmb = [](void* ctx) {
        auto& self = *static_cast<Pair*>(ctx);
        const casm_half& up = self.bridge.layout->up;
        EXPECT_EQ(std::memcmp(self.standin.data() + up.data, "ordered", 7), 0)
            << "data is there before the barrier";
        EXPECT_EQ(Pair::load(self.standin, up.prod), 0u) << "the index is not";
    };
    pair.up();
    EXPECT_EQ(shim.wmbs, 1u);
    EXPECT_EQ(Pair::load(pair.standin, layout().up.prod), 7u);
}

TEST_P(BothLayouts, DownWritesDataBeforeTheIndex) {
    Pair pair(layout());
    casm_bridge_attach(&pair.bridge);
    const std::uint32_t start = layout().down.size_bytes - 2u;
    for (Page* page : {&pair.guest, &pair.standin}) {
        Pair::store(*page, layout().down.prod, start);
        Pair::store(*page, layout().down.cons, start);
    }
    Pair::produce(pair.standin, layout().down, "ordered");
    pair.pages.clear();
    const auto writes = pair.down();
    ASSERT_EQ(writes.size(), 3u);
    EXPECT_EQ(writes.back(), (Write{layout().down.prod, 4})) << "the producer index is the last write";
    for (unsigned i = 0; i < writes.size(); ++i) {
        const bool last = i + 1 == writes.size();
        EXPECT_EQ(Pair::load(pair.pages[i], layout().down.prod), last ? start + 7 : start) << "write " << i;
    }
}

TEST_P(BothLayouts, DownCarriesNoMoreThanTheIndexItReadFirstCovers) {
    Pair pair(layout());
    casm_bridge_attach(&pair.bridge);
    Pair::produce(pair.standin, layout().down, "first");
    shim.ctx = &pair;
    // The back end goes on publishing while the bridge works.
    shim.on_rmb = [](void* ctx) {
        auto& self = *static_cast<Pair*>(ctx);
        Pair::produce(self.standin, self.bridge.layout->down, "second");
        Pair::store(self.standin, self.bridge.layout->up.cons, 77);
    };
    pair.down();
    EXPECT_EQ(shim.rmbs, 1u);
    EXPECT_EQ(Pair::consume(pair.guest, layout().down), "first");
    shim.on_rmb = nullptr;
    pair.down();
    EXPECT_EQ(Pair::consume(pair.guest, layout().down), "second");
    EXPECT_EQ(Pair::load(pair.guest, layout().up.cons), 77u);
}

TEST(BridgeWords, TravelWhicheverSideChangesThem) {
    Pair pair(casm_xenstore_layout);
    casm_bridge_attach(&pair.bridge);
    for (unsigned at : casm_xenstore_layout.word) {
        Pair::store(pair.guest, at, 5);
        EXPECT_TRUE(pair.up());
        EXPECT_EQ(Pair::load(pair.standin, at), 5u);
        EXPECT_TRUE(pair.down().empty()) << "not echoed";
        Pair::store(pair.standin, at, 6);
        EXPECT_EQ(pair.down(), (std::vector<Write>{{at, 4}}));
        EXPECT_EQ(Pair::load(pair.guest, at), 6u);
        EXPECT_FALSE(pair.up()) << "not echoed";
    }
}

TEST(BridgeWords, TheBackEndWinsWhenBothChangeOne) {
    Pair pair(casm_xenstore_layout);
    casm_bridge_attach(&pair.bridge);
    const unsigned connection = casm_xenstore_layout.word[1];
    Pair::store(pair.guest, connection, 1);
    Pair::store(pair.standin, connection, 2);
    pair.up();
    pair.down();
    EXPECT_EQ(Pair::load(pair.guest, connection), 2u);
    EXPECT_EQ(Pair::load(pair.standin, connection), 2u);
}

TEST(BridgeText, ReportsWhatWasPrintedOnceAndInOrder) {
    Pair pair(casm_console_layout);
    std::uint32_t seen = 0;
    std::array<std::uint8_t, 4> buf{};
    std::string text;
    Pair::produce(pair.guest, casm_console_layout.up, "hello world");
    while (unsigned n = casm_bridge_text(&pair.bridge, &seen, buf.data(), buf.size()))
        text.append(buf.begin(), buf.begin() + n);
    EXPECT_EQ(text, "hello world");
    EXPECT_EQ(seen, 11u);
}

TEST(BridgeText, SkipsWhatWasOverwrittenBeforeAnybodyLooked) {
    Pair pair(casm_console_layout);
    std::uint32_t seen = 0;
    std::vector<std::uint8_t> buf(4096);
    Pair::store(pair.guest, casm_console_layout.up.prod, 5000);
    EXPECT_EQ(casm_bridge_text(&pair.bridge, &seen, buf.data(), 4096), 2048u);
    EXPECT_EQ(seen, 5000u);
}

TEST(BridgeText, IsUnreadUntilTheBackEndHasTakenIt) {
    Pair pair(casm_console_layout);
    Pair::produce(pair.guest, casm_console_layout.up, "hello");
    EXPECT_EQ(casm_bridge_unread(&pair.bridge), 0u) << "not given to it yet";
    pair.up();
    EXPECT_EQ(casm_bridge_unread(&pair.bridge), 5u);
    Pair::store(pair.standin, casm_console_layout.up.cons, 5);
    EXPECT_EQ(casm_bridge_unread(&pair.bridge), 0u);
    Pair::store(pair.standin, casm_console_layout.up.cons, 6);
    EXPECT_EQ(casm_bridge_unread(&pair.bridge), 2048u) << "nonsense is bounded";
}

// Whatever both sides write: only the halves' own bytes move, each to its own place.
TEST_P(BothLayouts, NonsenseNeverLeavesItsRing) {
    const std::uint64_t seed = base_seed();
    CASMOTION_TRACE_SEED(seed);
    Random random(seed);
    Pair pair(layout());
    casm_bridge_attach(&pair.bridge);
    for (int round = 0; round < 3000; ++round) {
        for (Page* page : {&pair.guest, &pair.standin})
            for (unsigned i = 0; i < 4096; i += 8) {
                const std::uint64_t word = random.one_in(3) ? random.word() : 0;
                std::memcpy(page->data() + i, &word, 8);
            }
        const Page guest = pair.guest, standin = pair.standin;
        if (random.one_in(2)) {
            pair.up();
            ASSERT_EQ(pair.guest, guest) << "up writes no byte of the guest";
            for (unsigned i = 0; i < 4096; ++i) {
                if (pair.standin[i] == standin[i]) continue;
                bool allowed = in_half_data(layout().up, i) || in_word(layout().up.prod, i) ||
                               in_word(layout().down.cons, i);
                for (unsigned at : layout().word) allowed |= at != 0 && in_word(at, i);
                ASSERT_TRUE(allowed) << "offset " << i << ", round " << round;
                ASSERT_EQ(pair.standin[i], guest[i]) << "comes from the same place";
            }
            ASSERT_EQ(Pair::load(pair.standin, layout().up.prod), Pair::load(guest, layout().up.prod));
        } else {
            const auto writes = pair.down();
            ASSERT_EQ(pair.standin, standin) << "down writes no byte of the stand-in";
            std::array<bool, 4096> told{};
            for (const Write& write : writes) {
                ASSERT_TRUE(write.len >= 1 && write.len <= layout().down.size_bytes &&
                            write.offset + write.len <= 4096);
                for (unsigned i = 0; i < write.len; ++i) told[write.offset + i] = true;
            }
            for (unsigned i = 0; i < 4096; ++i) {
                bool allowed = in_half_data(layout().down, i) || in_word(layout().down.prod, i) ||
                               in_word(layout().up.cons, i);
                for (unsigned at : layout().word) allowed |= at != 0 && in_word(at, i);
                ASSERT_TRUE(allowed || !told[i]) << "offset " << i << ", round " << round;
                ASSERT_EQ(pair.guest[i], told[i] ? standin[i] : guest[i])
                    << "each write is told, offset " << i;
            }
        }
        std::uint32_t seen = static_cast<std::uint32_t>(random.word());
        std::array<std::uint8_t, 100> buf{};
        ASSERT_LE(casm_bridge_text(&pair.bridge, &seen, buf.data(), buf.size()), buf.size());
    }
}

// A peer that follows its protocol, on one side of the bridge.
class Peer {
  public:
    Peer(Page& page, const casm_half& out, const casm_half& in, std::uint8_t first)
        : page_(page), out_(out), in_(in), next_(first) {}

    void step(Random& random) {
        const std::uint32_t prod = Pair::load(page_, out_.prod), cons = Pair::load(page_, out_.cons);
        std::uint32_t room = out_.size_bytes - (prod - cons);
        std::string text;
        for (room = static_cast<std::uint32_t>(random.below(room + 1u)); room != 0; --room) {
            text += static_cast<char>(next_++ * 37);
        }
        sent += text;
        Pair::produce(page_, out_, text);
        received += Pair::consume(page_, in_, static_cast<std::uint32_t>(random.below(in_.size_bytes + 1u)));
    }
    void drain() { received += Pair::consume(page_, in_); }

    std::string sent, received;

  private:
    Page& page_;
    const casm_half &out_, &in_;
    std::uint8_t next_;
};

TEST_P(BothLayouts, NoByteIsLostDuplicatedOrReordered) {
    for (std::uint64_t i = 0; i < 40; ++i) {
        const std::uint64_t seed = base_seed() + i;
        CASMOTION_TRACE_SEED(seed);
        Random random(seed);
        Pair pair(layout());
        const auto start = static_cast<std::uint32_t>(random.word());
        for (unsigned at : {layout().up.prod, layout().up.cons, layout().down.prod, layout().down.cons})
            Pair::store(pair.guest, at, start);
        casm_bridge_attach(&pair.bridge);
        Peer guest(pair.guest, layout().up, layout().down, 1);
        Peer back(pair.standin, layout().down, layout().up, 129);
        for (int step = 0; step < 400; ++step) {
            switch (random.below(4)) {
                case 0:
                    guest.step(random);
                    break;
                case 1:
                    back.step(random);
                    break;
                case 2:
                    pair.up();
                    break;
                case 3:
                    pair.down();
                    break;
            }
        }
        pair.up();
        back.drain();
        pair.down();
        guest.drain();
        ASSERT_EQ(back.received, guest.sent);
        ASSERT_EQ(guest.received, back.sent);
        ASSERT_FALSE(guest.sent.empty());
    }
}

}  // namespace
}  // namespace casmotion::test
