// SPDX-License-Identifier: GPL-2.0-or-later
//
// The configuration of a guest as libxl 4.17 gives it to `record`, with its memory, in KiB.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>

namespace casmotion::test {

inline nlohmann::json honest_config(std::uint64_t memory_kib = 131072) {
    nlohmann::json config = nlohmann::json::parse(R"({
        "c_info": {"type": "pv", "name": "guest", "domid": 4294967295,
                   "uuid": "7c35241c-c1b8-4f04-a0f0-24facc4ff614", "pool_name": "casmotion",
                   "run_hotplug_scripts": "True"},
        "b_info": {"max_vcpus": 1, "avail_vcpus": [0], "video_memkb": 0,
                   "sched_params": {"sched": "credit2", "weight": 256, "cap": 0}, "claim_mode": "True",
                   "kernel": "/guest/vmlinuz", "cmdline": "console=hvc0", "ramdisk": "/guest/initrd",
                   "type.pv": {}, "arch_arm": {}, "arch_x86": {"msr_relaxed": "False"}},
        "on_soft_reset": "soft_reset"})");
    config["b_info"]["max_memkb"] = config["b_info"]["target_memkb"] = memory_kib;
    return config;
}

/// A field's place as a message names it, and a value that libxl takes there.
struct ConfigField {
    const char* path;
    const char* value;
};

/// `config` with that field.
inline nlohmann::json with_field(nlohmann::json config, const ConfigField& field) {
    nlohmann::json* object = &config;
    std::string path = field.path;
    for (const std::string outer : {"c_info", "b_info", "type.pv", "arch_arm", "arch_x86"})
        if (path.starts_with(outer + ".")) {
            object = &(*object)[outer];
            path.erase(0, outer.size() + 1);
        }
    (*object)[path] = nlohmann::json::parse(field.value);
    return config;
}

/// What makes libxl start a program, give away the machine's resources, or build another kind of domain.
inline constexpr ConfigField kHostileFields[] = {
    {"b_info.ioports", R"([{"first": 1016, "number": 8}])"},
    {"b_info.irqs", "[9]"},
    {"b_info.iomem", R"([{"start": 1044480, "number": 1}])"},
    {"b_info.device_model", R"("/tmp/own")"},
    {"b_info.device_model_override", R"("/tmp/own")"},
    {"b_info.device_model_version", R"("qemu_xen")"},
    {"b_info.device_model_stubdomain", R"("True")"},
    {"b_info.device_model_user", R"("root")"},
    {"b_info.device_model_ssidref", "1"},
    {"b_info.device_model_ssid_label", R"("system_u:system_r:dom0_t")"},
    {"b_info.stubdomain_kernel", R"("/tmp/own")"},
    {"b_info.stubdomain_ramdisk", R"("/tmp/own")"},
    {"b_info.stubdomain_cmdline", R"("own")"},
    {"b_info.stubdomain_memkb", "65536"},
    {"b_info.dm_restrict", R"("True")"},
    {"b_info.extra", R"(["-monitor", "exec:own"])"},
    {"b_info.extra_pv", R"(["-monitor", "exec:own"])"},
    {"b_info.extra_hvm", R"(["-monitor", "exec:own"])"},
    {"b_info.bootloader", R"("/tmp/own")"},
    {"b_info.bootloader_args", R"(["own"])"},
    {"b_info.exec_ssidref", "1"},
    {"b_info.exec_ssid_label", R"("system_u:system_r:dom0_t")"},
    {"b_info.device_tree", R"("/etc/shadow")"},
    {"b_info.nested_hvm", R"("True")"},
    {"b_info.acpi", R"("True")"},
    {"b_info.apic", R"("True")"},
    {"b_info.timer_mode", R"("delay_for_missed_ticks")"},
    {"b_info.tee", R"("optee")"},
    {"b_info.altp2m", R"("external")"},
    {"b_info.vmtrace_buf_kb", "65536"},
    {"b_info.vpmu", R"("True")"},
    {"b_info.vnuma_nodes", R"([{"memkb": 131072}])"},
    {"b_info.type.hvm", R"({"firmware": "/tmp/own"})"},
    {"b_info.type.pvh", R"({"pvshim": "True", "pvshim_path": "/tmp/own"})"},
    {"b_info.type.pv.kernel", R"("/etc/shadow")"},
    {"b_info.type.pv.ramdisk", R"("/etc/shadow")"},
    {"b_info.type.pv.cmdline", R"("own")"},
    {"b_info.type.pv.bootloader", R"("/tmp/own")"},
    {"b_info.type.pv.bootloader_args", R"(["own"])"},
    {"b_info.type.pv.slack_memkb", "4096"},
    {"b_info.arch_arm.gic_version", R"("v2")"},
    {"b_info.arch_arm.vuart", R"("sbsa_uart")"},
    {"b_info.arch_x86.msr_relaxed", R"("True")"},
    {"b_info.arch_x86.to_come", R"("True")"},
    {"b_info.max_vcpus", "2"},
    {"b_info.avail_vcpus", "[0, 1]"},
    {"b_info.video_memkb", "4096"},
    {"b_info.shadow_memkb", "4096"},
    {"b_info.iommu_memkb", "4096"},
    {"b_info.target_memkb", "999999"},
    {"b_info.cmdline", R"(["own"])"},
    {"b_info.tsc_mode", R"("own")"},
    {"b_info.to_come", "1"},
    {"c_info.type", R"("hvm")"},
    {"c_info.type", R"("pvh")"},
    {"c_info.uuid", R"("../../../domain/0")"},
    {"c_info.hap", R"("True")"},
    {"c_info.oos", R"("True")"},
    {"c_info.ssidref", "1"},
    {"c_info.ssid_label", R"("system_u:system_r:dom0_t")"},
    {"c_info.xsdata", R"({"own": "1"})"},
    {"c_info.platformdata", R"({"own": "1"})"},
    {"c_info.driver_domain", R"("True")"},
    {"c_info.passthrough", R"("enabled")"},
    {"c_info.xend_suspend_evtchn_compat", R"("True")"},
    {"c_info.to_come", "1"},
    {"disks", R"([{"pdev_path": "own", "vdev": "xvda", "script": "/tmp/own"}])"},
    {"nics", R"([{"devid": 0, "script": "/tmp/own"}])"},
    {"pcidevs", R"([{"bus": 0, "dev": 2}])"},
    {"rdms", R"([{"start": 1, "size": 1}])"},
    {"dtdevs", R"([{"path": "/own"}])"},
    {"vfbs", R"([{"devid": 0}])"},
    {"vkbs", R"([{"devid": 0}])"},
    {"vtpms", R"([{"devid": 0}])"},
    {"p9s", R"([{"tag": "own", "path": "/", "security_model": "none"}])"},
    {"pvcallsifs", R"([{"devid": 0}])"},
    {"vdispls", R"([{"devid": 0}])"},
    {"vsnds", R"([{"devid": 0}])"},
    {"channels", R"([{"devid": 0, "name": "own", "connection.socket": {"path": "/run/own"}}])"},
    {"usbctrls", R"([{"type": "qusb"}])"},
    {"usbdevs", R"([{"ctrl": 0}])"},
    {"virtios", R"([{"type": "own"}])"},
    {"to_come", "[]"},
    {"b_info.max_memkb", "0"},  // last: the only ones of another size than the manifest's
    {"b_info.max_memkb", "18446744073709551615"},
};

/// What an xl.cfg and xl.conf can ask for and a recording has. The guest may notice the first ones.
inline constexpr ConfigField kGuestFields[] = {
    {"b_info.cmdline", R"("root=/dev/ram0 \"quoted\" \u00e4")"},
    {"b_info.tsc_mode", R"("always_emulate")"},
    {"b_info.tsc_mode", R"("native")"},
    {"b_info.rtc_timeoffset", "4294963696"},
    {"b_info.localtime", R"("True")"},
    {"b_info.disable_migrate", R"("True")"},
    {"b_info.event_channels", "2047"},
    {"b_info.max_grant_frames", "64"},
    {"b_info.max_maptrack_frames", "1024"},
    {"b_info.max_grant_version", "1"},
    {"b_info.claim_mode", R"("False")"},
    {"b_info.target_memkb", "65536"},
    {"b_info.shadow_memkb", "0"},
    {"b_info.type.pv.e820_host", R"("True")"},
    {"c_info.uuid", R"("ff509b5b-d381-4abf-a8d5-780e1a5160ec")"},
};
inline constexpr ConfigField kHostFields[] = {
    {"b_info.cpuid", R"([{"leaf": 1, "eax": "xxxx"}])"},
    {"b_info.cpumap", "[1]"},
    {"b_info.nodemap", "[0]"},
    {"b_info.vcpu_hard_affinity", "[[1]]"},
    {"b_info.vcpu_soft_affinity", "[[1]]"},
    {"b_info.numa_placement", R"("False")"},
    {"b_info.sched_params", R"({"sched": "credit2", "weight": 512, "cap": 50})"},
    {"b_info.blkdev_start", R"("xvda")"},
    {"b_info.kernel", R"("/etc/shadow")"},
    {"b_info.ramdisk", R"("/etc/shadow")"},
    {"b_info.vpmu", R"("False")"},
    {"b_info.dm_restrict", R"("<default>")"},
    {"c_info.name", R"("other")"},
    {"c_info.domid", "7"},
    {"c_info.poolid", "1"},
    {"c_info.pool_name", R"("other")"},
    {"c_info.run_hotplug_scripts", R"("False")"},
    {"c_info.passthrough", R"("disabled")"},
    {"c_info.driver_domain", R"("False")"},
    {"on_poweroff", R"("destroy")"},
    {"on_reboot", R"("restart")"},
    {"on_crash", R"("coredump_restart")"},
    {"on_watchdog", R"("destroy")"},
};

}  // namespace casmotion::test
