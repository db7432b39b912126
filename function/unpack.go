package function

import (
	"archive/zip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// unpack fills root with what a folder or zip file holds.
func unpack(root *os.Root, path string, info fs.FileInfo) error {
	if info.IsDir() {
		return copyTree(root, path)
	}
	z, err := zip.OpenReader(path)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	defer z.Close()
	if err := unzip(root, &z.Reader); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// copyTree copies what is below a folder into root, over what is there.
func copyTree(root *os.Root, from string) error {
	left := int64(maxCode)
	return walk(from, func(name string, info fs.FileInfo) error {
		source := filepath.Join(from, name)
		switch {
		case info.IsDir():
			return folder(root, name)
		case info.Mode()&fs.ModeSymlink != 0:
			to, err := os.Readlink(source)
			if err != nil {
				return err
			}
			return link(root, name, to)
		}
		f, err := os.Open(source)
		if err != nil {
			return err
		}
		defer f.Close()
		return file(root, name, f, info.Mode(), &left)
	})
}

// unzip fills root with the files of an archive. Root lets none of them out, also
// where a link leads there; what the archive says of sizes is not believed.
func unzip(root *os.Root, z *zip.Reader) error {
	if len(z.File) > maxFiles {
		return fmt.Errorf("more than %d files", maxFiles)
	}
	left := int64(maxCode)
	for _, f := range z.File {
		if err := entry(root, f, &left); err != nil {
			return fmt.Errorf("%q: %w", f.Name, err)
		}
	}
	return nil
}

func entry(root *os.Root, f *zip.File, left *int64) error {
	name := strings.TrimSuffix(filepath.FromSlash(f.Name), "/")
	if !filepath.IsLocal(name) || strings.Contains(f.Name, `\`) {
		return errors.New("the name leads out of the archive")
	}
	if strings.HasSuffix(f.Name, "/") || f.Mode().IsDir() {
		return folder(root, name)
	}
	if kind := f.Mode().Type(); kind != 0 && kind != fs.ModeSymlink {
		return errors.New("neither a file, a folder nor a link")
	}
	if dir := filepath.Dir(name); dir != "." {
		if err := folder(root, dir); err != nil {
			return err
		}
	}
	r, err := f.Open()
	if err != nil {
		return err
	}
	defer r.Close()
	if f.Mode()&fs.ModeSymlink == 0 {
		return file(root, name, r, f.Mode(), left)
	}
	to, err := io.ReadAll(io.LimitReader(r, 4<<10))
	if err != nil {
		return err
	}
	return link(root, name, string(to))
}

func folder(root *os.Root, name string) error {
	if info, err := root.Lstat(name); err == nil && !info.IsDir() {
		if err := root.Remove(name); err != nil {
			return err
		}
	}
	return root.MkdirAll(name, 0o755)
}

// link makes a symbolic link. Where it leads is looked up within the sandbox, and
// nothing is ever written through it here.
func link(root *os.Root, name, to string) error {
	if err := root.RemoveAll(name); err != nil {
		return err
	}
	return root.Symlink(to, name)
}

// file writes a file, of at most left bytes, which become fewer by it.
func file(root *os.Root, name string, from io.Reader, mode fs.FileMode, left *int64) error {
	if err := root.RemoveAll(name); err != nil {
		return err
	}
	to, err := root.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644|mode&0o111)
	if err != nil {
		return err
	}
	n, err := io.Copy(to, io.LimitReader(from, *left+1))
	if *left -= n; *left < 0 {
		err = errors.New("more than 1 GiB in all")
	}
	return errors.Join(err, to.Close())
}
