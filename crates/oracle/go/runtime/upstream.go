// Added to package runtime by a build overlay: the buffer of the CPU profile that is under way, for the reproducers.

package runtime

// SigproofProfile is the buffer of the CPU profile, or nil. Whoever reads it must be its only reader.
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
