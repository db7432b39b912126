package coraza

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/corazawaf/coraza/v3/collection"
	"github.com/corazawaf/coraza/v3/experimental/plugins/plugintypes"
	"github.com/corazawaf/coraza/v3/types"
	"github.com/corazawaf/coraza/v3/types/variables"

	"gatehouse/waf/budget"
	"gatehouse/waf/crs/inspect"
)

// session implements inspect.Session.
type session struct {
	engine *Engine
	tx     types.Transaction
	meter  *meter
	budget *budget.Budget
	told   int  // matched rules that were told
	broken bool // the transaction was left in the middle of something
}

// Begin implements inspect.Engine.
func (e *Engine) Begin(b *budget.Budget) inspect.Session {
	tx := e.waf.NewTransactionWithID("-") // nobody reads it
	m, _ := tx.DebugLogger().(*meter)
	return &session{engine: e, tx: tx, meter: m, budget: b}
}

// Request implements inspect.Session.
func (s *session) Request(r *inspect.Request) (v inspect.Verdict, err error) {
	defer s.measured(&err)()
	s.describe(r)
	if s.tx.ProcessRequestHeaders() == nil {
		if err := s.body(&r.Body); err != nil {
			return v, err
		}
	}
	return s.verdict("inbound"), nil
}

// measured runs what follows under the budget, until the function that it
// returns is called, and turns what is thrown there into an error.
func (s *session) measured(err *error) func() {
	s.budget.Resume()
	s.meter.budget = s.budget
	return func() {
		s.meter.budget = nil
		s.budget.Pause()
		switch cause := recover().(type) {
		case nil:
		case spent:
			s.broken, *err = true, inspect.ErrBudget
		default:
			s.broken, *err = true, fmt.Errorf("the rule engine panicked: %v", cause)
		}
	}
}

func (s *session) describe(r *inspect.Request) {
	if excluding, ok := s.tx.(remover); ok {
		for _, i := range r.Excluded {
			s.engine.exclusions[i].apply(excluding)
		}
	}
	s.tx.ProcessConnection(r.Client.String(), 0, "", 0)
	s.tx.ProcessURI(r.Target, r.Method, r.Proto)
	s.tx.SetServerName(r.Host)
	for name, values := range r.Header {
		for _, value := range values {
			s.tx.AddRequestHeader(name, value)
		}
	}
	if _, ok := r.Header["Host"]; !ok && r.Host != "" {
		s.tx.AddRequestHeader("Host", r.Host)
	}
	set(s.variables().RequestBodyProcessor(), processors[r.Body.Kind])
}

// processors are Coraza's names of the kinds of bodies.
var processors = [...]string{inspect.Form: "URLENCODED", inspect.JSON: "JSON", inspect.XML: "XML", inspect.Multipart: "MULTIPART", inspect.Other: ""}

func (s *session) variables() plugintypes.TransactionVariables {
	return s.tx.(plugintypes.TransactionState).Variables()
}

// body shows the body to the rules, and evaluates those about it.
func (s *session) body(b *inspect.Body) error {
	v := s.variables()
	if b.Cut {
		set(v.InboundDataError(), "1")
	}
	switch {
	case b.Kind == inspect.Multipart:
		s.multipart(b)
	case len(b.Data) > 0:
		if _, _, err := s.tx.WriteRequestBody(b.Data); err != nil {
			return err
		}
	}
	for _, a := range b.Also {
		s.tx.AddPathRequestArgument(a.Name, a.Value) // where the body's own reading cannot replace it
	}
	if b.Fault != "" {
		set(v.RequestBodyError(), "1")
		set(v.RequestBodyErrorMsg(), b.Fault)
		set(v.RequestBodyProcessorError(), "1")
		set(v.RequestBodyProcessorErrorMsg(), b.Fault)
	}
	if b.Strict != "" {
		set(s.tx.(plugintypes.TransactionState).Collection(variables.MultipartStrictError), "1")
	}
	_, err := s.tx.ProcessRequestBody()
	return err
}

// multipart does what Coraza's own reader of multipart bodies would, without
// its files on disk.
func (s *session) multipart(b *inspect.Body) {
	v := s.variables()
	total := 0
	for _, p := range b.Parts {
		for _, line := range p.Headers {
			v.MultipartPartHeaders().Add(p.Name, line)
		}
		v.MultipartName().Add(p.Name, p.Name)
		total += len(p.Data)
		if len(p.Files) == 0 {
			s.tx.AddPostRequestArgument(p.Name, string(p.Data))
			continue
		}
		for _, file := range p.Files {
			v.Files().Add("", file)
			v.MultipartFilename().Add(p.Name, file)
			v.FilesSizes().SetIndex(file, 0, strconv.Itoa(len(p.Data)))
		}
		v.FilesNames().Add("", p.Name)
	}
	set(v.FilesCombinedSize(), strconv.Itoa(total))
}

// set sets a variable: Coraza's interfaces only read them.
func set(c collection.Collection, value string) {
	if single, ok := c.(interface{ Set(string) }); ok {
		single.Set(value)
	}
}

// Response implements inspect.Session.
func (s *session) Response(r *inspect.Response) (v inspect.Verdict, err error) {
	defer s.measured(&err)()
	for name, values := range r.Header {
		for _, value := range values {
			s.tx.AddResponseHeader(name, value)
		}
	}
	if s.tx.ProcessResponseHeaders(r.Status, r.Proto) == nil {
		if r.Seen && len(r.Body) > 0 {
			if _, _, err := s.tx.WriteResponseBody(r.Body); err != nil {
				return v, err
			}
		}
		if _, err := s.tx.ProcessResponseBody(); err != nil {
			return v, err
		}
	}
	return s.verdict("outbound"), nil
}

// Close implements inspect.Session. A transaction that was left in the middle
// is not used again.
func (s *session) Close() (late []inspect.Match) {
	if s.broken {
		return nil
	}
	defer func() {
		if recover() != nil {
			late = nil // the request is over: there is nothing left to decide
		}
	}()
	s.tx.ProcessLogging()
	late = s.matches()
	var c io.Closer = s.tx
	_ = c.Close() // there are no files that could not be removed
	return late
}

func (s *session) verdict(direction string) inspect.Verdict {
	v := inspect.Verdict{Matches: s.matches()}
	scores := s.variables().TX().Get("detection_" + direction + "_anomaly_score")
	if len(scores) > 0 {
		v.Score, _ = strconv.Atoi(scores[0])
	}
	stop := s.tx.Interruption()
	if counting, ok := s.tx.(interface {
		DetectionOnlyInterruption() *types.Interruption
	}); ok && stop == nil {
		stop = counting.DetectionOnlyInterruption()
	}
	if stop != nil {
		v.Blocked, v.By = true, stop.RuleID
	}
	return v
}

// matches returns the rules that matched since it was last asked.
func (s *session) matches() []inspect.Match {
	matched := s.tx.MatchedRules()
	var out []inspect.Match
	for _, m := range matched[s.told:] {
		if logged, ok := m.(interface{ Log() bool }); ok && !logged.Log() {
			continue
		}
		out = append(out, match(m))
	}
	s.told = len(matched)
	return out
}

// longest is how much of a matched value is kept.
const longest = 128

func match(m types.MatchedRule) inspect.Match {
	r := m.Rule()
	out := inspect.Match{ID: r.ID(), Message: m.Message(), Severity: r.Severity().String(), Tags: r.Tags()}
	chained := false
	for _, d := range m.MatchedDatas() {
		chained = chained || d.ChainLevel() > 0
		// What further rules of a chain looked at says less than the first.
		if d.ChainLevel() == 0 && d.Variable() != variables.Unknown && d.Variable() != variables.TX {
			out.Places = append(out.Places, place(d))
		}
	}
	if chained && len(out.Places) > 1 {
		out.Places = named(out.Places, m.Data())
	}
	// Coraza keeps arguments in maps.
	slices.SortStableFunc(out.Places, func(a, b inspect.Place) int {
		return cmp.Or(cmp.Compare(a.Target, b.Target), cmp.Compare(a.Value, b.Value))
	})
	out.Places = slices.Compact(out.Places)
	out.Places = out.Places[:min(len(out.Places), inspect.MaxPlaces)]
	return out
}

// named returns the places that a chain's text for logs names: its first rule may
// match everywhere, for the further ones to pick.
func named(places []inspect.Place, data string) []inspect.Place {
	data = strings.ToLower(data)
	return slices.DeleteFunc(places, func(p inspect.Place) bool {
		return p.Value == "" || !strings.Contains(data, strings.ToLower(p.Value))
	})
}

// place reads where a rule matched, and what the rule set's rules write of it for
// logs, which is nearer to what they found: "Matched Data: PIECE found within
// TARGET: VALUE".
func place(d types.MatchData) inspect.Place {
	p := inspect.Place{Target: d.Variable().Name(), Value: cut(d.Value())}
	if d.Key() != "" {
		p.Target += ":" + d.Key()
	}
	data, ok := strings.CutPrefix(d.Data(), "Matched Data: ")
	if !ok {
		return p
	}
	piece, within, ok := strings.Cut(data, " found within "+p.Target+": ")
	if !ok {
		piece, _, _ = strings.Cut(data, " found within ")
		p.Found = cut(piece)
		return p
	}
	p.Found, p.Value = cut(piece), cut(within)
	return p
}

// cut returns the first bytes of s, on the boundary of a character, as a string
// that does not keep the whole alive.
func cut(s string) string {
	if len(s) <= longest {
		return strings.Clone(s)
	}
	s = s[:longest]
	for i := 0; i < utf8.UTFMax && s != "" && !utf8.ValidString(s[max(0, len(s)-utf8.UTFMax):]); i++ {
		s = s[:len(s)-1]
	}
	return strings.Clone(s)
}
