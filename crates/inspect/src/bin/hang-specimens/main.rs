//! Processes for the tests of `hang` and `diagnose`: some stick for good, in a known way, and some only look
//! as if.
//!
//! `hang-specimens NAME PAGE`: PAGE is a file of at least 16 bytes that the test maps too. Word 0 counts
//! progress, word 1 is not 0 while a timer is armed. Exit code 2: unknown name, or a platform without this
//! specimen.

#[cfg(target_os = "linux")]
mod healthy;
#[cfg(target_os = "linux")]
mod stuck;
#[cfg(target_os = "linux")]
mod tools;
#[cfg(target_os = "linux")]
mod unnamed;

#[cfg(target_os = "linux")]
fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, name, page] = arguments.as_slice() else { std::process::exit(2) };
    tools::map_page(page);
    let table = stuck::TABLE.iter().chain(unnamed::TABLE).chain(healthy::TABLE);
    match table.into_iter().find(|(known, _)| known == name) {
        Some((_, specimen)) => specimen(),
        None => std::process::exit(2),
    }
}

#[cfg(not(target_os = "linux"))]
fn main() {
    std::process::exit(2);
}
