package gatehouse

import (
	"net/http"
	"net/netip"

	"gatehouse/auth/sigv4"
	"gatehouse/edge"
	"gatehouse/exchange"
	"gatehouse/iam"
	"gatehouse/iam/sts"
	"gatehouse/throttle"
)

// stsRule is what the Security Token Service's decisions are noted by.
var stsRule = &exchange.Rule{Filter: "sts", Name: "AWS's own services"}

// maxCall is how many bytes of a call of AWS's own services are held.
const maxCall = 64 << 10

// awsEndpoint is what answers AWS's own services: behind the gateway's
// throttle, and by the signature alone.
func (d *draft) awsEndpoint(l *leases) *endpoint {
	e := &endpoint{
		throttle: throttle.PerCaller([]throttle.Level{{Name: "gateway", Scope: "gateway", Throttles: d.config.Throttle}}),
		timeout:  defaultTimeout, body: maxCall, rule: stsRule,
	}
	e.counts = l.observe.Route("", "", "")
	e.path(parts{target: sts.New(sts.Options{
		Directory: d.users, Sealer: l.sealer, Rule: stsRule,
		Signatures: signatures{l.signed.Verifier(d.users, sts.Service, maxCall)},
	})}, l)
	return e
}

// aws leads a request to AWS's own services where its listener serves them: on
// one that serves the APIs too, what is signed for such a service.
func (v *visit) aws() bool {
	p := edge.PolicyOf(v.r)
	if p == nil || !p.AWS {
		return false
	}
	if service, _ := sigv4.Service(v.r, v.x.Path.Query); p.APIs && service != sts.Service {
		return false
	}
	e := v.snap.aws
	e.describe(v.x)
	v.seen.Route = e.counts
	e.chain.ServeHTTP(&v.x.Writer, v.r)
	return true
}

// ServeAWS implements admin.Gateway: requests of the admin listener are logged
// and counted like others.
func (c control) ServeAWS(w http.ResponseWriter, r *http.Request) {
	peer, _ := netip.ParseAddrPort(r.RemoteAddr)
	peer = netip.AddrPortFrom(peer.Addr().Unmap(), peer.Port())
	conn := &exchange.Conn{Listener: "admin", Peer: peer, Source: peer, TLS: r.TLS != nil}
	r.Header.Del("X-Forwarded-Proto") // nobody stands before this listener
	v := visit{gateway: c.Gateway, snap: c.current.Load()}
	v.x, v.r = exchange.Begin(w, r, conn, c.keepers.bodies)
	v.x.Generation, v.x.Host = v.snap.generation, edge.Host(r)
	defer v.end()
	v.seen = v.snap.observer.Begin(v.x, v.r)
	if err := v.x.Path.Parse(r.RequestURI); err != nil {
		v.refuse(exchange.Refusal{Status: http.StatusBadRequest, Rule: pathRule, Reason: "path", Detail: err.Error()})
	} else {
		v.snap.aws.describe(v.x)
		v.seen.Route = v.snap.aws.counts
		v.snap.aws.chain.ServeHTTP(&v.x.Writer, v.r)
	}
	v.x.Finish()
}

// signatures tells STS who calls, in the words that its clients know.
type signatures struct{ verifier *sigv4.Verifier }

// Caller implements sts.Signatures.
func (s signatures) Caller(x *exchange.Exchange, r *http.Request) (*iam.Caller, *sts.Fault) {
	if _, signed := sigv4.Service(r, x.Path.Query); !signed {
		return nil, &sts.Fault{Status: http.StatusForbidden, Code: "MissingAuthenticationToken", Message: "Request is missing Authentication Token", Reason: "no-credential"}
	}
	caller, f := s.verifier.Verify(x, r)
	if f == nil {
		return caller, nil
	}
	if f.Body != nil {
		refusal := exchange.BodyRefusal(stsRule, f.Body)
		return nil, &sts.Fault{Status: refusal.Status, Code: "RequestEntityTooLarge", Message: f.Detail, Reason: refusal.Reason}
	}
	fault := &sts.Fault{Status: http.StatusForbidden, Message: f.Message, Reason: f.Reason, Detail: f.Detail}
	switch f.Type {
	case "IncompleteSignatureException":
		fault.Status, fault.Code = http.StatusBadRequest, "IncompleteSignature"
	case "InvalidSignatureException":
		fault.Code = "SignatureDoesNotMatch"
	case "ExpiredTokenException":
		fault.Code = "ExpiredToken"
	default:
		fault.Code = "InvalidClientTokenId"
	}
	return nil, fault
}
