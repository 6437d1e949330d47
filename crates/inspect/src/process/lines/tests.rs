//! Children that break the protocol, as scripts of the shell; and the two sides of it against each other.

use std::io::Write;
use std::ops::ControlFlow;
use std::process::Command;
use std::time::{Duration, Instant};

use rstest::rstest;
use sigproof_shim::native::atomic::{AtomicBool, Ordering};

use super::*;

/// A dialect of this test.
#[derive(Debug)]
struct Numbers;

impl Dialect for Numbers {
    const NAME: &'static str = "numbers";
    const VERSION: u32 = 3;
    type Order = u32;
    type Event = u32;
}

const HELLO: &str = r#"echo '{"hello":{"speaks":"numbers","version":3}}'"#;

/// Beyond what any answer takes; the scripts sleep for longer.
const WATCHDOG: Duration = Duration::from_secs(60);

fn talk(script: &str) -> Talk<Numbers> {
    Talk::start("the counter", Command::new("sh").args(["-c", script])).unwrap()
}

/// The events of a script until it breaks, and how.
fn broken(script: &str) -> (Vec<u32>, Broken) {
    let (mut talk, mut seen) = (talk(script), Vec::new());
    let begun = Instant::now();
    loop {
        assert!(begun.elapsed() < WATCHDOG, "{script}: no end");
        match talk.hear(Duration::from_millis(50)) {
            Ok(event) => seen.extend(event),
            Err(broken) => {
                assert!(!talk.lives(), "{script}: the child is left");
                return (seen, broken);
            }
        }
    }
}

#[rstest]
#[case::no_greeting("echo 1; sleep 600", "does not greet first, but writes: 1")]
#[case::another_version(
    r#"echo '{"hello":{"speaks":"numbers","version":2}}'; sleep 600"#,
    "speaks version 2 of 'numbers', and this program speaks version 3 of 'numbers'; build"
)]
#[case::another_dialect(r#"echo '{"hello":{"speaks":"words","version":3}}'; sleep 600"#, "version 3 of 'words', and")]
#[case::died_before("echo no room >&2; exit 7", "the counter exited with code 7; it said: no room")]
fn a_child_greets_first(#[case] script: &str, #[case] said: &str) {
    let (seen, broken) = broken(script);
    assert!(seen.is_empty() && broken.to_string().contains(said), "{broken}");
    assert!(broken.to_string().starts_with("the counter "), "{broken}");
}

#[rstest]
#[case::junk("echo 1; echo gibberish; sleep 600", &[1], "gibberish")]
#[case::not_an_event("echo '\"one\"'; sleep 600", &[], "wrote a line that is no event (invalid type")]
#[case::exits("echo 1; echo 2; echo first >&2; echo last >&2; exit 3", &[1, 2], "exited with code 3; it said: first\nlast")]
#[case::ends_well("echo 1", &[1], "exited with code 0")]
#[case::killed("kill -9 $$", &[], "was killed by signal 9 (SIGKILL)")]
#[case::dies_in_the_midst_of_a_line("printf 12; kill -11 $$", &[], "was killed by signal 11 (SIGSEGV)")]
#[case::hushed("echo 1; exec >&-; sleep 600", &[1], "closed its standard output and did not end")]
fn a_break_is_told(#[case] script: &str, #[case] events: &[u32], #[case] said: &str) {
    let (seen, broken) = broken(&format!("{HELLO}; {script}"));
    assert_eq!(seen, events, "{broken}");
    assert!(broken.to_string().contains(said), "{broken}");
}

/// Zeros without the end of a line, as fast as they go: the parent must not keep them all.
#[test]
fn a_line_without_an_end_is_cut_off() {
    let (_, broken) = broken(&format!("{HELLO}; exec cat /dev/zero"));
    assert_eq!(broken.how, How::TooLong);
    assert!(broken.to_string().contains("the counter wrote a line of more than 64 MiB"), "{broken}");
}

#[rstest]
#[case::of_just_the_length("123\n4\n", &[Line::Whole("123".to_owned()), Line::Whole("4".to_owned()), Line::End])]
#[case::too_long("1234\n", &[Line::TooLong])]
#[case::without_end("1\n23", &[Line::Whole("1".to_owned()), Line::End])]
fn lines_end(#[case] text: &str, #[case] lines: &[Line]) {
    let mut from = text.as_bytes();
    for line in lines {
        assert_eq!(read_line(&mut from, 3).unwrap(), *line);
    }
}

#[test]
fn orders_go_in_and_events_come_out() {
    let mut talk = talk(&format!("{HELLO}; while read order; do echo $order; echo 1$order; done"));
    let go_on = AtomicBool::new(false);
    for number in [5, 6] {
        talk.order(&number);
        let mut seen = Vec::new();
        let ten_more = talk.until(&go_on, |event| {
            seen.push(event);
            if event > 10 { ControlFlow::Break(event) } else { ControlFlow::Continue(()) }
        });
        assert_eq!((ten_more.unwrap(), seen), (Some(number + 10), vec![number, number + 10]));
        assert!(talk.lives(), "it waits for the next order");
    }
}

/// A child that takes no orders still tells why it does not.
#[rstest]
#[case::and_says_why("exec <&-; echo 7; exit 1", Some(7), "")]
#[case::and_ends("exec <&-; exit 3", None, "exited with code 3")]
#[case::and_lives_on("exec <&-; sleep 600", None, "takes no orders, and said nothing")]
fn a_child_that_takes_no_orders(#[case] script: &str, #[case] event: Option<u32>, #[case] said: &str) {
    let mut talk = talk(&format!("{HELLO}; {script}"));
    let begun = Instant::now();
    while talk.orders.is_some() {
        assert!(begun.elapsed() < WATCHDOG, "the pipe does not break");
        talk.order(&1);
    }
    match talk.until(&AtomicBool::new(false), ControlFlow::Break) {
        Ok(told) => assert_eq!(told, event),
        Err(broken) => assert!(event.is_none() && broken.to_string().contains(said), "{broken}"),
    }
}

/// It ignores what Ctrl-C sends to it, and what a service manager sends.
#[rstest]
#[case::at_work("trap '' INT TERM HUP; echo 1; sleep 600; sleep 600")]
#[case::with_children("trap '' INT TERM HUP; (trap '' TERM; exec sleep 600) & echo 1; wait")]
fn an_interruption_ends_a_child_that_ignores_signals(#[case] script: &str) {
    let (mut talk, stop) = (talk(&format!("{HELLO}; {script}")), AtomicBool::new(false));
    let stopped = talk.until(&stop, |_| {
        stop.store(true, Ordering::Relaxed);
        ControlFlow::<()>::Continue(())
    });
    assert!(stopped.unwrap().is_none());
    assert!(!talk.lives());
}

/// The signal of a terminal can reach the child first.
#[test]
fn a_child_that_dies_of_the_users_signal_is_no_break() {
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let mut talk = talk(&format!("{HELLO}; kill -15 $$"));
        scope.spawn(|| {
            std::thread::sleep(Duration::from_millis(100));
            stop.store(true, Ordering::Relaxed);
        });
        assert!(talk.until(&stop, ControlFlow::<u32>::Break).unwrap().is_none());
    });
}

#[test]
fn who_was_ended_from_outside_says_nothing_of_its_work() {
    for (script, outside) in [
        ("kill -9 $$", true),
        ("kill -15 $$", true),
        ("echo 'memory allocation of 80 bytes failed' >&2; kill -6 $$", true),
        ("kill -6 $$", false),
        ("kill -11 $$", false),
        ("exit 1", false),
        ("echo gibberish; sleep 600", false),
    ] {
        let (_, broken) = broken(&format!("{HELLO}; {script}"));
        assert_eq!(broken.is_from_outside(), outside, "{broken}");
    }
}

/// This test program again, in the role of a child: both sides of the protocol. The child prints to its
/// standard output, as libraries do.
#[test]
fn both_sides_understand_each_other() {
    const ROLE: &str = "SIGPROOF_TEST_LINES_ROLE";
    if std::env::var_os(ROLE).is_some() {
        be_a_counter();
    }
    // The harness of the test prints as well, before the role begins: to the standard error.
    let mut command = Command::new("sh");
    command.args(["-c", "exec \"$0\" \"$@\" 3>&1 1>&2"]).arg(std::env::current_exe().unwrap());
    command.args(["--exact", "process::lines::tests::both_sides_understand_each_other"]).env(ROLE, "counter");
    let mut talk = Talk::<Numbers>::start("the counter", &mut command).unwrap();
    let go_on = AtomicBool::new(false);
    for number in [20, 30] {
        talk.order(&number);
        let told = talk.until(&go_on, ControlFlow::Break);
        assert_eq!(told.unwrap_or_else(|broken| panic!("{broken}")), Some(number + 1));
    }
    writeln!(talk.orders.as_mut().unwrap(), "thirty").unwrap();
    let told = talk.until(&go_on, ControlFlow::Break);
    assert_eq!(told.unwrap_or_else(|broken| panic!("{broken}")), Some(0), "a line that is no order");
    talk.orders = None;
    let status = talk.group().wait(WATCHDOG).unwrap();
    assert_eq!(status.and_then(|status| status.code()), Some(1), "the end of the orders ends it");
    let words = talk.group().last_words();
    assert!(words.contains("noise") && words.contains("its last"), "{words}");
}

fn be_a_counter() -> ! {
    // SAFETY: both descriptors are open.
    assert_eq!(unsafe { libc::dup2(3, 1) }, 1);
    let teller = Teller::<Numbers>::greet_apart().unwrap();
    let mut orders = Orders::<Numbers>::of_parent();
    for order in orders.by_ref().take(3) {
        io::stdout().write_all(b"noise\n").unwrap();
        teller.tell(&order.map_or(0, |number| number + 1));
    }
    orders
        .leash(|| {
            let _ = writeln!(io::stderr(), "its last");
        })
        .unwrap();
    loop {
        std::thread::park();
    }
}
