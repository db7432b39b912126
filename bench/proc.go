package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// tick is the unit of CPU times in /proc, the same on every Linux that Go
// runs on.
const tick = 10 * time.Millisecond

// usage is what a process and all its descendants have used up.
type usage struct {
	cpu  time.Duration
	rss  int64         // bytes; pages that processes share count for each
	core time.Duration // what its core has worked, for others too
	load time.Duration // CPU time of clients and backend
}

// usageOfTree adds up a process and its descendants.
func usageOfTree(pid int) (usage, error) {
	tree, err := treeOf(pid)
	if err != nil {
		return usage{}, err
	}
	var sum usage
	for _, member := range tree {
		u, err := usageOf(member)
		if err != nil {
			return usage{}, err
		}
		sum.cpu += u.cpu
		sum.rss += u.rss
	}
	if sum.rss == 0 {
		return usage{}, fmt.Errorf("process %d is gone", pid)
	}
	return sum, nil
}

// shareOfTree returns the memory of a process and its descendants, in bytes;
// pages that several processes use count in parts (PSS).
func shareOfTree(pid int) (int64, error) {
	tree, err := treeOf(pid)
	if err != nil {
		return 0, err
	}
	var sum int64
	for _, member := range tree {
		share, err := shareOf(member)
		if err != nil {
			return 0, err
		}
		sum += share
	}
	if sum == 0 {
		return 0, fmt.Errorf("process %d is gone", pid)
	}
	return sum, nil
}

func shareOf(pid int) (int64, error) {
	name := fmt.Sprintf("/proc/%d/smaps_rollup", pid)
	data, err := os.ReadFile(name)
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(data)) {
		if fields := strings.Fields(line); len(fields) == 3 && fields[0] == "Pss:" {
			kilobytes, err := strconv.ParseInt(fields[1], 10, 64)
			return kilobytes << 10, err
		}
	}
	return 0, fmt.Errorf("%s does not say Pss", name)
}

// treeOf lists a process and its descendants.
func treeOf(pid int) ([]int, error) {
	parents, err := parentsOfAll()
	if err != nil {
		return nil, err
	}
	var tree []int
	for candidate := range parents {
		if descends(candidate, pid, parents) {
			tree = append(tree, candidate)
		}
	}
	return tree, nil
}

func descends(pid, ancestor int, parents map[int]int) bool {
	for pid > 0 {
		if pid == ancestor {
			return true
		}
		pid = parents[pid]
	}
	return false
}

// parentsOfAll maps every process to its parent.
func parentsOfAll() (map[int]int, error) {
	dirs, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return nil, err
	}
	parents := make(map[int]int, len(dirs))
	for _, dir := range dirs {
		pid, _ := strconv.Atoi(filepath.Base(dir))
		fields, err := statFields(pid)
		if err != nil {
			continue // it ended meanwhile
		}
		parents[pid], _ = strconv.Atoi(fields[1])
	}
	return parents, nil
}

func usageOf(pid int) (usage, error) {
	fields, err := statFields(pid)
	if err != nil {
		return usage{}, err
	}
	user, _ := strconv.ParseInt(fields[11], 10, 64)
	system, _ := strconv.ParseInt(fields[12], 10, 64)
	pages, _ := strconv.ParseInt(fields[21], 10, 64)
	return usage{cpu: time.Duration(user+system) * tick, rss: pages * int64(os.Getpagesize())}, nil
}

// statFields returns the fields of /proc/PID/stat after the command's name:
// state, parent and so on.
func statFields(pid int) ([]string, error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return nil, err
	}
	fields := strings.Fields(string(data[bytes.LastIndexByte(data, ')')+1:]))
	if len(fields) < 22 {
		return nil, fmt.Errorf("process %d: stat has %d fields", pid, len(fields))
	}
	return fields, nil
}

// coreTime returns how long a core has worked for anybody since it was
// started.
func coreTime(cpu int) (time.Duration, error) {
	data, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(data)) {
		fields := strings.Fields(line)
		if len(fields) < 9 || fields[0] != "cpu"+strconv.Itoa(cpu) {
			continue
		}
		var sum int64
		for i, field := range fields[1:9] { // user nice system idle iowait irq softirq steal
			if n, err := strconv.ParseInt(field, 10, 64); err == nil && i != 3 && i != 4 {
				sum += n
			}
		}
		return time.Duration(sum) * tick, nil
	}
	return 0, fmt.Errorf("there is no core %d", cpu)
}

// pinSelf keeps every thread of this process on one core; threads started
// later inherit it. Two passes catch a thread that starts meanwhile.
func pinSelf(cpu int) error {
	for range 2 {
		tasks, err := filepath.Glob("/proc/self/task/*")
		if err != nil {
			return err
		}
		for _, task := range tasks {
			tid, _ := strconv.Atoi(filepath.Base(task))
			if err := setAffinity(tid, cpu); err != nil {
				return err
			}
		}
	}
	return nil
}

func setAffinity(tid, cpu int) error {
	var set unix.CPUSet
	set.Set(cpu)
	return unix.SchedSetaffinity(tid, &set)
}

// onCore calls f on a thread that is kept on one core, for f to start a
// process that stays there, and takes the thread back to its own.
func onCore(cpu, back int, f func() error) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := setAffinity(0, cpu); err != nil {
		return err
	}
	defer setAffinity(0, back)
	return f()
}
