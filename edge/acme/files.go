package acme

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/caddyserver/certmagic"

	"gatehouse/private"
)

// files is the certmagic.Storage in one folder of one gateway. A key is a file's
// path below it, but for certificates: certmagic stores certificate, private
// key and what the CA said of them under three keys, one after the other, and a
// crash in between would leave a key without its certificate. Here the three are
// one file, written when the third has come.
type files struct {
	dir string

	mu     sync.Mutex
	staged map[string]*bundle       // by file, until it is whole
	locks  map[string]chan struct{} // closed when the lock is free again
}

var _ certmagic.Storage = (*files)(nil)

func newFiles(dir string) *files {
	return &files{dir: dir, staged: make(map[string]*bundle), locks: make(map[string]chan struct{})}
}

// prepare makes the folder, and refuses one that others can enter.
func (f *files) prepare() error {
	if err := private.Prepare(f.dir); err != nil {
		return err
	}
	return private.Enclosed(f.dir)
}

var errKey = errors.New("acme: a key that leads out of the folder")

// path returns the file of a key, and which part of a bundle it is; "" for a
// file of its own.
func (f *files) path(key string) (path, part string, err error) {
	name := filepath.FromSlash(key)
	if key != "" && !filepath.IsLocal(name) {
		return "", "", errKey
	}
	path = filepath.Join(f.dir, name)
	segments := strings.Split(key, "/")
	if len(segments) != 4 || segments[0] != certificates {
		return path, "", nil
	}
	if part = filepath.Ext(path); !slices.Contains(parts(), part) {
		return path, "", nil
	}
	return filepath.Dir(path) + bundleExt, part, nil
}

// damaged is a file that is not what it should be.
type damaged struct {
	path string
	err  error
}

func (d *damaged) Error() string { return d.path + " is damaged: " + d.err.Error() }

// certificates is where certmagic keeps certificates, by issuer and name.
const certificates = "certificates"

// bundleFile returns where the bundle of a name lies.
func (f *files) bundleFile(issuer, name string) string {
	path, _, err := f.path(certmagic.StorageKeys.SiteCert(issuer, name))
	if err != nil {
		return ""
	}
	return path
}

// issuers returns the CAs that certificates are stored of.
func (f *files) issuers() []string {
	entries, _ := os.ReadDir(filepath.Join(f.dir, certificates))
	var out []string
	for _, e := range entries {
		if e.IsDir() {
			out = append(out, e.Name())
		}
	}
	return out
}

// Store implements certmagic.Storage.
func (f *files) Store(_ context.Context, key string, value []byte) error {
	path, part, err := f.path(key)
	if err != nil {
		return err
	}
	if part == "" {
		return f.write(path, value)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	b := f.staged[path]
	if b == nil {
		b = &bundle{}
		f.staged[path] = b
	}
	b.set(part, value)
	if !b.whole() {
		return nil
	}
	if err := f.write(path, b.encode()); err != nil {
		return err
	}
	delete(f.staged, path)
	return nil
}

// write puts a file in place, below folders that nobody else can enter.
func (f *files) write(path string, text []byte) error {
	if err := private.Prepare(filepath.Dir(path)); err != nil {
		return err
	}
	return private.Replace(path, text)
}

// Load implements certmagic.Storage.
func (f *files) Load(_ context.Context, key string) ([]byte, error) {
	path, part, err := f.path(key)
	if err != nil {
		return nil, err
	}
	text, err := private.Read(path)
	if err != nil || part == "" {
		return text, err
	}
	b, err := decodeBundle(text)
	if err != nil {
		return nil, &damaged{path, err}
	}
	return b.get(part), nil
}

// Delete implements certmagic.Storage. A part alone is only forgotten where it
// is not in place yet: certmagic removes parts to undo what it could not store
// to the end, and what was there before is to stay.
func (f *files) Delete(_ context.Context, key string) error {
	path, part, err := f.path(key)
	if err != nil {
		return err
	}
	if part == "" {
		return errors.Join(os.RemoveAll(path), ignoreAbsent(os.Remove(path+bundleExt)))
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.staged, path)
	return nil
}

func ignoreAbsent(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// Exists implements certmagic.Storage.
func (f *files) Exists(_ context.Context, key string) bool {
	path, part, err := f.path(key)
	return err == nil && (private.Exists(path) || part == "" && private.Exists(path+bundleExt))
}

// List implements certmagic.Storage.
func (f *files) List(ctx context.Context, prefix string, recursive bool) ([]string, error) {
	root, _, err := f.path(prefix)
	if err != nil {
		return nil, err
	}
	var keys []string
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err = errors.Join(err, ctx.Err()); err != nil || path == root {
			return err
		}
		name, err := filepath.Rel(f.dir, path)
		if err != nil {
			return err
		}
		keys = append(keys, keysOf(filepath.ToSlash(name))...)
		if d.IsDir() && !recursive {
			return fs.SkipDir
		}
		return nil
	})
	return keys, err
}

// keysOf returns the keys under which a file is known.
func keysOf(name string) []string {
	segments := strings.Split(name, "/")
	site, bundled := strings.CutSuffix(name, bundleExt)
	if !bundled || len(segments) != 3 || segments[0] != certificates {
		return []string{name}
	}
	keys := []string{site}
	for _, part := range parts() {
		keys = append(keys, site+"/"+filepath.Base(site)+part)
	}
	return keys
}

// Stat implements certmagic.Storage.
func (f *files) Stat(ctx context.Context, key string) (certmagic.KeyInfo, error) {
	path, part, err := f.path(key)
	if err != nil {
		return certmagic.KeyInfo{}, err
	}
	info, err := os.Stat(path)
	if err != nil {
		return certmagic.KeyInfo{}, err
	}
	out := certmagic.KeyInfo{Key: key, Modified: info.ModTime(), Size: info.Size(), IsTerminal: !info.IsDir()}
	if part != "" {
		text, err := f.Load(ctx, key)
		if err != nil {
			return out, err
		}
		out.Size = int64(len(text))
	}
	return out, nil
}

// Lock implements certmagic.Locker. One gateway alone runs on a data folder, so
// that locks in memory are enough.
func (f *files) Lock(ctx context.Context, name string) error {
	for {
		f.mu.Lock()
		held, taken := f.locks[name]
		if !taken {
			f.locks[name] = make(chan struct{})
			f.mu.Unlock()
			return nil
		}
		f.mu.Unlock()
		select {
		case <-held:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Unlock implements certmagic.Locker.
func (f *files) Unlock(_ context.Context, name string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	held, taken := f.locks[name]
	if !taken {
		return fmt.Errorf("acme: %q is not locked", name)
	}
	close(held)
	delete(f.locks, name)
	return nil
}
