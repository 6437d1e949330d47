package main

import (
	"fmt"
	"os"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"
)

// What the reproducers share. Each is a verb with one argument, for how many milliseconds it goes on. It prints lines
//
//	progress N signals M
//
// of which N is what the thing under test has done, and M what was sent to it; "done" is the last one. N standing still is a hang: so
// nothing counts for it that goes on while the thing under test is stuck.

var progress, signals int64

// reproducer makes a verb of one.
func reproducer(run func(until time.Time) error) func([]string) error {
	return func(arguments []string) error {
		if len(arguments) != 1 {
			return fmt.Errorf("how long?")
		}
		ms, err := strconv.Atoi(arguments[0])
		if err != nil {
			return err
		}
		go endWithParent()
		go func() {
			for {
				tell("progress")
				time.Sleep(50 * time.Millisecond)
			}
		}()
		if err := run(time.Now().Add(time.Duration(ms) * time.Millisecond)); err != nil {
			return err
		}
		tell("done")
		return nil
	}
}

func tell(word string) {
	fmt.Printf("%s %d signals %d\n", word, atomic.LoadInt64(&progress), atomic.LoadInt64(&signals))
}

// endWithParent ends this process with the one that holds the other end of its standard input.
func endWithParent() {
	var byte [1]byte
	for {
		if n, err := os.Stdin.Read(byte[:]); n == 0 || err != nil {
			os.Exit(3)
		}
	}
}

// storm sends a signal to this process, flat out, until the function that it returns is called; that one waits for the last of it.
func storm(senders int, which ...syscall.Signal) func() {
	var stop int32
	done := make(chan struct{})
	for i := 0; i < senders; i++ {
		go func() {
			for n := 0; atomic.LoadInt32(&stop) == 0; n++ {
				syscall.Kill(syscall.Getpid(), which[n%len(which)])
				atomic.AddInt64(&signals, 1)
			}
			done <- struct{}{}
		}()
	}
	return func() {
		atomic.StoreInt32(&stop, 1)
		for i := 0; i < senders; i++ {
			<-done
		}
	}
}

// burn uses processor time, of which the profile's timers are made, until told to stop.
func burn(stop *int32) {
	for x := uint64(1); atomic.LoadInt32(stop) == 0; {
		for i := 0; i < 1000; i++ {
			x = x*6364136223846793005 + 1
		}
	}
}
