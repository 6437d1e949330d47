// Added to package runtime by a build overlay, for the reproducers: the CPU profile that is under way, and signals to threads by name.

package runtime

import "unsafe"

// SigproofRefuse dies as semawakeup dies on Darwin when a signal handler calls it, so that the recognition of that message can be tested anywhere.
func SigproofRefuse() { throw("semawakeup on Darwin signal stack") }

// SigproofProfile is the buffer of the CPU profile that is under way, or nil.
func SigproofProfile() *SigproofBuffer {
	lock(&cpuprof.lock)
	log := cpuprof.log
	unlock(&cpuprof.lock)
	if log == nil {
		return nil
	}
	return &SigproofBuffer{buf: log}
}

// SigproofForgetProfile makes room for the next profile, after the end of file of the last one.
func SigproofForgetProfile() {
	lock(&cpuprof.lock)
	cpuprof.log = nil
	unlock(&cpuprof.lock)
}

// SigproofHandling reports whether somebody is in the section of the profile that only one may be in: a handler that writes a sample, and
// perhaps wakes the reader, or a change of the rate. It is short, unless its owner is stuck.
func SigproofHandling() bool { return *(*uint32)(unsafe.Pointer(&prof.signalLock)) != 0 }

// SigproofSignalSelf sends a signal to the calling thread, and returns when it has been handled: so no two of them become one.
func SigproofSignalSelf(sig int) { signalM(getg().m, sig) }

// SigproofSignalOthers sends a signal to every thread but the calling one, beginning with the first-th, and returns to how many.
func SigproofSignalOthers(sig, first int) (sent int) {
	self := getg().m
	threads := 0
	for mp := allm; mp != nil; mp = mp.alllink {
		threads++
	}
	for pass := 0; pass < 2; pass++ {
		at := 0
		for mp := allm; mp != nil; mp = mp.alllink {
			// A thread without a number has not begun yet.
			if (at >= first%threads) == (pass == 0) && mp != self && mp.procid != 0 {
				signalM(mp, sig)
				sent++
			}
			at++
		}
	}
	return sent
}

// SigproofHandleForEver enters that section, for a test of what is said of one who does not leave it.
func SigproofHandleForEver() { *(*uint32)(unsafe.Pointer(&prof.signalLock)) = 1 }
