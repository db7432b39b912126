package transform

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"gatehouse/config"
	"gatehouse/exchange"
)

// Rewrite is a path in place of the one that the client asked for.
type Rewrite struct {
	parts []piece
	tail  bool // it ends in the rest of the path, and so does its final slash
}

// piece is a part of a Rewrite: encoded text, or a parameter.
type piece struct {
	text  string
	param string
	rest  bool // the parameter takes the rest of the path
}

// CompileRewrite reads a path with {parameters} of the route's and
// ${stageVariables.NAME} in it, or returns nil after adding to report what is
// wrong with it. It is nil for "", too: the path stays.
func CompileRewrite(text string, at config.Pos, s Scope, report *config.Report) *Rewrite {
	if text == "" {
		return nil
	}
	c := &rewriter{scope: s, report: report, at: at}
	if !c.compile(text) {
		return nil
	}
	return c.out
}

// Append appends the path for x, encoded: parameters by segment, with what
// could end a segment encoded; what {name+} took keeps its segments. A final
// slash is the rewrite's own, or, where it ends in the rest of the path, the
// client's.
func (r *Rewrite) Append(b []byte, x *exchange.Exchange) []byte {
	start := len(b)
	for i := range r.parts {
		p := &r.parts[i]
		switch {
		case p.param == "":
			b = append(b, p.text...)
		case p.rest:
			b = appendRest(b, p.param, x)
		default:
			b = appendParam(b, p.param, x)
		}
	}
	final := r.tail && (x.Path.Slash || len(x.Path.Segments) == 0)
	if len(b) == start || final && b[len(b)-1] != '/' {
		b = append(b, '/')
	}
	return b
}

// HasParams reports whether something of the client's stands in the path.
func (r *Rewrite) HasParams() bool {
	return slices.ContainsFunc(r.parts, func(p piece) bool { return p.param != "" })
}

func appendParam(b []byte, name string, x *exchange.Exchange) []byte {
	if p := find(x, name); p != nil {
		return x.Path.AppendSegments(b, p.First, p.First+p.Count)
	}
	return b
}

// appendRest appends "/" and the segments; nothing where there are none.
func appendRest(b []byte, name string, x *exchange.Exchange) []byte {
	p := find(x, name)
	if p == nil || p.Count == 0 {
		return b
	}
	return x.Path.AppendSegments(append(b, '/'), p.First, p.First+p.Count)
}

func find(x *exchange.Exchange, name string) *exchange.Param {
	for i := range x.Params {
		if x.Params[i].Name == name {
			return &x.Params[i]
		}
	}
	return nil
}

type rewriter struct {
	scope  Scope
	report *config.Report
	at     config.Pos
	out    *Rewrite
}

func (c *rewriter) compile(text string) bool {
	c.out = &Rewrite{}
	text, ok := c.variables(text)
	switch {
	case !ok:
		return false
	case text == "" || text[0] != '/':
		return c.wrong(fmt.Errorf("a rewrite is a path and begins with /: %q", text))
	case strings.ContainsAny(text, "?#"):
		return c.wrong(errors.New("a rewrite holds no ? or #: the query passes as it is"))
	}
	body, slash := strings.CutSuffix(text[1:], "/")
	if body == "" && slash {
		return c.wrong(errors.New("a rewrite holds an empty segment"))
	}
	if body == "" {
		c.text("/")
		return true
	}
	for segment := range strings.SplitSeq(body, "/") {
		if !c.segment(segment) {
			return false
		}
	}
	last := c.out.parts[len(c.out.parts)-1]
	c.out.tail = last.rest && !slash
	if slash {
		c.text("/")
	}
	return true
}

// variables puts the stage's variables in their places. They may hold several
// segments, but no parameters.
func (c *rewriter) variables(text string) (string, bool) {
	t, err := parseTemplate(text)
	if err != nil {
		return "", c.wrong(err)
	}
	var b strings.Builder
	for _, p := range t.parts {
		switch p.source {
		case literal:
			b.WriteString(p.text)
		case variable:
			v, ok := c.scope.Variables[p.text]
			if !ok {
				t.checkScope(c.scope, c.report, c.at)
				return "", false
			}
			if strings.ContainsAny(v, "{}") {
				return "", c.wrong(fmt.Errorf("the stage variable %s holds %q, which no path can", p.text, v))
			}
			b.WriteString(v)
		default:
			return "", c.wrong(fmt.Errorf("a rewrite may hold {parameters} of the path and ${stageVariables.NAME}, not %s", quoted(p.text)))
		}
	}
	return b.String(), true
}

// segment compiles one segment: a literal, a parameter, or a mixture.
func (c *rewriter) segment(raw string) bool {
	if raw == "" {
		return c.wrong(errors.New("a rewrite holds an empty segment"))
	}
	if name, rest := c.restOf(raw); rest {
		c.out.parts = append(c.out.parts, piece{param: name, rest: true})
		return true
	}
	c.text("/")
	if !strings.Contains(raw, "{") {
		return c.literal(raw, false)
	}
	return c.mixture(raw)
}

// mixture compiles a segment of parameters, and perhaps text between them.
func (c *rewriter) mixture(raw string) bool {
	var texts string
	for rest := raw; rest != ""; {
		before, after, more := strings.Cut(rest, "{")
		if texts += before; before != "" && !c.literal(before, true) {
			return false
		}
		if !more {
			break
		}
		name, behind, closed := strings.Cut(after, "}")
		if !closed {
			return c.wrong(fmt.Errorf("a { without its } in %q", raw))
		}
		if !c.param(name, raw) {
			return false
		}
		rest = behind
	}
	if texts != "" && strings.Trim(texts, ".") == "" {
		return c.wrong(fmt.Errorf("the segment %q could become a dot segment", raw))
	}
	return true
}

// restOf reports whether a segment is {name}, {name+} or {name*} of the
// parameter that takes the rest of the path.
func (c *rewriter) restOf(raw string) (string, bool) {
	if raw[0] != '{' || !strings.HasSuffix(raw, "}") || c.scope.Greedy == "" {
		return "", false
	}
	inner := raw[1 : len(raw)-1]
	name := strings.TrimRight(inner, "+*")
	return name, name == c.scope.Greedy && len(inner)-len(name) <= 1
}

func (c *rewriter) param(name, segment string) bool {
	plain := strings.TrimRight(name, "+*")
	switch {
	case plain == c.scope.Greedy && plain != "":
		return c.wrong(fmt.Errorf("{%s} takes several segments, so it must be a segment of its own: %q is not", name, segment))
	case plain != name && slices.Contains(c.scope.Params, plain):
		return c.wrong(fmt.Errorf("{%s} is one segment: write {%s}", plain, plain))
	case !slices.Contains(c.scope.Params, name):
		c.report.Unknown(c.at, of("path parameter", c.scope.Route), name, c.scope.Params)
		return false
	}
	c.out.parts = append(c.out.parts, piece{param: name})
	return true
}

// literal adds a segment's literal text as requests would have it: decoded,
// and encoded in the one form.
func (c *rewriter) literal(raw string, mixed bool) bool {
	if strings.Contains(raw, "}") {
		return c.wrong(fmt.Errorf("a } without its { in %q", raw))
	}
	var path exchange.Path
	if err := path.Parse("/" + raw); err != nil {
		return c.wrong(fmt.Errorf("%w: %q", err, raw))
	}
	odd := path.Oddities
	if mixed {
		odd &^= exchange.DotSegment
	}
	if odd != 0 {
		return c.wrong(fmt.Errorf("the segment %q can be read in different ways (%s)", raw, odd))
	}
	c.text(string(exchange.AppendSegment(nil, path.Segments[0])))
	return true
}

// text adds encoded text, to the last piece where that is text too.
func (c *rewriter) text(s string) {
	if n := len(c.out.parts); n > 0 && c.out.parts[n-1].param == "" {
		c.out.parts[n-1].text += s
		return
	}
	c.out.parts = append(c.out.parts, piece{text: s})
}

func (c *rewriter) wrong(err error) bool {
	c.report.Errorf(c.at, "rewrite: %s", err)
	return false
}
