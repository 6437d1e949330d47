// Added to package runtime by a build overlay: the runtime's own profiling buffer, made reachable from outside.
//
// Everything that is tested or timed is the runtime's: its write, read, close and notes. Of its own this file has only the splitting
// of a blocking read where it would sleep (see Read), so that one goroutine can go on while the reader "sleeps". Fields whose type
// differs from one release to the next are reached by their address; they have been plain or atomic integers of one size since Go 1.19.

package runtime

import "unsafe"

// What a read gives.
const (
	SigproofNothing     = 0 // nothing there; of a non-blocking read
	SigproofRecords     = 1
	SigproofEndOfFile   = 2
	SigproofAsleep      = 3 // nothing there: the reader has announced its sleep
	SigproofStillAsleep = 4 // not woken since
)

// SigproofBuffer is a profBuf and what its reader is doing.
type SigproofBuffer struct {
	buf    *profBuf
	asleep bool
}

// SigproofNewBuffer makes a buffer as the profiler does.
func SigproofNewBuffer(header, words, tags int) *SigproofBuffer {
	return &SigproofBuffer{buf: newProfBuf(header, words, tags)}
}

// SetCounts makes an unused buffer one through which so much has passed already.
func (s *SigproofBuffer) SetCounts(data, tags uint32) {
	at := profIndex(uint64(tags)<<34 | uint64(data))
	s.buf.w.store(at)
	s.buf.r.store(at)
	s.buf.rNext = at
}

// SetLost presets the pending overflow of an unused buffer.
func (s *SigproofBuffer) SetLost(count uint32, time int64) {
	*(*uint64)(unsafe.Pointer(&s.buf.overflowTime)) = uint64(time)
	*(*uint64)(unsafe.Pointer(&s.buf.overflow)) = 1<<32 | uint64(count)
}

// Write writes a record, with a tag unless it is nil.
func (s *SigproofBuffer) Write(tag unsafe.Pointer, now int64, header []uint64, stack []uintptr) {
	if tag == nil {
		s.buf.write(nil, now, header, stack)
		return
	}
	s.buf.write(&tag, now, header, stack)
}

// WriteTagged writes a record as the profiler does. It is inlined: its caller calls the runtime's write.
func (s *SigproofBuffer) WriteTagged(tag *unsafe.Pointer, now int64, header []uint64, stack []uintptr) {
	s.buf.write(tag, now, header, stack)
}

// Close ends the file.
func (s *SigproofBuffer) Close() { s.buf.close() }

// Woken reports whether the note has been woken since it was last cleared. No thread may sleep on it.
func (s *SigproofBuffer) Woken() bool { return s.buf.wait.key != 0 }

// Lost is the number of dropped records that are pending.
func (s *SigproofBuffer) Lost() uint32 { return uint32(*(*uint64)(unsafe.Pointer(&s.buf.overflow))) }

// ReadNow is the runtime's read, blocking or not.
func (s *SigproofBuffer) ReadNow(blocking bool) (words []uint64, tags []unsafe.Pointer, eof bool) {
	if blocking {
		return s.buf.read(profBufBlocking)
	}
	return s.buf.read(profBufNonBlocking)
}

// Announced reports whether the reader has announced its sleep.
func (s *SigproofBuffer) Announced() bool { return s.buf.w.load()&profReaderSleeping != 0 }

// Read reads. A blocking read that finds nothing announces its sleep, as the runtime's does, and returns SigproofAsleep; the next Read
// then goes on behind the sleep, if the note has been woken meanwhile.
func (s *SigproofBuffer) Read(blocking bool) (words []uint64, tags []unsafe.Pointer, status int) {
	b := s.buf
	if s.asleep {
		if !s.Woken() {
			return nil, nil, SigproofStillAsleep
		}
		noteclear(&b.wait)
		s.asleep = false
		blocking = true
	}
	if blocking && s.wouldSleep() {
		b.read(profBufNonBlocking) // gives back the last batch, settles the extra flag
		for {
			w := b.w.load()
			if b.w.cas(w, w|profReaderSleeping) {
				break
			}
		}
		s.asleep = true
		return nil, nil, SigproofAsleep
	}
	var eof bool
	words, tags, eof = s.ReadNow(blocking)
	switch {
	case eof:
		return nil, nil, SigproofEndOfFile
	case len(words) == 0:
		return nil, nil, SigproofNothing
	}
	return words, tags, SigproofRecords
}

func (s *SigproofBuffer) wouldSleep() bool {
	b := s.buf
	eof := *(*uint32)(unsafe.Pointer(&b.eof)) > 0
	return b.w.load().dataCount() == b.rNext.dataCount() && s.Lost() == 0 && !eof
}
