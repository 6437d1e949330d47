//! `cargo xtask dist`: the archive of a release, for one target.
//!
//! | step | what it does |
//! |---|---|
//! | build | `sigproof` in the profile `release`; the models over each engine, in the profile of that name |
//! | page | man pages and completions, made by a `sigproof` of this machine |
//! | pack | the folder, as `tar` packs it |
//! | sum | the checksum of the archive, as a line of `SHA256SUMS` |

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use sigproof_harness::model::Engine;
use sigproof_report::Exit;

use crate::args::DistArgs;
use crate::command::{self, cargo};
use crate::model::process;
use crate::session::{Concluded, Session};
use crate::trouble::Trouble;

/// What the archive has of the checkout.
const COPIED: [&str; 3] = ["README.md", "LICENSE-APACHE", "LICENSE-MIT"];

/// The shells, and the names under which they look for completions.
const SHELLS: [(&str, &str); 3] = [("bash", "sigproof.bash"), ("zsh", "_sigproof"), ("fish", "sigproof.fish")];

/// The sums of all archives of a folder.
const SUMS: &str = "SHA256SUMS";

/// Runs the verb.
pub fn run(args: &DistArgs, session: &mut Session<'_>) -> Concluded {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."));
    let target = match &args.target {
        Some(target) => target.clone(),
        None => host(session)?,
    };
    let built = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from).join("dist");
    let to = args.to.clone().unwrap_or_else(|| built.clone());
    let name = format!("sigproof-{}-{target}", env!("CARGO_PKG_VERSION"));
    let folder = to.join(&name);
    renew(&folder).map_err(|error| cannot("make", &folder, &error))?;
    for program in programs(&built, &target) {
        done(&mut program.build(&target, root))?;
        copy(&program.at, &folder.join(program.packed))?;
    }
    for file in COPIED {
        copy(&root.join(file), &folder.join(file))?;
    }
    pages(&folder, root, session)?;
    let archive = format!("{name}.tar.gz");
    done(Command::new("tar").arg("-czf").arg(to.join(&archive)).arg("-C").arg(&to).arg(&name))?;
    let sum = sum(&to, &archive, session)?;
    let sums = fs::read_to_string(to.join(SUMS)).unwrap_or_default();
    fs::write(to.join(SUMS), with_sum(&sums, &archive, &sum))
        .map_err(|error| cannot("write", &to.join(SUMS), &error))?;
    Ok(session.out.say(&format!("{}\n{sum}  {archive}\n", to.join(&archive).display())).into())
}

/// A program of the archive.
struct OfRelease {
    package: &'static str,
    name: &'static str,
    /// Its name in the archive, where the command looks for it.
    packed: &'static str,
    profile: &'static str,
    flags: &'static str,
    /// The target folder of its build. That of the models is another one: its flags would undo the other.
    folder: PathBuf,
    at: PathBuf,
}

fn programs(built: &Path, target: &str) -> [OfRelease; 3] {
    let of = |package, name, profile: &'static str, folder: PathBuf| OfRelease {
        package,
        name,
        packed: name,
        profile,
        flags: "",
        at: folder.join(target).join(profile).join(name),
        folder,
    };
    let models = |engine: Engine| {
        let profile = engine.as_str();
        let program = of("sigproof-casebook", process::PROGRAM, profile, built.join(profile));
        OfRelease { packed: process::installed(engine), flags: process::flag(engine), ..program }
    };
    [of("sigproof-cli", "sigproof", "release", built.to_owned()), models(Engine::Graph), models(Engine::Loom)]
}

impl OfRelease {
    fn build(&self, target: &str, root: &Path) -> Command {
        let mut command = cargo();
        command.args(["build", "--profile", self.profile, "--target", target]);
        command.args(["--package", self.package, "--bin", self.name]).current_dir(root);
        command.env("CARGO_TARGET_DIR", &self.folder);
        // A variable that is set, though empty, hides the flags that cargo's configuration has for a target.
        if !self.flags.is_empty() {
            let flags = format!("{} {}", std::env::var("RUSTFLAGS").unwrap_or_default(), self.flags);
            command.env("RUSTFLAGS", flags.trim());
        }
        command
    }
}

/// The man pages and the completions. They are the same for every target.
fn pages(folder: &Path, root: &Path, session: &Session<'_>) -> Result<(), Trouble> {
    let sigproof = || {
        let mut command = cargo();
        command.args(["run", "--quiet", "--package", "sigproof-cli", "--"]).current_dir(root);
        command
    };
    let man = std::path::absolute(folder.join("man/man1")).map_err(|error| cannot("find", folder, &error))?;
    done(sigproof().args(["man", "--to"]).arg(man))?;
    let completions = folder.join("completions");
    fs::create_dir_all(&completions).map_err(|error| cannot("make", &completions, &error))?;
    for (shell, name) in SHELLS {
        let text = told(sigproof().args(["completions", shell]), session)?;
        let path = completions.join(name);
        fs::write(&path, text).map_err(|error| cannot("write", &path, &error))?;
    }
    Ok(())
}

/// The checksum of a file of a folder, by whichever program there is.
fn sum(folder: &Path, file: &str, session: &Session<'_>) -> Result<String, Trouble> {
    let linux = told(Command::new("sha256sum").arg(file).current_dir(folder), session);
    let line =
        linux.or_else(|_| told(Command::new("shasum").args(["-a", "256", file]).current_dir(folder), session))?;
    let sum = line.split_whitespace().next().filter(|sum| sum.len() == 64);
    sum.map(str::to_owned).ok_or_else(|| Trouble::environment(format!("no checksum of {file} in '{line}'")))
}

/// The lines of `SHA256SUMS` with this sum in the place of an older one of the same archive.
fn with_sum(sums: &str, archive: &str, sum: &str) -> String {
    let others = sums.lines().filter(|line| line.split_once("  ").is_none_or(|(_, name)| name != archive));
    let mut lines: Vec<_> = others.map(str::to_owned).chain([format!("{sum}  {archive}")]).collect();
    lines.sort_by(|a, b| a.split_once("  ").map(|line| line.1).cmp(&b.split_once("  ").map(|line| line.1)));
    lines.join("\n") + "\n"
}

/// This machine's target.
fn host(session: &Session<'_>) -> Result<String, Trouble> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let told = told(Command::new(rustc).arg("-vV"), session)?;
    let host = told.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).ok_or_else(|| Trouble::environment("rustc -vV names no host".to_owned()))
}

/// Runs a command whose output the user sees.
fn done(command: &mut Command) -> Result<(), Trouble> {
    let name = command.get_program().display().to_string();
    match command::status(command) {
        (Exit::AsExpected, _) => Ok(()),
        (exit, why) => Err(Trouble::with(exit, format!("{name}: {}", why.unwrap_or_default()))),
    }
}

/// Runs a command for its output.
fn told(command: &mut Command, session: &Session<'_>) -> Result<String, Trouble> {
    let name = command.get_program().display().to_string();
    let finished = command::output(command, session.stop)?;
    match finished.status.success() {
        true => Ok(String::from_utf8_lossy(&finished.stdout).into_owned()),
        false => Err(Trouble::environment(format!("{name} failed: {}", finished.status))),
    }
}

/// An empty folder, whatever was there.
fn renew(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    fs::create_dir_all(folder)
}

fn copy(from: &Path, to: &Path) -> Result<(), Trouble> {
    fs::copy(from, to).map(drop).map_err(|error| cannot("copy", from, &error))
}

fn cannot(verb: &str, path: &Path, error: &io::Error) -> Trouble {
    Trouble::environment(format!("cannot {verb} {}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sum_replaces_the_older_one_of_its_archive() {
        let sums = with_sum("", "b.tar.gz", "2");
        assert_eq!(with_sum(&sums, "a.tar.gz", "1"), "1  a.tar.gz\n2  b.tar.gz\n");
        assert_eq!(with_sum("1  a.tar.gz\n2  b.tar.gz\n", "b.tar.gz", "3"), "1  a.tar.gz\n3  b.tar.gz\n");
    }

    #[test]
    fn each_program_has_a_build_of_its_own() {
        let [command, graph, loom] = programs(Path::new("d"), "t");
        assert_eq!(command.at, Path::new("d/t/release/sigproof"));
        assert_eq!(graph.at, Path::new("d/graph/t/graph/sigproof-model"));
        assert_eq!(loom.at, Path::new("d/loom/t/loom/sigproof-model"));
        // Each is packed under the name by which the installed command asks for it.
        assert_eq!(
            [&command, &graph, &loom].map(|of| of.packed),
            ["sigproof", "sigproof-model-graph", "sigproof-model"]
        );
        let flags = |of: &OfRelease| {
            let built = of.build("t", Path::new("."));
            let flags = built.get_envs().find(|(name, _)| *name == "RUSTFLAGS").and_then(|(_, flags)| flags);
            flags.map(|flags| flags.to_string_lossy().into_owned())
        };
        assert_eq!(flags(&command), None);
        assert!(flags(&graph).is_some_and(|flags| flags.ends_with("--cfg sigproof_graph")));
        assert!(flags(&loom).is_some_and(|flags| flags.ends_with("--cfg loom")));
    }
}
