//! The lock that a library function takes, and whether the function holds it while it runs.
//!
//! Sources: glibc (`malloc/arena.c`, `libio/`, `elf/dl-open.c`, `elf/dl-iteratephdr.c`, `time/tzset.c`,
//! `misc/syslog.c`, `stdlib/cxa_atexit.c`, `stdlib/random.c`, `stdlib/setenv.c`, `sysdeps/nptl/fork.c`), musl
//! (`src/malloc/`, `ldso/dynlink.c`, `src/time/__tz.c`), Apple's libmalloc and dyld, jemalloc, tcmalloc,
//! mimalloc, scudo, libgcc (`unwind-dw2-fde-dip.c`), libunwind, CPython, Go's `runtime`.

use std::sync::OnceLock;

use super::name::Name;
use super::table::{Table, Words, words};

mod c;

use c::C;

/// A lock, by what it protects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Lock {
    /// The allocator's: an arena, a zone, a central list.
    Heap,
    /// A standard stream's.
    Stdio,
    /// The loader's, which `dlopen` and `dl_iterate_phdr` take.
    Loader,
    /// The time zone's.
    TimeZone,
    /// `syslog`'s.
    Syslog,
    /// The list of exit functions.
    Exit,
    /// The environment's.
    Environment,
    /// The random number generator's.
    Random,
    /// The resolver's or the name service's.
    Resolver,
    /// The unwinder's.
    Unwinder,
    /// An interpreter's global lock.
    Interpreter,
    /// Of Go's runtime.
    Go,
    /// Of the Objective-C runtime, or of Dispatch.
    Apple,
    /// The list of threads or of their stacks.
    Threads,
    /// Another lock inside libc.
    Libc,
    /// A mutex of the program's own, or of a library that is not known.
    Program,
    /// A read-write lock of the program's own.
    ReadWrite,
}

impl Lock {
    /// In words, behind "waits for".
    pub fn what(self) -> &'static str {
        match self {
            Self::Heap => "the lock of the heap",
            Self::Stdio => "the lock of a standard stream",
            Self::Loader => "the lock of the dynamic loader",
            Self::TimeZone => "the lock of the time zone",
            Self::Syslog => "the lock of syslog",
            Self::Exit => "the lock of the exit functions",
            Self::Environment => "the lock of the environment",
            Self::Random => "the lock of the random number generator",
            Self::Resolver => "the lock of the name service",
            Self::Unwinder => "the lock of the unwinder",
            Self::Interpreter => "the lock of the interpreter",
            Self::Go => "a lock of the Go runtime",
            Self::Apple => "a lock of the Objective-C runtime or of Dispatch",
            Self::Threads => "the lock of the list of threads",
            Self::Libc => "a lock inside libc",
            Self::Program => "a mutex of the program",
            Self::ReadWrite => "a read-write lock of the program",
        }
    }

    /// The word in a fingerprint.
    pub fn word(self) -> &'static str {
        match self {
            Self::Heap => "heap",
            Self::Stdio => "stdio",
            Self::Loader => "loader",
            Self::TimeZone => "time-zone",
            Self::Syslog => "syslog",
            Self::Exit => "exit",
            Self::Environment => "environment",
            Self::Random => "random",
            Self::Resolver => "resolver",
            Self::Unwinder => "unwinder",
            Self::Interpreter => "interpreter",
            Self::Go => "go-runtime",
            Self::Apple => "apple-runtime",
            Self::Threads => "threads",
            Self::Libc => "libc",
            Self::Program => "mutex",
            Self::ReadWrite => "rwlock",
        }
    }

    /// Whether it is no lock of a library that is known.
    pub fn is_of_program(self) -> bool {
        matches!(self, Self::Program | Self::ReadWrite)
    }
}

/// How surely a function that is running holds its lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Holding {
    /// It takes the lock somewhere and gives it back before it returns.
    Perhaps,
    /// It is called with the lock held.
    Surely,
}

/// The lock that the function with this name takes; `None` for a function that is not in the table.
pub fn of(name: &Name) -> Option<(Lock, Holding)> {
    use Holding::{Perhaps, Surely};
    let key = name.key.as_str();
    if key.contains("::") || key.starts_with("operator") {
        return of_path(name).map(|lock| (lock, Perhaps));
    }
    if let Some(rest) = key.strip_prefix("runtime.") {
        return of_go(rest).map(|lock| (lock, Perhaps));
    }
    if is_inside_heap(key) {
        return Some((Lock::Heap, Surely));
    }
    of_c(key).map(|lock| (lock, Perhaps))
}

/// Functions of an allocator that run with its lock held.
const INSIDE_HEAP: Table<()> = &[(
    (),
    "\
    int_malloc int_free int_free_merge_chunk int_free_create_chunk int_free_maybe_consolidate \
    int_free_maybe_trim int_realloc int_memalign malloc_consolidate unlink_chunk sysmalloc \
    sysmalloc_mmap sysmalloc_mmap_fallback systrim sYSMALLOc sYSTRIm heap_trim grow_heap free_tiny \
    free_small free_medium tiny_malloc_from_free_list small_malloc_from_free_list \
    medium_malloc_from_free_list tiny_free_no_lock small_free_no_lock tiny_free_list_add_ptr \
    tiny_free_list_remove_ptr small_free_list_add_ptr small_free_list_remove_ptr \
    tiny_free_scan_madvise_free tiny_malloc_should_clear small_malloc_should_clear \
    tiny_free_reattach_region tiny_free_detach_region large_malloc free_large chunk_alloc chunk_free \
    malloc_extend_top je_arena_extent_split do_check_free_chunk do_check_chunk do_check_inuse_chunk \
    largebin_insert alloc_slot alloc_group nontrivial_free free_group",
)];

fn is_inside_heap(key: &str) -> bool {
    static WORDS: OnceLock<Words<()>> = OnceLock::new();
    WORDS.get_or_init(|| words(INSIDE_HEAP)).contains_key(key)
}

fn of_c(key: &str) -> Option<Lock> {
    static WORDS: OnceLock<Words<Lock>> = OnceLock::new();
    if let Some(lock) = WORDS.get_or_init(|| words(C)).get(key) {
        return Some(*lock);
    }
    if starts_with_any(key, &["IO_", "new_file_", "stdio_"]) {
        return Some(Lock::Stdio);
    }
    if key.starts_with("dl_") && !starts_with_any(key, &["dl_start", "dl_sysdep"]) {
        return Some(Lock::Loader);
    }
    (starts_with_any(key, ALLOCATORS) && !key.contains("prof_")).then_some(Lock::Heap)
}

/// How the names of functions of allocators begin.
const ALLOCATORS: &[&str] = &[
    "je_",
    "jemalloc",
    "tcmalloc",
    "mi_",
    "scudo",
    "szone_",
    "tiny_",
    "small_free",
    "small_malloc",
    "nanov2_",
    "xzm_",
    "malloc_zone_",
    "arena_",
    "tcache_",
    "pas_",
    "mimalloc",
    "snmalloc",
    "hoard",
    "rpmalloc",
];

fn starts_with_any(text: &str, starts: &[&str]) -> bool {
    starts.iter().any(|start| text.starts_with(start))
}

/// Go's runtime, without `runtime.`.
fn of_go(name: &str) -> Option<Lock> {
    let first = name.split(['.', ')']).next().unwrap_or_default();
    let allocates = [
        "(*mheap",
        "(*mcentral",
        "(*mcache",
        "(*spanSet",
        "(*fixalloc",
        "(*linearAlloc",
        "mallocgc",
        "newobject",
        "persistentalloc",
        "sysAlloc",
        "stackalloc",
        "growslice",
        "makeslice",
    ];
    if allocates.iter().any(|start| name.starts_with(start)) {
        return Some(Lock::Heap);
    }
    let locks = [
        "lock2",
        "lock",
        "unlock2",
        "addTimer",
        "setThreadCPUProfiler",
        "sigprof",
        "(*cpuProfile",
        "traceAcquire",
        "printlock",
        "printunlock",
        "schedlock",
    ];
    locks.iter().any(|other| name.starts_with(other) || first == *other).then_some(Lock::Go)
}

/// Names with scopes, and C++'s operators.
fn of_path(name: &Name) -> Option<Lock> {
    let path = name.path.as_str();
    if path.starts_with("operator new") || path.starts_with("operator delete") {
        return Some(Lock::Heap);
    }
    let starts = |starts: &[&str]| starts.iter().any(|start| path.starts_with(start));
    if starts(&[
        "tcmalloc::",
        "jemalloc::",
        "scudo::",
        "mi::",
        "bmalloc::",
        "snmalloc::",
        "alloc::alloc::",
        "alloc::raw_vec::",
        "__rust_alloc",
        "WTF::fastMalloc",
        "partition_alloc::",
        "base::internal::PartitionRoot",
        "base::PartitionRoot",
        "rtmalloc",
        "std::alloc::",
        "__scudo",
        "__asan::Allocator",
        "__asan::asan_malloc",
        "rml::internal::",
        "google_malloc",
    ]) || path.contains("PartitionAlloc")
        || path.contains("allocator_shim")
        || path.contains("CentralFreeList")
        || path.contains("PageHeap::")
    {
        return Some(Lock::Heap);
    }
    if starts(&["dyld::", "dyld4::", "dyld3::", "ImageLoader"]) {
        let tls = path.contains("instantiateTLVs") || path.contains("tlv_");
        return Some(if tls { Lock::Heap } else { Lock::Loader });
    }
    if starts(&[
        "std::io::stdio::",
        "std::io::stderr",
        "std::io::stdout",
        "std::ostream",
        "std::basic_ostream",
        "std::__ostream_insert",
        "std::io::Stderr",
        "std::io::Stdout",
        "std::io::_print",
        "std::io::_eprint",
        "std::io::LineWriter",
        "std::io::buffered",
    ]) {
        return Some(Lock::Stdio);
    }
    if starts(&["std::env::", "std::sys::env::"]) {
        return Some(Lock::Environment);
    }
    if starts(&[
        "std::backtrace",
        "backtrace::trace",
        "backtrace::symbolize",
        "std::panicking::",
        "libunwind::",
        "unwindstack::",
        "folly::symbolizer",
        "std::backtrace_rs",
    ]) {
        return Some(Lock::Unwinder);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("_int_malloc", Some((Lock::Heap, Holding::Surely)))]
    #[case("__GI___libc_free", Some((Lock::Heap, Holding::Perhaps)))]
    #[case("free_tiny", Some((Lock::Heap, Holding::Surely)))]
    #[case("operator new(unsigned long)", Some((Lock::Heap, Holding::Perhaps)))]
    #[case("_IO_new_file_xsputn", Some((Lock::Stdio, Holding::Perhaps)))]
    #[case("__tz_convert", Some((Lock::TimeZone, Holding::Perhaps)))]
    #[case("__dl_iterate_phdr", Some((Lock::Loader, Holding::Perhaps)))]
    #[case("__vsyslog_chk", Some((Lock::Syslog, Holding::Perhaps)))]
    #[case("tcmalloc::CentralFreeList::RemoveRange", Some((Lock::Heap, Holding::Perhaps)))]
    #[case("icinga::Log::~Log", None)]
    #[case("main", None)]
    fn a_library_function_has_its_lock(#[case] function: &str, #[case] lock: Option<(Lock, Holding)>) {
        assert_eq!(of(&Name::of(function)), lock);
    }
}
