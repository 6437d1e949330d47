//! The conformance suite, fourth part: a process without a free descriptor. In a binary of its own, and alone
//! in it: the limit is the process's.

use sigproof_osnote::{Backends, Instances, NoteError};

/// Sets the soft limit of descriptors; says what it was.
fn limit_descriptors(soft: libc::rlim_t) -> libc::rlim_t {
    // SAFETY: zero is a value of the structure's fields; both calls get a valid one.
    unsafe {
        let mut limit: libc::rlimit = std::mem::zeroed();
        assert_eq!(libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit), 0);
        let old = std::mem::replace(&mut limit.rlim_cur, soft);
        assert_eq!(libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit), 0);
        old
    }
}

#[test]
fn running_out_of_descriptors_is_a_typed_error_and_is_survived() {
    for backend in Backends::BUILT_IN.available() {
        let old = limit_descriptors(0);
        let made: Vec<_> = (0..3).map(|_| (backend.make)().map(drop)).collect();
        limit_descriptors(old);
        for made in made {
            match made {
                Err(NoteError::DescriptorsExhausted { call }) => {
                    assert!(backend.descriptors > 0 && !call.is_empty(), "{}", backend.name);
                }
                Ok(()) => assert_eq!(backend.descriptors, 0, "{}", backend.name),
                Err(other) => panic!("{}: {other}", backend.name),
            }
        }
        // The failures have left nothing taken: neither the single slot nor a descriptor.
        let note = (backend.make)().unwrap();
        if backend.instances == Instances::One {
            // What is wrong first is said first.
            let old = limit_descriptors(0);
            let second = (backend.make)().err();
            limit_descriptors(old);
            assert_eq!(second, Some(NoteError::DuplicateSetup));
        }
        note.wakeup().unwrap();
        note.sleep().unwrap();
    }
}
