package waf

import (
	"net/http"
	"slices"
	"strings"

	"gatehouse/exchange"
	"gatehouse/waf/field"
	"gatehouse/waf/match"
	"gatehouse/waf/record"
	"gatehouse/waf/redact"
	"gatehouse/waf/rule"
	"gatehouse/waf/ruleset"
)

// Lines takes the lines of a log. It never waits for a disk.
type Lines interface{ Append(line []byte) }

// journal writes down what an ACL makes of requests.
type journal struct {
	lines Lines
	id    string // the ACL's, as AWS writes it
	which string
	hide  *redact.Fields
}

// note is what one rule made of a request.
type note struct {
	entry   *entry
	group   string // it stands in; "" for none
	kind    rule.Kind
	found   match.Finding
	verdict *ruleset.Verdict // of a rule set
}

// journal returns where the ACL's log goes; nil for nowhere.
func (k *Keepers) journal(a *ACL) *journal {
	switch {
	case k.Log == nil:
		return nil
	case k.Always:
		return &journal{lines: k.Log, id: a.id}
	case a.log == nil:
		return nil
	}
	return &journal{k.Log, a.id, a.log.Requests, a.log.Hidden()}
}

// note keeps what a rule made of the request, where there is a log.
func (v *visit) note(e *entry, kind rule.Kind, verdict *ruleset.Verdict) {
	if v.filter.journal == nil {
		return
	}
	n := note{entry: e, group: v.inGroup, kind: kind, found: v.Found, verdict: verdict}
	n.found.Text = strings.Clone(clip(n.found.Text, n.found.At))
	v.notes = append(v.notes, n)
}

// clip returns so much of a text as a record needs.
func clip(text string, at int) string {
	const most = 256
	if len(text) <= most {
		return text
	}
	at = min(max(at, 0), len(text))
	return text[at:min(len(text), at+most)]
}

// write writes the record of a request.
func (j *journal) write(x *exchange.Exchange, r *http.Request, notes []note, end *ending, result outcome, country string) {
	if j.which == "blocked" && result == passes || j.which == "matched" && result == passes && len(notes) == 0 {
		return
	}
	rec := record.Record{ACL: j.id, Rule: "Default_Action", RuleType: "REGULAR", Action: "ALLOW"}
	rec.Describe(x, r, country, j.hide)
	for i := range notes {
		j.add(&rec, &notes[i], end.entry)
	}
	switch {
	case result != passes && end.entry == nil:
		rec.Rule, rec.Action = end.fails.reason, "BLOCK"
	case end.entry != nil && end.entry.name != rec.Rule:
		rec.Rule, rec.Action = end.entry.name, end.entry.last(result)
	}
	switch result {
	case blocked:
		rec.Action = "BLOCK"
		if end.entry != nil && end.entry.action.Status != 0 {
			rec.Status = &end.entry.action.Status
		}
	case challenged:
		rec.Action = "CHALLENGE"
	}
	j.lines.Append(rec.Line())
}

// last is what a rule that ends the inspection did.
func (e *entry) last(result outcome) string {
	if result == passes {
		return "ALLOW"
	}
	return strings.ToUpper(e.action.Kind.String())
}

// add adds what one rule made of the request.
func (j *journal) add(rec *record.Record, n *note, decided *entry) {
	if n.verdict != nil {
		g := j.ruleSet(n.entry, n.verdict, n.kind)
		rec.Groups = append(rec.Groups, g)
		if n.entry == decided {
			rec.RuleType = "MANAGED_RULE_GROUP"
		}
		return
	}
	m := record.RuleMatch{ID: n.entry.name, Action: strings.ToUpper(n.kind.String()), Details: j.details(&n.found)}
	if n.entry == decided {
		rec.Details, rec.RuleType = m.Details, "REGULAR"
		if n.found.What == "rate" {
			rec.RuleType = "RATE_BASED"
		}
	}
	if n.found.What == "rate" {
		rec.RateBased = append(rec.RateBased, record.RateRule{ID: j.id + "/" + n.entry.name, Name: n.entry.name})
	}
	switch {
	case n.group != "":
		j.group(rec, n, &m, decided)
	case n.entry != decided:
		rec.NonTerminating = append(rec.NonTerminating, m)
	}
}

// group adds what a rule within a rule group did.
func (j *journal) group(rec *record.Record, n *note, m *record.RuleMatch, decided *entry) {
	i := slices.IndexFunc(rec.Groups, func(g record.Group) bool { return g.ID == n.group })
	if i < 0 {
		i = len(rec.Groups)
		rec.Groups = append(rec.Groups, record.Group{ID: n.group})
	}
	if n.entry == decided {
		rec.Groups[i].Terminating, rec.RuleType = m, "GROUP"
		return
	}
	rec.Groups[i].NonTerminating = append(rec.Groups[i].NonTerminating, *m)
}

// ruleSet is what a rule set made of the request, as AWS writes a managed rule
// group.
func (j *journal) ruleSet(e *entry, v *ruleset.Verdict, kind rule.Kind) record.Group {
	g := record.Group{ID: e.name, Score: v.Score}
	for i := range v.Matches {
		m := &v.Matches[i]
		one := record.RuleMatch{ID: m.ID, Action: "COUNT", Message: m.Message}
		for _, p := range m.Places {
			one.Details = append(one.Details, j.place(p))
		}
		g.NonTerminating = append(g.NonTerminating, one)
	}
	if kind == rule.Block {
		g.Terminating = &record.RuleMatch{ID: e.name, Action: "BLOCK", Message: v.Detail}
	}
	return g
}

func (j *journal) place(p ruleset.Place) record.Detail {
	collection, key, _ := strings.Cut(p.Target, ":")
	d := record.Detail{Condition: "CORE_RULE_SET", Location: ruleSetLocation(collection), Field: key, Target: p.Target}
	value := j.hide.Value(p.Target, p.Value)
	if p.Found != "" && value != redact.Redacted {
		d.Data = append(d.Data, j.hide.Value(p.Target, p.Found))
	}
	if p.Value != p.Found {
		d.Data = append(d.Data, value)
	}
	return d
}

// ruleSetLocation is AWS's word for where a rule of a rule set looked.
func ruleSetLocation(collection string) string {
	switch {
	case strings.HasPrefix(collection, "REQUEST_HEADERS"):
		return "HEADER"
	case strings.HasPrefix(collection, "REQUEST_COOKIES"):
		return "COOKIES"
	case strings.HasPrefix(collection, "ARGS_GET"), collection == "QUERY_STRING":
		return "QUERY_STRING"
	case strings.HasPrefix(collection, "ARGS"):
		return "ALL_QUERY_ARGS"
	case collection == "REQUEST_METHOD":
		return "METHOD"
	case strings.HasPrefix(collection, "REQUEST_URI"), collection == "REQUEST_FILENAME", collection == "REQUEST_BASENAME", collection == "REQUEST_LINE":
		return "URI"
	}
	return "BODY"
}

// details is where a statement found what.
func (j *journal) details(f *match.Finding) []record.Detail {
	if f.Field == nil {
		return nil
	}
	d := record.Detail{Condition: condition(f.What), Location: location(f.Field.Kind), Field: f.Name}
	d.Data = []string{j.hide.Value(shownAs(f.Field.Kind)+f.Name, f.Text)}
	return []record.Detail{d}
}

// condition is AWS's word for what a statement found.
func condition(what string) string {
	switch what {
	case "sqli":
		return "SQL_INJECTION"
	case "xss":
		return "XSS"
	}
	return strings.ToUpper(strings.ReplaceAll(what, "-", "_"))
}

func location(k field.Kind) string {
	switch k {
	case field.Method:
		return "METHOD"
	case field.Path:
		return "URI"
	case field.Query:
		return "QUERY_STRING"
	case field.Argument:
		return "SINGLE_QUERY_ARG"
	case field.Arguments:
		return "ALL_QUERY_ARGS"
	case field.Header, field.Headers, field.HeaderOrder:
		return "HEADER"
	case field.Cookies:
		return "COOKIES"
	case field.JSON:
		return "JSON_BODY"
	case field.Body:
		return "BODY"
	}
	return strings.ToUpper(k.String())
}

// shownAs is the target by whose rules a field's text is redacted.
func shownAs(k field.Kind) string {
	switch k {
	case field.Query:
		return "QUERY_STRING:"
	case field.Path:
		return "REQUEST_FILENAME:"
	case field.Argument, field.Arguments, field.JSON:
		return "ARGS:"
	case field.Header, field.Headers:
		return "REQUEST_HEADERS:"
	case field.Cookies:
		return "REQUEST_COOKIES:"
	case field.Body:
		return "REQUEST_BODY:"
	}
	return "OTHER:"
}

// late writes down what a rule set made of the answer, on a line of its own: the
// request's was written before it went on.
func (f *filter) late(x *exchange.Exchange, r *http.Request, e *entry) func(ruleset.Verdict) {
	return func(v ruleset.Verdict) {
		result, kind := passes, rule.Count
		if v.Failed != "" {
			f.counts.fail(v.Failed)
		}
		switch {
		case v.Refusal.Status != 0:
			result, kind = blocked, rule.Block
			f.counts.add(e.index, kind)
		case v.Detail != "":
			f.counts.add(e.index, kind)
			x.Trail.Add(e.rule, exchange.Counted, "the answer: "+v.Detail)
		}
		if f.journal == nil || len(v.Matches) == 0 {
			return
		}
		end := ending{}
		if result == blocked {
			end.entry = e
		}
		f.journal.write(x, r, []note{{entry: e, kind: kind, verdict: &v}}, &end, result, f.country(x))
	}
}

// country is that of the client, as far as the gateway knows.
func (f *filter) country(x *exchange.Exchange) string {
	if x.Country != "" || f.acl.countries == nil {
		return x.Country
	}
	return f.acl.countries.Place(x.Client).Country
}
