package route

import (
	"net/textproto"
	"slices"
	"strings"

	"gatehouse/config"
)

// Route is one route of a Stage.
type Route[T any] struct {
	Match   Match
	Headers map[string]string // narrow it to requests with these headers; "*" for any value
	Query   map[string]string // narrow it to requests with these query parameters; "*" for any value
	At      config.Pos
	Value   T
}

// Stage is the routes of one deployment of an API.
type Stage[T any] struct {
	Name    string   // for errors: "shop/prod"
	Hosts   []string // lower case; "*.NAME" for all names below NAME, of any depth; none for every host that no other stage names
	Prefix  []string // the segments that the routes stand below
	Default T        // where no route matches
	Options bool     // OPTIONS is answered for every path that has a route, so that 405 names it
	Routes  []Route[T]
	At      config.Pos
}

// Build makes a Table. Two stages for the same host and path, and two routes
// with the same path, method and conditions, are problems: each is added to
// report with both places, and the first one stays.
func Build[T any](stages []Stage[T], report *config.Report) *Table[T] {
	b := builder[T]{
		report: report,
		table:  &Table[T]{exact: make(map[string]*prefix[T]), wildcard: make(map[string]*prefix[T])},
		owners: make(map[*prefix[T]]owner),
		taken:  make(map[*leaf[T]][]claim),
	}
	for i := range stages {
		b.add(&stages[i])
	}
	return b.table
}

type builder[T any] struct {
	report *config.Report
	table  *Table[T]
	owners map[*prefix[T]]owner
	taken  map[*leaf[T]][]claim // in the order of each leaf's entries
}

// owner is who stands at a prefix of a host.
type owner struct {
	name string
	at   config.Pos
}

// claim is what an entry was made from.
type claim struct {
	match Match
	conds []condition
	at    config.Pos
}

func (b *builder[T]) add(s *Stage[T]) {
	st := &stage[T]{fallback: s.Default, options: s.Options}
	for i := range s.Routes {
		b.route(&st.root, &s.Routes[i])
	}
	hosts := s.Hosts
	if len(hosts) == 0 {
		hosts = []string{""}
	}
	for _, host := range hosts {
		b.place(st, s, host)
	}
}

// place puts a stage below its prefix of a host.
func (b *builder[T]) place(st *stage[T], s *Stage[T], host string) {
	p := b.host(host)
	for _, segment := range s.Prefix {
		if p.below == nil {
			p.below = make(map[string]*prefix[T])
		}
		if p.below[segment] == nil {
			p.below[segment] = &prefix[T]{}
		}
		p = p.below[segment]
	}
	if first, taken := b.owners[p]; taken {
		if host == "" {
			host = "any host"
		}
		where := host + "/" + strings.Join(s.Prefix, "/")
		b.report.Errorf(s.At, "%s is there twice: %s answers for it, and so does %s, at %s", where, s.Name, first.name, first.at)
		return
	}
	b.owners[p] = owner{s.Name, s.At}
	p.stage = st
}

func (b *builder[T]) host(name string) *prefix[T] {
	if name == "" {
		if b.table.any == nil {
			b.table.any = &prefix[T]{}
		}
		return b.table.any
	}
	hosts := b.table.exact
	if suffix, wild := strings.CutPrefix(name, "*."); wild {
		hosts, name = b.table.wildcard, suffix
	}
	if hosts[name] == nil {
		hosts[name] = &prefix[T]{}
	}
	return hosts[name]
}

func (b *builder[T]) route(root *node[T], r *Route[T]) {
	if !b.conditionsFit(r) {
		return
	}
	e := entry[T]{methods: r.Match.Methods, conditions: conditionsOf(r.Headers, r.Query), params: paramsOf(r.Match.Pattern), value: r.Value}
	l := root.leaf(r.Match.Pattern.Parts)
	c := claim{r.Match, e.conditions, r.At}
	claims := b.taken[l]
	for i := range claims {
		if claims[i].takes(c) {
			b.report.Errorf(r.At, "%q takes the same requests as %q at %s", c.match, claims[i].match, claims[i].at)
			return
		}
	}
	at := 0
	for at < len(l.entries) && len(l.entries[at].conditions) >= len(e.conditions) {
		at++
	}
	l.entries = slices.Insert(l.entries, at, e)
	b.taken[l] = slices.Insert(claims, at, c)
	if len(e.conditions) == 0 {
		l.plain |= e.methods
	} else {
		l.narrow = true
	}
}

// takes reports whether two entries with one path take the same requests.
func (c claim) takes(other claim) bool {
	return c.match.Methods&other.match.Methods != 0 && slices.Equal(c.conds, other.conds)
}

// conditionsFit reports names that no condition can have.
func (b *builder[T]) conditionsFit(r *Route[T]) bool {
	seen := make(map[string]string, len(r.Headers))
	for name, value := range r.Headers {
		key := textproto.CanonicalMIMEHeaderKey(name)
		switch {
		case key == "Host":
			b.report.Errorf(r.At, "%q is narrowed by the header Host: name hosts under domains", r.Match)
			return false
		case name == "" || strings.ContainsFunc(name, notToken):
			b.report.Errorf(r.At, "%q is narrowed by the header %q, which is no name of a header", r.Match, name)
			return false
		case seen[key] != "":
			b.report.Errorf(r.At, "%q is narrowed by the header %q twice", r.Match, key)
			return false
		case strings.Trim(value, " \t") != value || strings.ContainsFunc(value, isControl):
			b.report.Errorf(r.At, "%q is narrowed by a value of the header %q that no request can have: a space at an end, or a control byte", r.Match, key)
			return false
		}
		seen[key] = name
	}
	for name := range r.Query {
		if name == "" {
			b.report.Errorf(r.At, "%q is narrowed by a query parameter without a name", r.Match)
			return false
		}
	}
	return true
}

// isControl reports whether r cannot stand in a field's value (RFC 9110 section
// 5.5).
func isControl(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }

// notToken reports whether r cannot stand in a field name (RFC 9110 section
// 5.6.2).
func notToken(r rune) bool {
	return r <= ' ' || r >= 0x7f || strings.ContainsRune(`"(),/:;<=>?@[\]{}`, r)
}

func paramsOf(p Pattern) []param {
	var out []param
	for i, part := range p.Parts {
		if part.Kind != Literal {
			out = append(out, param{part.Text, i, part.Kind != Param})
		}
	}
	return out
}

// leaf returns the leaf that parts lead to, making the way there.
func (n *node[T]) leaf(parts []Part) *leaf[T] {
	at := &n.here
	for _, part := range parts {
		switch part.Kind {
		case Literal:
			n = n.grow(part.Text)
		case Param:
			if n.param == nil {
				n.param = &node[T]{}
			}
			n = n.param
		case Plus:
			at = &n.plus
			continue
		case Star:
			at = &n.star
			continue
		}
		at = &n.here
	}
	if *at == nil {
		*at = &leaf[T]{}
	}
	return *at
}

// grow returns what the literal text leads to, making it where it is new.
func (n *node[T]) grow(text string) *node[T] {
	if child := n.literal(text); child != nil {
		return child
	}
	child := &node[T]{}
	switch {
	case n.first == nil:
		n.name, n.first = text, child
	case n.literals == nil:
		n.literals = map[string]*node[T]{text: child}
	default:
		n.literals[text] = child
	}
	return child
}
