package main

import (
	"errors"
	"os/signal"
	"runtime"
	"syscall"
	"time"
)

// Misbehaviour on purpose, by which the parent's verdicts are tested.
func init() {
	reproducers["selftest-deadlock"] = selftestDeadlock
	reproducers["selftest-spin"] = selftestSpin
	reproducers["selftest-deaf"] = func(r *run) error {
		signal.Ignore(syscall.SIGQUIT)
		return selftestSpin(r)
	}
	reproducers["selftest-handler"] = selftestHandler
	reproducers["selftest-slow"] = func(r *run) error {
		// Longer than a hang takes to be told, but never still for so long.
		for i := 0; i < 4; i++ {
			time.Sleep(4 * time.Second)
			r.progress.Add(1)
		}
		return nil
	}
	reproducers["selftest-panic"] = func(*run) error { panic("as it was told") }
	reproducers["selftest-refused"] = func(*run) error {
		runtime.SigproofRefuse()
		return nil
	}
	reproducers["selftest-failed"] = func(*run) error { return corrupt("as it was told") }
	reproducers["selftest-error"] = func(*run) error { return errors.New("as it was told") }
}

// selftestDeadlock has two threads wait for each other in system calls, where the runtime does not notice.
func selftestDeadlock(r *run) error {
	var one, other [2]int
	if err := syscall.Pipe(one[:]); err != nil {
		return err
	}
	if err := syscall.Pipe(other[:]); err != nil {
		return err
	}
	r.progress.Add(1)
	go passOn(one[0], other[1])
	passOn(other[0], one[1])
	return nil
}

func passOn(from, to int) {
	var byte [1]byte
	syscall.Read(from, byte[:])
	syscall.Write(to, byte[:])
}

func selftestSpin(r *run) error {
	runtime.LockOSThread()
	r.progress.Add(1)
	for {
		burn(1)
	}
}

// selftestHandler has a thread enter the profile's section for one, as a handler does, and never leave it.
func selftestHandler(r *run) error {
	r.progress.Add(1)
	runtime.SigproofHandleForEver()
	select {}
}
