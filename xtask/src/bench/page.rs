//! `docs/performance.md`: made, never edited.

use std::fs;
use std::path::Path;
use std::process::Command;

use sigproof_harness::report::host::Host;
use sigproof_oracle::bench::RING;

use super::summary::Summary;

/// What was measured on, and with what.
pub struct Machine {
    /// The processor, and how many of it.
    pub processor: String,
    /// The operating system.
    pub system: String,
    /// The compiler.
    pub rustc: String,
    /// The crate that we are compared with.
    pub rtrb: String,
}

impl Machine {
    /// This one.
    pub fn detect(root: &Path) -> Self {
        let host = Host::detect();
        let lock = fs::read_to_string(root.join("Cargo.lock")).unwrap_or_default();
        Self {
            processor: format!("{}, {} usable", processor(), host.cpus),
            system: format!("{} {}, {}, {}", host.os, host.kernel, host.arch, host.libc),
            rustc: said("rustc", &["--version"]).unwrap_or_else(unknown),
            rtrb: version(&lock, "rtrb").unwrap_or_else(unknown),
        }
    }
}

fn unknown() -> String {
    "unknown".to_owned()
}

/// The processor's model: Linux has it in a file, macOS tells it.
fn processor() -> String {
    let file = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let line =
        file.lines().find_map(|line| Some(line.strip_prefix("model name")?.split_once(':')?.1.trim().to_owned()));
    line.or_else(|| said("sysctl", &["-n", "machdep.cpu.brand_string"])).unwrap_or_else(unknown)
}

fn said(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// The version of a package in a lock file.
fn version(lock: &str, package: &str) -> Option<String> {
    let rest = lock.split_once(&format!("name = \"{package}\"\nversion = \""))?.1;
    Some(rest.split('"').next()?.to_owned())
}

/// The page.
pub fn text(summary: &Summary, machine: &Machine, passes: u32, skipped: &[String]) -> String {
    let Machine { processor, system, rustc, rtrb } = machine;
    let skipped: String = skipped.iter().map(|line| format!("- skipped: {line}\n")).collect();
    format!(
        "# Performance\n\n\
         Written by `cargo xtask bench --write`; `cargo xtask bench --help` says how to read it.\n\n\
         - processor: {processor}\n- system: {system}\n- compiler: {rustc}\n- rtrb: {rtrb}\n\
         - passes: {passes}; ring: {RING} words\n{skipped}\n\
         ## Write and drain, one thread\n\n{}\n![cost over depth](performance.svg)\n\n## Goals\n\n{}",
        summary.table(),
        summary.goals_text(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_come_from_the_lock() {
        let lock = "[[package]]\nname = \"rtrb\"\nversion = \"0.3.6\"\n";
        assert_eq!(version(lock, "rtrb").as_deref(), Some("0.3.6"));
        assert_eq!(version(lock, "loom"), None);
    }

    #[test]
    fn the_page_has_the_machine_the_table_and_the_goals() {
        let word = |text: &str| text.to_owned();
        let machine = Machine { processor: word("P"), system: word("S"), rustc: word("R"), rtrb: word("0.3.6") };
        let summary = super::super::summary::fixed();
        let page = text(&summary, &machine, 3, &[word("Go: none")]);
        for part in
            ["processor: P", "system: S", "rtrb: 0.3.6", "skipped: Go: none", &summary.table(), &summary.goals_text()]
        {
            assert!(page.contains(part), "{part}\n{page}");
        }
    }
}
