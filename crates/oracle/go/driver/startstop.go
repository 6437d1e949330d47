package main

import (
	"bytes"
	"fmt"
	"runtime/pprof"
	"sync/atomic"
	"syscall"
	"time"
)

func init() { verbs["cpuprofile-start-stop"] = reproducer(startStop) }

// startStop starts and stops the CPU profile in a loop, under a storm of SIGPROF, with the standard library only: no overlay is used.
func startStop(until time.Time) error {
	var stop int32
	defer atomic.StoreInt32(&stop, 1)
	go burn(&stop)
	calm := storm(1, syscall.SIGPROF)
	defer calm()
	for time.Now().Before(until) {
		var profile bytes.Buffer
		if err := pprof.StartCPUProfile(&profile); err != nil {
			return err
		}
		time.Sleep(5 * time.Millisecond)
		pprof.StopCPUProfile()
		// A gzip file, by its first two bytes.
		if head := profile.Bytes(); len(head) < 2 || head[0] != 0x1f || head[1] != 0x8b {
			return fmt.Errorf("corrupt record: what was written is no profile")
		}
		atomic.AddInt64(&progress, 1)
	}
	return nil
}
