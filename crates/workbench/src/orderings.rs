//! The memory orderings in the sources, found by parsing them. `cargo xtask model --weaken` asks for them.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use sigproof_harness::model::orderings::Place;
use syn::visit::{self, Visit};

/// Where each ordering needs a model, or a reason.
const FOLDERS: [&str; 2] = ["crates/profbuf/src", "crates/osnote/src"];

/// All orderings, in the order of the sources.
///
/// # Errors
/// A source that cannot be read or parsed.
pub fn places(workspace: &Path) -> Result<Vec<Place>, Unreadable> {
    let mut found = Vec::new();
    for folder in FOLDERS {
        let mut files = Vec::new();
        collect(&workspace.join(folder), &mut files).map_err(|error| Unreadable::file(folder, error))?;
        files.sort();
        for path in files {
            let file = path.strip_prefix(workspace).unwrap_or(&path).display().to_string();
            let text = fs::read_to_string(&path).map_err(|error| Unreadable::file(&file, error))?;
            let parsed = syn::parse_file(&text).map_err(|error| Unreadable::Source { file: file.clone(), error })?;
            let mut finder = Finder { file, functions: Vec::new(), found: &mut found };
            finder.visit_file(&parsed);
        }
    }
    Ok(found)
}

/// A source from which no orderings can be taken.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// It cannot be read.
    #[error("{file} cannot be read: {error}; the orderings are read from a checkout of sigproof")]
    File {
        /// The file or folder, from the workspace's folder.
        file: String,
        error: io::Error,
    },
    /// It does not parse.
    #[error("{file} cannot be parsed: {error}")]
    Source {
        /// The file, from the workspace's folder.
        file: String,
        error: syn::Error,
    },
}

impl Unreadable {
    fn file(file: &str, error: io::Error) -> Self {
        Self::File { file: file.to_owned(), error }
    }
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else if path.extension().is_some_and(|e| e == "rs") && path.file_name().is_some_and(|n| n != "tests.rs") {
            files.push(path);
        }
    }
    Ok(())
}

struct Finder<'a> {
    file: String,
    functions: Vec<String>,
    found: &'a mut Vec<Place>,
}

/// Whether the attributes say that an item is for tests only.
fn for_tests(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|a| a.path().is_ident("cfg") && a.parse_args::<syn::Ident>().is_ok_and(|what| what == "test"))
}

/// `Ordering::X` as `X`.
fn ordering(argument: &syn::Expr) -> Option<String> {
    let syn::Expr::Path(path) = argument else { return None };
    let mut last = path.path.segments.iter().rev();
    let (name, parent) = (last.next()?, last.next()?);
    (parent.ident == "Ordering").then(|| name.ident.to_string())
}

impl<'ast> Visit<'ast> for Finder<'_> {
    fn visit_item_mod(&mut self, node: &'ast syn::ItemMod) {
        if !for_tests(&node.attrs) {
            visit::visit_item_mod(self, node);
        }
    }

    fn visit_item_fn(&mut self, node: &'ast syn::ItemFn) {
        self.functions.push(node.sig.ident.to_string());
        visit::visit_item_fn(self, node);
        self.functions.pop();
    }

    fn visit_impl_item_fn(&mut self, node: &'ast syn::ImplItemFn) {
        if for_tests(&node.attrs) {
            return;
        }
        self.functions.push(node.sig.ident.to_string());
        visit::visit_impl_item_fn(self, node);
        self.functions.pop();
    }

    fn visit_trait_item_fn(&mut self, node: &'ast syn::TraitItemFn) {
        self.functions.push(node.sig.ident.to_string());
        visit::visit_trait_item_fn(self, node);
        self.functions.pop();
    }

    fn visit_expr_method_call(&mut self, node: &'ast syn::ExprMethodCall) {
        let start = node.method.span().start();
        for (n, ordering) in node.args.iter().filter_map(ordering).enumerate() {
            self.found.push(Place {
                file: self.file.clone(),
                line: u32::try_from(start.line).unwrap_or(u32::MAX),
                column: u32::try_from(start.column + 1).unwrap_or(u32::MAX),
                function: self.functions.last().cloned().unwrap_or_default(),
                method: node.method.to_string(),
                failure: n == 1,
                ordering,
            });
        }
        visit::visit_expr_method_call(self, node);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orderings_are_found_with_their_functions() {
        let text = "impl A { fn look(&self) { self.w.load(Ordering::Acquire); } }\n\
                    fn take() { x.compare_exchange(0, 1, Ordering::AcqRel,\n Ordering::Relaxed); }\n\
                    #[cfg(test)] mod tests { fn not_here() { x.load(Ordering::SeqCst); } }";
        let mut found = Vec::new();
        let mut finder = Finder { file: "a.rs".into(), functions: Vec::new(), found: &mut found };
        finder.visit_file(&syn::parse_file(text).unwrap());
        let brief: Vec<_> = found.iter().map(|p| (p.function.as_str(), p.ordering.as_str(), p.failure)).collect();
        assert_eq!(brief, [("look", "Acquire", false), ("take", "AcqRel", false), ("take", "Relaxed", true)]);
        assert_eq!((found[0].line, found[0].column), (1, 34));
    }

    #[test]
    fn a_source_that_cannot_be_read_or_parsed_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let missing = places(folder.path()).unwrap_err().to_string();
        assert!(missing.starts_with("crates/profbuf/src cannot be read: No such file"), "{missing}");
        fs::create_dir_all(folder.path().join(FOLDERS[0])).unwrap();
        fs::write(folder.path().join(FOLDERS[0]).join("bad.rs"), "fn (").unwrap();
        let bad = places(folder.path()).unwrap_err().to_string();
        assert!(bad.starts_with("crates/profbuf/src/bad.rs cannot be parsed: "), "{bad}");
    }
}
