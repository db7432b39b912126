// Package inspect is the seam between the web application firewall and what
// evaluates the Core Rule Set. Whatever implements Engine can stand behind it:
// neither the filter nor the configuration knows of more than this package.
package inspect

import (
	"errors"
	"net/http"
	"net/netip"
	"strings"

	"gatehouse/waf/budget"
)

// Engine is a rule set compiled. It is immutable and safe for concurrent use.
type Engine interface {
	// Begin opens the inspection of one request. What it takes is charged to
	// the budget, which runs only meanwhile. Every Begin is followed by one Close
	// of the session.
	Begin(*budget.Budget) Session
	// Rules returns what is known of every rule, in the order of evaluation.
	Rules() []Rule
}

// Session is the inspection of one request and of its answer. It belongs to one
// goroutine at a time. After an error only Close may be called.
type Session interface {
	// Request evaluates all rules about requests. It is called once. The request
	// and what it refers to may be used until Close.
	Request(*Request) (Verdict, error)
	// Response evaluates all rules about answers. It is called at most once, and
	// after Request.
	Response(*Response) (Verdict, error)
	// Close ends the session and returns what only the end of it matched:
	// reports of the whole.
	Close() []Match
}

// The errors of a Session, beside those of a broken engine.
var ErrBudget = errors.New("the inspection took more processor time than its budget")

// Request is a request as the rules see it.
type Request struct {
	Client netip.Addr
	Method string
	Target string // path and query as they came
	Proto  string // "HTTP/1.1"
	Host   string // the Host field as it came
	Header http.Header
	Body   Body

	// Excluded are indexes into the engine's exclusions: those whose path is
	// the request's.
	Excluded []int
}

// Kind is how a body is read.
type Kind uint8

// The kinds of bodies. Others are read as a form would be, so that no rule
// about arguments passes them by.
const (
	None Kind = iota
	Form
	JSON
	XML
	Multipart
	Other
)

// Body is a request's body as it is inspected: without its content coding, and
// without what is beyond the limit.
type Body struct {
	Kind  Kind
	Data  []byte
	Parts []Part // of a Multipart
	Cut   bool   // there is more than Data
	// Fault says why the body is not what its Kind says; "" for nothing wrong. It
	// is for rules and logs and holds nothing of the body.
	Fault string
	// Strict says of a Multipart what readers could take in different ways.
	Strict string
	// Also are the arguments of another reading of the body than its Kind's,
	// which the service may choose.
	Also []Argument
}

// Argument is one argument.
type Argument struct{ Name, Value string }

// Part is one part of a multipart body.
type Part struct {
	Name    string
	Files   []string // names of the file, all that a reader could take; none for a field
	Data    []byte
	Headers []string // "Name: value", in order
}

// Response is an answer as the rules see it.
type Response struct {
	Status int
	Proto  string
	Header http.Header
	Body   []byte
	Seen   bool // Body is the body, as far as it is to be inspected
}

// Verdict is what an engine says of a request, or of its answer.
type Verdict struct {
	Blocked bool
	By      int // the rule that blocks; 0 for none
	Score   int // the anomaly score
	Matches []Match
}

// Match is a rule that matched.
type Match struct {
	ID       int
	Message  string
	Severity string
	Tags     []string // shared: not to be written to
	Places   []Place  // where, in the order of their targets; none for the request as a whole
}

// Place is where a rule matched, and what. Nothing of it is redacted.
type Place struct {
	Target string // "ARGS:comment"
	Found  string // the piece that matched, where the rule says so
	Value  string // the first bytes of what it is a piece of, as the rule saw it
}

// Shown is what logs may show, once it is redacted: of answers only the piece that
// matched, since all else is somebody's data.
func (p *Place) Shown() string {
	if strings.HasPrefix(p.Target, "RESPONSE_") {
		return p.Found
	}
	return p.Value
}

// MaxPlaces is how many places of one match are kept.
const MaxPlaces = 8

// Rule is what is known of a rule.
type Rule struct {
	ID      int
	Tags    []string
	Phase   int
	Message string
}
