// SPDX-License-Identifier: GPL-2.0-or-later
//
// libFuzzer: the bridge with any page contents on both sides and any sequence of operations. Input: layout,
// both pages' control words, then operations of a few bytes each.
#include <fuzzer/FuzzedDataProvider.h>

#include <cstdlib>
#include <memory>

#include "support/product.h"

namespace {

constexpr unsigned kPage = 4096;

struct Told {
    unsigned calls = 0;
    const casm_half* down;
};

void check(bool condition) {
    if (!condition) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    FuzzedDataProvider input(data, size);
    // Pages of their own: AddressSanitizer sees each byte outside.
    const auto guest = std::make_unique<std::uint8_t[]>(kPage),
               standin = std::make_unique<std::uint8_t[]>(kPage);
    casm_bridge bridge{};
    bridge.guest = guest.get();
    bridge.standin = standin.get();
    bridge.layout = input.ConsumeBool() ? &casm_console_layout : &casm_xenstore_layout;
    const casm_bridge_layout& layout = *bridge.layout;
    const unsigned words[] = {layout.up.cons, layout.up.prod, layout.down.cons, layout.down.prod,
                              layout.word[0], layout.word[1], layout.word[2]};
    std::uint32_t seen = 0;
    casm_bridge_attach(&bridge);

    while (input.remaining_bytes() > 0) {
        const bool on_guest = input.ConsumeBool();
        std::uint8_t* page = on_guest ? guest.get() : standin.get();
        switch (input.ConsumeIntegralInRange<unsigned>(0, 6)) {
            case 0: {  // an index or another word
                const unsigned at = words[input.ConsumeIntegralInRange<unsigned>(0, 6)];
                const auto value = input.ConsumeIntegral<std::uint32_t>();
                std::memcpy(page + at, &value, 4);
                break;
            }
            case 1:
                page[input.ConsumeIntegralInRange<unsigned>(0, kPage - 1)] =
                    input.ConsumeIntegral<std::uint8_t>();
                break;
            case 2: {  // an index near another
                std::uint32_t value;
                std::memcpy(&value, page + words[input.ConsumeIntegralInRange<unsigned>(0, 3)], 4);
                value += input.ConsumeIntegral<std::uint16_t>();
                std::memcpy(page + words[input.ConsumeIntegralInRange<unsigned>(0, 3)], &value, 4);
                break;
            }
            case 3:
                casm_bridge_up(&bridge);
                break;
            case 4: {
                Told told{0, &layout.down};
                casm_bridge_down(
                    &bridge,
                    [](void* ctx, unsigned offset, unsigned len) {
                        auto& told = *static_cast<Told*>(ctx);
                        told.calls++;
                        check(len >= 1 && len <= told.down->size_bytes && offset + len <= kPage);
                    },
                    &told);
                check(told.calls <= 3 + 1 + CASM_BRIDGE_WORDS);
                break;
            }
            case 5: {
                std::uint8_t buf[256];
                const unsigned max = input.ConsumeIntegralInRange<unsigned>(0, sizeof(buf));
                check(casm_bridge_text(&bridge, &seen, buf, max) <= max);
                check(casm_bridge_unread(&bridge) <= bridge.layout->up.size_bytes);
                break;
            }
            case 6:
                casm_bridge_attach(&bridge);
                break;
        }
    }
    return 0;
}
