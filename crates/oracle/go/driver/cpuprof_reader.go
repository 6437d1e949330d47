package main

import (
	"errors"
	"runtime"
	"syscall"
	"time"
	"unsafe"
)

// What the two readers of the CPU profile share: the storm, and the accounts.

// rate is that of the profile's own timers: as good as none, so that the signals sent are all there are.
const rate = 1

// readProfile takes one CPU profile under a storm of SIGPROF, reads it in this mode and holds it to account.
func readProfile(r *run, blocking bool) error {
	runtime.SetCPUProfileRate(rate)
	buffer := runtime.SigproofProfile()
	if buffer == nil {
		return errors.New("the profile did not start")
	}
	began := time.Now()
	var stormed workers
	var alone int64 // of one thread, and read after its end
	stormed.add(func(turn int) {
		for i := 0; i < 1+turn%20; i++ {
			runtime.SigproofSignalSelf(int(syscall.SIGPROF))
			alone++
			r.signals.Add(1)
		}
		// Now and then the reader finds nothing, and goes to sleep.
		burn(turn % 7)
	})
	stormed.add(func(turn int) { r.aim(buffer, turn) })
	go func() {
		time.Sleep(time.Until(r.until))
		stormed.end()
		runtime.SetCPUProfileRate(0)
	}()
	a := account{r: r}
	for {
		words, tags, eof := buffer.ReadNow(blocking)
		if eof {
			break
		}
		if err := a.take(words, tags); err != nil {
			return err
		}
		switch {
		case len(words) > 0:
			r.progress.Add(1)
		case blocking:
			return corrupt("a blocking read gave nothing")
		default:
			time.Sleep(time.Millisecond)
		}
	}
	runtime.SigproofForgetProfile()
	// Signals to other threads may become one, and timers add some of their own.
	told, timers := r.delivered.Load()+r.lost.Load(), int64(time.Since(began).Seconds()+1)*rate*int64(runtime.NumCPU())+16
	if most := r.signals.Load() + timers; told < alone || told > most {
		return corrupt("%d samples were delivered or counted as lost; there must be %d to %d", told, alone, most)
	}
	return nil
}

// aim waits until the reader has announced its sleep, and signals all threads while it is on its way there.
func (r *run) aim(buffer *runtime.SigproofBuffer, turn int) {
	for i := 0; i < 1000 && !buffer.Announced(); i++ {
	}
	r.signals.Add(int64(runtime.SigproofSignalOthers(int(syscall.SIGPROF), turn)))
}

// An account is kept of the records of a profile.
type account struct {
	r    *run
	any  bool
	last uint64
}

// take looks at the records of a read: length, time, count and the stack; or the number of lost ones, where the count is 0.
func (a *account) take(words []uint64, tags []unsafe.Pointer) error {
	records := 0
	for len(words) > 0 {
		length := words[0]
		if length < 3 || length > uint64(len(words)) {
			return corrupt("a record of %d words where %d are left", length, len(words))
		}
		time, count, stack := words[1], words[2], words[3:length]
		words = words[length:]
		records++
		switch {
		case !a.any:
			if count != rate || len(stack) != 0 {
				return corrupt("the profile begins with %d and a stack of %d, not with its rate", count, len(stack))
			}
			a.any = true
		case count == 0 && (len(stack) != 1 || stack[0] == 0):
			return corrupt("a number of lost samples that is none: %v", stack)
		case count == 0:
			a.r.lost.Add(int64(stack[0]))
		case len(stack) == 0:
			return corrupt("a sample without a stack")
		default:
			a.r.delivered.Add(int64(count))
		}
		for _, pc := range stack {
			if pc == 0 {
				return corrupt("a stack with a hole: %v", stack)
			}
		}
		if time < a.last {
			return corrupt("a record of time %d after one of time %d", time, a.last)
		}
		a.last = time
	}
	if records != len(tags) {
		return corrupt("%d records with %d tags", records, len(tags))
	}
	return nil
}
