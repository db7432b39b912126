package policy

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"gatehouse/config"
)

// one returns a document of one statement.
func one(elements string) string { return `{"Version":"2012-10-17","Statement":{` + elements + `}}` }

const fine = `"Effect":"Allow","Action":"execute-api:Invoke","Resource":"*"`

var place = regexp.MustCompile(`(?m)^\d+:\d+ `)

// TestProblems: every mistake is told, with its cure.
func TestProblems(t *testing.T) {
	for _, tc := range []struct {
		use        Use
		text, want string
	}{
		{Identity, `{`, "broken JSON: unexpected end of JSON input"},
		{Identity, "{\"Statement\": [\n  {\"Effect\" \"Allow\"}]}", `broken JSON: invalid character '"' after object key`},
		{Identity, `{} {}`, "broken JSON: invalid character '{' after top-level value"},
		{Identity, "{\"Id\":\"\xff\"}", "broken JSON: this is not UTF-8"},
		{Identity, `{"Id":"\ud800","Statement":{` + fine + `}}`, "broken JSON: an escape that stands for no character"},
		{Identity, `{"Version":"2012-10-17","Version":"2012-10-17"}`, `"Version" is said twice: keep one of the two`},
		{Identity, strings.Repeat("[", 100) + strings.Repeat("]", 100), "lists and objects nest deeper than 16"},
		{Identity, `[]`, "a policy document is an object with Version and Statement"},
		{Identity, `{}`, "the document has no Statement"},
		{Identity, `{"Statement":[]}`, "a document has 1 to 500 statements"},
		{Identity, `{"Statement":[7]}`, "a statement is an object with Effect, Action and Resource"},
		{Identity, `{"Version":"2012-10-18","Statement":{` + fine + `}}`, `"2012-10-18" is no version of the policy language: write 2012-10-17`},
		{Identity, `{"Statment":{` + fine + `}}`, "unknown element of a policy \"Statment\" did you mean \"Statement\"?\nthe document has no Statement"},
		{Identity, one(`"effect":"Allow","Action":"*","Resource":"*"`), "unknown element of a statement \"effect\" did you mean \"Effect\"?\nthe statement has no Effect: Allow or Deny"},
		{Identity, one(`"Effect":"allow","Action":"*","Resource":"*"`), `unknown Effect "allow" did you mean "Allow"?`},
		{Identity, one(`"Effect":"Allow"`), "the statement has no Action\nthe statement has no Resource"},
		{Identity, one(`"Effect":"Allow","Action":[],"Resource":{}`), "Action has no value\nResource: wanted a text, got a map"},
		{Identity, one(`"Effect":"Allow","Action":"*","NotAction":"*","Resource":"*"`), "Action and NotAction exclude each other"},
		{Identity, one(`"Effect":"Allow","Action":"*","NotResource":"*","Resource":"*"`), "Resource and NotResource exclude each other"},
		{Identity, one(`"Sid":"a b",` + fine), `the Sid "a b" holds more than letters and digits`},
		{Resource, one(`"Sid":"a b","Principal":"*",` + fine), ""},
		{Identity, `{"Statement":[{"Sid":"a",` + fine + `},{"Sid":"a",` + fine + `}]}`, `another statement has the Sid "a": each names one`},
		{Identity, one(`"Effect":"Allow","Action":"invoke","Resource":"*"`), `"invoke" is no action: write SERVICE:NAME such as execute-api:Invoke, or "*"`},
		{Identity, one(`"Effect":"Allow","Action":"execute*:Invoke","Resource":"*"`), `"execute*:Invoke": the service of an action has no wildcards`},
		{Identity, one(`"Effect":"Allow","Action":"*:Invoke","Resource":"*"`), `"*:Invoke": write "*" for every action`},
		{Identity, one(`"Effect":"Allow","Action":"s3:Get Object","Resource":"*"`), `"s3:Get Object" is no action: it has letters, digits, -, _ and wildcards alone`},
		{Identity, one(`"Effect":"Allow","Action":"*","Resource":"bucket"`), `"bucket" is no ARN: it has six parts, arn:aws:SERVICE:REGION:ACCOUNT:RESOURCE, of which wildcards cross none`},
		{Identity, one(`"Effect":"Allow","Action":"*","Resource":"arn:aws:s3:*"`), `"arn:aws:s3:*" is no ARN: it has six parts, arn:aws:SERVICE:REGION:ACCOUNT:RESOURCE, of which wildcards cross none`},
		{Identity, one(`"Effect":"Allow","Action":"*","Resource":"urn:aws:s3:::b"`), `"urn:aws:s3:::b" is no ARN: it begins with arn:`},
		{Identity, one(`"Effect":"Allow","Action":"*","Resource":"execute-api:/*"`), `"execute-api:/*" is no ARN: it has six parts, arn:aws:SERVICE:REGION:ACCOUNT:RESOURCE, of which wildcards cross none`},
		{Identity, one(`"Effect":"Allow","Action":"*","Resource":"arn:aws:execute-api:*:*:shop/*/GET/käse"`), `"arn:aws:execute-api:*:*:shop/*/GET/käse": the path of an execute-api ARN is percent-encoded, as in a URL: %20 for a space`},
		{Identity, one(`"Effect":"Allow","Action":"*","Resource":"arn:aws:s3:::${aws:username"`), `"arn:aws:s3:::${aws:username": a ${ without its }`},
		{Identity, one(`"Effect":"Allow","Action":"*","Resource":"arn:aws:s3:::${username}"`), `"arn:aws:s3:::${username}": ${username} names no condition key: write ${aws:username}, ${aws:username, 'default'}, or ${$} for $`},
		{Identity, one(`"Effect":"Allow","Action":"*","Resource":"arn:aws:s3:::${aws:usernam}"`), `"arn:aws:s3:::${aws:usernam}": ${aws:usernam} names a condition key that there is not`},
		{Identity, one(`"Effect":"Allow","Action":"*","Resource":"arn:aws:s3:::${aws:username, x}"`), `"arn:aws:s3:::${aws:username, x}": the default in ${aws:username, x} stands in single quotes: ${aws:username, 'nobody'}`},
		{Identity, one(fine + `,"Principal":"*"`), "a policy of users, groups and roles names no Principal: it is about whom it belongs to"},
		{Resource, one(fine), "the statement has no Principal"},
		{Resource, one(fine + `,"Principal":"ci"`), `Principal is "*" or an object such as {"AWS": "arn:aws:iam::123456789012:user/ci"}`},
		{Resource, one(fine + `,"Principal":{"aws":"*"}`), "unknown kind of principal \"aws\" did you mean \"AWS\"?"},
		{Resource, one(fine + `,"Principal":{}`), "Principal names nobody"},
		{Resource, one(fine + `,"Principal":{"AWS":"arn:aws:iam::123456789012:user/*"}`), `"arn:aws:iam::123456789012:user/*": a principal has no wildcards but "*" alone: narrow "*" by a condition on aws:PrincipalArn`},
		{Resource, one(fine + `,"Principal":{"AWS":["1234","arn:aws:iam::123456789012:group/x"]}`), "\"1234\" is no principal: write an account's 12 digits or an ARN such as arn:aws:iam::123456789012:user/ci\n\"arn:aws:iam::123456789012:group/x\" names no principal: those are root, user/NAME and role/NAME of iam, and assumed-role/ROLE/SESSION of sts"},
		{Resource, one(fine + `,"Principal":{"Service":"lambda"}`), `"lambda" is no service: write lambda.amazonaws.com or apigateway.amazonaws.com`},
		{Resource, one(fine + `,"NotPrincipal":"*"`), "NotPrincipal with Allow would allow all others, known or not: name those who may under Principal"},
		{Resource, one(`"Effect":"Deny","Action":"*","Resource":"*","NotPrincipal":{"AWS":["123456789012","*"]}`), `NotPrincipal "*" leaves nobody whom the statement denies anything: name those whom it spares`},
		{Trust, one(`"Effect":"Deny","Action":"sts:AssumeRole","NotPrincipal":{"AWS":"123456789012"}`), "a trust policy has no NotPrincipal: name those whom it trusts under Principal"},
		{Trust, one(fine + `,"Principal":"*"`), "a trust policy has no Resource: it is about the role that it belongs to"},
		{Identity, one(fine + `,"Condition":[]`), `Condition is an object such as {"StringEquals": {"aws:username": "ci"}}`},
		{Identity, one(fine + `,"Condition":{"StringEquals":"ci"}`), `StringEquals holds an object such as {"aws:username": "ci"}`},
		{Identity, one(fine + `,"Condition":{"StringEqual":{"aws:username":"ci"}}`), `unknown condition operator "StringEqual" did you mean "StringEquals"?`},
		{Identity, one(fine + `,"Condition":{"ForAllValues:StringEqualIfExists":{"aws:username":"ci"}}`), `unknown condition operator "ForAllValues:StringEqualIfExists" did you mean "ForAllValues:StringEqualsIfExists"?`},
		{Identity, one(fine + `,"Condition":{"NullIfExists":{"aws:username":"true"}}`), `unknown condition operator "NullIfExists" did you mean "BoolIfExists"?`},
		{Identity, one(fine + `,"Condition":{"StringEquals":{"aws:sourcip":"ci"}}`), `unknown condition key "aws:sourcip" did you mean "aws:SourceIp"?`},
		{Identity, one(fine + `,"Condition":{"StringEquals":{"aws:PrincipalTag/":"ci"}}`), `unknown condition key "aws:PrincipalTag/" did you mean "aws:PrincipalArn"?`},
		{Identity, one(fine + `,"Condition":{"StringEquals":{"username":"ci"}}`), `"username" is no condition key: write PREFIX:NAME such as aws:SourceIp`},
		{Identity, one(fine + `,"Condition":{"StringEquals":{"aws:username":[]}}`), `aws:username has no value`},
		{Identity, one(fine + `,"Condition":{"StringEquals":{"aws:username":null}}`), `aws:username: wanted a text, got nothing`},
		{Identity, one(fine + `,"Condition":{"NumericEquals":{"aws:EpochTime":"1e3"}}`), `"1e3" is no number such as 10 or 2.5`},
		{Identity, one(fine + `,"Condition":{"NumericEquals":{"aws:EpochTime":"${aws:EpochTime}"}}`), `"${aws:EpochTime}": variables stand in values of string and ARN operators alone`},
		{Identity, one(fine + `,"Condition":{"DateLessThan":{"aws:CurrentTime":"tomorrow"}}`), `"tomorrow" is no date such as 2026-01-31T00:00:00Z, nor seconds since 1970`},
		{Identity, one(fine + `,"Condition":{"Bool":{"aws:SecureTransport":"yes"}}`), `"yes" is neither true nor false`},
		{Identity, one(fine + `,"Condition":{"BinaryEquals":{"x:k":"?"}}`), `"?" is no base64`},
		{Identity, one(fine + `,"Condition":{"IpAddress":{"aws:SourceIp":["10.0.0.0/8","10.0.0.0/33"]}}`), `"10.0.0.0/33" is no address or range such as 192.0.2.0/24 or 2001:db8::/32`},
		{Identity, one(fine + `,"Condition":{"ArnLike":{"aws:PrincipalArn":"ci"}}`), `"ci" is no ARN: it has six parts, arn:aws:SERVICE:REGION:ACCOUNT:RESOURCE, of which wildcards cross none`},
		{Trust, one(`"Effect":"Allow","Action":"sts:AssumeRole","Principal":"*","Condition":{"StringEquals":{"sts:ExternalID":"x","sts:External":"y"}}`), `unknown condition key "sts:External" did you mean "sts:ExternalId"?`},
		{Identity, one(fine + `,"Condition":{"StringEquals":{"aws:PrincipalOrgID":"o-1","s3:prefix":"x","aws:ResourceTag/x":"y"}}`), ""}, // AWS has them; requests here do not
	} {
		if got := place.ReplaceAllString(problems("p.json", tc.text, tc.use), ""); got != tc.want {
			t.Errorf("%s\ngot  %s\nwant %s", tc.text, got, tc.want)
		}
	}
}

// TestPlaces: a mistake is told at its place, marked here by a bar.
func TestPlaces(t *testing.T) {
	for _, text := range []string{
		"¦{}",
		"{\"Version\": ¦\"2012\", \"Statement\": {" + fine + "}}",
		"{\"Statement\": [\n\t{\"Effect\" ¦\"Allow\"}]}",
		"{\"Statement\": [{" + fine + "},\n  ¦7]}",
		"{\"Statement\": [{" + fine + "},\r\n  ¦{\"Effect\": \"Deny\", \"Action\": \"*\"}]}",
		"{\"Statement\": {\"Effect\" : ¦\"allow\", \"Action\": \"*\", \"Resource\": \"*\"}}",
		"{\"Statement\": {" + fine + ",\n ¦\"effect\": 1}}",
		"{\"Id\": \"käse\", \"Statement\": {\"Effect\": \"Allow\", \"Action\": [\"*\", ¦\"x\"], \"Resource\": \"*\"}}",
		"{\"Statement\": {" + fine + ", \"Condition\": {\"Bool\": {\"aws:SecureTransport\": [true,\n\nfalse, ¦2]}}}}",
		"{\"Statement\": {" + fine + ", \"Condition\": {¦\"Boole\": {\"aws:SecureTransport\": true}}}}",
		"{\"Statement\": {" + fine + ", \"Condition\": {\"Bool\": {¦\"aws:SecureTransports\": true}}}}",
	} {
		before, after, _ := strings.Cut(text, "¦")
		want := fmt.Sprintf("%d:%d ", strings.Count(before, "\n")+1, utf8.RuneCountInString(before[strings.LastIndex(before, "\n")+1:])+1)
		if got := problems("p.json", before+after, Identity); !strings.HasPrefix(got, want) || strings.Contains(got, "\n") {
			t.Errorf("%s: got %s, want %s", text, got, want)
		}
	}
}

// Limits are AWS's; white space does not count.
func TestSizes(t *testing.T) {
	document := func(n int) string {
		return one(fine + `,"Condition":{"StringEquals":{"x:k":"` + strings.Repeat("v", n) + `"}}`)
	}
	if got := problems("p.json", document(9000), Identity); got != "" {
		t.Error(got)
	}
	if got := problems("p.json", document(11000), Identity); !strings.Contains(got, "has at most 10240: split it into several") {
		t.Error(got)
	}
	if got := problems("p.json", strings.Repeat("\n", 20000)+document(9000), Identity); got != "" {
		t.Error(got)
	}
	if got := problems("p.json", strings.Repeat("\n", 300000)+document(9000), Identity); !strings.Contains(got, "the file has more than 256KiB") {
		t.Error(got)
	}
	var r config.Report
	if ParseJSON("session", []byte(document(3000)), Identity, SessionLimit, &r) != nil || len(r.Problems()) != 1 {
		t.Error(r.Problems())
	}
}

// The same document in YAML, with dates and numbers as YAML would write them.
func TestYAML(t *testing.T) {
	const text = `
Version: 2012-10-17
Statement:
  - Sid: Read
    Effect: Allow
    Action: [execute-api:Invoke]
    Resource: arn:aws:execute-api:*:*:shop/*/GET/*
    Condition:
      NumericLessThan:
        aws:EpochTime: 1900000000
      Bool: {"aws:SecureTransport": true}
      StringEquals: {"aws:username": "${aws:username}"}
`
	var r config.Report
	doc := Parse("p.yaml", []byte(text), Identity, &r)
	if doc == nil || doc.Version != Version2012 || doc.Statements[0].At.Line != 4 || doc.Statements[0].Conditions[1].Values[0] != "true" {
		t.Fatalf("%+v %v", doc, r.Problems())
	}
	flow := "{Version: 2012-10-17, Statement: {Effect: Allow, Action: [sts:AssumeRole, s3:Get*], Resource: [arn:aws:s3:::b]}}"
	doc = Parse("p.yaml", []byte(flow), Identity, &r)
	if doc == nil || doc.Statements[0].Actions[1] != "s3:Get*" || doc.Statements[0].Resources[0] != "arn:aws:s3:::b" {
		t.Errorf("in flow style: %+v %v", doc, r.Problems())
	}
	for text, want := range map[string]string{
		"Statement: {Effect: Alow, Action: '*', Resource: '*'}": `1:21 unknown Effect "Alow" did you mean "Allow"?`,
		"Statement:\n  - Effect: Allow\n    Effect: Deny\n":     `3:5 duplicate key "Effect": first said at line 2 keep one of the two`,
		"a: [": "1:4 broken YAML: ",
		"Version: [2012-10-17]\nStatement: {Effect: Allow, Action: '*', Resource: '*'}": "1:10 Version: wanted a text, got a list\n1:10 \"\" is no version of the policy language: write 2012-10-17",
	} {
		if got := problems("p.yaml", text, Identity); !strings.HasPrefix(got, want) {
			t.Errorf("%s\ngot  %s\nwant %s", text, got, want)
		}
	}
}

type section struct {
	config.At
	Policy IdentitySource `yaml:"policy"`
	API    ResourceSource `yaml:"api"`
}

// A policy in a configuration: in place, where ${ is the policy's own, or in a
// file. Problems in either name the file that says them.
func TestSource(t *testing.T) {
	load := func(text string) (*section, error) {
		var s section
		_, err := config.LoadBytes("testdata/c.yaml", []byte(text), &s, config.Options{LookupEnv: func(name string) (string, bool) { return "a${aws:username}", name == "X" }})
		return &s, err
	}
	s, err := load(`policy: {Version: 2012-10-17, Statement: {Effect: Allow, Action: "*", Resource: ["arn:aws:s3:::${aws:username}", "arn:aws:s3:::$${x}", "arn:aws:s3:::${env:X}"]}}`)
	if err != nil {
		t.Fatal(err)
	}
	p := user(s.Policy.Compile(Scope{Name: "inline"}))
	for resource, want := range map[string]bool{"ci": true, "${x}": true, "a${aws:username}": true, "aci": false, "x": false} {
		r := ask(p)
		r.Resource = "arn:aws:s3:::" + resource
		if got := Evaluate(r, Policies{}).Allowed; got != want {
			t.Errorf("%s: %v", resource, got)
		}
	}
	if s.Policy.Name("inline") != "inline" || s.API.Compile(Scope{}) != nil {
		t.Errorf("%+v", s.Policy)
	}
	if s, err = load(`policy: read.json`); err != nil || s.Policy.Name("") != "read.json" || len(s.Policy.Document.Statements) != 2 {
		t.Errorf("%+v %v", s.Policy, err)
	}
	for text, want := range map[string]string{
		`policy: [a]`:       `a policy is a document, or the path of a file`,
		`policy: none.json`: `none.json: no such file`,
		`policy: wrong.json`: "testdata/wrong.json:4:17: policy: unknown Effect \"Alow\"\n" +
			"          \"Effect\": \"Alow\",\n                    ^\n  hint: did you mean \"Allow\"?",
		`api: {Statement: {Effect: Allow, Action: "*", Resource: "*"}}`:                       `c.yaml:1:18: api: the statement has no Principal`,
		`policy: {Statement: {Effect: Allow, Action: "*", Resource: "*", Condition: {a: b}}}`: `a holds an object`,
	} {
		if _, err := load(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s\ngot  %v\nwant %s", text, err, want)
		}
	}
}
