//! The memory orderings that stand in the sources, found by reading them.

use std::fs;
use std::path::{Path, PathBuf};

use syn::visit::{self, Visit};

use super::Trouble;

/// Where orderings have to be justified.
const FOLDERS: [&str; 2] = ["crates/profbuf/src", "crates/osnote/src"];

/// An ordering in the source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file, from the workspace's folder.
    pub file: String,
    /// The line of the method's name.
    pub line: u32,
    /// Its column, counted from 1.
    pub column: u32,
    /// The function that it is in.
    pub function: String,
    /// The method.
    pub method: String,
    /// Whether it is the ordering of a compare-and-swap that fails.
    pub failure: bool,
    /// The ordering.
    pub ordering: String,
}

impl Place {
    /// For people: `osnote/src/doorbell.rs:98 sleep_until: fetch_or`.
    pub fn title(&self) -> String {
        let file = self.file.strip_prefix("crates/").unwrap_or(&self.file);
        let failure = if self.failure { " (failure)" } else { "" };
        format!("{file}:{} {}: {}{failure}", self.line, self.function, self.method)
    }
}

/// All of them, in the order of the sources.
///
/// # Errors
/// A source that cannot be read, or is none.
pub fn places(workspace: &Path) -> Result<Vec<Place>, Trouble> {
    let mut found = Vec::new();
    for folder in FOLDERS {
        let mut files = Vec::new();
        let trouble = |error| Trouble::environment(format!("{folder}: {error}"));
        collect(&workspace.join(folder), &mut files).map_err(trouble)?;
        files.sort();
        for path in files {
            let file = path.strip_prefix(workspace).unwrap_or(&path).display().to_string();
            let text = fs::read_to_string(&path).map_err(|e| Trouble::environment(format!("{file}: {e}")))?;
            let parsed = syn::parse_file(&text).map_err(|e| Trouble::environment(format!("{file}: {e}")))?;
            let mut finder = Finder { file, functions: Vec::new(), found: &mut found };
            finder.visit_file(&parsed);
        }
    }
    Ok(found)
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> std::io::Result<()> {
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

/// Whether it is for tests only.
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
}
