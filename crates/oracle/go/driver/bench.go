package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"runtime"
	"time"
	"unsafe"
)

// Requests and answers are frames, as those of serve. The times are taken around the loops in here, so that no pipe is in them.
//
//	request                                                     answer
//	0, words, tags, depth, batch, batches                       nanoseconds, records read, a sum of what was read
//	1, words, tags, depth, blocking, burst, period, poll, time  see traffic in threads.go
//	2, words, tags, depth, records, gap                         see latencies in threads.go
//
// A buffer is kept from one request to the next that asks for the same one.

func bench([]string) error {
	s := &session{in: bufio.NewReader(os.Stdin), out: bufio.NewWriter(os.Stdout), answer: make([]uint64, 1)}
	rings := map[[3]uint64]*ring{}
	for {
		if err := s.out.Flush(); err != nil {
			return err
		}
		if err := s.receive(); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		if len(s.request) < 4 {
			return errRequest
		}
		rest := s.request[1:]
		switch code := s.request[0]; code {
		case 0:
			if len(rest) != 5 {
				return errRequest
			}
			key := [3]uint64{rest[0], rest[1], rest[2]}
			if rings[key] == nil {
				rings[key] = newRing(rest[0], rest[1], rest[2])
			}
			s.answer = append(s.answer, rings[key].batches(int(rest[3]), int(rest[4]))...)
		case 1:
			if len(rest) != 8 {
				return errRequest
			}
			s.answer = append(s.answer, traffic(newRing(rest[0], rest[1], rest[2]), rest[3:])...)
		case 2:
			if len(rest) != 5 {
				return errRequest
			}
			s.answer = append(s.answer, latencies(newRing(rest[0], rest[1], rest[2]), rest[3], rest[4])...)
		default:
			return fmt.Errorf("no request %d", code)
		}
		if err := s.send(); err != nil {
			return err
		}
	}
}

// A ring is a buffer and what is written into it.
type ring struct {
	buffer *runtime.SigproofBuffer
	header []uint64
	stack  []uintptr
	tag    unsafe.Pointer
	now    int64
}

func newRing(words, tags, depth uint64) *ring {
	r := &ring{
		buffer: runtime.SigproofNewBuffer(1, int(words), int(tags)),
		header: []uint64{7},
		stack:  make([]uintptr, depth),
		tag:    tagOf(1),
	}
	for i := range r.stack {
		r.stack[i] = uintptr(i + 1)
	}
	return r
}

func (r *ring) write() {
	r.buffer.WriteTagged(&r.tag, r.now, r.header, r.stack)
	r.now++
}

// batches writes a batch and drains it, again and again.
func (r *ring) batches(batch, batches int) []uint64 {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	records, sum := uint64(0), uint64(0)
	started := time.Now()
	for i := 0; i < batches; i++ {
		for j := 0; j < batch; j++ {
			r.write()
		}
		for {
			words, tags, _ := r.buffer.ReadNow(false)
			if len(words) == 0 {
				break
			}
			n, s := drain(words, tags)
			records += n
			sum += s
		}
	}
	return []uint64{uint64(time.Since(started)), records, sum}
}

// drain touches every record, by the same rule as the other contenders: its length, its time, its last word and its tag.
func drain(words []uint64, tags []unsafe.Pointer) (records, sum uint64) {
	for len(words) > 1 {
		length := words[0]
		sum += words[1] + words[length-1] + uint64(uintptr(tags[records]))
		words = words[length:]
		records++
	}
	return records, sum
}
