package secrets

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"gatehouse/private"
)

// Place is where secrets are kept: each a document under a name such as
// "iam/session.key". It is safe for concurrent use.
type Place interface {
	// Follow names who uses a document, before it is read: Document is told of
	// what others make of it.
	Follow(name string, d Document)
	// Read returns a document; fs.ErrNotExist where it is not there.
	Read(name string) ([]byte, error)
	// Create stores a document that is not there; fs.ErrExist where it is. It is
	// durable when Create returns.
	Create(name string, text []byte) error
	// Replace stores a document where the one before is still there; ErrChanged
	// where it is not. It is durable when Replace returns.
	Replace(name string, before, text []byte) error
	// Where says where a document is, for people.
	Where(name string) string
}

// Document is one document in use.
type Document interface {
	// Changed takes what a document has become. It calls no Place.
	Changed(text []byte)
	// Merge returns the document that holds what is kept and what a node has made
	// or had by itself; kept itself where there is nothing to add, and ErrApart
	// where the two cannot go together.
	Merge(kept, own []byte) ([]byte, error)
}

var (
	// ErrChanged is the error of a document that somebody else has changed.
	ErrChanged = errors.New("secrets: somebody else has changed it meanwhile")
	// ErrApart is the error of two documents of which only one can be used.
	ErrApart = errors.New("secrets: they do not go together")
)

// Files is the Place of a gateway without a state: files (0600) below a folder.
// One that others can read is refused.
type Files struct {
	folder string
	mu     sync.Mutex // of comparing and setting
}

// NewFiles returns the Files of a data folder, which need not be there yet.
func NewFiles(folder string) *Files { return &Files{folder: folder} }

// Path returns the file of a document.
func (f *Files) Path(name string) string { return filepath.Join(f.folder, filepath.FromSlash(name)) }

// Where implements Place.
func (f *Files) Where(name string) string { return f.Path(name) }

// Follow implements Place: nobody else changes the files.
func (f *Files) Follow(string, Document) {}

// Read implements Place.
func (f *Files) Read(name string) ([]byte, error) { return private.Read(f.Path(name)) }

// Create implements Place.
func (f *Files) Create(name string, text []byte) error {
	path := f.Path(name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	return private.Create(path, text)
}

// Replace implements Place. A file that somebody has removed is written anew.
func (f *Files) Replace(name string, before, text []byte) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	now, err := f.Read(name)
	if errors.Is(err, fs.ErrNotExist) {
		return f.Create(name, text)
	}
	if err != nil {
		return err
	}
	if !bytes.Equal(now, before) {
		return ErrChanged
	}
	return private.Replace(f.Path(name), text)
}
