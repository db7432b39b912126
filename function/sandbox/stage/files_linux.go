//go:build amd64 || arm64

package stage

import (
	"strconv"
	"syscall"
	"unsafe"
)

// mountAttr is struct mount_attr.
type mountAttr struct{ set, clear, propagation, userns uint64 }

const atCwd = ^uintptr(99) // -100

// bind shows a tree at a second place, with all that is mounted below it.
func bind(from, to string, attributes uint64) syscall.Errno {
	if err := syscall.Mount(from, to, "", syscall.MS_BIND|syscall.MS_REC, ""); err != nil || attributes == 0 {
		return errno(err)
	}
	p, err := syscall.BytePtrFromString(to)
	if err != nil {
		return syscall.EINVAL
	}
	attr := mountAttr{set: attributes}
	_, _, e := syscall.Syscall6(sysMountSetattr, atCwd, uintptr(unsafe.Pointer(p)), atRecursive, uintptr(unsafe.Pointer(&attr)), sizeofMountAttr, 0)
	return e
}

// root mounts what is to be the root over a folder that every system has, and
// of which nothing will be needed.
func root(over, options string) syscall.Errno {
	if err := syscall.Mount("tmpfs", over, "tmpfs", syscall.MS_NOSUID|syscall.MS_NODEV, options); err != nil {
		return errno(err)
	}
	return errno(syscall.Chdir(over))
}

// pivot makes the working directory the root. The old root lies above the new
// one for a moment, and is taken away.
func pivot() syscall.Errno {
	if err := syscall.PivotRoot(".", "."); err != nil {
		return errno(err)
	}
	if err := syscall.Unmount(".", syscall.MNT_DETACH); err != nil {
		return errno(err)
	}
	return errno(syscall.Chdir("/"))
}

func file(path, content string, mode uint32) syscall.Errno {
	fd, err := syscall.Open(path, syscall.O_WRONLY|syscall.O_CREAT|syscall.O_EXCL|syscall.O_CLOEXEC, mode)
	if err != nil {
		return errno(err)
	}
	return finish(fd, content)
}

func write(path, content string) syscall.Errno {
	fd, err := syscall.Open(path, syscall.O_WRONLY|syscall.O_CLOEXEC, 0)
	if err != nil {
		return errno(err)
	}
	return finish(fd, content)
}

func finish(fd int, content string) syscall.Errno {
	defer func() { _ = syscall.Close(fd) }()
	if content == "" {
		return 0
	}
	_, err := syscall.Write(fd, []byte(content))
	return errno(err)
}

// join moves this thread into the cgroups whose "tasks" are open. A thread that
// moves itself does not wait until the whole system is at rest, as a process
// does that is moved: 12 ms for the first in a while. The other threads stay
// where they are, and end with the program's beginning.
func join(first, count int) syscall.Errno {
	for fd := first; fd < first+count; fd++ {
		if _, err := syscall.Write(fd, []byte{'0'}); err != nil {
			return errno(err)
		}
	}
	return 0
}

// closeOnExec marks every descriptor from first on.
func closeOnExec(first int) syscall.Errno {
	_, _, e := syscall.Syscall(sysCloseRange, uintptr(first), ^uintptr(0), closeRangeCloexec)
	if e == syscall.ENOSYS || e == syscall.EINVAL {
		return closeListed(first)
	}
	return e
}

// closeListed does the same before Linux 5.11.
func closeListed(first int) syscall.Errno {
	dir, err := syscall.Open("/proc/self/fd", syscall.O_RDONLY|syscall.O_DIRECTORY|syscall.O_CLOEXEC, 0)
	if err != nil {
		return errno(err)
	}
	defer func() { _ = syscall.Close(dir) }()
	b := make([]byte, 8192)
	for {
		n, err := syscall.ReadDirent(dir, b)
		if err != nil || n == 0 {
			return errno(err)
		}
		_, _, names := syscall.ParseDirent(b[:n], -1, nil)
		for _, name := range names {
			if fd, err := strconv.Atoi(name); err == nil && fd >= first {
				syscall.CloseOnExec(fd)
			}
		}
	}
}
