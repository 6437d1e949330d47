package main

func init() { reproducers["cpuprof-non-blocking-reader"] = nonBlockingReader }

// nonBlockingReader reads as Go does on Darwin since golang/go#61768: it polls, and no handler has anybody to wake.
func nonBlockingReader(r *run) error { return readProfile(r, false) }
