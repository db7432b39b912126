package policy

import (
	"strings"
	"testing"
	"time"

	"gatehouse/config"
)

const (
	account = "123456789012"
	other   = "999988887777"
	apiARN  = "arn:aws:execute-api:eu-central-1:123456789012:shop"
)

var invoke = NewAction("execute-api:Invoke")

// parse returns a document that must be right.
func parse(t testing.TB, use Use, text string) *Document {
	t.Helper()
	var r config.Report
	doc := Parse("p.json", []byte(text), use, &r)
	if doc == nil || len(r.Problems()) > 0 {
		t.Fatalf("%s\n%v", text, config.NewErrors(&r, nil))
	}
	return doc
}

func compile(t testing.TB, use Use, text string) *Policy {
	t.Helper()
	return Compile(parse(t, use, text), Scope{Name: "p", Filter: "test", API: apiARN})
}

// problems returns what is wrong with a document, a line each.
func problems(name, text string, use Use) string {
	var r config.Report
	Parse(name, []byte(text), use, &r)
	var lines []string
	for _, p := range r.Problems() {
		lines = append(lines, strings.TrimSpace(strings.TrimPrefix(p.Pos.String(), name+":")+" "+p.Message+" "+p.Hint))
	}
	return strings.Join(lines, "\n")
}

func user(policies ...*Policy) *Principal {
	return &Principal{Name: "arn:aws:iam::" + account + ":user/ci", Account: account, UserName: "ci", UserID: "AIDACI", Identity: policies}
}

func session(policies ...*Policy) *Principal {
	return &Principal{
		Name: "arn:aws:sts::" + account + ":assumed-role/quote/run", Role: "arn:aws:iam::" + account + ":role/quote",
		Account: account, UserID: "AROAQUOTE:run", Identity: policies, Issued: time.Date(2026, 1, 2, 3, 0, 0, 0, time.UTC),
	}
}

// ask is a request for an order of the shop.
func ask(p *Principal) *Request {
	return &Request{Principal: p, Action: invoke, Resource: apiARN + "/prod/GET/orders/42", Account: account, Region: "eu-central-1"}
}

func statement(effect, more string) string {
	return `{"Version":"2012-10-17","Statement":[{"Sid":"S","Effect":"` + effect + `","Action":"execute-api:Invoke","Resource":"*"` + more + `}]}`
}
