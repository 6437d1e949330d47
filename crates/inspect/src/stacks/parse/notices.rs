//! What the lines between the frames say: which signal, whether the program crashed, who printed the text.

use super::scan;
use crate::rules::signals;
use crate::stacks::dump::Notices;

/// Takes a line that is no frame.
pub fn read(line: &str, notices: &mut Notices) {
    let text = line.trim();
    if text.is_empty() || text.len() > 4000 {
        return;
    }
    owner(text, notices);
    if text.contains("libsystem_")
        || text.contains(".dylib")
        || text.starts_with("OS Version:") && text.contains("macOS")
    {
        notices.bsd = true;
    }
    sanitizer(text, notices);
    if text.starts_with("Found one Java-level deadlock") {
        notices.java_deadlock = true;
    }
    if ["core was dumped", "core dumped", "Core was generated", "dumped core"].iter().any(|words| text.contains(words))
    {
        notices.crashed = true;
    }
    let lower_signal = text.contains("signal") || text.contains("Signal");
    if !lower_signal
        && !text.contains("SIG")
        && !text.contains("EXC_")
        && !text.contains("Fatal Python error")
        && !text.contains("(core dumped)")
    {
        return;
    }
    if let Some(rest) = text.strip_prefix("signal ").filter(|rest| {
        rest.contains("received on thread with no signal stack")
            || rest.contains("arrived on")
            || rest.contains("handler not on signal stack")
    }) {
        notices.arrived = scan::decimal(rest).map(|(number, _)| number);
        notices.no_signal_stack = rest.contains("no signal stack");
        notices.wrong_signal_stack = rest.contains("not on signal stack");
        notices.headline = Some(text.to_owned());
        notices.crashed = true;
        return;
    }
    if text.contains("non-Go code set up signal handler without SA_ONSTACK") {
        notices.wrong_signal_stack = true;
    }
    if text.contains("non-Go code disabled sigaltstack") {
        notices.no_signal_stack = true;
    }
    // gdb, lldb: who ended or stopped the process.
    for start in [
        "Program terminated with signal ",
        "terminated with signal ",
        "Program received signal ",
        "received signal ",
        "stop reason = signal ",
        "Termination Signal:",
        "Exception Type:",
        "Exception Codes:",
        "stop reason = EXC_",
    ] {
        if let Some(at) = text.find(start) {
            let rest = &text[at..];
            let name =
                signals::in_text(rest).or_else(|| signals::by_description(rest).map(str::to_owned)).or_else(|| {
                    scan::number(rest[start.len()..].split([',', '.', ' ']).next().unwrap_or_default())
                        .and_then(|number| signals::by_number(number, notices.bsd))
                });
            if let Some(name) = name {
                notices.crashed |= signals::is_fatal(&name) || start.contains("terminated");
                notices.stopped_at_fault |= matches!(name.as_str(), "SIGSEGV" | "SIGBUS" | "SIGILL" | "SIGFPE");
                notices.signal.get_or_insert(name);
            }
            return;
        }
    }
    by_handler(text, notices);
}

/// Texts that a handler for a fault prints: of runtimes, of crash reporters.
fn by_handler(text: &str, notices: &mut Notices) {
    let mut set = |name: Option<String>, reported: bool| {
        if let Some(name) = name {
            notices.crashed |= signals::is_fatal(&name);
            notices.reported_by_handler |= reported && signals::is_fatal(&name);
            notices.signal.get_or_insert(name);
        }
    };
    let described = || signals::in_text(text).or_else(|| signals::by_description(text).map(str::to_owned));
    // Go: `SIGSEGV: segmentation violation`, `[signal SIGSEGV: ...`; HotSpot: `#  SIGSEGV (0xb) at pc=`.
    if let Some((number, _)) = text.strip_prefix("[signal ").and_then(scan::hex) {
        return set(signals::by_number(number, notices.bsd), true);
    }
    if text.starts_with("[signal SIG")
        || (text.starts_with("SIG") && text.contains(": ") && text.len() < 80 && !text.starts_with("SIGQUIT"))
    {
        return set(signals::in_text(text), true);
    }
    if (text.starts_with('#') && text.contains(" at pc=")) || text.starts_with("siginfo:") {
        return set(signals::in_text(text), true);
    }
    // Julia: `signal (11): Segmentation fault`; Android: `signal 11 (SIGSEGV), code 1`; MySQL, ClickHouse,
    // LLVM: `got signal 11`.
    let numbered = ["signal (", "signal ", "Signal ", "SIG("].iter().find_map(|start| {
        let at = text.find(start)?;
        scan::decimal(&text[at + start.len()..]).map(|(number, rest)| (number, rest, at))
    });
    if let Some((number, rest, at)) = numbered {
        let known = rest.starts_with([')', ' ', ';', ',', '.', ':']) || rest.is_empty();
        let prints = at == 0
            || [
                "got ",
                "caught ",
                "received ",
                "] ",
                "fatal ",
                "Fatal ",
                "Received ",
                "Caught ",
                "mysqld got ",
                "critical ",
                "deadly ",
                "by ",
            ]
            .iter()
            .any(|before| text[..at].ends_with(before));
        if known && prints {
            return set(signals::in_text(text).or_else(|| signals::by_number(number, notices.bsd)), true);
        }
    }
    if text.starts_with("Fatal Python error:")
        || text.contains("*** SIG")
        || text.starts_with("Received signal")
        || text.starts_with("Got a SIG") && text.contains("while executing native code")
        || text.contains("Caught signal")
        || text.contains("caught signal")
        || text.starts_with("PID ") && text.contains("received SIG")
    {
        set(described(), true);
    }
}

fn sanitizer(text: &str, notices: &mut Notices) {
    if let Some(at) =
        text.find("ThreadSanitizer: ").or_else(|| text.find("AddressSanitizer: ")).or_else(|| text.find("Sanitizer: "))
    {
        let text = &text[at..];
        if text.starts_with("SUMMARY") {
            return;
        }
        if text.contains("signal-unsafe call") {
            notices.unsafe_call = true;
        }
        if text.contains("spoils errno") {
            notices.errno_spoiled = true;
        }
        if text.contains("AddressSanitizer:") || text.contains("SEGV") || text.contains("deadly signal") {
            notices.crashed = true;
        }
        notices.headline.get_or_insert_with(|| text.chars().take(160).collect());
    }
    if text.contains("Sanitizer:DEADLYSIGNAL")
        || text.contains("Sanitizer: SEGV on unknown address")
        || text.contains("deadly signal")
    {
        notices.reported_by_handler = true;
        notices.crashed = true;
    }
    if text.starts_with("fatal error: ") {
        notices.headline.get_or_insert_with(|| text.chars().take(160).collect());
        notices.crashed = true;
    }
}

/// `__owner = 4001` of a mutex that gdb has printed.
fn owner(text: &str, notices: &mut Notices) {
    let mut rest = text;
    while let Some(at) = rest.find("__owner = ") {
        rest = &rest[at + 10..];
        if let Some((owner, _)) = scan::decimal(rest).filter(|(owner, _)| *owner != 0)
            && !notices.owners.contains(&owner)
            && notices.owners.len() < 16
        {
            notices.owners.push(owner);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("Program terminated with signal SIGSEGV, Segmentation fault.", Some("SIGSEGV"), true)]
    #[case("Program received signal SIGINT, Interrupt.", Some("SIGINT"), false)]
    #[case("Program terminated with signal 11, Segmentation fault.", Some("SIGSEGV"), true)]
    #[case("Exception Type:  EXC_BAD_ACCESS (SIGSEGV)", Some("SIGSEGV"), true)]
    #[case("signal (11): Segmentation fault", Some("SIGSEGV"), true)]
    #[case("signal 6 (SIGABRT), code -1 (SI_QUEUE), fault addr --------", Some("SIGABRT"), true)]
    #[case("2024-01-01 mysqld got signal 11 ;", Some("SIGSEGV"), true)]
    #[case("#  SIGSEGV (0xb) at pc=0x00007f, pid=1, tid=2", Some("SIGSEGV"), true)]
    #[case("the signal handler hangs", None, false)]
    fn a_header_names_a_signal(#[case] line: &str, #[case] signal: Option<&str>, #[case] crashed: bool) {
        let mut notices = Notices::default();
        read(line, &mut notices);
        assert_eq!((notices.signal.as_deref(), notices.crashed), (signal, crashed));
    }
}
