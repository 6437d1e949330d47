//! Specimens in C and C++, compiled by the tests that look at them.

use std::path::{Path, PathBuf};
use std::process::Command;

/// A source and what is made of it.
#[derive(Clone, Debug)]
pub struct Specimen {
    /// The source, from the folder of this package; one that ends in `.cc` is C++.
    pub source: &'static str,
    /// The name of the result.
    pub name: &'static str,
    /// What the compiler is told, beside `-g` and `-pthread`.
    pub flags: &'static [&'static str],
}

impl Specimen {
    /// Compiles it into a folder.
    ///
    /// # Errors
    /// There is no compiler: the reason and the remedy.
    ///
    /// # Panics
    /// The compiler that is there cannot: it must be able to.
    pub fn compile(&self, folder: &Path) -> Result<PathBuf, String> {
        let (variable, name, language) =
            if self.source.ends_with(".cc") { ("CXX", "c++", "C++") } else { ("CC", "cc", "C") };
        let compiler = std::env::var_os(variable).unwrap_or_else(|| name.into());
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join(self.source);
        let out = folder.join(self.name);
        let output =
            Command::new(&compiler).args(["-g", "-pthread"]).args(self.flags).arg("-o").arg(&out).arg(source).output();
        match output {
            Ok(output) if output.status.success() => Ok(out),
            Ok(output) => panic!("{}: {}", compiler.display(), String::from_utf8_lossy(&output.stderr).trim()),
            Err(error) => Err(format!(
                "{}: {error}; remedy: install a {language} compiler, or name one in {variable}",
                compiler.display()
            )),
        }
    }
}
