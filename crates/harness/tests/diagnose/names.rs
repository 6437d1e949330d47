//! Whether this machine knows the names of functions that libc does not export.
//!
//! Most distributions keep them in a separate package. The tests ask for more where they are known, and say in their output which it was.

use sigproof_harness::diagnose::Symbols;
use std::sync::OnceLock;

/// How far around `pthread_mutex_lock` the code is searched for an internal function.
const AROUND: u64 = 64 << 10;
/// The start of a function in steps that none is shorter than.
const STEP: usize = 16;

/// Whether the names of libc's internal functions resolve here.
pub fn internal_names() -> bool {
    static KNOWN: OnceLock<bool> = OnceLock::new();
    *KNOWN.get_or_init(|| {
        let symbols = Symbols::of_self();
        let near = libc::pthread_mutex_lock as *const () as u64;
        let named = |pc: u64| symbols.place(pc).symbol.is_some_and(|symbol| symbol.ends_with("lll_lock_wait"));
        // A static musl has one symbol table for everything.
        let known = cfg!(target_env = "musl") || (near - AROUND..near + AROUND).step_by(STEP).any(named);
        if !known {
            println!(
                "libc has exported names only here: kinds of waits are required, names of internal functions are not"
            );
        }
        known
    })
}

/// Guards [`internal_names`] itself: a diagnosis that no longer reads debug files must not weaken the tests.
#[cfg(target_env = "gnu")]
#[test]
fn names_are_known_where_the_debug_file_is_installed() {
    use object::Object;
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    let path = maps.lines().find_map(|line| line.split_whitespace().nth(5).filter(|path| path.ends_with("/libc.so.6")));
    let bytes = std::fs::read(path.expect("libc is mapped")).unwrap();
    let libc = object::File::parse(&*bytes).unwrap();
    let id = libc.build_id().unwrap().expect("libc has a build id");
    let id: String = id.iter().map(|byte| format!("{byte:02x}")).collect();
    let debug = format!("/usr/lib/debug/.build-id/{}/{}.debug", &id[..2], &id[2..]);
    let installed = std::path::Path::new(&debug).is_file() || libc.symbols().next().is_some();
    assert_eq!(internal_names(), installed, "{debug}");
}
