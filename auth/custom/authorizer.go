package custom

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"gatehouse/auth/recall"
	"gatehouse/auth/scheme"
	"gatehouse/exchange"
	"gatehouse/iam/policy"
)

// Invoker asks a program that is a function of the gateway's. It is safe for
// concurrent use.
type Invoker interface {
	// Invoke hands an event to the function and returns its answer, of at most a
	// megabyte. An error says that there is none: the function could not be
	// started, failed, or took too long by ctx. It is ErrUnauthorized where the
	// function failed with the word Unauthorized.
	Invoke(ctx context.Context, function string, event []byte) ([]byte, error)
}

// caller asks the program.
type caller interface {
	// call returns the answer's status, 200 for one that is to be read.
	call(ctx context.Context, event []byte) (status int, answer []byte, err error)
}

// Authorizer knows callers by asking a program. It is a scheme.Scheme.
type Authorizer struct {
	program *program
	caller  caller
	sources []Source
	issuer  string
	format  string
	token   bool
	match   Pattern
	timeout time.Duration
	ttl     time.Duration
	account string
	region  string
	action  policy.Action
}

var _ scheme.Scheme = (*Authorizer)(nil)

// Authenticate implements scheme.Scheme. An identity whose answer is remembered
// costs no call; the policy of the answer decides about each request anew.
func (a *Authorizer) Authenticate(x *exchange.Exchange, r *http.Request) scheme.Verdict {
	identity, bad := a.identity(x, r)
	if bad.Found || identity == nil {
		return bad
	}
	if a.match.expr != nil && !a.match.expr.MatchString(identity[0]) {
		return scheme.Bad("malformed", "the token does not have the form that match says")
	}
	arn := a.arn(x)
	o, err := a.ask(x, r, identity, arn)
	if err != nil {
		return failed(err)
	}
	return o.decide(a, x, r, arn)
}

// identity returns the values of all sources; nil where the client sent none of
// them.
func (a *Authorizer) identity(x *exchange.Exchange, r *http.Request) ([]string, scheme.Verdict) {
	values := make([]string, len(a.sources))
	sent, wanted, missing := 0, 0, ""
	for i, s := range a.sources {
		value, err := s.find(x, r)
		if err != nil {
			return nil, scheme.Bad("malformed", err.Error())
		}
		values[i] = value
		if s.isCredential() {
			wanted++
		}
		switch {
		case value == "":
			missing = s.Place + "." + s.Name
		case s.isCredential():
			sent++
		}
	}
	if wanted > 0 && sent == 0 {
		return nil, scheme.Verdict{}
	}
	if missing != "" {
		return nil, scheme.Bad("no-identity", "the request has no "+missing)
	}
	return values, scheme.Verdict{}
}

// ask returns what the program answers about an identity, or has answered. An
// answer of format 2.0 may be about one route alone.
func (a *Authorizer) ask(x *exchange.Exchange, r *http.Request, identity []string, arn string) (*outcome, error) {
	route := ""
	if a.format == "2.0" && !a.token {
		route = x.API + "\x00" + x.Stage + "\x00" + x.Route
	}
	key := a.program.printer.Print(append([]string{route}, identity...)...)
	if a.ttl == 0 {
		return a.call(x, r, identity, arn, key)
	}
	return a.program.answers.Do(key, func() (*outcome, time.Duration, error) {
		o, err := a.call(x, r, identity, arn, key)
		return o, a.ttl, err
	})
}

func (a *Authorizer) call(x *exchange.Exchange, r *http.Request, identity []string, arn string, key recall.Key) (*outcome, error) {
	event := a.event(x, r, identity, arn)
	// Others wait for the answer too: the client who happened to be first may go.
	ctx, cancel := context.WithTimeout(context.Background(), a.timeout)
	defer cancel()
	status, body, err := a.caller.call(ctx, event)
	switch {
	case err != nil:
		return nil, &unreachable{err.Error()}
	case status == http.StatusUnauthorized:
		return nil, errUnauthorized
	case status == http.StatusForbidden:
		return nil, errForbidden
	case status != http.StatusOK:
		return nil, &unreachable{fmt.Sprintf("the program answered %d", status)}
	}
	o, err := a.read(body, base64.RawURLEncoding.EncodeToString(key[:16]))
	if err != nil {
		return nil, &misconfigured{err.Error()}
	}
	return o, nil
}

// ErrUnauthorized is the error of a function that says, as AWS has it, by failing
// with the word Unauthorized that the identity is none.
var ErrUnauthorized = errors.New("the function failed with Unauthorized")

var (
	errUnauthorized = errors.New("the program answered 401")
	errForbidden    = errors.New("the program answered 403")
)

// unreachable says that the program did not answer.
type unreachable struct{ detail string }

func (e *unreachable) Error() string { return e.detail }

// misconfigured says that its answer is none that can be understood.
type misconfigured struct{ detail string }

func (e *misconfigured) Error() string { return e.detail }

// failed is the verdict where there is no outcome.
func failed(err error) scheme.Verdict {
	var wrong *misconfigured
	switch {
	case errors.Is(err, errUnauthorized):
		return scheme.Bad("denied", err.Error())
	case errors.Is(err, errForbidden):
		return scheme.Verdict{Found: true, Status: http.StatusForbidden, Reason: "denied", Detail: err.Error()}
	case errors.As(err, &wrong):
		return scheme.Verdict{Found: true, Status: http.StatusInternalServerError, Type: "AuthorizerConfigurationException", Reason: "authorizer-answer", Detail: err.Error()}
	}
	return scheme.Verdict{Found: true, Status: http.StatusServiceUnavailable, Reason: "authorizer-unreachable", Detail: err.Error(), Retry: time.Second}
}

// decide holds one request against what the program answered.
func (o *outcome) decide(a *Authorizer, x *exchange.Exchange, r *http.Request, arn string) scheme.Verdict {
	if o.caller == nil {
		if o.allowed {
			return scheme.Good(o.principal)
		}
		return scheme.Verdict{Found: true, Status: http.StatusForbidden, Reason: "denied", Detail: "the program answered isAuthorized: false"}
	}
	d := policy.Evaluate(&policy.Request{
		Principal: o.caller, Action: a.action, Account: a.account, Region: a.region, Resource: arn,
		Time: x.Start, SourceIP: x.Client, Transport: transport(x, r), UserAgent: r.Header["User-Agent"], Referer: r.Header["Referer"],
	}, policy.Policies{})
	switch {
	case d.Allowed:
		return scheme.Good(o.principal)
	case d.Explicit():
		return denied("the program's policy denies "+arn+" to "+o.principal.Subject, " with an explicit deny")
	}
	return denied("the program's policy does not allow "+arn+" to "+o.principal.Subject, "")
}

func denied(detail, how string) scheme.Verdict {
	return scheme.Verdict{Found: true, Status: http.StatusForbidden, Type: "AccessDeniedException", Message: "User is not authorized to access this resource" + how, Reason: "denied", Detail: detail}
}

func transport(x *exchange.Exchange, r *http.Request) policy.Transport {
	if said := r.Header["X-Forwarded-Proto"]; len(said) == 1 && said[0] == "https" || len(said) == 0 && x.Conn.TLS {
		return policy.Secure
	}
	return policy.Plain
}

// arn names what a request asks for.
func (a *Authorizer) arn(x *exchange.Exchange) string {
	b := make([]byte, 0, 160)
	b = append(b, "arn:aws:execute-api:"...)
	b = append(b, a.region...)
	b = append(b, ':')
	b = append(b, a.account...)
	for _, part := range []string{":" + x.API, x.Stage, x.Verb} {
		b = append(append(b, part...), '/')
	}
	if x.Skip < len(x.Path.Segments) {
		b = x.Path.AppendSegments(b, x.Skip, len(x.Path.Segments))
	}
	return string(b)
}

// Challenge implements scheme.Scheme.
func (a *Authorizer) Challenge(realm string, bad bool) string {
	if !strings.EqualFold(a.sources[0].Name, "Authorization") {
		return fmt.Sprintf("Custom realm=%q", realm)
	}
	if bad {
		return fmt.Sprintf("Bearer realm=%q, error=\"invalid_token\"", realm)
	}
	return fmt.Sprintf("Bearer realm=%q", realm)
}

// Login implements scheme.Scheme.
func (a *Authorizer) Login() string { return "" }

// QueryParameters implements scheme.Scheme.
func (a *Authorizer) QueryParameters() (names []string) {
	for _, s := range a.sources {
		if s.Place == inQuery {
			names = append(names, s.Name)
		}
	}
	return names
}

// Strip implements scheme.Scheme: the sources that the client filled are its
// credential.
func (a *Authorizer) Strip(x *exchange.Exchange, r *http.Request) {
	for _, s := range a.sources {
		if s.isCredential() {
			s.from().Strip(x, r)
		}
	}
}
