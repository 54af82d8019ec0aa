// SPDX-License-Identifier: GPL-2.0-or-later
//
// What the daemon asks of the toolstack (libxl and the xl program): domains, their configuration, cpupools.
// An interface, so that recorder and replayer are tested without Xen.
//
// Thread rule: one thread uses an object.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "casmotion/manifest.h"
#include "casmotion/status.h"
#include "toolstack/end_action.h"
#include "toolstack/recordable_config.h"

namespace casmotion {

/// Where a domain stands.
struct DomainState {
    bool paused = false;
    bool shutdown = false;         ///< the guest shut down; see shutdown_reason
    bool dying = false;            ///< being destroyed
    uint32_t shutdown_reason = 0;  ///< SHUTDOWN_* of the Xen headers, when shutdown
    uint64_t cpu_time_ns = 0;      ///< 0: the domain never ran
    CpupoolId cpupool;
};

/// What a recording keeps of a domain's configuration.
struct DomainConfig {
    std::string json;  ///< libxl_domain_config as libxl prints it
    std::string name;
    std::string uuid;     ///< 36 characters
    std::string kernel;   ///< path in dom0; empty: a boot loader chose it
    std::string ramdisk;  ///< path in dom0; empty: none
    std::string cmdline;
    uint64_t memory_bytes = 0;
    uint32_t vcpus = 0;
    bool pv = false;
    std::vector<std::string> devices;  ///< devices that this version cannot record, as "disk xvda"
    EndActions on_end;
};

/// What differs from the recorded configuration when a domain is built again.
struct RebuildOptions {
    std::string name;  ///< of the new domain
    CpupoolId cpupool;
    std::string kernel_path;   ///< readable in this process
    std::string ramdisk_path;  ///< empty: none
};

struct CpupoolInfo {
    CpupoolId id;
    std::string name;
    std::vector<CpuId> cpus;
};

class Toolstack {
  public:
    virtual ~Toolstack() = default;

    /// Resolves a domain id in decimal, or a name. Usage error (2) when there is none.
    virtual Result<DomId> find_domain(std::string_view id_or_name) = 0;
    /// Name of a domain; empty when it has none or is gone.
    virtual std::string domain_name(DomId domain) = 0;
    /// State of a domain; nullopt when it does not exist (any more).
    virtual Result<std::optional<DomainState>> domain_state(DomId domain) = 0;
    /// Physical CPUs that vCPU 0 of a domain may run on, ascending: its hard affinity, whatever its cpupool
    /// has.
    virtual Result<std::vector<CpuId>> domain_cpus(DomId domain) = 0;
    /// Configuration that a domain was created with.
    virtual Result<DomainConfig> domain_config(DomId domain) = 0;

    /// Creates the domain of an xl.cfg file, paused, in cpupool `pool_name`, with no xl process watching it.
    virtual Result<DomId> create_from_file(const std::string& cfg_path, const std::string& pool_name) = 0;
    /// Builds a domain again from a recorded configuration; it is left paused.
    virtual Result<DomId> rebuild(const RecordableConfig& config, const RebuildOptions& options) = 0;

    /// The disks and network interfaces that a domain has now, as "disk xvda"; empty also if they cannot be
    /// read. Costs two looks into xenstore.
    virtual std::vector<std::string> attached_devices(DomId domain) = 0;

    virtual Status unpause(DomId domain) = 0;
    virtual Status destroy(DomId domain) = 0;

    /// Waits until the guest has shut down and returns its SHUTDOWN_* code; nullopt: somebody destroyed the
    /// domain.
    virtual Result<std::optional<uint32_t>> wait_for_end(DomId domain) = 0;
    /// Waits until a suspended domain runs again, or is gone.
    virtual Status wait_for_resume(DomId domain) = 0;
    /// Writes the domain's memory to the file `path`, as `xl dump-core`.
    virtual Status core_dump(DomId domain, const std::string& path) = 0;
    /// Creates the domain of an xl.cfg file in cpupool `pool_name` and lets it run, watched by xl.
    virtual Status create_again(const std::string& cfg_path, const std::string& pool_name) = 0;
    /// Starts a process of its own that stands by `domain`, created from the file `cfg_path`, until its guest
    /// ends, and does then what the configuration says (session/attend.h). It writes to `log_path`.
    virtual Status start_attendant(DomId domain, const std::string& cfg_path,
                                   const std::string& log_path) = 0;

    /// Version, build and command line of the running Xen.
    virtual XenIdentity xen_identity() = 0;

    virtual Result<std::vector<CpupoolInfo>> cpupools() = 0;
    /// CPUs that are in no cpupool.
    virtual Result<std::vector<CpuId>> free_cpus() = 0;
    virtual Result<CpupoolId> create_cpupool(const std::string& name, CpuId cpu) = 0;
};

/// Destroys a domain when it goes out of scope, unless keep() was called.
class OwnedDomain {
  public:
    OwnedDomain(Toolstack& toolstack, DomId id) : toolstack_(&toolstack), id_(id) {}
    OwnedDomain(const OwnedDomain&) = delete;
    OwnedDomain& operator=(const OwnedDomain&) = delete;
    ~OwnedDomain() {
        // Nothing more can be done about a failure here; a domain that somebody else destroyed is the usual
        // one.
        if (toolstack_ != nullptr) (void)toolstack_->destroy(id_);
    }

    DomId id() const { return id_; }
    void keep() { toolstack_ = nullptr; }

  private:
    Toolstack* toolstack_;
    DomId id_;
};

}  // namespace casmotion
