//! The machine that a report comes from: what bears on the result, and nothing that names its owner.

use serde::{Deserialize, Serialize};

/// The machine. No host name, no user, no path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Host {
    /// The operating system, as Rust names it: `linux`, `macos`.
    pub os: String,
    /// The instruction set, as Rust names it: `x86_64`, `aarch64`.
    pub arch: String,
    /// The kernel's release, as `uname -r` gives it; empty if it will not say.
    pub kernel: String,
    /// The C library and, where it tells one, its version: `glibc 2.36`.
    pub libc: String,
    /// Processors that this process may use.
    pub cpus: usize,
}

impl Host {
    /// This machine.
    pub fn detect() -> Self {
        let kernel = nix::sys::utsname::uname().ok();
        Self {
            os: std::env::consts::OS.to_owned(),
            arch: std::env::consts::ARCH.to_owned(),
            kernel: kernel.map(|u| u.release().to_string_lossy().into_owned()).unwrap_or_default(),
            libc: libc_version(),
            cpus: std::thread::available_parallelism().map_or(1, usize::from),
        }
    }
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn libc_version() -> String {
    // SAFETY: takes nothing, and returns a string that lives as long as the library.
    let version = unsafe { core::ffi::CStr::from_ptr(libc::gnu_get_libc_version()) };
    format!("glibc {}", version.to_string_lossy())
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
fn libc_version() -> String {
    match (std::env::consts::OS, cfg!(target_env = "musl")) {
        ("macos", _) => "libSystem".to_owned(),
        (_, true) => "musl".to_owned(),
        (os, _) => format!("libc of {os}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_what_bears_on_the_result_and_nothing_private() {
        let host = Host::detect();
        assert!(!host.os.is_empty() && !host.arch.is_empty() && !host.libc.is_empty());
        assert!(host.cpus >= 1);
        let name = nix::sys::utsname::uname().unwrap().nodename().to_string_lossy().into_owned();
        let json = serde_json::to_value(&host).unwrap();
        let keys: Vec<_> = json.as_object().unwrap().keys().cloned().collect();
        assert_eq!(keys, ["arch", "cpus", "kernel", "libc", "os"]);
        assert!(json.as_object().unwrap().values().all(|v| *v != name), "the host's name is in {json}");
    }
}
