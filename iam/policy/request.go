package policy

import (
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// Action is what is asked for: SERVICE:NAME. Actions compare without case.
type Action struct{ name, folded string }

// NewAction returns the action of a name such as execute-api:Invoke.
func NewAction(name string) Action { return Action{name, strings.ToLower(name)} }

func (a Action) String() string { return a.name }

// Request is what policies decide about. Fields that are left zero are keys that
// the request does not have.
type Request struct {
	Principal *Principal // nil for a caller whom AWS knows nothing of
	Service   string     // a service of AWS's that calls for itself: "lambda.amazonaws.com"; there is no Principal then
	Action    Action
	Resource  string // an ARN

	Account        string // that the resource belongs to, and Region
	Region         string
	Time           time.Time
	SourceIP       netip.Addr
	Transport      Transport
	UserAgent      []string // of the header; of several the first counts
	Referer        []string
	RequestTags    []Tag // that the request itself brings: AssumeRole
	ExternalID     string
	SessionName    string
	SourceIdentity string
	SourceARN      string              // on whose behalf a Service calls
	Extra          map[string][]string // further keys, in small letters, or in place of the above
}

// Transport says whether the request came over TLS; "" where there was none.
type Transport string

// The transports.
const (
	Secure Transport = "true"
	Plain  Transport = "false"
)

// Tag is a tag of a principal, session or request.
type Tag struct{ Key, Value string }

// Principal is who calls, as IAM knows it. It is immutable and may be shared.
type Principal struct {
	Name     string // the ARN of a user or session
	Role     string // the ARN of a session's role; "" for users
	Account  string
	UserName string // "" for sessions
	UserID   string // a user's, or ROLEID:SESSION
	Tags     []Tag
	Issued   time.Time // of a session's credentials; zero for a user's keys
	Origin   string    // a session's source identity; "" for none

	Identity []*Policy // of the user and its groups, or of the role
	Boundary *Policy   // what its identity policies can allow at most; nil for none
	Session  *Policy   // what the session can do at most; nil for none
}

// ARN returns the ARN of the user or session.
func (p *Principal) ARN() string { return p.Name }

// IsSession reports whether the principal calls with temporary credentials of
// a role.
func (p *Principal) IsSession() bool { return p.Role != "" }

// For returns the principal with what its policies say about one action, for
// who asks about that one alone: decisions are the same, and cheaper.
func (p *Principal) For(action Action) *Principal {
	narrow := *p
	narrow.Identity = make([]*Policy, len(p.Identity))
	for i := range p.Identity {
		narrow.Identity[i] = p.Identity[i].For(action)
	}
	narrow.Boundary, narrow.Session = p.Boundary.For(action), p.Session.For(action)
	return &narrow
}

// self is the ARN that aws:PrincipalArn has: of a session its role's.
func (p *Principal) self() string {
	if p.IsSession() {
		return p.Role
	}
	return p.Name
}

// values are what a request has under one key: n of them.
type values struct {
	n    int
	kind valueKind
	one  string
	many []string
	addr netip.Addr
	time time.Time
	tags []Tag
}

type valueKind uint8

const (
	isText  valueKind = iota
	isMany            // of many
	isAddr            // of addr
	isTime            // time, in ISO 8601
	isEpoch           // time, in seconds
	isTags            // the keys of tags
)

// text returns the i-th value. It allocates for addresses and times.
func (v *values) text(i int) string {
	switch v.kind {
	case isMany:
		return v.many[i]
	case isAddr:
		return v.addr.String()
	case isTime:
		return v.time.UTC().Format(time.RFC3339)
	case isEpoch:
		return strconv.FormatInt(v.time.Unix(), 10)
	case isTags:
		return v.tags[i].Key
	}
	return v.one
}

func textValue(s string) values { return values{n: 1, one: s} }
func present(s string) values {
	if s == "" {
		return values{}
	}
	return textValue(s)
}

// get returns what the request has under a key.
func (r *Request) get(k *Key) values {
	if r.Extra != nil {
		if given, ok := r.Extra[k.name]; ok {
			return values{n: len(given), kind: isMany, many: given}
		}
	}
	switch k.id {
	case keyOther:
		return values{}
	case keySourceIP:
		if r.SourceIP.IsValid() {
			return values{n: 1, kind: isAddr, addr: r.SourceIP.Unmap()}
		}
	case keyCurrentTime, keyEpochTime:
		return r.clock(k.id)
	case keySecureTransport:
		return present(string(r.Transport))
	case keyUserAgent:
		return first(r.UserAgent)
	case keyReferer:
		return first(r.Referer)
	case keyRequestedRegion:
		return present(r.Region)
	case keyResourceAccount:
		return present(r.Account)
	case keyRequestTag:
		return tagged(r.RequestTags, k.tag)
	case keyTagKeys:
		return values{n: len(r.RequestTags), kind: isTags, tags: r.RequestTags}
	case keyExternalID:
		return present(r.ExternalID)
	case keySessionName:
		return present(r.SessionName)
	case keySourceARN:
		return present(r.SourceARN)
	case keySourceAccount:
		if a, ok := parseARN(r.SourceARN); ok {
			return present(a.part(4))
		}
	default:
		return r.caller(k)
	}
	return values{}
}

func (r *Request) clock(id keyID) values {
	v := values{n: 1, kind: isTime, time: r.Time.Truncate(time.Second)}
	if id == keyEpochTime {
		v.kind = isEpoch
	}
	if r.Time.IsZero() {
		return values{}
	}
	return v
}

// caller returns what is known of who calls.
func (r *Request) caller(k *Key) values {
	if k.id == keyPrincipalIsService {
		if r.Service != "" {
			return textValue("true")
		}
		return textValue("false")
	}
	p := r.Principal
	if p == nil {
		return r.stranger(k)
	}
	switch k.id {
	case keyPrincipalARN:
		return present(p.self())
	case keyPrincipalAccount:
		return present(p.Account)
	case keyPrincipalType:
		if p.IsSession() {
			return textValue("AssumedRole")
		}
		return textValue("User")
	case keyPrincipalTag:
		return tagged(p.Tags, k.tag)
	case keyUserName:
		return present(p.UserName)
	case keyUserID:
		return present(p.UserID)
	case keySourceIdentity:
		if r.SourceIdentity != "" {
			return textValue(r.SourceIdentity)
		}
		return present(p.Origin)
	case keyMFA:
		if p.IsSession() {
			return textValue("false")
		}
	case keyTokenIssueTime:
		if !p.Issued.IsZero() {
			return values{n: 1, kind: isTime, time: p.Issued.Truncate(time.Second)}
		}
	}
	return values{}
}

func (r *Request) stranger(k *Key) values {
	switch k.id {
	case keyPrincipalType:
		if r.Service == "" {
			return textValue("Anonymous")
		}
	case keySourceIdentity:
		return present(r.SourceIdentity)
	}
	return values{}
}

func first(field []string) values {
	if len(field) == 0 {
		return values{}
	}
	return textValue(field[0])
}

// tagged returns the value of the tag whose key is key but for case.
func tagged(tags []Tag, key string) values {
	for i := range tags {
		if strings.EqualFold(tags[i].Key, key) {
			return textValue(tags[i].Value)
		}
	}
	return values{}
}
