//! Every kind of process has its own answer, and goes on as before.

use std::thread;
use std::time::{Duration, Instant};

use crate::specimen::Specimen;

/// A kind of process, the exit code of its explanation, and words of the first line.
pub struct Kind {
    pub name: &'static str,
    code: i32,
    words: &'static [&'static str],
}

const fn kind(name: &'static str, code: i32, words: &'static [&'static str]) -> Kind {
    Kind { name, code, words }
}

/// Words of a handler that waits.
const IN_HANDLER: &str = "in a signal handler for";

pub const TESTS: &[Kind] = &[
    kind("handler_mutex", 1, &["stuck: ", IN_HANDLER, "mutex first", "itself", "hold_first"]),
    kind("relock", 1, &["waits for mutex first", "itself"]),
    kind("cross", 1, &["waits for mutex first, owned by", "waits for mutex second, owned by"]),
    kind("cross_recursive", 1, &["waits for mutex first, owned by", "waits for mutex second, owned by"]),
    kind("cross_errorcheck", 1, &["waits for mutex first, owned by", "waits for mutex second, owned by"]),
    kind("cross_robust", 1, &["waits for mutex first, owned by", "waits for mutex second, owned by"]),
    kind("cross_pi", 1, &["priority inheritance"]),
    kind("owner_ended", 1, &["mutex first", "which has ended"]),
    kind("lost_condvar", 1, &["condition variable condition"]),
    kind("handler_rwlock_reader", 1, &[IN_HANDLER, "read-write lock shared_lock"]),
    kind("cross_rwlock", 1, &["mutex first, owned by", "read-write lock shared_lock, owned by"]),
    kind("lost_barrier", 1, &["barrier barrier"]),
    kind("handler_once", 1, &[IN_HANDLER, "one-time initialisation once", "itself"]),
    kind("lost_semaphore", 1, &["semaphore semaphore"]),
    kind("cross_join", 1, &["end of a thread", "owned by"]),
    kind("handler_malloc", 1, &[IN_HANDLER, "malloc's arena"]),
    kind("lost_stdio", 1, &["lock of a stream", "owned by"]),
    kind("handler_time_zone", 1, &[IN_HANDLER, "lock of the time zone"]),
    kind("lost_loader", 1, &["mutex of the loader", "owned by", "mutex first, owned by"]),
    kind("handler_environment", 1, &[IN_HANDLER, "lock of the environment"]),
    kind("handler_random", 1, &[IN_HANDLER, "lock of the random numbers"]),
    kind("handler_pipe", 1, &[IN_HANDLER, "pipe 4"]),
    kind("lost_pipe", 1, &["pipe 3"]),
    kind("lost_eventfd", 1, &["eventfd 3"]),
    kind("lost_socketpair", 1, &["socket 3"]),
    kind("lost_epoll", 1, &["eventfd 4"]),
    kind("lost_poll", 1, &["pipe 3"]),
    kind("lost_select", 1, &["pipe 3"]),
    kind("file_lock_itself", 1, &["lock of file", "which the process itself holds"]),
    kind("child_hangs", 1, &["waits for its child", "mutex first", "itself"]),
    kind("child_writes", 1, &["waits for its child", "which holds the other end of the pipe"]),
    kind("shared_semaphore_lost", 1, &["semaphore"]),
    kind("handler_spin", 1, &["spins in a signal handler", "on_signal_spin"]),
    kind("cross_beside_a_ticker", 1, &["mutex first", "mutex second", "one other thread may go on"]),
    kind("handler_beside_a_server", 1, &[IN_HANDLER, "mutex first", "other threads may go on"]),
    kind("many", 1, &["mutex second", "itself"]),
    kind("unclear_term_posts", 3, &["not enough to tell: ", "semaphore semaphore"]),
    kind("healthy_sleep", 0, &["not stuck: ", "time limit"]),
    kind("healthy_pause", 0, &["waits in pause, for a signal from outside"]),
    kind("healthy_setitimer", 0, &["waits in pause, for a signal from outside"]),
    kind("healthy_timer_create", 0, &["waits in pause, for a signal from outside"]),
    kind("healthy_alarm_posts", 0, &["its timer", "SIGALRM"]),
    kind("healthy_timer_posts", 0, &["its timer", "SIGUSR2"]),
    kind("healthy_sigev_thread", 0, &["timer"]),
    kind("healthy_sigwait", 0, &["sigwait, for a signal from outside"]),
    kind("healthy_signalfd", 0, &["signalfd", "for a signal from outside"]),
    kind("healthy_server", 0, &["accept", "for a client, at TCP port"]),
    kind("healthy_epoll_server", 0, &["epoll_wait", "for a client, at TCP port"]),
    kind("healthy_udp", 0, &["recv", "whoever sends to UDP port"]),
    kind("healthy_stdin", 0, &["read on pipe 0", "(explain-"]),
    kind("healthy_child", 0, &["waits for its child", "(specimens)"]),
    kind("healthy_timed_select", 0, &["time limit"]),
    kind("healthy_timed_wait", 0, &["time limit"]),
    kind("healthy_timerfd", 0, &["timerfd"]),
    kind("healthy_inotify", 0, &["inotify", "a change of a file"]),
    kind("healthy_semaphore_of_two", 0, &["(specimens), which has the same memory"]),
    kind("healthy_file_lock", 0, &["lock of file", "(specimens), which holds the lock"]),
    kind("healthy_pipe_of_two", 0, &["(specimens), which holds the other end of the pipe"]),
    kind("healthy_loop", 0, &["runs"]),
    kind("healthy_workers", 0, &["for a client"]),
    kind("healthy_fifo", 0, &["a process that opens the other end of the named pipe"]),
];

/// The answer is right twice in a row, and the process is as it was.
pub fn test(name: &str) {
    let kind = TESTS.iter().find(|kind| kind.name == name).expect("a kind");
    let specimen = Specimen::start(name, &[]);
    specimen.explain(kind.code, kind.words);
    let before = specimen.states();
    specimen.explain(kind.code, kind.words);
    let after = specimen.states();
    // A thread that runs, or wakes up from time to time, is in one state or another.
    if !before.iter().any(|state| state.contains("(running)")) && !name.contains("beside") && name != "healthy_loop" {
        // A thread that was stopped needs a moment to be back in its wait.
        let began = Instant::now();
        while specimen.states() != before {
            assert!(began.elapsed() < Duration::from_secs(10), "{:?} is not as it was: {before:?}", specimen.states());
            thread::sleep(Duration::from_millis(5));
        }
    }
    assert!(after.iter().all(|state| state.contains("TracerPid:\t0")), "{after:?}");
    let stopped = after.iter().any(|state| state.contains("stop"));
    assert!(!stopped, "{after:?}");
}
