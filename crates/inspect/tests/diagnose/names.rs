//! Whether this machine knows the names of functions that libc does not export.
//!
//! Most distributions keep them in a separate package. The tests ask for more where they are known, and say
//! in their output which it was.

use sigproof_inspect::diagnose::Symbols;
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
        // A static executable has one symbol table for everything.
        let known = shared_libc().is_none() || (near - AROUND..near + AROUND).step_by(STEP).any(named);
        if !known {
            println!(
                "libc has exported names only here: kinds of waits are required, names of internal functions are not"
            );
        }
        known
    })
}

/// Guards [`internal_names`] itself: a diagnosis that no longer reads debug files must not weaken the tests.
#[test]
fn names_are_known_where_the_debug_file_is_installed() {
    use object::Object;
    let Some(path) = shared_libc() else {
        assert!(internal_names(), "a static executable has all names");
        return;
    };
    let bytes = std::fs::read(path).unwrap();
    let libc = object::File::parse(&*bytes).unwrap();
    let id = libc.build_id().unwrap().expect("libc has a build id");
    let id: String = id.iter().map(|byte| format!("{byte:02x}")).collect();
    let debug = format!("/usr/lib/debug/.build-id/{}/{}.debug", &id[..2], &id[2..]);
    let installed = std::path::Path::new(&debug).is_file() || libc.symbols().next().is_some();
    assert_eq!(internal_names(), installed, "{debug}");
}

/// The file of the shared C library, if this process has one.
fn shared_libc() -> Option<String> {
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    let mut paths = maps.lines().filter_map(|line| line.split_whitespace().nth(5));
    paths.find(|path| path.ends_with("/libc.so.6")).map(str::to_owned)
}
