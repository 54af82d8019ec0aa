// SPDX-License-Identifier: GPL-2.0-or-later
#include "toolstack/libxl_toolstack.h"

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <thread>
#include <utility>

extern "C" {
#include <libxl.h>
#include <libxl_utils.h>
}

#include "base/failures.h"
#include "base/host_text.h"
#include "toolstack/attendant.h"
#include "toolstack/libxl_log.h"
#include "toolstack/xl_create.h"

namespace casmotion {
namespace {

struct CtxCloser {
    void operator()(libxl_ctx* ctx) const { libxl_ctx_free(ctx); }
};
using Ctx = std::unique_ptr<libxl_ctx, CtxCloser>;

class ScopedConfig {
  public:
    ScopedConfig() { libxl_domain_config_init(&config_); }
    ScopedConfig(const ScopedConfig&) = delete;
    ScopedConfig& operator=(const ScopedConfig&) = delete;
    ~ScopedConfig() { libxl_domain_config_dispose(&config_); }
    libxl_domain_config* get() { return &config_; }
    libxl_domain_config* operator->() { return &config_; }

  private:
    libxl_domain_config config_;
};

std::vector<CpuId> cpus_of(const libxl_bitmap& bitmap) {
    std::vector<CpuId> out;
    for (int bit = 0; bit < static_cast<int>(bitmap.size) * 8; ++bit)
        if (libxl_bitmap_test(&bitmap, bit) != 0) out.push_back(CpuId{static_cast<uint32_t>(bit)});
    return out;
}

class ScopedBitmap {
  public:
    ScopedBitmap() { libxl_bitmap_init(&bitmap_); }
    ScopedBitmap(const ScopedBitmap&) = delete;
    ScopedBitmap& operator=(const ScopedBitmap&) = delete;
    ~ScopedBitmap() { libxl_bitmap_dispose(&bitmap_); }
    libxl_bitmap* get() { return &bitmap_; }
    std::vector<CpuId> cpus() const { return cpus_of(bitmap_); }

  private:
    libxl_bitmap bitmap_;
};

std::string text_or_empty(const char* text) {
    return text != nullptr ? text : "";
}

/// Replaces a malloc'ed string that libxl owns.
bool replace(char*& target, const std::string& text) {
    std::free(target);
    target = text.empty() ? nullptr : strdup(text.c_str());
    return text.empty() || target != nullptr;
}

std::string uuid_text(const libxl_uuid& uuid) {
    char text[LIBXL_UUID_FMTLEN + 1];
    std::snprintf(text, sizeof(text), LIBXL_UUID_FMT, LIBXL_UUID_BYTES(uuid));
    return text;
}

/// Everything in the configuration whose back end this version cannot keep away from the guest's memory.
std::vector<std::string> unsupported_devices(const libxl_domain_config& config) {
    std::vector<std::string> out;
    for (int i = 0; i < config.num_disks; ++i) out.push_back("disk " + text_or_empty(config.disks[i].vdev));
    for (int i = 0; i < config.num_nics; ++i) out.push_back("network interface " + std::to_string(i));
    const auto add = [&out](int count, const char* what) {
        if (count > 0) out.push_back(what);
    };
    add(config.num_pcidevs, "PCI device");
    add(config.num_vfbs, "virtual frame buffer");
    add(config.num_vkbs, "virtual keyboard");
    add(config.num_vtpms, "virtual TPM");
    add(config.num_p9s, "9p share");
    add(config.num_pvcallsifs, "pvcalls interface");
    add(config.num_vdispls, "virtual display");
    add(config.num_vsnds, "virtual sound device");
    add(config.num_channels, "channel");
    add(config.num_usbctrls, "USB controller");
    add(config.num_usbdevs, "USB device");
    add(config.b_info.num_ioports, "I/O port range");
    add(config.b_info.num_irqs, "IRQ");
    add(config.b_info.num_iomem, "I/O memory range");
    return out;
}

/// What this version does not know frees the pool.
EndAction end_action(libxl_action_on_shutdown action) {
    const char* word = libxl_action_on_shutdown_to_string(action);
    return end_action_of(word != nullptr ? word : "").value_or(EndAction::kDestroy);
}

class LibxlToolstack final : public Toolstack {
  public:
    LibxlToolstack(std::unique_ptr<LibxlLog> log, Ctx ctx) : log_(std::move(log)), ctx_(std::move(ctx)) {}

    Result<DomId> find_domain(std::string_view id_or_name) override {
        uint32_t id = 0;
        const std::string text(id_or_name);
        if (const auto number = parse_u64(id_or_name)) {
            if (*number > 0x7fef) return no_such_domain(text);
            id = static_cast<uint32_t>(*number);
        } else if (libxl_name_to_domid(ctx_.get(), text.c_str(), &id) != 0) {
            log_->take_error();
            return no_such_domain(text);
        }
        const DomId domain{static_cast<uint16_t>(id)};
        CASM_ASSIGN(const std::optional<DomainState> state, domain_state(domain));
        if (!state) return no_such_domain(text);
        return domain;
    }

    std::string domain_name(DomId domain) override {
        char* name = libxl_domid_to_name(ctx_.get(), domain.value);
        std::string text = text_or_empty(name);
        std::free(name);
        return text;
    }

    Result<std::optional<DomainState>> domain_state(DomId domain) override {
        libxl_dominfo info;
        libxl_dominfo_init(&info);
        const int rc = libxl_domain_info(ctx_.get(), &info, domain.value);
        if (rc == ERROR_DOMAIN_NOTFOUND) {
            libxl_dominfo_dispose(&info);
            return std::optional<DomainState>{};
        }
        if (rc != 0) {
            libxl_dominfo_dispose(&info);
            return failure("cannot read the state of domain " + std::to_string(domain.value), rc);
        }
        DomainState state;
        state.paused = info.paused;
        state.shutdown = info.shutdown;
        state.dying = info.dying;
        state.shutdown_reason = static_cast<uint32_t>(info.shutdown_reason);
        state.cpu_time_ns = info.cpu_time;
        state.cpupool = CpupoolId{info.cpupool};
        libxl_dominfo_dispose(&info);
        return std::optional<DomainState>{state};
    }

    Result<std::vector<CpuId>> domain_cpus(DomId domain) override {
        int vcpus = 0, host_cpus = 0;
        libxl_vcpuinfo* list = libxl_list_vcpu(ctx_.get(), domain.value, &vcpus, &host_cpus);
        if (list == nullptr || vcpus == 0)
            return failure("cannot read the CPU affinity of domain " + std::to_string(domain.value),
                           ERROR_FAIL);
        std::vector<CpuId> cpus = cpus_of(list[0].cpumap);
        libxl_vcpuinfo_list_free(list, vcpus);
        return cpus;
    }

    Result<DomainConfig> domain_config(DomId domain) override {
        ScopedConfig config;
        int rc = libxl_retrieve_domain_configuration(ctx_.get(), domain.value, config.get(), nullptr);
        if (rc != 0)
            return failure("cannot read the configuration of domain " + std::to_string(domain.value), rc);
        char* json = libxl_domain_config_to_json(ctx_.get(), config.get());
        if (json == nullptr) return internal_error("libxl cannot print the domain's configuration");
        DomainConfig out;
        out.json = json;
        std::free(json);
        out.name = text_or_empty(config->c_info.name);
        out.uuid = uuid_text(config->c_info.uuid);
        out.kernel = text_or_empty(config->b_info.kernel);
        out.ramdisk = text_or_empty(config->b_info.ramdisk);
        out.cmdline = text_or_empty(config->b_info.cmdline);
        out.memory_bytes = config->b_info.max_memkb * 1024;
        out.vcpus = static_cast<uint32_t>(config->b_info.max_vcpus);
        out.pv = config->c_info.type == LIBXL_DOMAIN_TYPE_PV;
        out.devices = unsupported_devices(*config.get());
        out.on_end.poweroff = end_action(config->on_poweroff);
        out.on_end.reboot = end_action(config->on_reboot);
        out.on_end.watchdog = end_action(config->on_watchdog);
        out.on_end.crash = end_action(config->on_crash);
        out.on_end.soft_reset = end_action(config->on_soft_reset);
        return out;
    }

    Result<DomId> create_from_file(const std::string& cfg_path, const std::string& pool_name) override {
        CASM_ASSIGN(const CfgFacts facts, read_cfg(cfg_path));
        const std::string& name = facts.name;
        uint32_t existing = 0;
        if (libxl_name_to_domid(ctx_.get(), name.c_str(), &existing) == 0)
            return usage_error("a domain named '" + printable(name) + "' exists already (domain " +
                               std::to_string(existing) + "): destroy it, or record it by its name");
        log_->take_error();
        CASM_ASSIGN(CreationGuard guard, xl_create_paused(cfg_path, pool_name, name));
        guard_.emplace(std::move(guard));
        uint32_t id = 0;
        if (libxl_name_to_domid(ctx_.get(), name.c_str(), &id) != 0)
            return internal_error("xl created no domain named '" + printable(name) + "'");
        return DomId{static_cast<uint16_t>(id)};
    }

    Result<DomId> rebuild(const RecordableConfig& recorded, const RebuildOptions& options) override {
        ScopedConfig config;
        if (libxl_domain_config_from_json(ctx_.get(), config.get(), recorded.json().c_str()) != 0) {
            log_->take_error();
            return log_invalid("the log's domain configuration is not one that this libxl understands");
        }
        char* pool_name = libxl_cpupoolid_to_name(ctx_.get(), options.cpupool.value);
        if (pool_name == nullptr)
            return host_lacks("cpupool " + std::to_string(options.cpupool.value) +
                              ", registered for recording, is gone: run 'casmotion setup'");
        std::free(config->c_info.pool_name);
        config->c_info.pool_name = pool_name;
        config->c_info.poolid = options.cpupool.value;
        if (!replace(config->c_info.name, options.name) ||
            !replace(config->b_info.kernel, options.kernel_path) ||
            !replace(config->b_info.ramdisk, options.ramdisk_path))
            return internal_error("out of memory");
        // Nothing restarts or keeps a replay's domain but us.
        config->on_poweroff = config->on_reboot = config->on_crash = config->on_watchdog =
            config->on_soft_reset = LIBXL_ACTION_ON_SHUTDOWN_PRESERVE;
        uint32_t id = ~0u;
        const int rc = libxl_domain_create_new(ctx_.get(), config.get(), &id, nullptr, nullptr);
        if (rc != 0) {
            Status status = failure("cannot build the domain again", rc);
            // libxl may leave a half-built domain behind when a late step fails.
            if (id != ~0u && id != 0 && libxl_domain_destroy(ctx_.get(), id, nullptr) != 0)
                log_->take_error();
            return status;
        }
        return DomId{static_cast<uint16_t>(id)};
    }

    std::vector<std::string> attached_devices(DomId domain) override {
        std::vector<std::string> out;
        int count = 0;
        if (libxl_device_disk* disks = libxl_device_disk_list(ctx_.get(), domain.value, &count)) {
            for (int i = 0; i < count; ++i) out.push_back("disk " + text_or_empty(disks[i].vdev));
            libxl_device_disk_list_free(disks, count);
        }
        if (libxl_device_nic* nics = libxl_device_nic_list(ctx_.get(), domain.value, &count)) {
            for (int i = 0; i < count; ++i)
                out.push_back("network interface " + std::to_string(nics[i].devid));
            libxl_device_nic_list_free(nics, count);
        }
        log_->take_error();
        return out;
    }

    Status unpause(DomId domain) override {
        const int rc = libxl_domain_unpause(ctx_.get(), domain.value, nullptr);
        guard_.reset();  // a guest that runs may outlive us
        return rc == 0 ? Status{} : failure("cannot unpause domain " + std::to_string(domain.value), rc);
    }

    Status destroy(DomId domain) override {
        const int rc = libxl_domain_destroy(ctx_.get(), domain.value, nullptr);
        guard_.reset();
        return rc == 0 ? Status{} : failure("cannot destroy domain " + std::to_string(domain.value), rc);
    }

    Result<std::optional<uint32_t>> wait_for_end(DomId domain) override {
        libxl_evgen_domain_death* generator = nullptr;
        int rc = libxl_evenable_domain_death(ctx_.get(), domain.value, 0, &generator);
        if (rc == ERROR_DOMAIN_NOTFOUND) {
            log_->take_error();
            return std::optional<uint32_t>{};
        }
        if (rc != 0) return failure("cannot watch domain " + std::to_string(domain.value), rc);
        std::optional<uint32_t> code;
        for (bool over = false; !over;) {
            libxl_event* event = nullptr;
            rc = libxl_event_wait(ctx_.get(), &event, LIBXL_EVENTMASK_ALL, nullptr, nullptr);
            if (rc != 0) break;
            if (event->domid == domain.value) {
                over = event->type == LIBXL_EVENT_TYPE_DOMAIN_SHUTDOWN ||
                       event->type == LIBXL_EVENT_TYPE_DOMAIN_DEATH;
                if (event->type == LIBXL_EVENT_TYPE_DOMAIN_SHUTDOWN)
                    code = event->u.domain_shutdown.shutdown_reason;
            }
            libxl_event_free(ctx_.get(), event);
        }
        libxl_evdisable_domain_death(ctx_.get(), generator);
        if (rc != 0) return failure("cannot wait for domain " + std::to_string(domain.value), rc);
        return code;
    }

    // libxl has no event for it.
    Status wait_for_resume(DomId domain) override {
        for (;;) {
            CASM_ASSIGN(const std::optional<DomainState> state, domain_state(domain));
            if (!state || !state->shutdown) return {};
            std::this_thread::sleep_for(std::chrono::seconds(1));
        }
    }

    Status core_dump(DomId domain, const std::string& path) override {
        const int rc = libxl_domain_core_dump(ctx_.get(), domain.value, path.c_str(), nullptr);
        return rc == 0 ? Status{}
                       : failure("cannot dump the memory of domain " + std::to_string(domain.value), rc);
    }

    Status create_again(const std::string& cfg_path, const std::string& pool_name) override {
        return xl_create_running(cfg_path, pool_name);
    }

    Status start_attendant(DomId domain, const std::string& cfg_path, const std::string& log_path) override {
        return spawn_attendant(domain, cfg_path, log_path);
    }

    XenIdentity xen_identity() override {
        XenIdentity out;
        const libxl_version_info* info = libxl_get_version_info(ctx_.get());
        if (info == nullptr) {
            log_->take_error();
            return out;
        }
        out.version = std::to_string(info->xen_version_major) + "." +
                      std::to_string(info->xen_version_minor) + text_or_empty(info->xen_version_extra);
        out.build_id = text_or_empty(info->build_id);
        out.changeset = text_or_empty(info->changeset);
        out.command_line = text_or_empty(info->commandline);
        return out;
    }

    Result<std::vector<CpupoolInfo>> cpupools() override {
        int count = 0;
        libxl_cpupoolinfo* list = libxl_list_cpupool(ctx_.get(), &count);
        if (list == nullptr) return failure("cannot list cpupools", ERROR_FAIL);
        std::vector<CpupoolInfo> out;
        for (int i = 0; i < count; ++i) {
            CpupoolInfo info;
            info.id = CpupoolId{list[i].poolid};
            info.name = text_or_empty(list[i].pool_name);
            info.cpus = cpus_of(list[i].cpumap);
            out.push_back(std::move(info));
        }
        libxl_cpupoolinfo_list_free(list, count);
        return out;
    }

    Result<std::vector<CpuId>> free_cpus() override {
        ScopedBitmap free_map;
        const int rc = libxl_get_freecpus(ctx_.get(), free_map.get());
        if (rc != 0) return failure("cannot list free CPUs", rc);
        return free_map.cpus();
    }

    Result<CpupoolId> create_cpupool(const std::string& name, CpuId cpu) override {
        const int scheduler = libxl_get_scheduler(ctx_.get());
        if (scheduler < 0) return failure("cannot read the host's scheduler", scheduler);
        ScopedBitmap cpus;
        if (libxl_cpu_bitmap_alloc(ctx_.get(), cpus.get(), 0) != 0) return internal_error("out of memory");
        libxl_bitmap_set(cpus.get(), static_cast<int>(cpu.value));
        libxl_uuid uuid;
        libxl_uuid_generate(&uuid);
        uint32_t id = LIBXL_CPUPOOL_POOLID_ANY;
        const int rc = libxl_cpupool_create(ctx_.get(), name.c_str(), static_cast<libxl_scheduler>(scheduler),
                                            *cpus.get(), &uuid, &id);
        if (rc != 0)
            return failure("cannot create cpupool '" + name + "' with CPU " + std::to_string(cpu.value), rc);
        return CpupoolId{id};
    }

  private:
    static Status no_such_domain(const std::string& text) {
        return usage_error("no domain '" + printable(text) + "' (see 'xl list')");
    }

    Status failure(const std::string& what, int rc) {
        const std::string detail = log_->take_error();
        return host_lacks(
            what + ": " +
            (detail.empty() ? std::string(libxl_error_to_string(static_cast<libxl_error>(rc))) : detail));
    }

    std::unique_ptr<LibxlLog> log_;
    Ctx ctx_;
    std::optional<CreationGuard> guard_;  // of the domain that was created last, until it runs
};

}  // namespace

Result<std::unique_ptr<Toolstack>> open_libxl_toolstack(bool verbose) {
    auto log = std::make_unique<LibxlLog>(verbose);
    libxl_ctx* raw = nullptr;
    if (libxl_ctx_alloc(&raw, LIBXL_VERSION, 0, log->logger()) != 0) {
        const std::string detail = log->take_error();
        return host_lacks("cannot open libxl (is xenstored running, and is this root in dom0?)" +
                          (detail.empty() ? std::string{} : ": " + detail));
    }
    return std::unique_ptr<Toolstack>(std::make_unique<LibxlToolstack>(std::move(log), Ctx(raw)));
}

}  // namespace casmotion
