package function

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
)

// The bounds of code and layers.
const (
	maxFiles = 1 << 16
	maxCode  = 1 << 30 // bytes, unpacked
)

// store holds what functions consist of, by its content: a folder that is there
// never changes, whatever becomes of what it was made from. It is safe for
// concurrent use.
type store struct {
	folder string

	mu    sync.Mutex
	known map[string]known // by the path that it was made from
}

// known is what a path was found to hold.
type known struct {
	print string // of names, sizes and times
	hash  string
}

func newStore(folder string) *store {
	return &store{folder: folder, known: make(map[string]known)}
}

// keep returns the folder with the content of a folder or zip file, and its hash.
func (s *store) keep(path string) (folder, hash string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	info, err := os.Stat(path)
	if err != nil {
		return "", "", err
	}
	print, err := printOf(path, info)
	if err != nil {
		return "", "", err
	}
	if k := s.known[path]; k.print == print {
		if folder := filepath.Join(s.folder, k.hash); isDir(folder) {
			return folder, k.hash, nil
		}
	}
	if hash, err = hashOf(path, info); err != nil {
		return "", "", err
	}
	folder = filepath.Join(s.folder, hash)
	if !isDir(folder) {
		if err := s.make(folder, func(root *os.Root) error { return unpack(root, path, info) }); err != nil {
			return "", "", err
		}
	}
	s.known[path] = known{print, hash}
	return folder, hash, nil
}

// merge returns the folder that has the content of several, later ones over
// earlier ones; "" for none.
func (s *store) merge(folders, hashes []string) (string, error) {
	if len(folders) == 0 {
		return "", nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	sum := sha256.Sum256([]byte(strings.Join(hashes, "\n")))
	folder := filepath.Join(s.folder, "layers-"+hex.EncodeToString(sum[:]))
	if isDir(folder) {
		return folder, nil
	}
	return folder, s.make(folder, func(root *os.Root) error {
		for _, from := range folders {
			if err := copyTree(root, from); err != nil {
				return err
			}
		}
		return nil
	})
}

// write returns a folder with files of the gateway's own.
func (s *store) write(name string, files map[string][]byte) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	folder := filepath.Join(s.folder, name)
	if isDir(folder) {
		return folder, nil
	}
	return folder, s.make(folder, func(root *os.Root) error {
		for name, content := range files {
			if err := root.WriteFile(name, content, 0o644); err != nil {
				return err
			}
		}
		return nil
	})
}

// program returns a folder with a copy of a program under a name.
func (s *store) program(path, name string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	info, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	print, err := printOf(path, info)
	if err != nil {
		return "", err
	}
	folder := filepath.Join(s.folder, "program-"+print)
	if isDir(folder) {
		return folder, nil
	}
	return folder, s.make(folder, func(root *os.Root) error {
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		left := int64(maxCode)
		return file(root, name, f, 0o755, &left)
	})
}

// make makes a folder whole, or not at all.
func (s *store) make(folder string, fill func(*os.Root) error) error {
	if err := os.MkdirAll(s.folder, 0o700); err != nil {
		return err
	}
	fresh, err := os.MkdirTemp(s.folder, ".new-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(fresh) // does nothing once it has its name
	root, err := os.OpenRoot(fresh)
	if err != nil {
		return err
	}
	defer root.Close()
	if err := fill(root); err != nil {
		return err
	}
	if err := os.Chmod(fresh, 0o755); err != nil {
		return err
	}
	err = os.Rename(fresh, folder)
	if isDir(folder) { // another process may have been faster
		return nil
	}
	return err
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// printOf returns a text that is another one where any of the files is.
func printOf(path string, info fs.FileInfo) (string, error) {
	h := sha256.New()
	note := func(name string, info fs.FileInfo) {
		fmt.Fprintf(h, "%s\x00%d\x00%d\x00%v\n", name, info.Size(), info.ModTime().UnixNano(), info.Mode())
	}
	if !info.IsDir() {
		note(path, info)
		return hex.EncodeToString(h.Sum(nil)), nil
	}
	err := walk(path, func(name string, info fs.FileInfo) error {
		note(name, info)
		return nil
	})
	return hex.EncodeToString(h.Sum(nil)), err
}

// walk calls f for everything below a folder, in one order, by its name from
// there.
func walk(folder string, f func(name string, info fs.FileInfo) error) error {
	files := 0
	return filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == folder {
			return err
		}
		if files++; files > maxFiles {
			return fmt.Errorf("%s has more than %d files", folder, maxFiles)
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		name, err := filepath.Rel(folder, path)
		if err != nil {
			return err
		}
		switch kind := info.Mode().Type(); kind {
		case 0, fs.ModeDir, fs.ModeSymlink:
			return f(name, info)
		}
		return fmt.Errorf("%s is neither a file, a folder nor a link", path)
	})
}

// hashOf returns the hash of what a path holds: of a zip file the file's own.
func hashOf(path string, info fs.FileInfo) (string, error) {
	h := sha256.New()
	if !info.IsDir() {
		if err := addFile(h, path); err != nil {
			return "", err
		}
		return "zip-" + hex.EncodeToString(h.Sum(nil)), nil
	}
	size := int64(0)
	err := walk(path, func(name string, info fs.FileInfo) error {
		fmt.Fprintf(h, "%q %v %v\n", name, info.Mode().Type(), info.Mode()&0o111 != 0)
		switch {
		case info.Mode()&fs.ModeSymlink != 0:
			to, err := os.Readlink(filepath.Join(path, name))
			fmt.Fprintf(h, "%q\n", to)
			return err
		case info.IsDir():
			return nil
		}
		if size += info.Size(); size > maxCode {
			return errors.New("the code has more than 1 GiB")
		}
		fmt.Fprintf(h, "%d\n", info.Size())
		return addFile(h, filepath.Join(path, name))
	})
	return hex.EncodeToString(h.Sum(nil)), err
}

func addFile(w io.Writer, path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = io.Copy(w, f)
	return err
}
