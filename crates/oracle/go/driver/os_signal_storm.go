package main

import (
	"os"
	"os/signal"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

func init() { reproducers["os-signal-storm"] = signalStorm }

// signalStorm has threads send signals flat out, each a kind of its own. Several of a kind may become one, but after each that is sent one is
// received; so each thread waits for that after its last one, and all wait for each other. Were a wake-up lost, nobody would be left to
// make up for it.
func signalStorm(r *run) error {
	kinds := []syscall.Signal{syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGHUP, syscall.SIGWINCH}
	received := make([]atomic.Int64, len(kinds))
	for i, kind := range kinds {
		come := make(chan os.Signal, 1)
		signal.Notify(come, kind)
		go func(count *atomic.Int64) {
			for range come {
				count.Add(1)
				r.delivered.Add(1)
			}
		}(&received[i])
	}
	for round := 0; !r.over(); round++ {
		var senders sync.WaitGroup
		for i, kind := range kinds {
			senders.Add(1)
			go func(kind syscall.Signal, count *atomic.Int64) {
				defer senders.Done()
				for left := round % 30; left > 0; left-- {
					r.signals.Add(1)
					syscall.Kill(syscall.Getpid(), kind)
				}
				before := count.Load()
				r.signals.Add(1)
				syscall.Kill(syscall.Getpid(), kind)
				// Asleep, so that a wake-up that is lost does not look like work.
				for pause := 10 * time.Microsecond; count.Load() == before; pause += pause / 8 {
					time.Sleep(pause)
				}
			}(kind, &received[i])
		}
		senders.Wait()
		r.progress.Add(1)
	}
	return nil
}
