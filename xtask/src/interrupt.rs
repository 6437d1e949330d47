//! Signals to the command line itself: the first one asks it to stop and to print what it has, the second one ends it.

use std::io;

use sigproof_harness::exit::Exit;
use sigproof_shim::native::atomic::AtomicBool;
use sigproof_shim::sync::Arc;

/// The first signal sets the flag, the second one ends the process.
pub fn stop_on_signals(stop: &Arc<AtomicBool>) -> io::Result<()> {
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM, signal_hook::consts::SIGHUP] {
        let code = i32::from(Exit::Interrupted.code());
        signal_hook::flag::register_conditional_shutdown(signal, code, Arc::clone(stop))?;
        signal_hook::flag::register(signal, Arc::clone(stop))?;
    }
    Ok(())
}
