package ca

import (
	"bytes"
	"context"
	"crypto"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"gatehouse/private"
	"gatehouse/secrets"
)

// File is the document that an authority is which is not kept as files: root and
// intermediates together, so that no two are ever mixed.
const File = "ca/authorities.json"

// OpenKept loads the authority from a place that others may share. One that lies in
// dir is taken there; where there is none it is made. Of what is in dir the root's
// certificate alone remains, for clients to trust.
func OpenKept(place secrets.Place, dir string) (*CA, error) {
	if err := private.Prepare(dir); err != nil {
		return nil, err
	}
	c := newCA(dir)
	c.place = place
	place.Follow(File, c)
	text, err := place.Read(File)
	if errors.Is(err, fs.ErrNotExist) {
		text, err = c.first()
	}
	if err != nil {
		return nil, err
	}
	if err := c.adopt(text); err != nil {
		return nil, fmt.Errorf("%s: %w", place.Where(File), err)
	}
	_, _ = c.Turn(time.Now()) // what it cannot do now, it does when it is its turn again
	return c, c.publish()
}

// first makes the document of what lies in the folder, or of new authorities.
func (c *CA) first() ([]byte, error) {
	path := filepath.Join(c.dir, rootFile)
	if text, err := private.Read(path); err == nil && isPublic(text) {
		return nil, fmt.Errorf("the key of the root in %s is in the state, but the state has none: bring back the state that it was in. Or move that file away to begin anew, and import an export with --overwrite, or have everybody trust the new root", path)
	}
	now, from := time.Now(), c
	if private.Exists(path) {
		var err error
		if from, err = Open(c.dir); err != nil {
			return nil, err
		}
	} else if err := from.renew(now); err != nil {
		return nil, err
	}
	text, err := from.encode()
	if err != nil {
		return nil, err
	}
	err = c.place.Create(File, text)
	if errors.Is(err, fs.ErrExist) {
		return c.place.Read(File)
	}
	c.taken = err == nil && from != c
	return text, err
}

// Taken reports whether the authority lay in the folder and was taken from there.
func (c *CA) Taken() bool { return c.taken }

// renew makes new authorities in memory.
func (c *CA) renew(now time.Time) error {
	key, serial, err := fresh()
	if err != nil {
		return err
	}
	if c.root, _, err = sign(rootTemplate(serial, now), nil, key); err != nil {
		return err
	}
	for _, p := range Purposes() {
		if c.inter[p], err = newIntermediate(p, c.root, now); err != nil {
			return err
		}
	}
	return nil
}

// newIntermediate makes an intermediate in memory.
func newIntermediate(p Purpose, root *authority, now time.Time) (a *authority, err error) {
	_, err = createIntermediate("", p, root, now, func(_ string, t *x509.Certificate, parent *authority, key crypto.Signer) (*authority, error) {
		a, _, err = sign(t, parent, key)
		return a, err
	})
	return a, err
}

// PublicRoot returns the root's certificate from the folder of an authority that is
// kept elsewhere; fs.ErrNotExist where the folder has none, or an authority of its own.
func PublicRoot(dir string) ([]byte, error) {
	text, err := private.Read(filepath.Join(dir, rootFile))
	if err == nil && !isPublic(text) {
		return nil, fs.ErrNotExist
	}
	return text, err
}

// isPublic reports a certificate without its key.
func isPublic(text []byte) bool {
	block, rest := pem.Decode(text)
	return block != nil && block.Type == blockCert && len(bytes.TrimSpace(rest)) == 0
}

// rootName is the root in the document; intermediates go by their purposes.
const rootName = "root"

// encode writes the document.
func (c *CA) encode() ([]byte, error) {
	out := make(map[string]string)
	put := func(name string, a *authority) error {
		text, err := a.text()
		out[name] = string(text)
		return err
	}
	err := put(rootName, c.root)
	for _, p := range Purposes() {
		err = errors.Join(err, put(string(p), c.inter[p]))
	}
	if err != nil {
		return nil, err
	}
	return json.Marshal(out)
}

// read reads a document. An intermediate that is not there, as in one of an earlier
// version, is left out.
func read(text []byte) (root *authority, inter map[Purpose]*authority, err error) {
	var in map[string]string
	if err := json.Unmarshal(text, &in); err != nil {
		return nil, nil, err
	}
	if root, err = parse([]byte(in[rootName])); err != nil {
		return nil, nil, fmt.Errorf("the root: %w", err)
	}
	if !root.cert.IsCA || root.cert.CheckSignatureFrom(root.cert) != nil {
		return nil, nil, errors.New("the root is none")
	}
	inter = make(map[Purpose]*authority)
	for _, p := range Purposes() {
		if in[string(p)] == "" {
			continue
		}
		a, err := parse([]byte(in[string(p)]))
		switch {
		case err != nil:
			return nil, nil, fmt.Errorf("%s: %w", p, err)
		case a.cert.CheckSignatureFrom(root.cert) != nil:
			return nil, nil, fmt.Errorf("%s: it was not signed by the root", p)
		case !fits(a.cert, p):
			return nil, nil, fmt.Errorf("%s: it is for something else", p)
		}
		inter[p] = a
	}
	return root, inter, nil
}

// adopt makes a document hold.
func (c *CA) adopt(text []byte) error {
	root, inter, err := read(text)
	if err != nil {
		return err
	}
	if now := time.Now(); now.After(root.cert.NotAfter) {
		return fmt.Errorf("the root expired on %s", root.cert.NotAfter.Format(time.DateOnly))
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for p, a := range inter {
		if before := c.inter[p]; before == nil || !before.cert.Equal(a.cert) {
			clear(c.leaves)
		}
	}
	if c.root == nil || !c.root.cert.Equal(root.cert) {
		clear(c.leaves)
		c.stale = true
	}
	c.text, c.root, c.inter = text, root, inter
	return nil
}

// Changed implements secrets.Document. What cannot be read is not believed.
func (c *CA) Changed(text []byte) { _ = c.adopt(text) }

// Merge implements secrets.Document: there is one root.
func (c *CA) Merge(kept, own []byte) ([]byte, error) {
	root, _, err := read(kept)
	if err != nil {
		return nil, err
	}
	other, _, err := read(own)
	if err != nil {
		return nil, err
	}
	if !root.cert.Equal(other.cert) {
		return nil, secrets.ErrApart
	}
	return kept, nil
}

// publish leaves the root's certificate alone in the folder. Another root of this
// node's own is put aside with all that is its own. Nothing is taken away before
// the document is where all share it.
func (c *CA) publish() error {
	want := c.RootPEM()
	path := filepath.Join(c.dir, rootFile)
	if private.Exists(filepath.Join(c.dir, filepath.Base(File))) && private.Exists(path) {
		return nil
	}
	c.mu.Lock()
	c.stale = false
	c.mu.Unlock()
	text, err := private.Read(path)
	switch {
	case err == nil && bytes.Equal(text, want):
		return c.sweepIntermediates()
	case err == nil && !isPublic(text) && !bytes.HasPrefix(text, want):
		if err := c.putAside(); err != nil {
			return err
		}
		fallthrough
	case errors.Is(err, fs.ErrNotExist), err == nil:
		if err := private.Replace(path, want); err != nil {
			return err
		}
		return c.sweepIntermediates()
	}
	return err
}

// Publish has the root's certificate in the folder be that of the root in force,
// where that has changed. It is called now and then.
func (c *CA) Publish(context.Context) {
	c.mu.Lock()
	stale := c.stale
	c.mu.Unlock()
	if stale {
		_ = c.publish() // Turn tries again, and tells
	}
}

// putAside moves the folder's files below another name, beside them.
func (c *CA) putAside() error {
	aside := filepath.Join(c.dir, "before-"+time.Now().UTC().Format("20060102-150405"))
	if err := os.MkdirAll(aside, 0o700); err != nil {
		return err
	}
	names := []string{rootFile}
	for _, p := range Purposes() {
		names = append(names, filepath.Base(intermediatePath(c.dir, p)))
	}
	for _, name := range names {
		if err := os.Rename(filepath.Join(c.dir, name), filepath.Join(aside, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.aside = aside
	return nil
}

func (c *CA) sweepIntermediates() error {
	for _, p := range Purposes() {
		if path := intermediatePath(c.dir, p); private.Exists(path) {
			if err := private.Remove(path); err != nil {
				return err
			}
		}
	}
	return nil
}

// Aside returns the folder in which another root of this node's own was put, since
// the state has one already; "" where there was none.
func (c *CA) Aside() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.aside
}

// Name implements secrets.Turner.
func (c *CA) Name() string { return File }

// Turn implements secrets.Turner: intermediates that have had their time, or are
// missing, are made anew. The root stays: who trusts it would have to learn another.
func (c *CA) Turn(now time.Time) (bool, error) {
	changed, err := c.replace(now, func(p Purpose, a *authority, root *authority) bool {
		return a == nil || due(a.cert, root.cert, now) || !constrained(a.cert, p)
	})
	if c.place == nil {
		return changed, err
	}
	return changed, errors.Join(err, c.publish())
}

// Force implements secrets.Turner: all intermediates are made anew.
func (c *CA) Force(now time.Time, _ bool) error {
	_, err := c.replace(now, func(Purpose, *authority, *authority) bool { return true })
	return err
}

// replace makes those intermediates anew that are chosen.
func (c *CA) replace(now time.Time, chosen func(p Purpose, a, root *authority) bool) (bool, error) {
	c.mu.Lock()
	next := &CA{root: c.root, inter: make(map[Purpose]*authority)}
	before, changed := c.text, false
	var err error
	for _, p := range Purposes() {
		next.inter[p] = c.inter[p]
		if chosen(p, c.inter[p], c.root) && err == nil {
			next.inter[p], err = newIntermediate(p, c.root, now)
			changed = true
		}
	}
	c.mu.Unlock()
	if err != nil || !changed {
		return false, err
	}
	if c.place == nil {
		return true, c.replaceFiles(next)
	}
	text, err := next.encode()
	if err != nil {
		return false, err
	}
	if err := c.place.Replace(File, before, text); err != nil {
		return false, err
	}
	return true, c.adopt(text)
}

// replaceFiles writes intermediates over those in the folder.
func (c *CA) replaceFiles(next *CA) error {
	for _, p := range Purposes() {
		c.mu.Lock()
		before := c.inter[p]
		c.mu.Unlock()
		a := next.inter[p]
		if before == a {
			continue
		}
		text, err := a.text()
		if err == nil {
			err = private.Replace(intermediatePath(c.dir, p), text)
		}
		if err != nil {
			return err
		}
		c.mu.Lock()
		c.inter[p] = a
		clear(c.leaves)
		c.mu.Unlock()
	}
	return nil
}

// Status implements secrets.Turner.
func (c *CA) Status(time.Time) secrets.Status {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := secrets.Status{Name: File, Keys: 1 + len(c.inter), Since: c.root.cert.NotBefore}
	for _, a := range c.inter {
		if next := a.cert.NotAfter.Add(-intermediateRest); s.Next.IsZero() || next.Before(s.Next) {
			s.Next = next
		}
	}
	return s
}
