//! The libraries that a program is bound to, found by the loader's rules and without running it: DT_RPATH,
//! LD_LIBRARY_PATH, DT_RUNPATH, the folders of `/etc/ld.so.conf`, the standard folders. Source: ld.so(8).

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::elf::{self, Object};

/// Files that include each other, at most.
const DEPTH: usize = 8;

/// The standard folders.
const STANDARD: &[&str] = &["/lib64", "/usr/lib64", "/lib", "/usr/lib"];

/// Reads the libraries that `program` needs, and those that they need, each after those that need it. Also
/// the names of those that were not found.
pub(crate) fn libraries(program: &Object) -> (Vec<Object>, Vec<String>) {
    let mut found: Vec<Object> = Vec::new();
    let mut missing = Vec::new();
    let mut known: HashSet<String> = HashSet::new();
    let system = configured(Path::new("/etc/ld.so.conf"), DEPTH);
    let mut next = 0;
    loop {
        let needs = match next {
            0 => program,
            other => match found.get(other - 1) {
                Some(object) => object,
                None => break,
            },
        };
        next += 1;
        let mut new = Vec::new();
        for name in &needs.needed {
            if !known.insert(name.clone()) {
                continue;
            }
            match library(name, needs, program, &system) {
                Some(object) => new.push(object),
                None => missing.push(name.clone()),
            }
        }
        found.append(&mut new);
    }
    (found, missing)
}

fn library(name: &str, needs: &Object, program: &Object, system: &[PathBuf]) -> Option<Object> {
    let fits = |path: &Path| elf::open(path).ok().filter(|object| object.machine == program.machine);
    if name.contains('/') {
        return fits(Path::new(name));
    }
    let own = |folders: &[String], of: &Object| -> Vec<PathBuf> {
        let origin = fs::canonicalize(&of.path).ok().and_then(|path| Some(path.parent()?.to_owned()));
        let origin = origin.unwrap_or_default().to_string_lossy().into_owned();
        folders.iter().map(|folder| folder.replace("${ORIGIN}", &origin).replace("$ORIGIN", &origin).into()).collect()
    };
    let mut folders = Vec::new();
    if needs.runpath.is_empty() {
        folders.extend(own(&needs.rpath, needs));
        folders.extend(own(&program.rpath, program));
    }
    if let Some(paths) = std::env::var_os("LD_LIBRARY_PATH") {
        folders.extend(std::env::split_paths(&paths));
    }
    folders.extend(own(&needs.runpath, needs));
    folders.extend(system.iter().cloned());
    folders.extend(STANDARD.iter().map(PathBuf::from));
    folders.iter().find_map(|folder| fits(&folder.join(name)))
}

/// The folders that a configuration of the loader names.
fn configured(path: &Path, depth: usize) -> Vec<PathBuf> {
    let Some(text) = fs::read(path).ok().filter(|_| depth > 0) else { return Vec::new() };
    let text = String::from_utf8_lossy(&text).into_owned();
    let mut folders = Vec::new();
    for line in text.lines() {
        let line = line.split('#').next().unwrap_or_default().trim();
        match line.strip_prefix("include ") {
            Some(pattern) => {
                for file in matching(path, pattern.trim()) {
                    folders.extend(configured(&file, depth - 1));
                }
            }
            None if line.starts_with('/') => folders.push(line.into()),
            None => {}
        }
    }
    folders
}

/// The files of a pattern with one star in its file name, in order.
fn matching(of: &Path, pattern: &str) -> Vec<PathBuf> {
    let pattern = of.parent().unwrap_or(Path::new("/")).join(pattern);
    let (Some(folder), Some(name)) = (pattern.parent(), pattern.file_name().and_then(|name| name.to_str())) else {
        return Vec::new();
    };
    let Some((first, last)) = name.split_once('*') else { return vec![pattern.clone()] };
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut files: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            name.len() >= first.len() + last.len() && name.starts_with(first) && name.ends_with(last)
        })
        .collect();
    files.sort();
    files
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_configuration_includes_others() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("parts")).unwrap();
        fs::write(folder.path().join("parts/b.conf"), "/b # second\n").unwrap();
        fs::write(folder.path().join("parts/a.conf"), "# none\n/a\n").unwrap();
        fs::write(folder.path().join("parts/c.txt"), "/c\n").unwrap();
        let main = folder.path().join("main.conf");
        fs::write(&main, "include parts/*.conf\n/last\ninclude main.conf\n").unwrap();
        let found = configured(&main, 2);
        let found: Vec<_> = found.iter().map(|path| path.to_str().unwrap()).collect();
        assert_eq!(found, ["/a", "/b", "/last", "/last"], "a circle ends");
    }
}
