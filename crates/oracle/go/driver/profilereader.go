package main

import (
	"fmt"
	"runtime"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"
)

func init() {
	verbs["cpuprof-blocking-reader"] = reproducer(func(until time.Time) error { return readProfiles(until, true) })
	verbs["cpuprof-non-blocking-reader"] = reproducer(func(until time.Time) error { return readProfiles(until, false) })
}

// readProfiles takes one CPU profile under a storm of SIGPROF, reads it in this mode and looks at every record.
func readProfiles(until time.Time, blocking bool) error {
	var stop int32
	defer atomic.StoreInt32(&stop, 1)
	go burn(&stop)
	runtime.SetCPUProfileRate(1000)
	buffer := runtime.SigproofProfile()
	if buffer == nil {
		return fmt.Errorf("the profile did not start")
	}
	calm := storm(2, syscall.SIGPROF)
	go func() {
		time.Sleep(time.Until(until))
		calm()
		runtime.SetCPUProfileRate(0)
	}()
	records := 0
	for {
		data, tags, eof := buffer.ReadNow(blocking)
		if eof {
			break
		}
		n, err := wellFormed(data, tags, records == 0)
		if err != nil {
			return err
		}
		records += n
		atomic.AddInt64(&progress, int64(n))
		if n == 0 {
			if blocking {
				return fmt.Errorf("corrupt record: a blocking read gave nothing")
			}
			time.Sleep(time.Millisecond)
		}
	}
	runtime.SigproofForgetProfile()
	if records < 2 {
		return fmt.Errorf("corrupt record: only %d records after %d signals", records, atomic.LoadInt64(&signals))
	}
	return nil
}

// wellFormed counts the records of a batch: length, time, count and the stack, or a number of lost ones where the count is 0.
func wellFormed(data []uint64, tags []unsafe.Pointer, first bool) (int, error) {
	records := 0
	for len(data) > 0 {
		length := data[0]
		if length < 3 || length > uint64(len(data)) {
			return 0, fmt.Errorf("corrupt record: length %d where %d words are left", length, len(data))
		}
		record := data[:length]
		data = data[length:]
		switch begins := first && records == 0; {
		case begins && (length != 3 || record[2] != 1000):
			return 0, fmt.Errorf("corrupt record: the profile begins with %v", record)
		case begins:
		case record[2] == 0 && (length != 4 || record[3] == 0):
			return 0, fmt.Errorf("corrupt record: lost samples %v", record)
		case record[2] != 0 && length == 3:
			return 0, fmt.Errorf("corrupt record: a sample without a stack")
		case record[2] != 0:
			for _, pc := range record[3:] {
				if pc == 0 {
					return 0, fmt.Errorf("corrupt record: a stack with a hole: %v", record)
				}
			}
		}
		records++
	}
	if records != len(tags) {
		return 0, fmt.Errorf("corrupt record: %d records with %d tags", records, len(tags))
	}
	return records, nil
}
