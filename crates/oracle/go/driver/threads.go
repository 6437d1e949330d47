package main

import (
	"runtime"
	"sync/atomic"
	"syscall"
	"time"
)

// What a machine cannot tell.
const unknown = ^uint64(0)

// RUSAGE_THREAD, which only Linux has.
const ofThread = 1

// usage is the processor time of this thread, and how often it went to sleep.
func usage() (cpu, sleeps uint64) {
	var of syscall.Rusage
	if runtime.GOOS != "linux" || syscall.Getrusage(ofThread, &of) != nil {
		return unknown, unknown
	}
	return uint64(of.Utime.Nano() + of.Stime.Nano()), uint64(of.Nvcsw)
}

// since is the difference of two numbers that may be unknown.
func since(now, before uint64) uint64 {
	if now == unknown || before == unknown {
		return unknown
	}
	return now - before
}

// traffic lets one thread write and another one read: bursts of records, one every period, or without a pause if that is 0, for so long.
// A reader that does not block sleeps for poll where it finds nothing.
//
// The answer: records written, read and lost; nanoseconds spent writing, and in all; how often the reader slept, and its processor time.
func traffic(r *ring, of []uint64) []uint64 {
	blocking, burst := of[0] != 0, int(of[1])
	period, poll, window := time.Duration(of[2]), time.Duration(of[3]), time.Duration(of[4])
	done := make(chan []uint64)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		cpu, sleeps := usage()
		read, lost, sum := uint64(0), uint64(0), uint64(0)
		for {
			words, tags, eof := r.buffer.ReadNow(blocking)
			if eof {
				break
			}
			if len(words) == 0 {
				time.Sleep(poll)
				continue
			}
			n, s := drain(words, tags)
			read += n
			sum += s
			// What reports a loss is alone with a header of zeros.
			for len(words) > 3 {
				if words[0] == 4 && words[2] == 0 {
					lost += words[3]
					read--
				}
				words = words[words[0]:]
			}
		}
		nowCPU, nowSleeps := usage()
		polls := since(nowSleeps, sleeps)
		if !blocking {
			polls = 0
		}
		done <- []uint64{read, lost, polls, since(nowCPU, cpu), sum}
	}()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	records, writing := uint64(0), time.Duration(0)
	started := time.Now()
	for time.Since(started) < window {
		begun := time.Now()
		for i := 0; i < burst; i++ {
			r.write()
		}
		records += uint64(burst)
		writing += time.Since(begun)
		for period != 0 && time.Since(begun) < period {
		}
	}
	wall := time.Since(started)
	r.buffer.Close()
	seen := <-done
	return []uint64{records, seen[0], seen[1], uint64(writing), uint64(wall), seen[2], seen[3]}
}

// latencies writes one record at a time from ordinary code, a gap after the last one was read, and answers with the nanoseconds from each
// write to the return of the reader, if that had announced its sleep; or with unknown if a record wakes no reader.
func latencies(r *ring, records, gap uint64) []uint64 {
	base := time.Now()
	var read uint64
	found := make([]uint64, 0, records)
	asleep := make([]bool, records+1)
	done := make(chan bool)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		for {
			words, _, eof := r.buffer.ReadNow(true)
			now := uint64(time.Since(base))
			if eof {
				done <- true
				return
			}
			for len(words) > 1 {
				if asleep[atomic.LoadUint64(&read)] {
					found = append(found, now-words[1])
				}
				words = words[words[0]:]
				atomic.AddUint64(&read, 1)
			}
		}
	}()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	woken := true
	for i := uint64(0); i < records && woken; i++ {
		time.Sleep(time.Duration(gap))
		asleep[i] = r.buffer.Announced()
		r.now = int64(time.Since(base))
		r.write()
		for begun := time.Now(); atomic.LoadUint64(&read) <= i && woken; {
			time.Sleep(time.Duration(gap))
			woken = time.Since(begun) < 500*time.Millisecond
		}
	}
	r.buffer.Close()
	<-done
	if !woken {
		return []uint64{unknown}
	}
	return found
}
