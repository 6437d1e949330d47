//! What is known about functions: which ones wait, which lock each one takes, which ones a signal handler may
//! call, and which names stand for a signal frame.
//!
//! The tables take a function's name and nothing else, so they serve a process that is looked at live and a
//! stack that somebody pasted.
//!
//! | module | holds |
//! |---|---|
//! | [`name`] | a function's name in the spelling of the tables |
//! | [`waits`] | the functions that wait, and what they wait for |
//! | [`locks`] | the lock that a library function takes |
//! | [`safety`] | the functions that POSIX allows in a signal handler, and functions known to be unsafe there |
//! | [`frames`] | the names of signal frames, of stack roots and of functions that call nothing of the program |
//! | [`handlers`] | what a handler is for, by its name |
//! | [`faults`] | the functions in which a program ends itself |
//! | [`signals`] | names and numbers of signals |
//! | [`bugs`] | historical bugs by their mechanism |
//! | [`fingerprint`] | a short text that is equal for equal hangs |

pub mod bugs;
pub mod faults;
pub mod fingerprint;
pub mod frames;
pub mod handlers;
pub mod locks;
pub mod name;
pub mod safety;
pub mod signals;
mod table;
pub mod waits;
