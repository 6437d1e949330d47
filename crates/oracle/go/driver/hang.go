package main

import (
	"sync/atomic"
	"syscall"
	"time"
)

func init() { verbs["hang-selftest"] = reproducer(hang) }

// hang has two threads wait for each other, in system calls, where the runtime does not notice.
func hang(time.Time) error {
	var one, other [2]int
	if err := syscall.Pipe(one[:]); err != nil {
		return err
	}
	if err := syscall.Pipe(other[:]); err != nil {
		return err
	}
	atomic.AddInt64(&progress, 1)
	wait := func(from, to int) {
		var byte [1]byte
		syscall.Read(from, byte[:])
		syscall.Write(to, byte[:])
	}
	go wait(one[0], other[1])
	wait(other[0], one[1])
	return nil
}
