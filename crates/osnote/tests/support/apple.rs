//! Threads and signals on macOS: the Mach kernel says who is blocked, a thread sends the signals.

use sigproof_shim::atomic::{AtomicBool, Ordering};
use std::sync::Arc;
use std::thread::{self, JoinHandle};

/// A thread, as pthreads know it.
#[derive(Clone, Copy)]
pub struct ThreadId(libc::pthread_t);

// SAFETY: a name for a thread, used only with calls that any thread may make.
unsafe impl Send for ThreadId {}

impl ThreadId {
    pub fn current() -> Self {
        // SAFETY: no preconditions.
        Self(unsafe { libc::pthread_self() })
    }

    /// Whether the kernel shows it as waiting.
    pub fn is_blocked(self) -> bool {
        // SAFETY: the thread has not been joined; the structure has room for the answer, whose size is told
        // in words.
        unsafe {
            let mut info: libc::thread_basic_info_data_t = std::mem::zeroed();
            let mut words = (size_of_val(&info) / size_of::<libc::integer_t>()) as libc::mach_msg_type_number_t;
            let port = libc::pthread_mach_thread_np(self.0);
            let flavor = libc::THREAD_BASIC_INFO as libc::thread_flavor_t;
            libc::thread_info(port, flavor, (&raw mut info).cast(), &raw mut words) == libc::KERN_SUCCESS
                && info.run_state == libc::TH_STATE_WAITING
        }
    }

    pub fn kill(self, signo: libc::c_int) {
        // SAFETY: the thread has not been joined: its owner is still waiting for it.
        unsafe { libc::pthread_kill(self.0, signo) };
    }
}

/// SIGPROF at one thread, as fast as a thread can send it, until dropped.
pub struct Storm {
    over: Arc<AtomicBool>,
    sender: Option<JoinHandle<()>>,
}

impl Storm {
    pub fn start(target: ThreadId) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&over);
        let sender = thread::spawn(move || {
            while !seen.load(Ordering::SeqCst) {
                target.kill(libc::SIGPROF);
                super::spin(std::time::Duration::from_micros(100));
            }
        });
        Self { over, sender: Some(sender) }
    }
}

impl Drop for Storm {
    fn drop(&mut self) {
        self.over.store(true, Ordering::SeqCst);
        let _ = self.sender.take().map(JoinHandle::join);
    }
}

/// There is no call for this here; the scheduler spreads spinning threads by itself.
pub fn pin(_nth: impl Into<Option<usize>>) {}
