package openapi

import (
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"gatehouse/config"
	"gatehouse/config/tree"
)

// maxHops is how many references may lead to one another.
const maxHops = 32

// resolve follows $ref to what it stands for. What cannot be followed is
// reported once.
func (r *reader) resolve(v *config.Value) (*config.Value, bool) {
	for range maxHops {
		ref := find(v, "$ref")
		if ref == nil {
			return v, true
		}
		to, err := r.follow(ref.File, ref.Text)
		if err != nil {
			if key := ref.Pos.String(); !r.failed[key] {
				r.failed[key] = true
				r.Errorf(ref.Pos, "$ref %q: %v", tree.Shorten(ref.Text), err)
			}
			return nil, false
		}
		v = to
	}
	r.Errorf(v.Pos, "references lead to one another without an end")
	return nil, false
}

var errNetwork = errors.New("a definition is read from files alone: put the file beside the definition, and write its name")

// follow returns what ref stands for in a file: FILE#POINTER, or #POINTER in the
// same one.
func (r *reader) follow(from *tree.File, ref string) (*config.Value, error) {
	name, fragment, _ := strings.Cut(ref, "#")
	doc := r.docs[from]
	if strings.Contains(name, "://") || strings.HasPrefix(name, "//") {
		return nil, errNetwork
	}
	if name != "" {
		var err error
		if doc, err = r.open(doc, name); err != nil {
			return nil, err
		}
	}
	if fragment != "" && fragment[0] != '/' {
		return nil, errors.New("only pointers such as #/components/schemas/Order are followed")
	}
	return pointed(doc.Root, fragment)
}

// open returns the document that another names.
func (r *reader) open(from *config.Document, name string) (*config.Document, error) {
	if plain, err := url.PathUnescape(name); err == nil {
		name = plain
	}
	key := from.Name + "\x00" + name
	if known := r.others[key]; known != nil {
		return known, nil
	}
	if len(r.docs) >= maxFiles {
		return nil, fmt.Errorf("a definition of more than %d files", maxFiles)
	}
	doc, err := from.Open(name)
	if err != nil {
		return nil, err
	}
	for _, known := range r.docs {
		if known.Name == doc.Name {
			doc = known
		}
	}
	r.others[key] = doc
	r.docs[doc.Root.File] = doc
	return doc, nil
}

// maxFiles is how many files one definition may consist of.
const maxFiles = 1000

// pointed returns what a JSON pointer (RFC 6901) leads to.
func pointed(v *config.Value, pointer string) (*config.Value, error) {
	for pointer != "" {
		var raw string
		raw, pointer, _ = strings.Cut(pointer[1:], "/")
		if pointer != "" {
			pointer = "/" + pointer
		}
		key, err := url.PathUnescape(raw)
		if err != nil {
			key = raw
		}
		key = strings.NewReplacer("~1", "/", "~0", "~").Replace(key)
		next, found := below(v, key)
		if !found {
			return nil, fmt.Errorf("there is no %q", tree.Shorten(key))
		}
		v = next
	}
	return v, nil
}

func below(v *config.Value, key string) (*config.Value, bool) {
	switch v.Kind {
	case config.Map:
		if e := v.Find(key); e != nil {
			return e.Value, true
		}
	case config.List:
		if i, err := strconv.Atoi(key); err == nil && 0 <= i && i < len(v.Items) {
			return v.Items[i], true
		}
	}
	return nil, false
}
