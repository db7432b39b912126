package iam

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"gatehouse/config"
	"gatehouse/iam/policy"
)

// Question asks what policies would say about a request.
type Question struct {
	Principal string              // user:NAME, role:NAME, role:NAME/SESSION, an ARN of these, or anonymous
	Action    string              // execute-api:Invoke
	Resource  string              // an ARN, or "*"
	Context   map[string][]string // condition keys that the request has
	Time      time.Time           // aws:CurrentTime, where Context does not say it
	Own       *policy.Policy      // of the resource; nil for none
}

// Answer is what policies say. Its JSON speaks AWS's words.
type Answer struct {
	Principal string     `json:"principal"`
	Action    string     `json:"action"`
	Resource  string     `json:"resource"`
	Decision  string     `json:"decision"` // allowed | explicitDeny | implicitDeny
	Statement *Statement `json:"statement,omitempty"`
	Layer     string     `json:"layer"`             // whose statement it is; else what does not allow the request
	Missing   []string   `json:"missing,omitempty"` // condition keys that policies ask for and the question does not say
}

// Statement is the statement that decided.
type Statement struct {
	Policy string     `json:"policy"`
	Sid    string     `json:"sid,omitempty"`
	Number int        `json:"number"` // within its document, from 1
	At     config.Pos `json:"at"`
}

// The decisions, as AWS's simulator has them.
const (
	Allowed      = "allowed"
	ExplicitDeny = "explicitDeny"
	ImplicitDeny = "implicitDeny"
)

// Simulate answers a question as requests would be answered.
func (d *Directory) Simulate(q Question) (Answer, error) {
	who, err := d.find(q.Principal)
	if err != nil {
		return Answer{}, err
	}
	if service, name, ok := strings.Cut(q.Action, ":"); !ok || service == "" || name == "" || strings.ContainsAny(q.Action, "*? ") {
		return Answer{}, fmt.Errorf("%q is no action: write SERVICE:NAME such as %s", q.Action, Invoke)
	}
	if strings.Count(q.Resource, ":") < 5 && q.Resource != "*" {
		return Answer{}, fmt.Errorf("%q is no ARN: write for example arn:aws:execute-api:%s:%s:API/STAGE/METHOD/PATH", q.Resource, d.Region, d.Account)
	}
	r := &policy.Request{Principal: who, Action: policy.NewAction(q.Action), Resource: q.Resource, Account: d.Account, Region: d.Region, Time: q.Time, Extra: make(map[string][]string)}
	for key, values := range q.Context {
		r.Extra[strings.ToLower(key)] = values
	}
	p := policy.Policies{Organisation: d.Organisation, Resource: q.Own}
	decide := policy.Evaluate
	if role := d.roleOf(q.Resource); role != nil && strings.EqualFold(q.Action, "sts:AssumeRole") {
		p.Resource, decide = role.Trust, policy.EvaluateTrust
	}
	return answer(r, decide(r, p), p), nil
}

func answer(r *policy.Request, d policy.Decision, p policy.Policies) Answer {
	a := Answer{Principal: "anonymous", Action: r.Action.String(), Resource: r.Resource, Decision: ImplicitDeny, Layer: d.Layer.String()}
	if r.Principal != nil {
		a.Principal = r.Principal.Name
	}
	switch {
	case d.Allowed:
		a.Decision = Allowed
	case d.Explicit():
		a.Decision = ExplicitDeny
	}
	if d.By != nil {
		a.Statement = &Statement{Policy: d.By.Policy, Sid: d.By.Sid, Number: d.By.Number, At: d.By.At}
	}
	missing := make(map[string]bool)
	for _, concerned := range p.All(r.Principal) {
		for _, key := range concerned.Unknown(r) {
			missing[key] = true
		}
	}
	a.Missing = slices.Sorted(maps.Keys(missing))
	return a
}

// find returns who is meant; nil for a caller whom iam knows nothing of.
func (d *Directory) find(text string) (*policy.Principal, error) {
	if text == "anonymous" {
		return nil, nil
	}
	kind, name, _ := strings.Cut(text, ":")
	if rest, ok := strings.CutPrefix(text, d.arn("iam", "")); ok {
		kind, name, _ = strings.Cut(rest, "/")
	} else if rest, ok := strings.CutPrefix(text, d.arn("sts", "assumed-role/")); ok {
		kind, name = "role", rest
	}
	switch kind {
	case "user":
		if u := d.users[name]; u != nil {
			return u.Principal, nil
		}
		return nil, unknown("user", name, sorted(d.users))
	case "role":
		role, session, named := strings.Cut(name, "/")
		if !named {
			session = "simulate"
		}
		if r := d.roles[role]; r != nil {
			return r.principal(d, session), nil
		}
		return nil, unknown("role", role, sorted(d.roles))
	}
	return nil, fmt.Errorf("%q is no principal: write user:NAME, role:NAME or anonymous", text)
}

func unknown(what, name string, known []string) error {
	if near := config.Nearest(name, known); near != "" {
		return fmt.Errorf("there is no %s %q in iam: did you mean %q?", what, name, near)
	}
	return fmt.Errorf("there is no %s %q in iam", what, name)
}

// roleOf returns the role of an ARN; nil where it is none of ours.
func (d *Directory) roleOf(arn string) *Assumable {
	name, ok := strings.CutPrefix(arn, d.arn("iam", "role/"))
	if !ok {
		return nil
	}
	return d.roles[name]
}
