package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"unsafe"
)

// Requests and answers are frames of 64-bit words in the machine's byte order: first the number of words that follow.
//
//	request   mode, header, words, tags, data count, tag count, then the operations
//	answer    bulk: one frame for all operations; careful: a frame for each, sent before the next operation begins
//
//	operation                                                     answer
//	write     0, time, tag, n, m, n header words, m stack words   1 if the note has been woken and not cleared, else 0
//	read      1                                                   status, n, m, n words, m tags
//	sleep     2   a blocking read                                 as read
//	close     3                                                   as write
//	lost      4, count, time                                      nothing: an empty frame, in careful mode

const (
	bulk    = 0
	careful = 1
)

// Tags are addresses of bytes in here, so that the collector finds nothing odd in the tag ring.
var tagSpace [1 << 16]byte

func tagOf(number uint64) unsafe.Pointer {
	if number == 0 {
		return nil
	}
	return unsafe.Pointer(&tagSpace[number])
}

func numberOf(tag unsafe.Pointer) uint64 {
	if tag == nil {
		return 0
	}
	return uint64(uintptr(tag) - uintptr(unsafe.Pointer(&tagSpace)))
}

func bytesOf(words []uint64) []byte {
	if len(words) == 0 {
		return nil
	}
	return unsafe.Slice((*byte)(unsafe.Pointer(&words[0])), len(words)*8)
}

// A session is the two pipes and what is reused from one request to the next.
type session struct {
	in      *bufio.Reader
	out     *bufio.Writer
	request []uint64
	answer  []uint64
	stack   []uintptr
}

func serve([]string) error {
	s := &session{
		in:     bufio.NewReaderSize(os.Stdin, 1<<17),
		out:    bufio.NewWriterSize(os.Stdout, 1<<17),
		answer: make([]uint64, 1, 1<<12),
	}
	for {
		if s.in.Buffered() == 0 {
			if err := s.out.Flush(); err != nil {
				return err
			}
		}
		switch err := s.receive(); {
		case err == io.EOF:
			return s.out.Flush()
		case err != nil:
			return err
		}
		if err := s.perform(); err != nil {
			return err
		}
	}
}

func (s *session) receive() error {
	var length [1]uint64
	if _, err := io.ReadFull(s.in, bytesOf(length[:])); err != nil {
		return err
	}
	if uint64(cap(s.request)) < length[0] {
		s.request = make([]uint64, length[0])
	}
	s.request = s.request[:length[0]]
	_, err := io.ReadFull(s.in, bytesOf(s.request))
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return err
}

// send sends the frame that has been put together.
func (s *session) send() error {
	s.answer[0] = uint64(len(s.answer) - 1)
	_, err := s.out.Write(bytesOf(s.answer))
	s.answer = s.answer[:1]
	return err
}

var errRequest = errors.New("a request that ends in its midst")

// take takes n words off the front.
func take(words *[]uint64, n uint64) ([]uint64, error) {
	if uint64(len(*words)) < n {
		return nil, errRequest
	}
	taken := (*words)[:n]
	*words = (*words)[n:]
	return taken, nil
}

func (s *session) perform() error {
	rest := s.request
	first, err := take(&rest, 6)
	if err != nil {
		return err
	}
	isCareful := first[0] == careful
	buffer := runtime.SigproofNewBuffer(int(first[1]), int(first[2]), int(first[3]))
	buffer.SetCounts(uint32(first[4]), uint32(first[5]))
	for len(rest) > 0 {
		if rest, err = s.operation(buffer, rest); err != nil {
			return err
		}
		if isCareful {
			if err := s.send(); err != nil {
				return err
			}
			if err := s.out.Flush(); err != nil {
				return err
			}
		}
	}
	if isCareful {
		return nil
	}
	return s.send()
}

// operation performs the first of the operations and returns the others.
func (s *session) operation(buffer *runtime.SigproofBuffer, rest []uint64) ([]uint64, error) {
	code := rest[0]
	rest = rest[1:]
	switch code {
	case 0:
		sizes, err := take(&rest, 4)
		if err != nil {
			return nil, err
		}
		header, err := take(&rest, sizes[2])
		if err != nil {
			return nil, err
		}
		stack, err := take(&rest, sizes[3])
		if err != nil {
			return nil, err
		}
		s.stack = s.stack[:0]
		for _, word := range stack {
			s.stack = append(s.stack, uintptr(word))
		}
		buffer.Write(tagOf(sizes[1]), int64(sizes[0]), header, s.stack)
		s.woken(buffer)
	case 1, 2:
		words, tags, status := buffer.Read(code == 2)
		s.answer = append(s.answer, uint64(status), uint64(len(words)), uint64(len(tags)))
		s.answer = append(s.answer, words...)
		for _, tag := range tags {
			s.answer = append(s.answer, numberOf(tag))
		}
	case 3:
		buffer.Close()
		s.woken(buffer)
	case 4:
		lost, err := take(&rest, 2)
		if err != nil {
			return nil, err
		}
		buffer.SetLost(uint32(lost[0]), int64(lost[1]))
	default:
		return nil, fmt.Errorf("no operation %d", code)
	}
	return rest, nil
}

func (s *session) woken(buffer *runtime.SigproofBuffer) {
	word := uint64(0)
	if buffer.Woken() {
		word = 1
	}
	s.answer = append(s.answer, word)
}
