// Package private keeps files that are their owner's alone, such as private
// keys, in folders that nobody else can enter. What it writes is there whole or
// not at all, also after a crash.
package private

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

const (
	unplaced    = ".new-" // begins the name of a file that is being written
	abandonedIn = time.Hour
)

// Exposed is the error of a file or folder that others can reach.
type Exposed struct{ message string }

func (e *Exposed) Error() string { return e.message }

func exposed(format string, args ...any) error { return &Exposed{fmt.Sprintf(format, args...)} }

// Prepare makes a folder (0700) where it is missing, refuses one that others may
// write to, and removes what a crash has left half written in it.
func Prepare(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	info, err := os.Stat(dir)
	if err != nil {
		return err
	}
	if info.Mode().Perm()&0o022 != 0 {
		return exposed("others may write to %s, where the gateway's private keys are: chmod 700 %s", dir, dir)
	}
	sweep(dir)
	return nil
}

// Enclosed refuses a folder that others can enter.
func Enclosed(dir string) error {
	info, err := os.Stat(dir)
	if err != nil {
		return err
	}
	if info.Mode().Perm()&0o077 != 0 {
		return exposed("others may enter %s, where the gateway's private keys are: chmod 700 %s", dir, dir)
	}
	return nil
}

// sweep removes what a crash has left half written: keys that came to no use.
func sweep(dir string) {
	left, _ := filepath.Glob(filepath.Join(dir, unplaced+"*"))
	for _, path := range left {
		if info, err := os.Lstat(path); err == nil && time.Since(info.ModTime()) > abandonedIn {
			_ = os.Remove(path)
		}
	}
}

// Read returns a file's content. One that others may read is an error; one that
// is not there is fs.ErrNotExist.
func Read(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, exposed("%s holds secrets and can be read by others (mode %04o): chmod 600 %s, and think of what they may have read", path, info.Mode().Perm(), path)
	}
	return os.ReadFile(path)
}

// Create writes a file (0600) that is not there yet; fs.ErrExist where it is.
func Create(path string, text []byte) error { return write(path, text, linkNew) }

// Replace writes a file (0600) over what is there.
func Replace(path string, text []byte) error { return write(path, text, os.Rename) }

// Remove removes a file for good: it is not there after a crash either.
func Remove(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return syncDir(filepath.Dir(path))
}

// Exists reports whether something has the name.
func Exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// linkNew gives a file its name unless the name is taken. Some file systems
// know no links: there two processes that start at once on a new folder may
// both write, and the next start finds what does not fit.
func linkNew(from, to string) error {
	err := os.Link(from, to)
	if err == nil || errors.Is(err, fs.ErrExist) || Exists(to) {
		return err
	}
	return os.Rename(from, to)
}

// write puts a file in place whole and durable: place moves or links it to its
// name once its bytes are on the disk.
func write(path string, text []byte, place func(from, to string) error) error {
	dir := filepath.Dir(path)
	tmp, err := os.CreateTemp(dir, unplaced+"*") // 0600
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(tmp.Name()) }()
	_, err = tmp.Write(text)
	err = errors.Join(err, tmp.Sync(), tmp.Close())
	if err != nil {
		return err
	}
	if err := place(tmp.Name(), path); err != nil {
		return err
	}
	return syncDir(dir)
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
