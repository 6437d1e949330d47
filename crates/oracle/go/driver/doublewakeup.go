package main

import (
	"runtime"
	"sync/atomic"
	"time"
)

func init() { verbs["profbuf-double-wakeup"] = reproducer(doubleWakeup) }

// doubleWakeup has one thread write flat out, so that records are lost, while another is blocked in read: where the announcement of a loss
// wakes the reader and leaves its flag, the next record wakes it again.
func doubleWakeup(until time.Time) error {
	buffer := runtime.SigproofNewBuffer(1, 64, 64)
	go func() {
		runtime.LockOSThread()
		header, stack := []uint64{1}, make([]uintptr, 8)
		for time.Now().Before(until) {
			for i := 0; i < 100; i++ {
				buffer.Write(nil, 1, header, stack)
				atomic.AddInt64(&signals, 1)
			}
		}
		buffer.Close()
	}()
	runtime.LockOSThread()
	for {
		_, _, eof := buffer.ReadNow(true)
		atomic.AddInt64(&progress, 1)
		if eof {
			return nil
		}
	}
}
