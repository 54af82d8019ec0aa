// SPDX-License-Identifier: GPL-2.0-or-later
//
// A toolstack in memory, on top of FakeXen.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/failures.h"
#include "support/fake_xen.h"
#include "toolstack/toolstack.h"

namespace casmotion::test {

class FakeToolstack final : public Toolstack {
  public:
    explicit FakeToolstack(FakeXen& xen) : xen_(xen) {
        pools = {{CpupoolId{0}, "Pool-0", {CpuId{0}}}, {CpupoolId{1}, "casmotion", {CpuId{1}}}};
    }

    /// A paused domain of the recording pool whose execution is `trace`.
    DomId add_domain(const std::string& name, std::vector<Record> trace) {
        const DomId id{next_domid++};
        FakeDomain domain;
        domain.trace = std::move(trace);
        domain.status.mode = CASM_MODE_IDLE;
        xen_.domains[id.value] = std::move(domain);
        DomainState state;
        state.paused = true;
        state.cpupool = CpupoolId{1};
        states[id.value] = state;
        DomainConfig config = config_template;
        config.name = name;
        configs[id.value] = config;
        return id;
    }

    Result<DomId> find_domain(std::string_view id_or_name) override {
        for (const auto& [id, config] : configs)
            if (xen_.domains.contains(id) && (config.name == id_or_name || std::to_string(id) == id_or_name))
                return DomId{id};
        return usage_error("no domain '" + std::string(id_or_name) + "'");
    }
    std::string domain_name(DomId domain) override { return configs[domain.value].name; }
    Result<std::optional<DomainState>> domain_state(DomId domain) override {
        if (!xen_.domains.contains(domain.value)) return std::optional<DomainState>{};
        return std::optional<DomainState>{states[domain.value]};
    }
    Result<std::vector<CpuId>> domain_cpus(DomId) override { return affinity; }
    Result<DomainConfig> domain_config(DomId domain) override { return configs[domain.value]; }
    Result<DomId> create_from_file(const std::string& path, const std::string& pool) override {
        if (!create_status.ok()) return create_status;
        created_from = path;
        created_in = pool;
        return add_domain("from-file", trace_of_created);
    }
    Result<DomId> rebuild(const RecordableConfig& config, const RebuildOptions& options) override {
        if (!rebuild_status.ok()) return rebuild_status;
        if (on_rebuild) on_rebuild(options);
        rebuilt_json = config.json();
        rebuilt = options;
        const DomId id = add_domain(options.name, trace_of_created);
        xen_.domains[id.value].console = console_of_created;
        xen_.domains[id.value].vanish_at = vanish_at;
        xen_.domains[id.value].hang_at = hang_at;
        return id;
    }
    std::vector<std::string> attached_devices(DomId) override { return attached; }
    Status unpause(DomId domain) override {
        if (!unpause_status.ok()) return unpause_status;
        states[domain.value].paused = false;
        xen_.domains[domain.value].running = true;
        return {};
    }
    Status destroy(DomId domain) override {
        ++destroyed;
        xen_.destroy(domain);
        return {};
    }
    Result<std::optional<uint32_t>> wait_for_end(DomId) override {
        if (ends.empty()) return std::optional<uint32_t>{};
        const uint32_t code = ends.front();
        ends.erase(ends.begin());
        return std::optional<uint32_t>{code};
    }
    Status wait_for_resume(DomId) override {
        ++resumed;
        return {};
    }
    Status core_dump(DomId, const std::string& path) override {
        dumped_to = path;
        return core_dump_status;
    }
    Status create_again(const std::string& path, const std::string& pool) override {
        created_again = path + " in " + pool;
        return {};
    }
    Status start_attendant(DomId domain, const std::string& path, const std::string& log) override {
        attended = std::to_string(domain.value) + " " + path + " " + log;
        return attendant_status;
    }
    XenIdentity xen_identity() override { return {"4.17.5", "b0b0", "changeset", "casm_pool=..."}; }
    Result<std::vector<CpupoolInfo>> cpupools() override { return pools; }
    Result<std::vector<CpuId>> free_cpus() override { return free; }
    Result<CpupoolId> create_cpupool(const std::string& name, CpuId cpu) override {
        pools.push_back({CpupoolId{7}, name, {cpu}});
        return CpupoolId{7};
    }

    // What a test sets.
    std::function<void(const RebuildOptions&)> on_rebuild;
    DomainConfig config_template;
    std::vector<Record> trace_of_created;
    std::map<size_t, std::string> console_of_created;
    std::optional<size_t> vanish_at, hang_at;
    Status create_status, rebuild_status, unpause_status, attendant_status, core_dump_status;
    std::vector<uint32_t> ends;  // SHUTDOWN_* codes of wait_for_end(); then the domain is gone
    std::vector<CpupoolInfo> pools;
    std::vector<CpuId> free;
    std::vector<CpuId> affinity = {CpuId{0}, CpuId{1}, CpuId{2}, CpuId{3}};
    // What a test looks at.
    std::map<uint16_t, DomainState> states;
    std::map<uint16_t, DomainConfig> configs;
    std::string created_from, created_in, rebuilt_json;
    RebuildOptions rebuilt;
    std::vector<std::string> attached;
    std::string attended, created_again, dumped_to;
    int destroyed = 0, resumed = 0;
    uint16_t next_domid = 5;

  private:
    FakeXen& xen_;
};

}  // namespace casmotion::test
