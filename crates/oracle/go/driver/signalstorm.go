package main

import (
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"
)

func init() { verbs["os-signal-storm"] = reproducer(signalStorm) }

// signalStorm sends signals flat out. Several of a kind may become one; but after the last one, each kind is received once more, or this
// waits for it without end.
func signalStorm(until time.Time) error {
	kinds := []syscall.Signal{syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGHUP, syscall.SIGWINCH}
	received := make(map[os.Signal]chan os.Signal)
	for _, kind := range kinds {
		received[kind] = make(chan os.Signal, 1)
		signal.Notify(received[kind], kind)
	}
	for time.Now().Before(until) {
		calm := storm(2, kinds...)
		time.Sleep(20 * time.Millisecond)
		calm()
		// What is under way from the storm may satisfy a wait below; so each kind is sent once more only when it has been received.
		for _, kind := range kinds {
			<-received[kind]
			atomic.AddInt64(&progress, 1)
		}
		for _, kind := range kinds {
			syscall.Kill(syscall.Getpid(), kind)
			atomic.AddInt64(&signals, 1)
			<-received[kind]
			atomic.AddInt64(&progress, 1)
		}
	}
	return nil
}
