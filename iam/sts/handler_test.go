package sts

import (
	"encoding/xml"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"gatehouse/config"
	"gatehouse/exchange"
	"gatehouse/iam"
)

const section = `
iam:
  users:
    ci: {}
    ann: {policies: {Version: 2012-10-17, Statement: {Effect: Allow, Action: sts:*, Resource: "*"}}}
  roles:
    deploy: {trust: user:ci, max-session: 30m}
    narrow:
      trust:
        Version: 2012-10-17
        Statement:
          - Effect: Allow
            Principal: {AWS: "arn:aws:iam::123456789012:user/ci"}
            Action: [sts:AssumeRole]
            Condition:
              StringLike: {"sts:RoleSessionName": "${aws:username}-*"}
              IpAddress: {"aws:SourceIp": 10.0.0.0/8}
              Bool: {"aws:SecureTransport": true}
    tagged:
      trust:
        Version: 2012-10-17
        Statement:
          - {Effect: Allow, Principal: {AWS: "123456789012"}, Action: [sts:AssumeRole, sts:TagSession], Condition: {"ForAllValues:StringEquals": {"aws:TagKeys": [team]}, StringEquals: {"aws:RequestTag/team": [red, blue]}}}
`

// known says that a user has signed, as whoever verifies signatures would.
type known struct {
	directory *iam.Directory
	user      string
}

func (k known) Caller(*exchange.Exchange, *http.Request) (*iam.Caller, *Fault) {
	if k.user == "" {
		return nil, &Fault{Status: 403, Code: "SignatureDoesNotMatch", Message: "no", Reason: "bad-signature"}
	}
	return k.directory.User(k.user), nil
}

type result struct {
	status int
	body   string
	x      *exchange.Exchange
	answer struct {
		Error  struct{ Code, Message string }
		Result struct {
			Credentials struct{ AccessKeyId, SecretAccessKey, SessionToken, Expiration string }
		} `xml:"AssumeRoleResult"`
	}
}

func ask(t *testing.T, user string, form url.Values) (*result, *iam.Sealer, *iam.Directory) {
	t.Helper()
	var d struct {
		config.At
		IAM *iam.Config `yaml:"iam"`
	}
	if _, err := config.LoadBytes("c.yaml", []byte(section), &d, config.Options{}); err != nil {
		t.Fatal(err)
	}
	directory, sealer := iam.Compile(d.IAM, "123456789012", "local", nil), iam.NewSealer([32]byte{1})
	h := New(Options{Directory: directory, Sealer: sealer, Signatures: known{directory, user}, Rule: &exchange.Rule{Filter: "sts"}})
	rec := httptest.NewRecorder()
	r := httptest.NewRequest("POST", "/", strings.NewReader(form.Encode()))
	x, r := exchange.Begin(rec, r, &exchange.Conn{TLS: true, Source: netip.MustParseAddrPort("10.1.2.3:4")}, nil)
	if err := x.Path.Parse("/"); err != nil {
		t.Fatal(err)
	}
	h.ServeHTTP(&x.Writer, r)
	x.Finish()
	got := &result{status: rec.Code, body: rec.Body.String(), x: x}
	if err := xml.Unmarshal(rec.Body.Bytes(), &got.answer); err != nil || rec.Header().Get("Content-Type") != "text/xml" || rec.Header().Get("Cache-Control") != "no-store" {
		t.Fatalf("%v: %v %s", err, rec.Header(), rec.Body)
	}
	return got, sealer, directory
}

func assume(role, name string, more ...string) url.Values {
	form := url.Values{"Action": {"AssumeRole"}, "Version": {version}, "RoleArn": {"arn:aws:iam::123456789012:role/" + role}, "RoleSessionName": {name}}
	for i := 0; i < len(more); i += 2 {
		form.Set(more[i], more[i+1])
	}
	return form
}

func TestCalls(t *testing.T) {
	for _, tc := range []struct {
		name, user string
		form       url.Values
		status     int
		code       string
	}{
		{"a role", "ci", assume("deploy", "run"), 200, ""},
		{"no signature", "", assume("deploy", "run"), 403, "SignatureDoesNotMatch"},
		{"another user", "ann", assume("deploy", "run"), 403, "AccessDenied"},
		{"by a condition", "ci", assume("narrow", "ci-7"), 200, ""},
		{"against it", "ci", assume("narrow", "ann-7"), 403, "AccessDenied"},
		{"a tag that may be", "ann", assume("tagged", "run", "Tags.member.1.Key", "team", "Tags.member.1.Value", "red"), 200, ""},
		{"a tag that may not", "ann", assume("tagged", "run", "Tags.member.1.Key", "team", "Tags.member.1.Value", "green"), 403, "AccessDenied"},
		{"a tag more", "ann", assume("tagged", "run", "Tags.member.1.Key", "team", "Tags.member.1.Value", "red", "Tags.member.2.Key", "x", "Tags.member.2.Value", "y"), 403, "AccessDenied"},
		{"a tag of AWS's own", "ann", assume("tagged", "run", "Tags.member.1.Key", "aws:team", "Tags.member.1.Value", "red"), 400, "ValidationError"},
		{"tags out of order", "ann", assume("tagged", "run", "Tags.member.7.Key", "team", "Tags.member.7.Value", "red"), 400, "ValidationError"},
		{"source identity, which the trust does not grant", "ci", assume("narrow", "ci-7", "SourceIdentity", "ci"), 403, "AccessDenied"},
		{"source identity, which it does", "ci", assume("deploy", "run", "SourceIdentity", "ci"), 200, ""},
		{"no action", "ci", url.Values{"Version": {version}}, 400, "MissingAction"},
		{"another version", "ci", url.Values{"Action": {"GetCallerIdentity"}, "Version": {"2010-01-01"}}, 400, "InvalidAction"},
		{"another action", "ci", url.Values{"Action": {"<b>"}, "Version": {version}}, 400, "InvalidAction"},
		{"twice", "ci", url.Values{"Action": {"GetCallerIdentity", "AssumeRole"}, "Version": {version}}, 400, "MalformedQueryString"},
		{"who", "ann", url.Values{"Action": {"GetCallerIdentity"}, "Version": {version}}, 200, ""},
		{"no role", "ci", assume("", "run"), 403, "AccessDenied"},
		{"no ARN", "ci", url.Values{"Action": {"AssumeRole"}, "Version": {version}, "RoleSessionName": {"run"}}, 400, "ValidationError"},
		{"duration of words", "ci", assume("deploy", "run", "DurationSeconds", "one hour"), 400, "ValidationError"},
		{"transitive tags", "ann", assume("tagged", "run", "TransitiveTagKeys.member.1", "team"), 400, "ValidationError"},
		{"MFA", "ci", assume("deploy", "run", "SerialNumber", "1"), 400, "ValidationError"},
	} {
		got, _, _ := ask(t, tc.user, tc.form)
		if got.status != tc.status || got.answer.Error.Code != tc.code {
			t.Errorf("%s: %d %s", tc.name, got.status, got.body)
		}
		if tc.status != 200 && (got.x.Refused == nil || got.x.Refused.Reason == "" || !strings.Contains(got.body, "<RequestId>"+got.x.ID)) {
			t.Errorf("%s: %+v", tc.name, got.x.Refused)
		}
	}
}

// The credentials are those of the session that the token holds, as long as the
// role lets it be.
func TestCredentials(t *testing.T) {
	got, sealer, directory := ask(t, "ci", assume("deploy", "run", "Policy", `{"Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}`))
	c := got.answer.Result.Credentials
	session, err := sealer.Open(c.SessionToken)
	if err != nil {
		t.Fatal(err)
	}
	if session.AccessKey != c.AccessKeyId || session.Secret != c.SecretAccessKey || session.By != "arn:aws:iam::123456789012:user/ci" || session.Expires-session.Issued != 1800 {
		t.Errorf("%+v", session)
	}
	expires, err := time.Parse(time.RFC3339, c.Expiration)
	if err != nil || expires.Unix() != session.Expires {
		t.Errorf("%s: %v", c.Expiration, err)
	}
	if caller, err := directory.Session(session); err != nil || caller.Session == nil {
		t.Errorf("%+v %v", caller, err)
	}
	if steps := got.x.Trail.Steps(); len(steps) != 2 || steps[0].Rule.Filter != "sts" || !strings.Contains(steps[0].Rule.Name, "trust of role deploy") || steps[1].Decision != exchange.Answered {
		t.Errorf("%+v", steps)
	}
	if got.x.Principal == nil || got.x.Principal.ID != "iam:123456789012|user/ci" {
		t.Errorf("%+v", got.x.Principal)
	}
}

// A form's body has a limit.
func TestLargeCall(t *testing.T) {
	got, _, _ := ask(t, "ci", assume("deploy", "run", "Policy", strings.Repeat("x", maxBody)))
	if got.status != 413 || got.answer.Error.Code != "RequestEntityTooLarge" {
		t.Errorf("%d %s", got.status, got.body)
	}
}
