//! Building the driver: `go build` with an overlay that adds one file to package runtime.
//!
//! The sources are part of this executable, and are written out for each build; Go's own build cache, in the
//! same folder, makes that cheap, and notices when somebody has edited the runtime, which is what the users
//! of this do.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sigproof_inspect::process::{Errors, output_unless};
use sigproof_shim::native::atomic::AtomicBool;

use crate::toolchain::{Toolchain, Version};

/// What is added to package runtime.
const OVERLAY: &[(&str, &str)] = &[
    ("zz_sigproof.go", include_str!("../go/runtime/sigproof.go")),
    ("zz_sigproof_upstream.go", include_str!("../go/runtime/upstream.go")),
];

const PROGRAM: &[(&str, &str)] = &[
    ("go.mod", include_str!("../go/driver/go.mod")),
    ("bench.go", include_str!("../go/driver/bench.go")),
    ("main.go", include_str!("../go/driver/main.go")),
    ("serve.go", include_str!("../go/driver/serve.go")),
    ("threads.go", include_str!("../go/driver/threads.go")),
    ("upstream.go", include_str!("../go/driver/upstream.go")),
    ("leash_linux.go", include_str!("../go/driver/leash_linux.go")),
    ("leash_other.go", include_str!("../go/driver/leash_other.go")),
    ("profbuf_double_wakeup.go", include_str!("../go/driver/profbuf_double_wakeup.go")),
    ("cpuprof_reader.go", include_str!("../go/driver/cpuprof_reader.go")),
    ("cpuprof_blocking_reader.go", include_str!("../go/driver/cpuprof_blocking_reader.go")),
    ("cpuprof_non_blocking_reader.go", include_str!("../go/driver/cpuprof_non_blocking_reader.go")),
    ("cpuprofile_start_stop.go", include_str!("../go/driver/cpuprofile_start_stop.go")),
    ("os_signal_storm.go", include_str!("../go/driver/os_signal_storm.go")),
    ("selftest.go", include_str!("../go/driver/selftest.go")),
];

/// A driver that has been built.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Driver {
    pub program: PathBuf,
    /// The runtime that is in it.
    pub version: Version,
}

/// Why a driver could not be built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// The folder cannot be written to.
    #[error("the driver for {version} cannot be built in {folder}: {error}")]
    Folder {
        /// For which toolchain.
        version: Version,
        folder: PathBuf,
        error: io::Error,
    },
    /// The compiler refused.
    #[error("the driver does not build with {version}: {said}")]
    Compiler {
        /// For which toolchain.
        version: Version,
        /// What it said.
        said: String,
    },
    /// The user wanted an end before the compiler was done.
    #[error("interrupted while the driver for {version} was built")]
    Interrupted {
        /// For which toolchain.
        version: Version,
    },
}

/// Where drivers are built by default: beside the folder that this executable is in, which is in the target
/// folder.
pub fn folder() -> PathBuf {
    let exe = std::env::current_exe().ok();
    // Executables are in target/debug, those of tests in target/debug/deps.
    let profile = exe
        .as_deref()
        .and_then(Path::parent)
        .map(|parent| if parent.ends_with("deps") { parent.parent().unwrap_or(parent) } else { parent });
    profile.and_then(Path::parent).map_or_else(|| PathBuf::from("target"), Path::to_owned).join("go")
}

impl Driver {
    /// Builds it, below `folder`. One build at a time works there: others wait. `stop` ends the compiler.
    ///
    /// # Errors
    /// [`BuildError`].
    pub fn build(toolchain: &Toolchain, folder: &Path, stop: &AtomicBool) -> Result<Self, BuildError> {
        build(toolchain, folder, None, stop)
    }

    /// Builds it for another platform, of which it is only to be known that it compiles and links there: as
    /// Go calls the system and the architecture.
    ///
    /// # Errors
    /// [`BuildError`].
    pub fn build_for(toolchain: &Toolchain, folder: &Path, os: &str, arch: &str) -> Result<Self, BuildError> {
        build(toolchain, folder, Some((os, arch)), &AtomicBool::new(false))
    }
}

fn build(
    toolchain: &Toolchain,
    folder: &Path,
    target: Option<(&str, &str)>,
    stop: &AtomicBool,
) -> Result<Driver, BuildError> {
    let version = &toolchain.version;
    let place = folder.join(match target {
        None => version.to_string(),
        Some((os, arch)) => format!("{version}-{os}-{arch}"),
    });
    let failed = |error| BuildError::Folder { version: version.clone(), folder: place.clone(), error };
    let _lock = lock(folder).map_err(failed)?;
    let overlay = write(&place, toolchain).map_err(failed)?;
    let mut go = toolchain.go();
    go.current_dir(place.join("driver")).env("GOCACHE", absolute(&folder.join("cache")).map_err(failed)?);
    if let Some((os, arch)) = target {
        go.env("GOOS", os).env("GOARCH", arch);
    }
    go.args(["build", "-trimpath", "-overlay"]).arg(overlay).args(["-o", "../program", "."]);
    let built = output_unless(&mut go, Errors::Kept, stop).map_err(failed)?;
    let built = built.ok_or_else(|| BuildError::Interrupted { version: version.clone() })?;
    if !built.status.success() {
        return Err(BuildError::Compiler { version: version.clone(), said: built.stderr });
    }
    Ok(Driver { program: absolute(&place.join("program")).map_err(failed)?, version: version.clone() })
}

/// Held as long as somebody builds in there.
fn lock(folder: &Path) -> io::Result<File> {
    fs::create_dir_all(folder)?;
    let file = File::options().create(true).truncate(false).write(true).open(folder.join("lock"))?;
    file.lock()?;
    Ok(file)
}

/// Writes the sources and the overlay's description, whose path it returns.
fn write(place: &Path, toolchain: &Toolchain) -> io::Result<PathBuf> {
    for (name, text) in PROGRAM {
        update(&place.join("driver").join(name), text)?;
    }
    let mut replaced = BTreeMap::new();
    for (name, text) in OVERLAY {
        let added = place.join("runtime").join(name);
        update(&added, text)?;
        replaced.insert(toolchain.goroot.join("src").join("runtime").join(name), absolute(&added)?);
    }
    let overlay = absolute(&place.join("overlay.json"))?;
    update(&overlay, &serde_json::json!({ "Replace": replaced }).to_string())?;
    Ok(overlay)
}

fn absolute(path: &Path) -> io::Result<PathBuf> {
    std::path::absolute(path)
}

/// Writes a file, unless it is like that already.
fn update(path: &Path, text: &str) -> io::Result<()> {
    if fs::read_to_string(path).is_ok_and(|old| old == text) {
        return Ok(());
    }
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    fs::write(path, text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use sigproof_tests::executable;

    /// A compiler that would take ten minutes, and ignores what a terminal sends.
    #[test]
    fn an_interruption_ends_a_build_and_is_not_the_compilers_fault() {
        let goroot = tempfile::tempdir().unwrap();
        let go = goroot.path().join("bin/go");
        fs::create_dir(goroot.path().join("bin")).unwrap();
        executable::script(&go, "#!/bin/sh\ntrap '' INT TERM\nsleep 600\nsleep 600\n");
        let toolchain = Toolchain { goroot: goroot.path().to_owned(), version: Version::new("go1.0.0") };
        let built = Driver::build(&toolchain, &goroot.path().join("target"), &AtomicBool::new(true));
        assert!(matches!(built, Err(BuildError::Interrupted { .. })), "{built:?}");
    }

    #[test]
    fn every_source_is_in_the_program() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("go/driver");
        let there: std::collections::BTreeSet<_> =
            fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        assert_eq!(there, PROGRAM.iter().map(|(name, _)| (*name).to_owned()).collect());
    }
}
