package main

import (
	"runtime"
	"time"
)

func init() { reproducers["profbuf-double-wakeup"] = doubleWakeup }

// doubleWakeup has one thread write flat out, so that records are lost, while another is blocked in read. Where the announcement of a loss
// wakes the reader and leaves its flag standing, the next record wakes it again. No signals take part.
func doubleWakeup(r *run) error {
	runtime.LockOSThread()
	for round := 0; !r.over(); round++ {
		if err := overrun(r, round); err != nil {
			return err
		}
	}
	return nil
}

// overrun fills one buffer faster than it is read, in a rhythm of its own, and holds it to account.
func overrun(r *run, round int) error {
	buffer := runtime.SigproofNewBuffer(1, 64, 64)
	end := time.Now().Add(20 * time.Millisecond)
	written := make(chan int64)
	go func() {
		runtime.LockOSThread()
		header, stack := []uint64{0}, make([]uintptr, 8)
		for turn := 0; time.Now().Before(end); turn++ {
			for i := 0; i < 1+100*(round%4); i++ {
				header[0]++
				buffer.Write(nil, int64(header[0]), header, stack)
			}
			burn((turn + round) % 4)
		}
		buffer.Close()
		written <- int64(header[0])
	}()
	last, delivered, lost := uint64(0), int64(0), int64(0)
	for {
		words, _, eof := buffer.ReadNow(true)
		if eof {
			break
		}
		for len(words) > 0 {
			if words[0] < 4 || words[0] > uint64(len(words)) {
				return corrupt("a record of %d words where %d are left", words[0], len(words))
			}
			record := words[:words[0]]
			words = words[words[0]:]
			if record[2] == 0 {
				lost += int64(record[3])
				continue
			}
			if record[2] <= last {
				return corrupt("record %d comes after record %d", record[2], last)
			}
			last = record[2]
			delivered++
		}
		r.progress.Add(1)
	}
	r.delivered.Add(delivered)
	r.lost.Add(lost)
	if all := <-written; all != delivered+lost {
		return corrupt("%d records were written, %d delivered and %d counted as lost", all, delivered, lost)
	}
	return nil
}
