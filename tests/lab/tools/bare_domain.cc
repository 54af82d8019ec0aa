// SPDX-License-Identifier: GPL-2.0-or-later
#include "bare_domain.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>

extern "C" {
#include <xen/io/console.h>
#include <xenctrl.h>
#include <xengnttab.h>
#include <xenguest.h>
}

#include "base/failures.h"
#include "base/host_text.h"

namespace casmotion::test {

namespace {

constexpr unsigned kMemoryMib = 4;
constexpr unsigned kSlackKib = 1024;  // shared_info, grant frames

Status failed(const char* what) {
    return internal_error(std::string(what) + ": " + error_text(errno));
}

struct ImageReleaser {
    void operator()(xc_dom_image* image) const { xc_dom_release(image); }
};

}  // namespace

Result<std::unique_ptr<DomainFactory>> DomainFactory::open(const std::string& kernel) {
    std::unique_ptr<DomainFactory> factory(new DomainFactory);
    std::ifstream in(kernel, std::ios::binary);
    if (!in) return usage_error("cannot read " + kernel);
    factory->kernel_.assign(std::istreambuf_iterator<char>(in), {});
    factory->xch_ = xc_interface_open(nullptr, nullptr, 0);
    factory->grants_ = xengnttab_open(nullptr, 0);
    if (factory->xch_ == nullptr || factory->grants_ == nullptr) return failed("open Xen's interfaces");
    xc_dom_loginit(factory->xch_);
    return factory;
}

DomainFactory::~DomainFactory() {
    if (grants_ != nullptr) xengnttab_close(grants_);
    if (xch_ != nullptr) xc_interface_close(xch_);
}

Result<DomId> DomainFactory::build(const std::string& cmdline, CpupoolId pool) {
    xen_domctl_createdomain config = {};
    config.max_vcpus = 1;
    config.max_evtchn_port = 1023;
    config.max_grant_frames = 4;
    config.max_maptrack_frames = 0;
    config.grant_opts = XEN_DOMCTL_GRANT_version(1);
    config.cpupool_id = pool.value;
    uint32_t id = 0;
    if (xc_domain_create(xch_, &id, &config) != 0) return failed("xc_domain_create");
    const DomId domain{static_cast<uint16_t>(id)};
    const auto give_up = [&](const char* what) {
        Status status = failed(what);
        destroy(domain).ignore();
        return status;
    };
    const uint64_t limit_kib = kMemoryMib * 1024 + kSlackKib;
    if (xc_domain_max_vcpus(xch_, id, 1) != 0) return give_up("xc_domain_max_vcpus");
    if (xc_domain_setmaxmem(xch_, id, limit_kib) != 0) return give_up("xc_domain_setmaxmem");
    const std::unique_ptr<xc_dom_image, ImageReleaser> image(xc_dom_allocate(xch_, cmdline.c_str(), nullptr));
    if (!image) return give_up("xc_dom_allocate");
    image->container_type = xc_dom_image::XC_DOM_PV_CONTAINER;
    image->max_vcpus = 1;
    const int store = xc_evtchn_alloc_unbound(xch_, id, 0), console = xc_evtchn_alloc_unbound(xch_, id, 0);
    if (store < 0 || console < 0) return give_up("xc_evtchn_alloc_unbound");
    image->xenstore_evtchn = static_cast<unsigned>(store);
    image->console_evtchn = static_cast<unsigned>(console);
    if (xc_dom_kernel_mem(image.get(), kernel_.data(), kernel_.size()) != 0)
        return give_up("xc_dom_kernel_mem");
    if (xc_dom_boot_xen_init(image.get(), xch_, id) != 0) return give_up("xc_dom_boot_xen_init");
    if (xc_dom_parse_image(image.get()) != 0) return give_up("xc_dom_parse_image");
    if (xc_dom_mem_init(image.get(), kMemoryMib) != 0) return give_up("xc_dom_mem_init");
    if (xc_dom_boot_mem_init(image.get()) != 0) return give_up("xc_dom_boot_mem_init");
    if (xc_dom_build_image(image.get()) != 0) return give_up("xc_dom_build_image");
    if (xc_dom_boot_image(image.get()) != 0) return give_up("xc_dom_boot_image");
    if (xc_dom_gnttab_init(image.get()) != 0) return give_up("xc_dom_gnttab_init");
    return domain;
}

Status DomainFactory::move(DomId domain, CpupoolId pool) {
    return xc_cpupool_movedomain(xch_, pool.value, domain.value) == 0 ? Status{}
                                                                      : failed("xc_cpupool_movedomain");
}

Status DomainFactory::unpause(DomId domain) {
    return xc_domain_unpause(xch_, domain.value) == 0 ? Status{} : failed("xc_domain_unpause");
}

Status DomainFactory::destroy(DomId domain) {
    return xc_domain_destroy(xch_, domain.value) == 0 ? Status{} : failed("xc_domain_destroy");
}

Status DomainFactory::type(DomId domain, const std::string& text) {
    auto* page = static_cast<xencons_interface*>(
        xengnttab_map_grant_ref(grants_, domain.value, 0, PROT_READ | PROT_WRITE));
    if (page == nullptr) return failed("map the console's grant");
    for (const char c : text) {
        page->in[MASK_XENCONS_IDX(page->in_prod, page->in)] = c;
        __atomic_store_n(&page->in_prod, page->in_prod + 1, __ATOMIC_RELEASE);
    }
    return xengnttab_unmap(grants_, page, 1) == 0 ? Status{} : failed("unmap the console's grant");
}

Result<std::uint64_t> DomainFactory::free_pages() {
    xc_physinfo_t info = {};
    if (xc_physinfo(xch_, &info) != 0) return failed("xc_physinfo");
    return std::uint64_t{info.free_pages};
}

}  // namespace casmotion::test
