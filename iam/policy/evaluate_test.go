package policy

import (
	"fmt"
	"testing"
)

// TestResources: part by part, and across colons in the last part alone.
func TestResources(t *testing.T) {
	for _, tc := range []struct {
		pattern, resource string
		want              bool
	}{
		{"*", "arn:aws:s3:::b", true},
		{"*", "nonsense", true},
		{"arn:aws:s3:::*", "nonsense", false},
		{"arn:aws:s3:::b", "arn:aws:s3:::b", true},
		{"arn:aws:s3:::b", "arn:aws:s3:::B", false},
		{"arn:aws:s3:::b", "arn:aws:s3:::b/c", false},
		{"arn:aws:s3:::b*", "arn:aws:s3:::b/c:d", true},
		{"arn:aws:s3:::?", "arn:aws:s3:::b", true},
		{"arn:aws:s3:::?", "arn:aws:s3:::", false},
		{"arn:aws:s3:*:*:b", "arn:aws:s3:::b", true},
		{"arn:aws:s3:*:b", "arn:aws:s3:::b", false}, // reported by Parse; fits nothing
		{"arn:*:b", "arn:aws:s3:::b", false},
		{"arn:aws:*:x:b:c", "arn:aws:s3:x:b:c", true},
		{"arn:aws:*:b:c", "arn:aws:s3:x:b:c", false},
		{"arn:aws:execute-api:*:*:shop/*/GET/orders/*", apiARN + "/prod/GET/orders/42", true},
		{"arn:aws:execute-api:*:*:shop/*/GET/orders/*", apiARN + "/prod/GET/orders/42/lines", true},
		{"arn:aws:execute-api:*:*:shop/*/GET/orders/*", apiARN + "/prod/POST/orders/42", false},
		{"arn:aws:execute-api:*:*:shop/*/GET/orders/*", apiARN + "/prod/GET/orders", false},
		{"arn:aws:execute-api:*:*:shop/*", "arn:aws:execute-api:x:y:z:shop/prod", false},
		{"arn:aws:lambda:*:*:function:quote:*", "arn:aws:lambda:e:1:function:quote:live", true},
		{"arn:aws:lambda:*:*:function:quote", "arn:aws:lambda:e:1:function:quote:live", false},
	} {
		p := compileARN(tc.pattern, dialect{wildcards: true, variables: true})
		a, _ := parseARN(tc.resource)
		if got := p.matches(&a, ask(nil)); got != tc.want {
			t.Errorf("%s of %s: %v", tc.pattern, tc.resource, got)
		}
	}
}

func TestActions(t *testing.T) {
	for _, tc := range []struct {
		element string
		want    bool
	}{
		{`"Action":"execute-api:Invoke"`, true},
		{`"Action":"EXECUTE-API:invoke"`, true},
		{`"Action":"execute-api:*"`, true},
		{`"Action":"execute-api:In?oke"`, true},
		{`"Action":"execute-api:Inv"`, false},
		{`"Action":"*"`, true},
		{`"Action":"*:*"`, true},
		{`"Action":"lambda:*"`, false},
		{`"Action":["lambda:*","execute-api:Invoke"]`, true},
		{`"NotAction":"lambda:*"`, true},
		{`"NotAction":["lambda:*","execute-api:*"]`, false},
	} {
		p := user(compile(t, Identity, `{"Statement":{"Effect":"Allow",`+tc.element+`,"Resource":"*"}}`))
		if got := Evaluate(ask(p), Policies{}).Allowed; got != tc.want {
			t.Errorf("%s: %v", tc.element, got)
		}
	}
}

// TestLayers is the table of how policies come together: by AWS's "policy
// evaluation logic".
func TestLayers(t *testing.T) {
	const (
		none = ""
		yes  = "Allow"
		no   = "Deny"
		here = `"AWS":"arn:aws:iam::` + account + `:root"`
	)
	of := func(effect string) *Policy {
		if effect == none {
			return compile(t, Identity, `{"Statement":{"Effect":"Allow","Action":"s3:*","Resource":"*"}}`)
		}
		return compile(t, Identity, statement(effect, ""))
	}
	resource := func(text string) *Policy {
		if text == none {
			return nil
		}
		return compile(t, Resource, `{"Statement":[`+text+`]}`)
	}
	names := func(effect, principal string) string {
		return `{"Sid":"R","Effect":"` + effect + `","Action":"*","Resource":"*","Principal":` + principal + `}`
	}
	const (
		theUser    = `{"AWS":"arn:aws:iam::` + account + `:user/ci"}`
		theRole    = `{"AWS":"arn:aws:iam::` + account + `:role/quote"}`
		theSession = `{"AWS":"arn:aws:sts::` + account + `:assumed-role/quote/run"}`
		theAccount = `{` + here + `}`
		byNumber   = `{"AWS":"` + account + `"}`
		all        = `"*"`
		allAWS     = `{"AWS":"*"}`
		another    = `{"AWS":"arn:aws:iam::` + account + `:user/other"}`
		service    = `{"Service":"lambda.amazonaws.com"}`
	)
	for _, tc := range []struct {
		who                     string // user, session, stranger, abroad
		organisation, identity  string
		resource                string
		boundary, sessionPolicy string // "-" for none
		want                    bool
		layer                   Layer
		sid                     string
	}{
		{"user", "-", none, none, "-", "-", false, OfIdentity, ""},
		{"user", "-", yes, none, "-", "-", true, OfIdentity, "S"},
		{"user", "-", no, none, "-", "-", false, OfIdentity, "S"},
		{"user", yes, yes, none, "-", "-", true, OfIdentity, "S"},
		{"user", none, yes, none, "-", "-", false, Organisation, ""},
		{"user", no, yes, none, "-", "-", false, Organisation, "S"},
		{"user", "-", yes, none, yes, "-", true, OfIdentity, "S"},
		{"user", "-", yes, none, none, "-", false, OfBoundary, ""},
		{"user", "-", yes, none, no, "-", false, OfBoundary, "S"},
		{"user", "-", none, none, yes, "-", false, OfIdentity, ""}, // a boundary grants nothing
		{"user", "-", none, names(yes, theUser), "-", "-", true, OfResource, "R"},
		{"user", "-", none, names(yes, theUser), none, "-", true, OfResource, "R"}, // a user so named is not bounded
		{"user", "-", none, names(yes, theUser), no, "-", false, OfBoundary, "S"},
		{"user", "-", none, names(yes, all), none, "-", true, OfResource, "R"},
		{"user", "-", none, names(yes, allAWS), "-", "-", true, OfResource, "R"},
		{"user", "-", none, names(yes, another), "-", "-", false, OfIdentity, ""},
		{"user", "-", none, names(yes, theAccount), "-", "-", false, OfIdentity, ""}, // the account decides by its own policies
		{"user", "-", yes, names(yes, theAccount), "-", "-", true, OfIdentity, "S"},
		{"user", "-", none, names(yes, service), "-", "-", false, OfIdentity, ""},
		{"user", none, none, names(yes, theUser), "-", "-", false, Organisation, ""},
		{"user", "-", yes, names(no, theUser), "-", "-", false, OfResource, "R"},
		{"user", "-", yes, names(no, theAccount), "-", "-", false, OfResource, "R"},
		{"user", "-", yes, names(no, byNumber), "-", "-", false, OfResource, "R"},
		{"user", "-", yes, names(no, another), "-", "-", true, OfIdentity, "S"},
		{"user", "-", no, names(yes, theUser), "-", "-", false, OfIdentity, "S"},

		{"session", "-", yes, none, "-", "-", true, OfIdentity, "S"},
		{"session", "-", yes, none, "-", yes, true, OfIdentity, "S"},
		{"session", "-", yes, none, "-", none, false, OfSession, ""},
		{"session", "-", yes, none, "-", no, false, OfSession, "S"},
		{"session", "-", none, none, "-", yes, false, OfIdentity, ""}, // a session policy grants nothing
		{"session", "-", none, names(yes, theRole), "-", "-", true, OfResource, "R"},
		{"session", "-", none, names(yes, theRole), none, "-", false, OfBoundary, ""}, // a role so named is bounded
		{"session", "-", none, names(yes, theRole), "-", none, false, OfSession, ""},
		{"session", "-", none, names(yes, theRole), yes, yes, true, OfResource, "R"},
		{"session", "-", none, names(yes, theSession), none, none, true, OfResource, "R"}, // a session so named is not
		{"session", "-", none, names(yes, theSession), none, no, false, OfSession, "S"},
		{"session", "-", none, names(yes, all), "-", none, false, OfSession, ""},
		{"session", "-", none, names(yes, theUser), "-", "-", false, OfIdentity, ""},
		{"session", "-", yes, names(no, theRole), "-", "-", false, OfResource, "R"},

		{"stranger", "-", none, none, "-", "-", false, OfResource, ""},
		{"stranger", "-", none, names(yes, all), "-", "-", true, OfResource, "R"},
		{"stranger", "-", none, names(yes, theAccount), "-", "-", false, OfResource, ""},
		{"stranger", "-", none, names(no, all), "-", "-", false, OfResource, "R"},
		{"stranger", none, none, names(yes, all), "-", "-", true, OfResource, "R"}, // no principal of the organisation

		{"abroad", "-", yes, none, "-", "-", false, OfResource, ""},
		{"abroad", "-", none, names(yes, theUser), "-", "-", false, OfIdentity, ""},
		{"abroad", "-", yes, names(yes, theUser), "-", "-", true, OfIdentity, "S"},
		{"abroad", "-", yes, names(yes, theAccount), "-", "-", true, OfIdentity, "S"},
		{"abroad", "-", yes, names(yes, all), "-", "-", true, OfIdentity, "S"},
		{"abroad", "-", yes, names(yes, theUser), none, "-", false, OfBoundary, ""},
		{"abroad", "-", yes, names(no, theAccount), "-", "-", false, OfResource, "R"},
	} {
		p := Policies{Resource: resource(tc.resource)}
		if tc.organisation != "-" {
			p.Organisation = []*Policy{of(yes), of(tc.organisation)}
		}
		var who *Principal
		switch tc.who {
		case "user", "abroad":
			who = user(of(none), of(tc.identity))
		case "session":
			who = session(of(tc.identity))
		}
		if who != nil && tc.boundary != "-" {
			who.Boundary = of(tc.boundary)
		}
		if who != nil && tc.sessionPolicy != "-" {
			who.Session = of(tc.sessionPolicy)
		}
		r := ask(who)
		if tc.who == "abroad" {
			r.Account = other
		}
		got := Evaluate(r, p)
		sid := ""
		if got.By != nil {
			sid = got.By.Sid
		}
		if got.Allowed != tc.want || got.Layer != tc.layer || sid != tc.sid {
			t.Errorf("%+v: %v by %q of %v", tc, got.Allowed, sid, got.Layer)
		}
	}
}

// NotPrincipal denies all but those whom it names themselves: the account that
// stands beside them, as AWS asks for, spares nobody else, and a role none of its
// sessions.
func TestNotPrincipal(t *testing.T) {
	p := compile(t, Resource, `{"Statement":[{"Effect":"Allow","Action":"*","Resource":"*","Principal":"*"},
		{"Sid":"Others","Effect":"Deny","Action":"*","Resource":"*","NotPrincipal":{"AWS":["arn:aws:iam::`+account+`:root","`+account+`","arn:aws:iam::`+account+`:user/ci",
			"arn:aws:iam::`+account+`:role/quote","arn:aws:sts::`+account+`:assumed-role/quote/run"]}}]}`)
	named, visitor, another := user(), user(), session()
	visitor.Name, visitor.UserName = "arn:aws:iam::"+account+":user/other", "other"
	another.Name = "arn:aws:sts::" + account + ":assumed-role/quote/walk"
	for who, want := range map[*Principal]bool{named: true, session(): true, visitor: false, another: false, nil: false} {
		if got := Evaluate(ask(who), Policies{Resource: p}); got.Allowed != want || !want && (got.By == nil || got.By.Sid != "Others") {
			t.Errorf("%+v: %+v", who, got)
		}
	}
}

// The short form of a resource in an API's policy is about that API alone.
func TestShortResource(t *testing.T) {
	p := compile(t, Resource, `{"Statement":{"Effect":"Allow","Action":"execute-api:Invoke","Resource":"execute-api:/prod/GET/*","Principal":"*"}}`)
	for resource, want := range map[string]bool{
		apiARN + "/prod/GET/orders":  true,
		apiARN + "/beta/GET/orders":  false,
		apiARN + "2/prod/GET/orders": false,
		"arn:aws:execute-api:eu-central-1:" + account + ":bank/prod/GET/orders": false,
	} {
		r := ask(nil)
		r.Resource = resource
		if got := Evaluate(r, Policies{Resource: p}).Allowed; got != want {
			t.Errorf("%s: %v", resource, got)
		}
	}
}

// TestTrust: who may assume a role.
func TestTrust(t *testing.T) {
	assume := NewAction("sts:AssumeRole")
	role := "arn:aws:iam::" + account + ":role/deploy"
	may := compile(t, Identity, `{"Statement":{"Sid":"S","Effect":"Allow","Action":"sts:AssumeRole","Resource":"`+role+`"}}`)
	mayNot := compile(t, Identity, `{"Statement":{"Sid":"S","Effect":"Deny","Action":"sts:AssumeRole","Resource":"`+role+`"}}`)
	nothing := compile(t, Identity, `{"Statement":{"Effect":"Allow","Action":"s3:*","Resource":"*"}}`)
	trust := func(principal, more string) *Policy {
		return compile(t, Trust, `{"Version":"2012-10-17","Statement":{"Sid":"T","Effect":"Allow","Action":"sts:AssumeRole","Principal":`+principal+more+`}}`)
	}
	const external = `,"Condition":{"StringEquals":{"sts:ExternalId":"x-1"}}`
	bounded := user(may)
	bounded.Boundary = nothing
	for _, tc := range []struct {
		name    string
		who     *Principal
		service string
		trust   *Policy
		id      string
		abroad  bool
		want    bool
		layer   Layer
	}{
		{"named", user(nothing), "", trust(`{"AWS":"arn:aws:iam::123456789012:user/ci"}`, ""), "", false, true, OfResource},
		{"not named, though its own policy allows", user(may), "", trust(`{"AWS":"arn:aws:iam::123456789012:user/x"}`, ""), "", false, false, OfResource},
		{"its account", user(may), "", trust(`{"AWS":"arn:aws:iam::123456789012:root"}`, ""), "", false, true, OfResource},
		{"its account, and nothing of its own", user(nothing), "", trust(`{"AWS":"123456789012"}`, ""), "", false, false, OfIdentity},
		{"its account, bounded", bounded, "", trust(`{"AWS":"123456789012"}`, ""), "", false, false, OfBoundary},
		{"denied by its own", user(mayNot), "", trust(`{"AWS":"arn:aws:iam::123456789012:user/ci"}`, ""), "", false, false, OfIdentity},
		{"all the world", user(nothing), "", trust(`"*"`, ""), "", false, true, OfResource},
		{"the right id", user(nothing), "", trust(`{"AWS":"arn:aws:iam::123456789012:user/ci"}`, external), "x-1", false, true, OfResource},
		{"a wrong id", user(nothing), "", trust(`{"AWS":"arn:aws:iam::123456789012:user/ci"}`, external), "x-2", false, false, OfResource},
		{"no id", user(nothing), "", trust(`{"AWS":"arn:aws:iam::123456789012:user/ci"}`, external), "", false, false, OfResource},
		{"a role", session(nothing), "", trust(`{"AWS":"arn:aws:iam::123456789012:role/quote"}`, ""), "", false, true, OfResource},
		{"of another account, both allow", user(may), "", trust(`{"AWS":"arn:aws:iam::123456789012:user/ci"}`, ""), "", true, true, OfResource},
		{"of another account, its own does not", user(nothing), "", trust(`{"AWS":"arn:aws:iam::123456789012:user/ci"}`, ""), "", true, false, OfIdentity},
		{"a service", nil, "lambda.amazonaws.com", trust(`{"Service":"lambda.amazonaws.com"}`, ""), "", false, true, OfResource},
		{"another service", nil, "lambda.amazonaws.com", trust(`{"Service":"apigateway.amazonaws.com"}`, ""), "", false, false, OfResource},
		{"a user for a service", user(may), "", trust(`{"Service":"lambda.amazonaws.com"}`, ""), "", false, false, OfResource},
		{"nobody", nil, "", trust(`{"AWS":"123456789012"}`, ""), "", false, false, OfResource},
	} {
		r := &Request{Principal: tc.who, Service: tc.service, Action: assume, Resource: role, Account: account, ExternalID: tc.id}
		if tc.abroad {
			r.Account = other
		}
		if got := EvaluateTrust(r, Policies{Resource: tc.trust}); got.Allowed != tc.want || got.Layer != tc.layer {
			t.Errorf("%s: %+v", tc.name, got)
		}
	}
	if got := EvaluateTrust(&Request{Principal: user(may), Action: assume, Resource: role, Account: account}, Policies{Resource: trust(`"*"`, ""), Organisation: []*Policy{nothing}}); got.Allowed || got.Layer != Organisation {
		t.Errorf("the organisation: %+v", got)
	}
}

// A decision tells which statement of which policy made it, and where it stands.
func TestDecisionTellsItsStatement(t *testing.T) {
	p := Compile(parse(t, Identity, "{\"Statement\":[\n{\"Effect\":\"Allow\",\"Action\":\"s3:*\",\"Resource\":\"*\"},\n  {\"Effect\":\"Allow\",\"Action\":\"*\",\"Resource\":\"*\"}]}"), Scope{Name: "ci.json", Filter: "authorize"})
	got := Evaluate(ask(user(p)), Policies{})
	if got.By == nil || fmt.Sprint(got.By.Policy, got.By.Number, got.By.Title(), got.By.At) != "ci.json2#2p.json:3:3" || got.By.Rule.Name != "iam: ci.json #2" || got.By.Rule.Filter != "authorize" {
		t.Errorf("%+v", got.By)
	}
	if got.Explicit() || (Decision{}).Explicit() || !(Decision{By: got.By}).Explicit() {
		t.Error("Explicit")
	}
}
