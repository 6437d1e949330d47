//! Descriptors that a process has open, before and after.

use std::collections::BTreeSet;

/// An open descriptor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Descriptor {
    pub number: u32,
    /// What it leads to, as `/proc` names it.
    pub to: String,
}

/// The descriptors that the program had open at the entry of a pass, if leaks are minded.
#[derive(Clone, Debug, Default)]
pub(crate) struct Descriptors {
    before: Option<BTreeSet<u32>>,
}

impl Descriptors {
    /// Minds leaks, or does not.
    pub(crate) fn minded(minds: bool) -> Self {
        Self { before: minds.then(BTreeSet::new) }
    }

    /// Takes the process as it is for the state before.
    pub(crate) fn note(&mut self, pid: i32) {
        if let Some(before) = &mut self.before {
            *before = numbers(pid);
        }
    }

    /// What a process has open now that was not open before.
    pub(crate) fn since(&self, pid: i32) -> Vec<Descriptor> {
        let Some(before) = &self.before else { return Vec::new() };
        let new = numbers(pid).into_iter().filter(|number| !before.contains(number));
        new.map(|number| {
            let to = std::fs::read_link(format!("/proc/{pid}/fd/{number}"));
            Descriptor { number, to: to.map_or("?".to_owned(), |to| to.to_string_lossy().into_owned()) }
        })
        .collect()
    }
}

/// Those that are open.
pub(crate) fn numbers(pid: i32) -> BTreeSet<u32> {
    let entries = std::fs::read_dir(format!("/proc/{pid}/fd"));
    let names = entries.into_iter().flatten().flatten().map(|entry| entry.file_name());
    names.filter_map(|name| name.to_str()?.parse().ok()).collect()
}

/// The most descriptors that a sentence names.
const NAMED: usize = 4;

/// What is told of a leak; `meant`: how many the signal leaves open outside the window.
pub(crate) fn text(opened: &[Descriptor], meant: usize) -> String {
    let named = opened.iter().take(NAMED).map(|one| format!("{} ({})", one.number, one.to));
    let named: Vec<String> = named.collect();
    let more = opened.len().saturating_sub(NAMED);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!(
        "open two calls later and not before: descriptor {}{more}; outside the window the signal leaves {meant} open",
        named.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsRawFd;

    use super::*;

    #[test]
    fn a_descriptor_that_was_opened_since_is_named() {
        let pid = std::process::id().cast_signed();
        let mut descriptors = Descriptors::minded(true);
        descriptors.note(pid);
        let file = std::fs::File::open("/dev/null").unwrap();
        // Far from the numbers that the reading of the list itself takes.
        // SAFETY: takes a descriptor that is open, and numbers.
        let high = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_DUPFD_CLOEXEC, 200) };
        let opened = descriptors.since(pid);
        // Tests of this process open others meanwhile.
        let own = opened.iter().find(|one| one.number == high.cast_unsigned());
        assert!(own.is_some_and(|one| one.to == "/dev/null"), "{opened:?}");
        let told = text(&opened, 0);
        assert!(told.contains("descriptor ") && told.contains("leaves 0 open"), "{told}");
        // SAFETY: the descriptor is open, and no other owner has it.
        unsafe { libc::close(high) };
        assert!(Descriptors::minded(false).since(pid).is_empty());
    }
}
