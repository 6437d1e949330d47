package main

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// The verb "upstream NAME MILLISECONDS" runs a reproducer. It prints lines of JSON: a greeting, several events a second while it runs,
// and one event at the end. Change the version with every change that an older parent would misunderstand.
//
//	{"hello":{"speaks":"upstream","version":1}}
//	{"told":{"progress":N,"signals":S,"delivered":D,"lost":L,"handling":B}}
//	"done"   or   {"failed":{"outcome":OUTCOME,"sentence":TEXT}}
//
// progress is what the thing under test has done. It standing still is a hang: so nothing counts that goes on while that thing is stuck.
// handling tells whether a handler, or a change of the rate, is in the profile's section for one.

// The reproducers, by name. Each is a file.
var reproducers = map[string]func(*run) error{}

// A run is what a reproducer has to say, and when it is to end.
type run struct {
	until                              time.Time
	progress, signals, delivered, lost atomic.Int64
}

// A failure is a bad outcome that the reproducer itself has seen.
type failure struct{ outcome, sentence string }

func (f *failure) Error() string { return f.sentence }

// corrupt is the failure of accounts that do not add up, and of records that are none.
func corrupt(format string, arguments ...any) error {
	return &failure{"corrupt record", fmt.Sprintf(format, arguments...)}
}

func upstream(arguments []string) error {
	if len(arguments) != 2 || reproducers[arguments[0]] == nil {
		return errors.New("upstream NAME MILLISECONDS")
	}
	ms, err := strconv.Atoi(arguments[1])
	if err != nil {
		return err
	}
	// No file of a size of gigabytes for what is expected to die.
	syscall.Setrlimit(syscall.RLIMIT_CORE, &syscall.Rlimit{})
	leash()
	say(`{"hello":{"speaks":"upstream","version":1}}`)
	go endWithParent()
	// Threads of all roles run at a time, whatever the machine has.
	if runtime.GOMAXPROCS(0) < 6 {
		runtime.GOMAXPROCS(6)
	}
	r := &run{until: time.Now().Add(time.Duration(ms) * time.Millisecond)}
	go func() {
		for ; ; time.Sleep(100 * time.Millisecond) {
			r.tell()
		}
	}()
	err = reproducers[arguments[0]](r)
	r.tell()
	var bad *failure
	switch {
	case errors.As(err, &bad):
		say(fmt.Sprintf(`{"failed":{"outcome":%q,"sentence":%q}}`, bad.outcome, bad.sentence))
	case err != nil:
		return err
	default:
		say(`"done"`)
	}
	return nil
}

func (r *run) tell() {
	say(fmt.Sprintf(`{"told":{"progress":%d,"signals":%d,"delivered":%d,"lost":%d,"handling":%t}}`,
		r.progress.Load(), r.signals.Load(), r.delivered.Load(), r.lost.Load(), runtime.SigproofHandling()))
}

// say writes a line, whole, whoever else writes.
func say(line string) { os.Stdout.WriteString(line + "\n") }

func (r *run) over() bool { return !time.Now().Before(r.until) }

// endWithParent ends this process with the one that holds the other end of its standard input.
func endWithParent() {
	var byte [1]byte
	for {
		if n, err := os.Stdin.Read(byte[:]); n == 0 || err != nil {
			os.Exit(3)
		}
	}
}

// workers are threads that do something again and again until they are told to stop.
type workers struct {
	stop  atomic.Bool
	alive sync.WaitGroup
}

// add has one more thread do it. turn counts from 0.
func (w *workers) add(work func(turn int)) {
	w.alive.Add(1)
	go func() {
		runtime.LockOSThread()
		defer w.alive.Done()
		for turn := 0; !w.stop.Load(); turn++ {
			work(turn)
		}
		// The thread stays: one that ended would be taken from the list that SigproofSignalOthers goes through.
		runtime.UnlockOSThread()
	}()
}

// end stops them, and waits for the last.
func (w *workers) end() {
	w.stop.Store(true)
	w.alive.Wait()
}

var sink atomic.Uint64

// burn uses processor time, of which profiling timers are made: some microseconds for each unit.
func burn(units int) {
	x := uint64(units)
	for i := 0; i < units*1000; i++ {
		x = x*6364136223846793005 + 1
	}
	sink.Store(x)
}
