//! The machine, as far as figures depend on it.

use procfs::Current as _;

use crate::record::Environment;

/// Reads what this machine is; what cannot be read stays empty.
pub fn read() -> Environment {
    let uname = rustix::system::uname();
    let text = |value: &std::ffi::CStr| value.to_string_lossy().into_owned();
    Environment {
        os: text(uname.sysname()),
        kernel: text(uname.release()),
        cpu: cpu_model().unwrap_or_default(),
        cpus: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
        memory_bytes: memory_bytes().unwrap_or(0),
    }
}

fn cpu_model() -> Option<String> {
    procfs::CpuInfo::current().ok()?.model_name(0).map(str::to_owned)
}

fn memory_bytes() -> Option<u64> {
    Some(procfs::Meminfo::current().ok()?.mem_total)
}

/// Readies this process: it, and those it starts, may open as many files as the machine lets them (a connection is one),
/// and processes whose parents die come to it, so that none gets lost.
pub fn prepare() {
    use rustix::process::{Resource, Rlimit, getpid, getrlimit, set_child_subreaper, setrlimit};
    let _ = set_child_subreaper(Some(getpid()));
    crate::server::scratch::sweep(&std::env::temp_dir());
    let limit = getrlimit(Resource::Nofile);
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
}
