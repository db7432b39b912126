package transform

import (
	"net/http"
	"slices"
	"strings"
)

// twins are the headers that the rules of a request remove or set, in the form
// in which servers behind CGI-like interfaces know them: to those X-User and
// X_User are one name, and a client that sends the one would speak beside, or in
// place of, the other.
type twins struct {
	names []string // flat
	odd   bool     // the rules write "_" themselves
}

func twinsOf(c *Change) twins {
	var t twins
	add := func(name string) {
		t.names = append(t.names, flat(name))
		t.odd = t.odd || strings.Contains(name, "_")
	}
	for _, name := range c.Remove {
		add(name.Text)
	}
	for name := range c.Set {
		add(name)
	}
	return t
}

func flat(name string) string { return strings.ToLower(strings.ReplaceAll(name, "_", "-")) }

// removeFrom removes what the client sends under such a name: a field that the
// rules would not find, or a trailer.
func (t *twins) removeFrom(r *http.Request) {
	if len(t.names) == 0 {
		return
	}
	for name := range r.Header {
		if (t.odd || strings.IndexByte(name, '_') >= 0) && slices.Contains(t.names, flat(name)) {
			delete(r.Header, name)
		}
	}
	for name := range r.Trailer {
		if slices.Contains(t.names, flat(name)) {
			delete(r.Trailer, name)
		}
	}
}
