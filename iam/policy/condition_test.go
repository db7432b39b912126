package policy

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// when returns a document that allows everything under a condition.
func when(condition string) string { return statement("Allow", `,"Condition":`+condition) }

// TestOperators is the table of all operators: what AWS's documentation says
// of each, with one value, several, none, and negated.
func TestOperators(t *testing.T) {
	for _, tc := range []struct {
		operator, values string // of the policy, under the key x:k
		given            string // values of the request, by "|"; "-" for no such key
		want             bool
	}{
		{"StringEquals", `"a"`, "a", true},
		{"StringEquals", `"a"`, "A", false},
		{"StringEquals", `"a*"`, "ab", false}, // no wildcards
		{"StringEquals", `"a*"`, "a*", true},
		{"StringEquals", `["a","b"]`, "b", true}, // values: or
		{"StringEquals", `["a","b"]`, "c", false},
		{"StringEquals", `""`, "", true},
		{"StringEquals", `"a"`, "-", false},
		{"StringNotEquals", `"a"`, "b", true},
		{"StringNotEquals", `"a"`, "a", false},
		{"StringNotEquals", `["a","b"]`, "b", false}, // values of a negated one: nor
		{"StringNotEquals", `["a","b"]`, "c", true},
		{"StringNotEquals", `"a"`, "-", true}, // what is not there is not equal
		{"StringEqualsIgnoreCase", `"aBc"`, "AbC", true},
		{"StringEqualsIgnoreCase", `"aBc"`, "AbD", false},
		{"StringEqualsIgnoreCase", `"a*"`, "AB", false},
		{"StringNotEqualsIgnoreCase", `"aBc"`, "AbC", false},
		{"StringNotEqualsIgnoreCase", `"aBc"`, "x", true},
		{"StringNotEqualsIgnoreCase", `"aBc"`, "-", true},
		{"StringLike", `"a*"`, "abc", true},
		{"StringLike", `"a*"`, "A", false},
		{"StringLike", `"a?c"`, "abc", true},
		{"StringLike", `"a?c"`, "ac", false},
		{"StringLike", `"a?c"`, "aéc", true}, // a character, not a byte
		{"StringLike", `"*"`, "", true},
		{"StringLike", `"*"`, "-", false},
		{"StringLike", `"?"`, "", false},
		{"StringLike", `"*a*b*c"`, "xaybzc", true},
		{"StringLike", `"*a*b*c"`, "xaybz", false},
		{"StringLike", `"a*b*b"`, "ab", false},  // one b is not two
		{"StringLike", `"a*:b"`, "a:x:b", true}, // no ARN: crosses colons
		{"StringLike", `"${*}"`, "*", true},
		{"StringLike", `"${*}"`, "x", false},
		{"StringLike", `"${?}${$}{"`, "?${", true},
		{"StringNotLike", `"a*"`, "abc", false},
		{"StringNotLike", `"a*"`, "b", true},
		{"StringNotLike", `["a*","b*"]`, "bc", false},
		{"StringNotLike", `"a*"`, "-", true},

		{"NumericEquals", `10`, "10", true},
		{"NumericEquals", `"10"`, "10.0", true},
		{"NumericEquals", `10`, "010", true},
		{"NumericEquals", `10`, "+10", true},
		{"NumericEquals", `"-0"`, "0", true},
		{"NumericEquals", `9007199254740993`, "9007199254740992", false}, // not rounded
		{"NumericEquals", `10`, "ten", false},
		{"NumericEquals", `10`, "", false},
		{"NumericEquals", `10`, "1e1", false},
		{"NumericEquals", `[1,2]`, "2", true},
		{"NumericEquals", `10`, "-", false},
		{"NumericNotEquals", `10`, "10.00", false},
		{"NumericNotEquals", `10`, "11", true},
		{"NumericNotEquals", `[10,11]`, "11", false},
		{"NumericNotEquals", `10`, "-", true},
		{"NumericNotEquals", `10`, "ten", true}, // is not the number 10
		{"NumericLessThan", `10`, "9.99", true},
		{"NumericLessThan", `10`, "10", false},
		{"NumericLessThan", `10`, "-11", true},
		{"NumericLessThan", `"-10"`, "-11", true},
		{"NumericLessThan", `"-10"`, "-9", false},
		{"NumericLessThan", `0.5`, "0.05", true},
		{"NumericLessThan", `9`, "10", false}, // not as texts
		{"NumericLessThan", `10`, "-", false},
		{"NumericLessThanEquals", `10`, "10", true},
		{"NumericLessThanEquals", `10`, "10.01", false},
		{"NumericGreaterThan", `10`, "10.01", true},
		{"NumericGreaterThan", `10`, "10", false},
		{"NumericGreaterThan", `10`, "9", false},
		{"NumericGreaterThanEquals", `10`, "10", true},
		{"NumericGreaterThanEquals", `10`, "9", false},
		{"NumericGreaterThanEquals", `10`, "x", false},

		{"DateEquals", `"2026-01-31T00:00:00Z"`, "2026-01-31T01:00:00+01:00", true},
		{"DateEquals", `"2026-01-31"`, "2026-01-31T00:00:00Z", true},
		{"DateEquals", `"1769817600"`, "2026-01-31T00:00:00Z", true}, // seconds
		{"DateEquals", `"2026-01-31T00:00:00Z"`, "1769817600", true},
		{"DateEquals", `"2026-01-31"`, "yesterday", false},
		{"DateEquals", `"2026-01-31"`, "-", false},
		{"DateNotEquals", `"2026-01-31"`, "2026-01-31T00:00:00Z", false},
		{"DateNotEquals", `"2026-01-31"`, "2026-01-31T00:00:01Z", true},
		{"DateNotEquals", `"2026-01-31"`, "-", true},
		{"DateLessThan", `"2026-01-31T12:00Z"`, "2026-01-31T11:59:59Z", true},
		{"DateLessThan", `"2026-01-31T12:00Z"`, "2026-01-31T12:00:00Z", false},
		{"DateLessThan", `"2026-01-31T12:00Z"`, "-", false},
		{"DateLessThanEquals", `"2026"`, "2026-01-01T00:00:00Z", true},
		{"DateLessThanEquals", `"2026-02"`, "2026-02-01T00:00:00.5Z", false},
		{"DateGreaterThan", `"2026-02"`, "2026-02-01T00:00:00.5Z", true},
		{"DateGreaterThan", `"2026-02"`, "2026-02-01T00:00:00Z", false},
		{"DateGreaterThanEquals", `"2026-02"`, "2026-02-01T00:00:00Z", true},
		{"DateGreaterThanEquals", `"2026-02"`, "2026-01-31T23:59:59Z", false},

		{"Bool", `true`, "true", true},
		{"Bool", `"true"`, "True", true},
		{"Bool", `"false"`, "true", false},
		{"Bool", `"false"`, "false", true},
		{"Bool", `["true","false"]`, "false", true},
		{"Bool", `"true"`, "yes", false},
		{"Bool", `"false"`, "-", false}, // absent is not false

		{"BinaryEquals", `"QmluYXJ5"`, "QmluYXJ5", true},
		{"BinaryEquals", `"QmluYXJ5"`, "QmluYXJZ", false},
		{"BinaryEquals", `"QmluYXJ5"`, "Binary", false},
		{"BinaryEquals", `"QmluYXJ5"`, "-", false},

		{"IpAddress", `"203.0.113.0/24"`, "203.0.113.9", true},
		{"IpAddress", `"203.0.113.0/24"`, "203.0.114.9", false},
		{"IpAddress", `"203.0.113.9"`, "203.0.113.9", true},
		{"IpAddress", `"203.0.113.9/24"`, "203.0.113.1", true}, // bits beyond the length do not count
		{"IpAddress", `"203.0.113.0/24"`, "::ffff:203.0.113.9", true},
		{"IpAddress", `"::ffff:203.0.113.0/120"`, "203.0.113.9", true},
		{"IpAddress", `"2001:db8::/32"`, "2001:DB8:1::1", true},
		{"IpAddress", `"2001:db8::/32"`, "2001:db9::1", false},
		{"IpAddress", `"0.0.0.0/0"`, "2001:db9::1", false},
		{"IpAddress", `["10.0.0.0/8","192.168.0.0/16"]`, "192.168.1.1", true},
		{"IpAddress", `"203.0.113.0/24"`, "office", false},
		{"IpAddress", `"203.0.113.0/24"`, "-", false},
		{"NotIpAddress", `"203.0.113.0/24"`, "203.0.113.9", false},
		{"NotIpAddress", `"203.0.113.0/24"`, "198.51.100.1", true},
		{"NotIpAddress", `["10.0.0.0/8","203.0.113.0/24"]`, "203.0.113.1", false},
		{"NotIpAddress", `"203.0.113.0/24"`, "-", true},

		{"ArnEquals", `"arn:aws:s3:::b"`, "arn:aws:s3:::b", true},
		{"ArnEquals", `"arn:aws:s3:::b*"`, "arn:aws:s3:::bucket", true}, // the same as ArnLike
		{"ArnLike", `"arn:aws:s3:::*"`, "arn:aws:s3:::b/c:d", true},
		{"ArnLike", `"arn:aws:iam::*:user/x"`, "arn:aws:iam::1:user/x", true},
		{"ArnLike", `"arn:aws:iam::*:user/x"`, "arn:aws:iam::1:2:user/x", false}, // no part is crossed
		{"ArnLike", `"arn:*:*:*:*:x"`, "arn:aws:iam:::x", true},
		{"ArnLike", `"arn:aws:s3:::B"`, "arn:aws:s3:::b", false},
		{"ArnLike", `"*"`, "arn:aws:s3:::b", true},
		{"ArnLike", `"*"`, "b", false}, // no ARN
		{"ArnLike", `"arn:aws:s3:::b"`, "-", false},
		{"ArnNotEquals", `"arn:aws:s3:::b"`, "arn:aws:s3:::b", false},
		{"ArnNotEquals", `"arn:aws:s3:::b"`, "arn:aws:s3:::c", true},
		{"ArnNotLike", `"arn:aws:s3:::b*"`, "arn:aws:s3:::bc", false},
		{"ArnNotLike", `["arn:aws:s3:::b*","arn:aws:s3:::c*"]`, "arn:aws:s3:::c", false},
		{"ArnNotLike", `"arn:aws:s3:::b*"`, "-", true},

		{"Null", `"true"`, "-", true},
		{"Null", `"true"`, "a", false},
		{"Null", `"true"`, "", false}, // there, if empty
		{"Null", `"false"`, "-", false},
		{"Null", `false`, "a", true},
		{"Null", `["true","false"]`, "-", true},

		{"StringEqualsIfExists", `"a"`, "-", true},
		{"StringEqualsIfExists", `"a"`, "a", true},
		{"StringEqualsIfExists", `"a"`, "b", false},
		{"StringNotEqualsIfExists", `"a"`, "-", true},
		{"StringNotEqualsIfExists", `"a"`, "a", false},
		{"NumericLessThanIfExists", `1`, "-", true},
		{"DateLessThanIfExists", `"2026"`, "-", true},
		{"BoolIfExists", `"true"`, "-", true},
		{"BoolIfExists", `"true"`, "false", false},
		{"BinaryEqualsIfExists", `"QQ=="`, "-", true},
		{"IpAddressIfExists", `"10.0.0.0/8"`, "-", true},
		{"ArnLikeIfExists", `"arn:aws:s3:::b"`, "-", true},

		{"ForAllValues:StringEquals", `["a","b"]`, "a|b|a", true},
		{"ForAllValues:StringEquals", `["a","b"]`, "a|c", false},
		{"ForAllValues:StringEquals", `["a","b"]`, "-", true}, // of none, all
		{"ForAllValues:StringNotEquals", `["a","b"]`, "c|d", true},
		{"ForAllValues:StringNotEquals", `["a","b"]`, "c|a", false},
		{"ForAllValues:StringLike", `"a*"`, "ab|ac", true},
		{"ForAllValues:StringEqualsIgnoreCase", `"a"`, "A|a", true},
		{"ForAllValues:NumericLessThan", `10`, "1|9", true},
		{"ForAllValues:NumericLessThan", `10`, "1|10", false},
		{"ForAllValues:IpAddress", `"10.0.0.0/8"`, "10.0.0.1|10.0.0.2", true},
		{"ForAllValues:StringEqualsIfExists", `"a"`, "-", true},
		{"ForAnyValue:StringEquals", `["a","b"]`, "c|b", true},
		{"ForAnyValue:StringEquals", `["a","b"]`, "c|d", false},
		{"ForAnyValue:StringEquals", `["a","b"]`, "-", false},
		{"ForAnyValue:StringNotEquals", `["a","b"]`, "a|c", true}, // one that is neither
		{"ForAnyValue:StringNotEquals", `["a","b"]`, "a|b", false},
		{"ForAnyValue:StringNotEquals", `["a","b"]`, "-", false}, // of none, not one
		{"ForAnyValue:StringEqualsIfExists", `"a"`, "-", true},
		{"ForAnyValue:ArnLike", `"arn:aws:s3:::b"`, "arn:aws:s3:::a|arn:aws:s3:::b", true},
		{"ForAnyValue:Bool", `"true"`, "false|true", true},
		{"ForAnyValue:DateLessThan", `"2026"`, "2027|2025", true},

		// Several values without a quantifier: any of them, and of a negated one none.
		{"StringEquals", `"a"`, "a|b", true},
		{"StringNotEquals", `"a"`, "b|a", false},
		{"StringNotEquals", `"a"`, "b|c", true},
	} {
		r := ask(nil)
		r.Principal = user(compile(t, Identity, when(`{"`+tc.operator+`":{"x:K":`+tc.values+`}}`)))
		if tc.given != "-" {
			r.Extra = map[string][]string{"x:k": strings.Split(tc.given, "|")}
		}
		if got := Evaluate(r, Policies{}); got.Allowed != tc.want {
			t.Errorf("%s %s of %s: %v", tc.operator, tc.values, tc.given, got.Allowed)
		}
	}
}

// Operators and keys are joined by and.
func TestConditionsJoin(t *testing.T) {
	const both = `{"StringEquals":{"x:a":"1","x:b":["2","3"]},"NumericLessThan":{"x:c":10}}`
	for given, want := range map[string]bool{"1 2 9": true, "1 3 9": true, "0 2 9": false, "1 4 9": false, "1 2 10": false, "1 2 -": false} {
		r := ask(user(compile(t, Identity, when(both))))
		r.Extra = map[string][]string{}
		for i, v := range strings.Fields(given) {
			if v != "-" {
				r.Extra[fmt.Sprintf("x:%c", 'a'+i)] = []string{v}
			}
		}
		if got := Evaluate(r, Policies{}).Allowed; got != want {
			t.Errorf("%s: %v", given, got)
		}
	}
}

// TestKeys asks for every key that the gateway fills, with and without a
// value, in any case.
func TestKeys(t *testing.T) {
	full := func(p *Principal) *Request {
		r := ask(p)
		r.Time = time.Date(2026, 1, 31, 12, 0, 0, 500, time.UTC)
		r.SourceIP = netip.MustParseAddr("::ffff:203.0.113.9")
		r.Transport = Secure
		r.UserAgent, r.Referer = []string{"curl/8", "second"}, []string{""}
		r.RequestTags = []Tag{{"Team", "blue"}, {"cost", "7"}}
		r.ExternalID, r.SessionName, r.SourceIdentity = "x-1", "run", "ann"
		r.SourceARN = "arn:aws:lambda:eu-central-1:123456789012:function:quote"
		return r
	}
	tagged, assumed, bare := user(), session(), ask(nil)
	tagged.Tags = []Tag{{"Team", "red"}}
	assumed.Origin = "bob"
	byRun := full(assumed)
	byRun.SourceIdentity = ""
	byService := full(nil)
	byService.Service = "lambda.amazonaws.com"
	bare.Account, bare.Region = "", ""
	for _, tc := range []struct {
		operator, key, value string
		request              *Request
		want                 bool
	}{
		{"StringEquals", "aws:SourceIp", "203.0.113.9", full(tagged), true},
		{"IpAddress", "AWS:sourceip", "203.0.113.0/24", full(tagged), true},
		{"Null", "aws:SourceIp", "true", bare, true},
		{"StringEquals", "aws:CurrentTime", "2026-01-31T12:00:00Z", full(tagged), true},
		{"DateEquals", "aws:CurrentTime", "2026-01-31T12:00:00Z", full(tagged), true},
		{"DateGreaterThan", "aws:EpochTime", "2026-01-31T11:59:59Z", full(tagged), true},
		{"NumericEquals", "aws:EpochTime", "1769860800", full(tagged), true},
		{"Null", "aws:CurrentTime", "true", bare, true},
		{"Bool", "aws:SecureTransport", "true", full(tagged), true},
		{"Null", "aws:SecureTransport", "true", bare, true},
		{"StringEquals", "aws:UserAgent", "curl/8", full(tagged), true},
		{"Null", "aws:UserAgent", "true", bare, true},
		{"StringEquals", "aws:Referer", "", full(tagged), true},
		{"Null", "aws:Referer", "true", bare, true},
		{"StringEquals", "aws:RequestedRegion", "eu-central-1", full(tagged), true},
		{"StringEquals", "aws:ResourceAccount", account, full(tagged), true},
		{"ArnEquals", "aws:PrincipalArn", "arn:aws:iam::123456789012:user/ci", full(tagged), true},
		{"ArnEquals", "aws:PrincipalArn", "arn:aws:iam::123456789012:role/quote", full(assumed), true}, // the role's, not the session's
		{"Null", "aws:PrincipalArn", "true", bare, true},
		{"StringEquals", "aws:PrincipalAccount", account, full(assumed), true},
		{"StringEquals", "aws:PrincipalType", "User", full(tagged), true},
		{"StringEquals", "aws:PrincipalType", "AssumedRole", full(assumed), true},
		{"StringEquals", "aws:PrincipalType", "Anonymous", bare, true},
		{"Null", "aws:PrincipalType", "true", byService, true},
		{"Bool", "aws:PrincipalIsAWSService", "true", byService, true},
		{"Bool", "aws:PrincipalIsAWSService", "false", full(tagged), true},
		{"StringEquals", "aws:PrincipalTag/TEAM", "red", full(tagged), true},
		{"StringEquals", "aws:PrincipalTag/team", "RED", full(tagged), false},
		{"Null", "aws:PrincipalTag/cost", "true", full(tagged), true},
		{"StringEquals", "aws:RequestTag/team", "blue", full(tagged), true},
		{"ForAllValues:StringEquals", "aws:TagKeys", "Team", full(tagged), false},
		{"ForAnyValue:StringEquals", "aws:TagKeys", "cost", full(tagged), true},
		{"Null", "aws:TagKeys", "true", bare, true},
		{"StringEquals", "aws:username", "ci", full(tagged), true},
		{"Null", "aws:username", "true", full(assumed), true}, // sessions have none
		{"StringEquals", "aws:userid", "AIDACI", full(tagged), true},
		{"StringEquals", "aws:userid", "AROAQUOTE:run", full(assumed), true},
		{"Bool", "aws:MultiFactorAuthPresent", "false", full(assumed), true},
		{"Null", "aws:MultiFactorAuthPresent", "true", full(tagged), true}, // with long-term keys it is not there
		{"DateLessThan", "aws:TokenIssueTime", "2026-01-03", full(assumed), true},
		{"Null", "aws:TokenIssueTime", "true", full(tagged), true},
		{"StringEquals", "aws:SourceIdentity", "bob", byRun, true},
		{"StringEquals", "sts:SourceIdentity", "ann", full(tagged), true},
		{"StringEquals", "sts:ExternalId", "x-1", full(tagged), true},
		{"Null", "sts:ExternalId", "true", bare, true},
		{"StringEquals", "sts:RoleSessionName", "run", full(tagged), true},
		{"ArnLike", "aws:SourceArn", "arn:aws:lambda:*:*:function:quote", byService, true},
		{"StringEquals", "aws:SourceAccount", account, byService, true},
		{"Null", "aws:SourceAccount", "true", bare, true},
		{"Null", "aws:SourceVpc", "true", full(tagged), true},
		{"Null", "s3:prefix", "true", full(tagged), true},
	} {
		p := compile(t, Resource, `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*","Condition":{"`+tc.operator+`":{"`+tc.key+`":"`+tc.value+`"}}}}`)
		r := *tc.request
		r.Account = account
		if r.Principal == nil && tc.request == bare {
			r.Account = "" // as the key has it
		}
		if got := Evaluate(&r, Policies{Resource: p}); got.Allowed != tc.want {
			t.Errorf("%s %s %s: %+v", tc.operator, tc.key, tc.value, got)
		}
	}
}

// TestVariables: what stands for itself, what has a value, a default, or none.
func TestVariables(t *testing.T) {
	for _, tc := range []struct {
		version, condition, resource string
		want                         bool
	}{
		{Version2012, `{"StringEquals":{"x:k":"${aws:username}"}}`, "", true},
		{Version2012, `{"StringEquals":{"x:k":"${ AWS:UserName }"}}`, "", true},
		{Version2008, `{"StringEquals":{"x:k":"${aws:username}"}}`, "", false}, // text, in the older language
		{Version2008, `{"StringEquals":{"x:text":"${aws:username}"}}`, "", true},
		{Version2012, `{"StringEqualsIgnoreCase":{"x:k":"${aws:username}"}}`, "", true},
		{Version2012, `{"StringLike":{"x:long":"a-${aws:username}-*"}}`, "", true},
		{Version2012, `{"StringEquals":{"x:k":"${aws:PrincipalTag/none, 'ci'}"}}`, "", true},
		{Version2012, `{"StringEquals":{"x:k":"${aws:PrincipalTag/team, 'ci'}"}}`, "", false}, // it has a value
		{Version2012, `{"StringEquals":{"x:k":"${aws:PrincipalTag/none}"}}`, "", false},
		{Version2012, `{"StringEquals":{"x:empty":"${aws:PrincipalTag/none}"}}`, "", false}, // none is not empty
		{Version2012, `{"StringEquals":{"x:empty":"${aws:PrincipalTag/none, ''}"}}`, "", true},
		{Version2012, `{"StringNotEquals":{"x:k":"${aws:PrincipalTag/none}"}}`, "", true},
		{Version2012, `{"StringNotLike":{"x:k":"*${aws:PrincipalTag/none}*"}}`, "", true},
		{Version2012, `{"StringLike":{"x:k":"${x:many}"}}`, "", false},       // several values stand for none
		{Version2012, `{"StringLike":{"x:k":"${x:many, 'ci'}"}}`, "", false}, // and no default for them
		{Version2012, `{"StringLike":{"x:k":"${x:star}"}}`, "", false},       // a value's own * is text
		{Version2012, `{"StringLike":{"x:star":"${x:star}"}}`, "", true},
		{Version2012, `{"ArnLike":{"x:arn":"arn:aws:s3:::${aws:username}/*"}}`, "", true},
		{Version2012, `{"ArnLike":{"x:arn":"arn:aws:s3:::${x:arn}"}}`, "", false},
		{Version2012, `{}`, apiARN + "/prod/GET/users/${aws:username}", true},
		{Version2012, `{}`, apiARN + "/prod/GET/users/${aws:userid}", false},
		{Version2012, `{}`, apiARN + "/prod/GET/users/${aws:PrincipalTag/none}", false},
		{Version2012, `{}`, apiARN + "/prod/GET/users/${aws:PrincipalTag/none, 'ci'}", true},
		{Version2012, `{}`, apiARN + "/prod/GET/users/${x:star}", false},
		{Version2012, `{}`, "arn:aws:${x:service}:eu-central-1:" + account + ":*", true},
		{Version2012, `{}`, "arn:aws:${x:wide}:" + account + ":*", false}, // a value fills one part
	} {
		resource := tc.resource
		if resource == "" {
			resource = "*"
		}
		text := `{"Version":"` + tc.version + `","Statement":{"Effect":"Allow","Action":"*","Resource":"` + resource + `","Condition":` + tc.condition + `}}`
		if strings.Contains(tc.resource, "x:wide") {
			text = strings.Replace(text, "${x:wide}", "${x:wide}:eu-central-1", 1)
		}
		p := user(compile(t, Identity, text))
		p.Tags = []Tag{{"team", "red"}}
		r := ask(p)
		r.Resource = apiARN + "/prod/GET/users/ci"
		r.Extra = map[string][]string{
			"x:k": {"ci"}, "x:long": {"a-ci-b"}, "x:text": {"${aws:username}"}, "x:empty": {""}, "x:many": {"ci", "ci"}, "x:star": {"*"},
			"x:arn": {"arn:aws:s3:::ci/x"}, "x:service": {"execute-api"}, "x:wide": {"execute-api:eu-central-1"},
		}
		if got := Evaluate(r, Policies{}).Allowed; got != tc.want {
			t.Errorf("%s %s %s: %v", tc.version, tc.condition, tc.resource, got)
		}
	}
}

// What a NotResource would have excluded is not known where its variable has no
// value: an Allow does not apply then, a Deny does.
func TestNotResourceWithoutValue(t *testing.T) {
	const not = `{"Version":"2012-10-17","Statement":{"Effect":"%s","Action":"*","NotResource":"arn:aws:execute-api:*:*:${aws:PrincipalTag/api}/*"}}`
	all := compile(t, Identity, statement("Allow", ""))
	for _, tc := range []struct {
		tag, effect string
		want        bool
	}{{"", "Allow", false}, {"shop", "Allow", false}, {"bank", "Allow", true}, {"", "Deny", false}, {"shop", "Deny", true}, {"bank", "Deny", false}} {
		p := user(compile(t, Identity, fmt.Sprintf(not, tc.effect)))
		if tc.effect == "Deny" {
			p.Identity = append(p.Identity, all)
		}
		if tc.tag != "" {
			p.Tags = []Tag{{"api", tc.tag}}
		}
		if got := Evaluate(ask(p), Policies{}).Allowed; got != tc.want {
			t.Errorf("%q %s: %v", tc.tag, tc.effect, got)
		}
	}
}
