package policy

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
	"unicode/utf8"

	"gatehouse/config"
)

// FuzzParse holds that no text breaks the parser, that what it takes for JSON
// is JSON, and that what it lets pass can be compiled and asked.
func FuzzParse(f *testing.F) {
	read, err := os.ReadFile("testdata/read.json")
	if err != nil {
		f.Fatal(err)
	}
	f.Add("p.json", string(read), byte(0))
	f.Add("p.yaml", "Version: 2012-10-17\nStatement:\n  Effect: Allow\n  Action: '*'\n  Resource: ['*', \"arn:aws:s3:::${aws:username, 'x'}\"]\n", byte(0))
	f.Add("p.json", one(fine+`,"Principal":{"AWS":"*"},"Condition":{"ForAnyValue:StringLikeIfExists":{"x:k":["a*b?","${x:k}"]}}`), byte(1))
	f.Add("p.json", one(`"Effect":"Deny","NotAction":"s3:*","NotPrincipal":{"AWS":["123456789012"]},"Condition":{"DateLessThan":{"aws:CurrentTime":"2026"}}`), byte(2))
	f.Fuzz(func(t *testing.T, name, text string, use byte) {
		if !strings.HasSuffix(name, ".json") {
			name = "p.yaml"
		}
		var r config.Report
		doc := Parse(name, []byte(text), Use(use%3), &r)
		if (doc == nil) != (len(r.Problems()) > 0) {
			t.Fatalf("a document: %v, with the problems %v", doc != nil, r.Problems())
		}
		for _, p := range r.Problems() {
			if !p.Pos.IsValid() {
				t.Fatalf("a problem without a place: %+v", p)
			}
		}
		if doc == nil {
			return
		}
		if name == "p.json" && !json.Valid([]byte(text)) {
			t.Fatal("this is no JSON")
		}
		p := Compile(doc, Scope{Name: "p", API: apiARN})
		for _, who := range []*Principal{nil, user(p), session(p)} {
			r := ask(who)
			r.Extra = map[string][]string{"x:k": {"a", "b"}, "aws:username": {"*"}}
			Evaluate(r, Policies{Organisation: []*Policy{p}, Resource: p})
			EvaluateTrust(r, Policies{Resource: p})
		}
	})
}

// FuzzPattern holds the matcher against the naive one.
func FuzzPattern(f *testing.F) {
	for _, seed := range [][2]string{{"a*b?c", "axxbyc"}, {"*a*", "a"}, {"arn:*:${x:k}:::*", "arn:aws:v:::x:y"}, {"é?*", "éü"}, {"**a?*b", "aab"}, {"${*}${x:k}*", "*vx"}} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, pattern, text string) {
		if len(pattern) > 40 || len(text) > 40 || strings.Count(pattern, "*") > 4 || !utf8.ValidString(pattern) || !utf8.ValidString(text) {
			return
		}
		d := dialect{wildcards: true, variables: true}
		if checkPattern(pattern, d) != "" || strings.Contains(pattern, ",") {
			return
		}
		r := ask(nil)
		r.Extra = map[string][]string{"x:k": {"v"}}
		c := naiveCase{context: r.Extra}
		for _, known := range []string{"aws:principaltype", "aws:principalisawsservice"} {
			key := parseKey(known)
			v := r.get(&key)
			c.context[known] = []string{v.text(0)}
		}
		c.context["aws:resourceaccount"], c.context["aws:requestedregion"] = []string{account}, []string{"eu-central-1"}
		tokens, ok := c.tokens(pattern, true, true)
		p := newPattern(parsePattern(pattern, d))
		if want, got := ok && glob(tokens, []rune(text)), p.matches(text, r); got != want {
			t.Errorf("%q of %q: %v", pattern, text, got)
		}
		if _, split := splitPattern(parsePattern(pattern, d)); split {
			a, _ := parseARN(text)
			q := compileARN(pattern, d)
			if want, got := c.arn(pattern, text, true), q.matches(&a, r); got != want {
				t.Errorf("%q of the ARN %q: %v", pattern, text, got)
			}
		}
	})
}
