package importer

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Config is a configuration of Gatehouse under construction.
type Config struct {
	Head     []string // comments at its head
	Open     string   // what is said of routes that everybody may call
	Listen   *List
	Top      *Map // further sections
	APIs     []*API
	Services []*Service
	Tail     []string // comments at its end
	// Published and Closed are routes that a definition says, by name.
	Published, Closed []string
	notes             []Note
}

// Access is who may call, as far as the source said it. The zero Access is
// everybody.
type Access struct {
	// Authorizers are those that are asked, by name.
	Authorizers []string
	// Closed says why nobody may call until somebody decides: the source asked
	// for something that could not be carried over.
	Closed string
}

func (a Access) key() string { return a.Closed + "|" + strings.Join(a.Authorizers, ",") }

// API is an entry of apis.
type API struct {
	Name        string
	Notes       []string
	Domains     []string
	Keys        *Map // what holds for all its routes, but for authorize
	Authorizers *Map
	Routes      []*Route
	// Access is who may call what a definition says nothing of; nil where the
	// routes say it.
	Access *Access
}

// Route is an item of an API's routes.
type Route struct {
	Notes  []string
	Match  any // text, or a *Map with conditions
	Target any // text, or a *Map of weights
	Access Access
	Keys   *Map // everything else
}

// Service is an entry of services.
type Service struct {
	Name    string
	Notes   []string
	Targets *List
	Keys    *Map
}

// Note is something that could not be carried over, or that somebody should
// look at.
type Note struct {
	File string `json:"file"`
	Line int    `json:"line"`
	Text string `json:"text"`
	// Grave notes are about what keeps strangers out.
	Grave bool `json:"grave,omitempty"`
}

func (n Note) String() string {
	at := n.File
	if n.Line > 0 {
		at = fmt.Sprintf("%s:%d", n.File, n.Line)
	}
	return at + ": " + n.Text
}

// Result is what an import comes to.
type Result struct {
	Text      []byte   // of the configuration
	Notes     []Note   // in the order of the source
	Published []string // routes that everybody may call, as in the source
	Closed    []string // routes that nobody may call until somebody decides
}

// Note adds a note and returns it as a comment. What holds for several things is
// told once, at the first: then the comment is empty.
func (c *Config) Note(n Note) string {
	if slices.Contains(c.notes, n) {
		return ""
	}
	c.notes = append(c.notes, n)
	return n.String()
}

// Undecided is the name of the authorizer that lets nobody in but who makes tokens
// by the key in the data folder.
const Undecided = "undecided"

// Result writes the configuration.
func (c *Config) Result() Result {
	r := Result{Published: slices.Clone(c.Published), Closed: slices.Clone(c.Closed)}
	root := NewMap()
	root.Note(c.Head...)
	if c.Listen != nil {
		root.Put("listen", c.Listen)
	}
	if c.Top != nil {
		root.entries = append(root.entries, c.Top.entries...)
		root.rest = append(root.rest, c.Top.rest...)
	}
	apis := NewMap()
	remark := cmp.Or(c.Open, "the source asked nobody who they are.")
	for _, a := range c.APIs {
		apis.Note(a.Notes...)
		apis.Put(a.Name, a.render(&r, remark))
	}
	root.Put("apis", apis)
	services := NewMap()
	for _, s := range c.Services {
		services.Note(s.Notes...)
		m := NewMap().Put("targets", s.Targets)
		m.merge(s.Keys)
		services.Put(s.Name, m)
	}
	root.Put("services", services)
	root.Note(c.Tail...)
	var w writer
	w.mapping(root, 0)
	r.Text = []byte(w.b.String())
	r.Notes = slices.Clone(c.notes)
	slices.SortStableFunc(r.Notes, func(a, b Note) int { return cmp.Or(strings.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line)) })
	return r
}

// above puts a comment before a key.
func (m *Map) above(key, comment string) {
	for i := range m.entries {
		if m.entries[i].key == key {
			m.entries[i].above = append(m.entries[i].above, comment)
		}
	}
}

func (m *Map) merge(o *Map) {
	if o == nil {
		return
	}
	if len(o.entries) > 0 {
		first := o.entries[0]
		first.above = append(slices.Clone(m.rest), first.above...)
		m.rest = nil
		m.entries = append(append(m.entries, first), o.entries[1:]...)
	}
	m.rest = append(m.rest, o.rest...)
}

// render writes an API. Where all routes are for the same callers, the API says
// so once.
func (a *API) render(r *Result, remark string) *Map {
	m := NewMap().Put("domains", a.Domains)
	m.merge(a.Keys)
	same := len(a.Routes) > 0
	closed, open := false, false
	for _, route := range a.Routes {
		same = same && route.Access.key() == a.Routes[0].Access.key()
		closed = closed || route.Access.Closed != ""
		open = open || route.Access.key() == (Access{}).key()
		a.count(route, r)
	}
	switch {
	case a.Access != nil:
		a.Access.put(m)
		closed = closed || a.Access.Closed != ""
		same, open = false, false
	case same:
		a.Routes[0].Access.put(m)
	}
	if open {
		m.above("authorize", "OPEN to everybody: "+remark)
	}
	authorizers := NewMap()
	authorizers.merge(a.Authorizers)
	if closed && !authorizers.Has(Undecided) {
		authorizers.Note("Lets nobody in but who makes tokens by the development key, which lies in the data folder:", "put the authorizer in its place that is to decide.")
		authorizers.Put(Undecided, Flow().Put("jwt", Flow().Put("issuer", "undecided").Put("audience", "undecided").Put("jwks", "development")))
	}
	m.Put("authorizers", authorizers)
	routes := NewList()
	if open && !same {
		m.Note("authorize: none is OPEN to everybody: " + remark)
	}
	for _, route := range a.Routes {
		routes.Note(route.Notes...)
		routes.Add(route.render(!same))
	}
	m.Put("routes", routes)
	return m
}

func (a *API) count(route *Route, r *Result) {
	name := a.Name + " " + flow(route.Match, false)
	switch {
	case route.Access.Closed != "":
		r.Closed = append(r.Closed, name)
	case len(route.Access.Authorizers) == 0 && !route.answers():
		r.Published = append(r.Published, name)
	}
}

// answers reports whether the gateway itself answers a route.
func (route *Route) answers() bool {
	text, _ := route.Target.(string)
	return strings.HasPrefix(text, "mock") || strings.HasPrefix(text, "redirect:")
}

func (a Access) put(m *Map) {
	switch {
	case a.Closed != "":
		m.Note("CLOSED until you decide who may call: " + a.Closed)
		m.Put("authorize", Undecided)
	case len(a.Authorizers) == 1:
		m.Put("authorize", a.Authorizers[0])
	case len(a.Authorizers) > 1:
		m.Put("authorize", Flow().Put("any", a.Authorizers))
	default:
		m.Put("authorize", "none")
	}
}

func (route *Route) render(own bool) *Map {
	m := NewMap()
	plain := route.Keys == nil || len(route.Keys.entries) == 0 && len(route.Keys.rest) == 0
	m.flow = plain
	m.Put("match", route.Match).Put("target", route.Target)
	if own {
		route.Access.put(m)
	}
	m.merge(route.Keys)
	return m
}

// IsName reports whether text can be a key that the operator chooses: the name of a
// service, or of a header.
func IsName(text string) bool {
	if text == "" || len(text) > 128 || strings.IndexByte("_.-", text[0]) >= 0 {
		return false
	}
	return strings.Trim(strings.ToLower(text), "abcdefghijklmnopqrstuvwxyz0123456789_.-") == ""
}

// Names gives out names that differ.
type Names map[string]bool

// Of returns a name made of text: letters, digits and -.
func (n Names) Of(text, otherwise string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(text) {
		switch {
		case 'a' <= r && r <= 'z', '0' <= r && r <= '9', r == '_':
			b.WriteRune(r)
		case b.Len() > 0 && !strings.HasSuffix(b.String(), "-"):
			b.WriteByte('-')
		}
	}
	base := strings.TrimLeft(strings.Trim(b.String(), "-"), "_-")
	if base == "" {
		base = otherwise
	}
	if len(base) > 60 {
		base = strings.TrimRight(base[:60], "-")
	}
	name := base
	for i := 2; n[name]; i++ {
		name = fmt.Sprintf("%s-%d", base, i)
	}
	n[name] = true
	return name
}

// Hoist says a key once, at the API, where all its routes say it alike, but for
// those that the gateway itself answers.
func Hoist(a *API, key string) {
	if a.Keys.Has(key) {
		return
	}
	var alike []*Route
	for _, route := range a.Routes {
		switch {
		case route.answers() && (route.Keys == nil || !route.Keys.Has(key)):
			continue
		case route.Keys == nil || !route.Keys.Has(key):
			return
		}
		if len(alike) > 0 && fingerprint(route.Keys.Get(key)) != fingerprint(alike[0].Keys.Get(key)) {
			return
		}
		alike = append(alike, route)
	}
	if len(alike) < 2 {
		return
	}
	a.Keys.Put(key, alike[0].Keys.Get(key))
	for _, route := range alike {
		route.Keys.entries = slices.DeleteFunc(route.Keys.entries, func(e entry) bool { return e.key == key })
	}
}

// Fingerprint is equal for services that are alike, whatever they are called.
func Fingerprint(s *Service) string { return fingerprint(s.Targets) + fingerprint(s.Keys) }

func fingerprint(v any) string {
	var w writer
	w.value(v, 0)
	return w.b.String()
}

// MatchText is a match on one line, to tell routes apart by.
func MatchText(match any) string { return flow(match, false) }
