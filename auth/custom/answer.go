package custom

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"gatehouse/config"
	"gatehouse/exchange"
	"gatehouse/iam/policy"
)

// Bounds of what a program answers.
const (
	maxAnswer  = 64 << 10 // bytes
	maxPolicy  = 32 << 10 // characters of a policy document
	maxContext = 64       // entries of its context
	maxName    = 1024     // bytes of a principalId
)

// outcome is what a program answered about one identity. It is immutable and may
// be shared.
type outcome struct {
	principal *exchange.Principal
	allowed   bool              // where it answered yes or no
	caller    *policy.Principal // with the policy that it answered; nil where it answered yes or no
}

// read makes an outcome of a program's answer. Who names the caller where the
// answer does not.
func (a *Authorizer) read(body []byte, who string) (*outcome, error) {
	var fields map[string]json.RawMessage // exact names: decoding into a struct takes any case
	if err := json.Unmarshal(body, &fields); err != nil || fields == nil {
		return nil, errors.New("the answer is no JSON object")
	}
	o := &outcome{}
	context, err := readContext(fields["context"])
	if err != nil {
		return nil, err
	}
	name, err := optionalText(fields, "principalId")
	if err != nil {
		return nil, err
	}
	key, err := optionalText(fields, "usageIdentifierKey")
	if err != nil {
		return nil, err
	}
	verdict, document := fields["isAuthorized"], fields["policyDocument"]
	switch {
	case verdict != nil && document != nil:
		return nil, errors.New("the answer has isAuthorized and policyDocument: one of them decides")
	case verdict != nil:
		if err := json.Unmarshal(verdict, &o.allowed); err != nil || string(verdict) == "null" {
			return nil, errors.New("isAuthorized is neither true nor false")
		}
	case document == nil:
		return nil, errors.New("the answer has neither policyDocument nor isAuthorized")
	case name == "":
		return nil, errors.New("the answer has a policyDocument and no principalId")
	default:
		if o.caller, err = a.compile(document, name); err != nil {
			return nil, err
		}
	}
	if name == "" {
		name = who
	}
	o.principal = exchange.NewPrincipal("custom", a.issuer, name)
	o.principal.Claims, o.principal.UsageKey = context, key
	return o, nil
}

func optionalText(fields map[string]json.RawMessage, name string) (text string, err error) {
	raw, ok := fields[name]
	if !ok || string(raw) == "null" {
		return "", nil
	}
	if err := json.Unmarshal(raw, &text); err != nil || len(text) > maxName || strings.ContainsFunc(text, isControl) {
		return "", fmt.Errorf("%s is no text, or has more than %d bytes or control characters", name, maxName)
	}
	return text, nil
}

func isControl(r rune) bool { return r < ' ' || r == 0x7f }

// readContext reads what services and logs are told: texts, numbers and truths,
// and in format 2.0 more.
func readContext(raw json.RawMessage) (map[string]any, error) {
	if raw == nil || string(raw) == "null" {
		return nil, nil
	}
	var context map[string]any
	d := json.NewDecoder(strings.NewReader(string(raw)))
	d.UseNumber()
	if err := d.Decode(&context); err != nil {
		return nil, errors.New("context is no JSON object")
	}
	if len(context) > maxContext {
		return nil, fmt.Errorf("context has more than %d entries", maxContext)
	}
	return context, nil
}

// compile compiles the policy that the caller named name has.
func (a *Authorizer) compile(document json.RawMessage, name string) (*policy.Principal, error) {
	var report config.Report
	doc := policy.ParseJSON("policyDocument", document, policy.Identity, maxPolicy, &report)
	if doc == nil {
		for _, p := range report.Problems() {
			return nil, errors.New("policyDocument: " + p.Message)
		}
		return nil, errors.New("policyDocument is no policy")
	}
	p := policy.Compile(doc, policy.Scope{Name: "the authorizer's policy", Filter: "auth", API: a.region + ":" + a.account, Account: a.account})
	who := &policy.Principal{Name: name, Account: a.account, UserName: name, UserID: name, Identity: []*policy.Policy{p}}
	return who.For(a.action), nil
}
