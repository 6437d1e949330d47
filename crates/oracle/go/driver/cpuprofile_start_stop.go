package main

import (
	"bytes"
	"runtime"
	"runtime/pprof"
	"syscall"
	"time"
)

func init() { reproducers["cpuprofile-start-stop"] = startStop }

// startStop starts and stops the CPU profile in a loop, by the standard library's runtime/pprof alone. The overlay only aims signals: at
// the moment at which the reader, which runtime/pprof has started, goes to sleep, if it ever does.
func startStop(r *run) error {
	var stormed workers
	defer stormed.end()
	var at int
	for cycle := 0; !r.over(); cycle++ {
		var profile bytes.Buffer
		if err := pprof.StartCPUProfile(&profile); err != nil {
			return err
		}
		// Up to Go 1.24 the reader pauses for 100 ms before each read, and sleeps only if nothing has come meanwhile: so be quiet.
		if cycle%2 == 0 {
			for shots := 0; shots < 2; shots++ {
				buffer := runtime.SigproofProfile()
				for quiet := time.Now().Add(250 * time.Millisecond); !buffer.Announced() && time.Now().Before(quiet); {
				}
				at++
				r.signals.Add(int64(runtime.SigproofSignalOthers(int(syscall.SIGPROF), at)))
			}
		}
		var load workers
		load.add(func(turn int) {
			r.signals.Add(int64(runtime.SigproofSignalOthers(int(syscall.SIGPROF), turn)))
			burn(turn % 5)
		})
		time.Sleep(10 * time.Millisecond)
		pprof.StopCPUProfile()
		load.end()
		// A gzip file begins so.
		if head := profile.Bytes(); len(head) < 2 || head[0] != 0x1f || head[1] != 0x8b {
			return corrupt("%d bytes were written that are no profile", len(head))
		}
		r.progress.Add(1)
	}
	return nil
}
