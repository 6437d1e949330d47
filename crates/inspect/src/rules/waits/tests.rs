//! Functions and what they wait for.

use super::*;
use rstest::rstest;

#[rstest]
#[case("__lll_lock_wait_private", Some(Wait::Lock))]
#[case("_L_lock_12345", Some(Wait::Lock))]
#[case("pthread_cond_wait@@GLIBC_2.3.2", Some(Wait::Condition))]
#[case("__psynch_mutexwait", Some(Wait::Lock))]
#[case("std::sys::sync::mutex::futex::Mutex::lock_contended", Some(Wait::Lock))]
#[case("parking_lot::raw_mutex::RawMutex::lock_slow", Some(Wait::Lock))]
#[case(
    "<parking_lot_core::thread_parker::imp::ThreadParker as parking_lot_core::ThreadParkerT>::park",
    Some(Wait::Kernel)
)]
#[case("parking_lot::raw_rwlock::RawRwLock::wait_for_readers", Some(Wait::Lock))]
#[case("std::condition_variable::wait(std::unique_lock<std::mutex>&)", Some(Wait::Condition))]
#[case("v8::base::Semaphore::Wait(this=0x1)", Some(Wait::Semaphore))]
#[case("v8::base::Mutex::Lock()", Some(Wait::Lock))]
#[case("runtime.semasleep", Some(Wait::Kernel))]
#[case("runtime.lock2", Some(Wait::Lock))]
#[case("__clock_nanosleep", Some(Wait::Sleep))]
#[case("std::thread::join()", Some(Wait::Join))]
#[case("icinga::Log::~Log()", None)]
#[case("std::io::Write::write", None)]
fn a_function_that_waits_is_known(#[case] function: &str, #[case] wait: Option<Wait>) {
    assert_eq!(of(&Name::of(function)), wait);
}
