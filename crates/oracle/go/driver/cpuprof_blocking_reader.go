package main

func init() { reproducers["cpuprof-blocking-reader"] = blockingReader }

// blockingReader reads as Go does but on Darwin: asleep on a note, which the handler of the profiling signal wakes.
func blockingReader(r *run) error { return readProfile(r, true) }
