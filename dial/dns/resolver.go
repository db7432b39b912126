package dns

import (
	"context"
	"net/netip"
	"strings"
	"sync/atomic"
	"time"

	"gatehouse/dial"
)

// Options say how a Resolver looks names up.
type Options struct {
	// Servers are asked instead of the system's: neither /etc/hosts nor the
	// search list has a say then.
	Servers []netip.AddrPort
	// Dialer opens the connections to servers over TCP.
	Dialer *dial.Dialer
	// Etc is the folder of the system's files; "" for /etc.
	Etc string
}

// Resolver looks names up. It is safe for concurrent use.
type Resolver struct {
	options Options
	system  system
	last    atomic.Uint32 // the server that answered last: it is asked first
}

// New returns a Resolver.
func New(o Options) *Resolver {
	if o.Etc == "" {
		o.Etc = "/etc"
	}
	return &Resolver{options: o, system: newSystem(o.Etc)}
}

// The bounds of what an answer may make the gateway keep.
const (
	MaxAddresses = 256 // of one name
	MaxRecords   = 64  // of one service
)

// Answer is the addresses of a name.
type Answer struct {
	Addrs []netip.Addr // IPv4 and IPv6, as they came; IPv4-mapped ones unmapped
	TTL   time.Duration
}

// fileTTL is for how long what a file says holds.
const fileTTL = 5 * time.Second

// Addresses returns the addresses of a name, at most MaxAddresses. A name that
// ends with a dot is looked up as it is. The error is always an *Error.
func (r *Resolver) Addresses(ctx context.Context, name string) (Answer, error) {
	plan := r.plan()
	if plan.files && !plan.filesLast {
		if addrs := r.system.hosts(name); len(addrs) > 0 {
			return Answer{addrs, fileTTL}, nil
		}
	}
	answer, err := r.inDNS(ctx, plan, name)
	if NotFound(err) && plan.files && plan.filesLast {
		if addrs := r.system.hosts(name); len(addrs) > 0 {
			return Answer{addrs, fileTTL}, nil
		}
	}
	return answer, err
}

// inDNS looks a name up under each of the names that it may stand for. It goes
// on to the next one only where a server says that there is no such name: the
// answer for another name is no answer while the first may exist.
func (r *Resolver) inDNS(ctx context.Context, plan plan, name string) (Answer, error) {
	if plan.dnsOff {
		return Answer{}, &Error{Name: name, Kind: Missing, Why: "no such name in /etc/hosts"}
	}
	var missing *Error
	for _, full := range plan.names(name) {
		answer, err := r.addresses(ctx, plan, full)
		if err == nil {
			return answer, nil
		}
		err.Name = name
		if err.Kind != Missing {
			return Answer{}, err
		}
		if missing == nil || err.TTL < missing.TTL {
			missing = err
		}
	}
	return Answer{}, missing
}

// maxChain is how many times an alias is followed by another question.
const maxChain = 8

// addresses looks up one name in full, following aliases.
func (r *Resolver) addresses(ctx context.Context, plan plan, full string) (Answer, *Error) {
	ttl := longest
	for range maxChain {
		found, err := r.ask(ctx, plan, full, typeA, typeAAAA)
		if err != nil {
			return Answer{}, err
		}
		ttl = min(ttl, found.ttl)
		if len(found.addrs) > 0 {
			return Answer{found.addrs, ttl}, nil
		}
		if found.alias == "" {
			return Answer{}, &Error{Name: full, Kind: Missing, Server: found.server, Why: found.why(), TTL: min(ttl, found.negative)}
		}
		full = found.alias
	}
	return Answer{}, &Error{Name: full, Kind: Failed, Why: "too many aliases"}
}

// Record is one place where a service runs (RFC 2782).
type Record struct {
	Host     string // without a final dot, lower case
	Port     uint16
	Priority uint16 // lower ones first
	Weight   uint16
	Addrs    []netip.Addr
	Err      error // why there are no Addrs; an *Error
}

// Service returns the records of a service such as "_http._tcp.orders.internal",
// at most MaxRecords, and for how long they hold. A record whose host could not
// be looked up says so itself. The error is always an *Error.
func (r *Resolver) Service(ctx context.Context, name string) ([]Record, time.Duration, error) {
	plan := r.plan()
	var missing *Error
	for _, full := range plan.names(name) {
		records, ttl, err := r.service(ctx, plan, full)
		if err == nil {
			return records, ttl, nil
		}
		err.Name = name
		if err.Kind != Missing {
			return nil, 0, err
		}
		if missing == nil || err.TTL < missing.TTL {
			missing = err
		}
	}
	return nil, 0, missing
}

func (r *Resolver) service(ctx context.Context, plan plan, full string) ([]Record, time.Duration, *Error) {
	ttl := longest
	for range maxChain {
		found, err := r.ask(ctx, plan, full, typeSRV)
		if err != nil {
			return nil, 0, err
		}
		ttl = min(ttl, found.ttl)
		if len(found.records) > 0 {
			ttl = min(ttl, r.hostsOf(ctx, plan, found))
			return found.records, ttl, nil
		}
		if found.alias == "" {
			return nil, 0, &Error{Name: full, Kind: Missing, Server: found.server, Why: found.why(), TTL: min(ttl, found.negative)}
		}
		full = found.alias
	}
	return nil, 0, &Error{Name: full, Kind: Failed, Why: "too many aliases"}
}

// hostsOf fills in the addresses of the records' hosts, from the answer itself
// where it has them, and returns for how long they hold.
func (r *Resolver) hostsOf(ctx context.Context, plan plan, found *found) time.Duration {
	ttl := longest
	type result struct {
		Answer
		err error
	}
	known := make(map[string]result)
	for i := range found.records {
		rec := &found.records[i]
		res, ok := known[rec.Host]
		if !ok {
			if extra := found.extra[rec.Host]; len(extra.Addrs) > 0 {
				res.Answer = extra
			} else if a, err := r.addresses(ctx, plan, rec.Host+"."); err != nil {
				err.Name = rec.Host
				res.err = err
			} else {
				res.Answer = a
			}
			known[rec.Host] = res
		}
		rec.Addrs, rec.Err = res.Addrs, res.err
		switch {
		case res.err == nil:
			ttl = min(ttl, res.TTL)
		default:
			ttl = min(ttl, retryHost)
		}
	}
	return ttl
}

// retryHost is after how long a record's host is looked up again that could not
// be.
const retryHost = 5 * time.Second

// plan is how names are looked up now.
type plan struct {
	settings
	files     bool // /etc/hosts has a say
	filesLast bool // DNS comes before it
	dnsOff    bool // DNS has none
	search    bool // the search list has one
}

func (r *Resolver) plan() plan {
	if s := r.options.Servers; len(s) > 0 {
		given := defaults()
		given.servers = s
		return plan{settings: given}
	}
	p := plan{settings: r.system.settings(), search: true}
	p.files, p.filesLast, p.dnsOff = r.system.order()
	return p
}

// names returns the names, in full, that a name may stand for, in order.
func (p plan) names(name string) []string {
	if strings.HasSuffix(name, ".") || !p.search {
		return []string{strings.TrimSuffix(name, ".") + "."}
	}
	full := name + "."
	var out []string
	many := strings.Count(name, ".") >= p.ndots
	if many {
		out = append(out, full)
	}
	for _, domain := range p.domains {
		if longer := full + domain; len(longer) <= maxName {
			out = append(out, longer)
		}
	}
	if !many {
		out = append(out, full)
	}
	return out
}

// maxName is the longest name that DNS carries, with its final dot.
const maxName = 254
