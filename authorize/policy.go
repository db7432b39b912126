package authorize

import (
	"net/http"
	"strings"
	"sync"
	"unsafe"

	"gatehouse/config"
	"gatehouse/exchange"
	"gatehouse/iam"
	"gatehouse/iam/policy"
)

// Rights are the IAM policies that a route's requests meet.
type Rights struct {
	At           config.Pos
	ARN          string           // of the route's stage: arn:aws:execute-api:REGION:ACCOUNT:API/STAGE
	Skip         int              // segments of the path that belong to the stage
	HeadIsGet    bool             // HEAD is served by a route for GET, and decided as GET
	Organisation []*policy.Policy // each must allow
	Resource     *policy.Policy   // of the API; nil for none
	Account      string
	Region       string
}

// ByPolicy returns the filter that lets pass what policies allow: of callers
// whom iam knows, by all that concern them; of all others, where the API has a
// policy, by that. It is nil where rights is.
func ByPolicy(rights *Rights) func(http.Handler) http.Handler {
	if rights == nil {
		return nil
	}
	p := policies{Rights: *rights, action: policy.NewAction(iam.Invoke)}
	for layer := policy.NoLayer; layer <= policy.OfSession; layer++ {
		p.missing = append(p.missing, &exchange.Rule{Filter: "authorize", Name: "iam: " + layer.String() + " must allow it", At: rights.At})
	}
	return func(next http.Handler) http.Handler {
		p := p
		p.next = next
		return &p
	}
}

// policies is the step of a route's path. It is immutable.
type policies struct {
	Rights
	action  policy.Action
	missing []*exchange.Rule // by the layer that does not allow a request
	next    http.Handler
}

func (p *policies) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := exchange.From(r)
	caller := whoIs(x.Principal)
	if caller == nil && p.Resource == nil {
		p.next.ServeHTTP(w, r) // a caller of another kind, and policies are for those of iam
		return
	}
	d := p.decide(x, r, caller)
	if d.Allowed {
		x.Trail.Add(d.By.Rule, exchange.Allowed, "")
		p.next.ServeHTTP(w, r)
		return
	}
	p.refuse(w, r, caller, d)
}

// whoIs returns the principal as policies know it; nil for strangers, and for
// callers of a kind that they do not know.
func whoIs(p *exchange.Principal) *policy.Principal {
	if p == nil || p.Rights == nil {
		return nil
	}
	caller, _ := p.Rights.(*policy.Principal)
	return caller
}

// question is the memory of one decision, used again.
type question struct {
	request policy.Request
	arn     []byte
}

var questions = sync.Pool{New: func() any { return &question{arn: make([]byte, 0, 256)} }}

// decide costs no allocation.
func (p *policies) decide(x *exchange.Exchange, r *http.Request, caller *policy.Principal) policy.Decision {
	q := questions.Get().(*question)
	q.arn = p.appendARN(q.arn[:0], x)
	q.request = policy.Request{
		Principal: caller, Action: p.action, Account: p.Account, Region: p.Region,
		// A view of memory that is used again, for this decision alone: it keeps
		// nothing of the request.
		Resource: unsafe.String(unsafe.SliceData(q.arn), len(q.arn)),
		Time:     x.Start, SourceIP: x.Client, Transport: transport(x, r), UserAgent: r.Header["User-Agent"], Referer: r.Header["Referer"],
	}
	d := policy.Evaluate(&q.request, policy.Policies{Organisation: p.Organisation, Resource: p.Resource})
	q.request = policy.Request{}
	questions.Put(q)
	return d
}

// appendARN appends the ARN of what a request asks for: STAGE/METHOD/PATH, the
// path in its canonical form without the stage's. A final slash says nothing,
// here as in routes.
func (p *policies) appendARN(b []byte, x *exchange.Exchange) []byte {
	b = append(b, p.ARN...)
	b = append(b, '/')
	if p.HeadIsGet && x.Method == http.MethodHead {
		b = append(b, http.MethodGet...)
	} else {
		b = append(b, x.Method...)
	}
	b = append(b, '/')
	if p.Skip >= len(x.Path.Segments) {
		return b
	}
	return x.Path.AppendSegments(b, p.Skip, len(x.Path.Segments))
}

// transport says whether the client came over TLS, by the word of the edge.
func transport(x *exchange.Exchange, r *http.Request) policy.Transport {
	said := r.Header["X-Forwarded-Proto"]
	if len(said) == 1 && said[0] == "https" || len(said) == 0 && x.Conn.TLS {
		return policy.Secure
	}
	return policy.Plain
}

// refuse says in AWS's words what the caller may not do. The trail names the
// statement that denies it, or the policies that do not allow it.
func (p *policies) refuse(w http.ResponseWriter, r *http.Request, caller *policy.Principal, d policy.Decision) {
	x := exchange.From(r)
	arn := string(p.appendARN(nil, x))
	refusal := exchange.Refusal{
		Status: http.StatusForbidden, Type: "AccessDeniedException",
		Message: "User: " + nameOf(caller) + " is not authorized to perform: " + iam.Invoke + " on resource: " + masked(arn, p.Account),
		Rule:    p.missing[d.Layer], Reason: "not-allowed", Detail: "nothing in " + d.Layer.String() + " allows " + nameOf(caller) + " " + arn,
	}
	if d.Explicit() {
		refusal.Message += " with an explicit deny"
		refusal.Rule, refusal.Reason, refusal.Detail = d.By.Rule, "denied", "denied to "+nameOf(caller)+": "+arn
	}
	exchange.Refuse(w, r, refusal)
}

func nameOf(caller *policy.Principal) string {
	if caller == nil {
		return "anonymous"
	}
	return caller.Name
}

// masked hides all but the last digits of the account, as API Gateway does:
// strangers read it.
func masked(arn, account string) string {
	if len(account) < 4 {
		return arn
	}
	return strings.Replace(arn, ":"+account+":", ":********"+account[len(account)-4:]+":", 1)
}
