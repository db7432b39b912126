package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// readFile reads a file that src names and records it, read or not: a file
// that comes into being mends what its absence broke.
func (d *decoder) readFile(src *source, name string, limit int64) (path string, content []byte, err error) {
	path, err = d.resolvePath(src, name)
	if err != nil {
		return "", nil, err
	}
	content, err = d.sources.read(path, limit, d.opener(src, path))
	return path, content, err
}

// resolvePath returns the absolute path that src means by name, and refuses
// one that leads an included file out of its folder.
func (d *decoder) resolvePath(src *source, name string) (string, error) {
	if name == "" {
		return "", errors.New("the path is empty")
	}
	path := filepath.Clean(name)
	if !filepath.IsAbs(path) {
		path = filepath.Join(src.dir, path)
	}
	if src.jail == nil {
		return path, nil
	}
	return path, within(src.dir, path)
}

var errOutside = errors.New("an included file may only name what lies in its own folder")

// within refuses a path that leads out of dir, by name or by a symbolic link.
// The path itself need not exist.
func within(dir, path string) error {
	name, err := filepath.Rel(dir, path)
	if err != nil || !filepath.IsLocal(name) {
		return errOutside
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return reason(err)
	}
	defer root.Close()
	if _, err := root.Stat(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return reason(err)
	}
	return nil
}

// openWithin opens a file below dir that no symbolic link leads out of it.
func openWithin(dir, path string) (*os.File, error) {
	name, err := filepath.Rel(dir, path)
	if err != nil {
		return nil, errOutside
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	info, err := root.Stat(name)
	if err != nil {
		return nil, err
	}
	if err := regular(info); err != nil {
		return nil, err
	}
	return root.Open(name)
}

// openRegular opens a file that ends: opening a named pipe would wait for
// whoever writes it.
func openRegular(path string) (*os.File, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if err := regular(info); err != nil {
		return nil, err
	}
	return os.Open(path)
}

func regular(info fs.FileInfo) error {
	switch {
	case info.IsDir():
		return errors.New("is a folder, not a file")
	case !info.Mode().IsRegular():
		return errors.New("is not a regular file")
	}
	return nil
}

// readAtMost reads f to its end, which must come within limit bytes.
func readAtMost(f io.Reader, limit int64) ([]byte, error) {
	content, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(content)) > limit {
		return nil, fmt.Errorf("is larger than %v", Size(limit))
	}
	return content, nil
}

// reason says why a file could not be read, without the path that whoever
// prints it says anyway.
func reason(err error) error {
	if path, ok := errors.AsType[*fs.PathError](err); ok {
		return path.Err
	}
	return err
}
