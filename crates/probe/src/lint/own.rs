//! Locks of the program's own that a handler takes through the C or C++ library, and the functions between
//! which such a lock is held.

use sigproof_inspect::rules::name::Name;

/// A kind of lock.
#[derive(Debug, PartialEq, Eq)]
pub struct Own {
    /// In words.
    pub what: &'static str,
    /// How the names of its functions begin, in the spelling of [`Name`].
    functions: &'static [&'static str],
    /// The functions in which the lock is taken or given back: a signal there may meet it.
    pub windows: &'static [&'static str],
}

const KINDS: &[Own] = &[
    Own {
        what: "a mutex of the program",
        functions: &["pthread_mutex_", "pthread_cond_", "mtx_", "cnd_"],
        windows: &["pthread_mutex_lock", "pthread_mutex_unlock"],
    },
    Own {
        what: "a read-write lock of the program",
        functions: &["pthread_rwlock_"],
        windows: &["pthread_rwlock_wrlock", "pthread_rwlock_rdlock", "pthread_rwlock_unlock"],
    },
    Own {
        what: "a spin lock of the program",
        functions: &["pthread_spin_"],
        windows: &["pthread_spin_lock", "pthread_spin_unlock"],
    },
    Own {
        what: "a semaphore of the program",
        functions: &["sem_wait", "sem_timedwait", "sem_clockwait", "sem_trywait"],
        windows: &["sem_wait", "sem_post"],
    },
    Own {
        what: "an initialisation that is done once",
        functions: &["pthread_once", "call_once"],
        windows: &["pthread_once"],
    },
    Own {
        what: "the initialisation of a static variable",
        functions: &["cxa_guard_"],
        windows: &["__cxa_guard_acquire", "__cxa_guard_release"],
    },
    Own {
        what: "the lock of a directory stream",
        functions: &["readdir", "rewinddir", "seekdir", "closedir"],
        windows: &["readdir", "rewinddir", "seekdir"],
    },
];

/// The lock of the program's own that a library function takes, tries to take, or gives back.
pub fn own_lock(symbol: &str) -> Option<&'static Own> {
    let key = Name::of(symbol).key;
    KINDS.iter().find(|own| own.functions.iter().any(|start| key.starts_with(start)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("___pthread_mutex_lock", Some("pthread_mutex_lock"))]
    #[case("__new_sem_wait", None)]
    #[case("__cxa_guard_acquire", Some("__cxa_guard_acquire"))]
    #[case("readdir64", Some("readdir"))]
    #[case("malloc", None)]
    #[case("sem_post", None)]
    fn locks_of_programs(#[case] symbol: &str, #[case] window: Option<&str>) {
        assert_eq!(own_lock(symbol).map(|own| own.windows[0]), window);
    }
}
