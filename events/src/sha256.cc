// SPDX-License-Identifier: GPL-2.0-or-later
#include "sha256.h"

#include <openssl/evp.h>

#include <cstdlib>

namespace casmotion {

struct Sha256Stream::State {
    EVP_MD_CTX* context = EVP_MD_CTX_new();
    ~State() { EVP_MD_CTX_free(context); }
};

// The calls below fail only when memory is exhausted.
Sha256Stream::Sha256Stream() : state_(std::make_unique<State>()) {
    if (state_->context == nullptr || EVP_DigestInit_ex(state_->context, EVP_sha256(), nullptr) != 1)
        std::abort();
}

Sha256Stream::~Sha256Stream() = default;

void Sha256Stream::update(std::span<const std::byte> bytes) {
    if (EVP_DigestUpdate(state_->context, bytes.data(), bytes.size()) != 1) std::abort();
}

Sha256 Sha256Stream::finish() {
    Sha256 hash;
    unsigned length = 0;
    if (EVP_DigestFinal_ex(state_->context, hash.data(), &length) != 1 || length != hash.size()) std::abort();
    return hash;
}

}  // namespace casmotion
