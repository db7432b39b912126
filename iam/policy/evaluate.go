package policy

// Layer is a kind of policy that takes part in a decision.
type Layer uint8

// The layers, in the order in which they are asked for an Allow.
const (
	NoLayer Layer = iota
	Organisation
	OfResource
	OfIdentity
	OfBoundary
	OfSession
)

func (l Layer) String() string {
	return [...]string{"", "iam.boundaries", "the resource's policy", "the caller's policies", "the caller's boundary", "the session policy"}[l]
}

// Decision is what policies say about a request.
type Decision struct {
	Allowed bool
	// By is the statement that decided: the Deny, or the Allow that was enough.
	// It is nil where the request is denied because no statement allows it.
	By *Statement
	// Layer is whose statement By is; where it is nil, the layer that does not
	// allow the request.
	Layer Layer
}

// Explicit reports a Deny that a statement says.
func (d Decision) Explicit() bool { return !d.Allowed && d.By != nil }

// Policies are those that a request meets beside its principal's own.
type Policies struct {
	Organisation []*Policy // each must allow what principals of the account do
	Resource     *Policy   // of the resource; nil for none
}

// Evaluate decides about a request, by the rules of AWS:
//
//   - what no statement allows is denied, and a Deny anywhere is final;
//   - each of the organisation's policies must allow it;
//   - within one account it is enough that the resource's policy allows the
//     user or the session itself; else that policy or one of the caller's own
//     must allow it, and then the caller's boundary and the session policy as
//     well, where there are any;
//   - across accounts the resource's policy must allow it, and the caller's own
//     policies, boundary and session policy too;
//   - a caller without policies, whom IAM knows nothing of, has the resource's
//     alone.
func Evaluate(r *Request, p Policies) Decision {
	e := evaluation{request: r}
	e.resource, _ = parseARN(r.Resource)
	if d, denied := e.denied(&p); denied {
		return d
	}
	if r.Principal == nil {
		return e.resourceAlone(p.Resource)
	}
	if d, ok := e.organisation(p.Organisation); !ok {
		return d
	}
	by, how := e.grants(p.Resource)
	granted := Decision{Allowed: true, By: by, Layer: OfResource}
	abroad := r.Account != r.Principal.Account
	switch {
	case abroad && how == notNamed:
		return Decision{Layer: OfResource}
	case !abroad && how == byName:
		return granted
	case abroad || how != byRole:
		by := e.allowedBy(r.Principal.Identity)
		if by == nil {
			return Decision{Layer: OfIdentity}
		}
		granted = Decision{Allowed: true, By: by, Layer: OfIdentity}
	}
	return e.bounded(granted)
}

// EvaluateTrust decides whether a caller may assume the role that a trust
// policy belongs to: that policy must name the caller; where it names no more
// than the caller's account, a policy of the caller's own must allow it too.
func EvaluateTrust(r *Request, p Policies) Decision {
	e := evaluation{request: r}
	e.resource, _ = parseARN(r.Resource)
	if d, denied := e.denied(&p); denied {
		return d
	}
	by, how := e.grants(p.Resource)
	if how == notNamed {
		return Decision{Layer: OfResource}
	}
	granted := Decision{Allowed: true, By: by, Layer: OfResource}
	if r.Principal == nil {
		return granted
	}
	if d, ok := e.organisation(p.Organisation); !ok {
		return d
	}
	abroad := r.Account != r.Principal.Account
	if !abroad && how == byName {
		return granted
	}
	if (abroad || how == byAccount) && e.allowedBy(r.Principal.Identity) == nil {
		return Decision{Layer: OfIdentity}
	}
	return e.bounded(granted)
}

// evaluation is one request under decision.
type evaluation struct {
	request  *Request
	resource arn
}

// denied looks for a Deny in every policy.
func (e *evaluation) denied(p *Policies) (Decision, bool) {
	who := e.request.Principal
	if who != nil {
		if by := e.deniedBy(p.Organisation); by != nil {
			return Decision{By: by, Layer: Organisation}, true
		}
	}
	if by := e.denies(p.Resource); by != nil {
		return Decision{By: by, Layer: OfResource}, true
	}
	if who == nil {
		return Decision{}, false
	}
	if by := e.deniedBy(who.Identity); by != nil {
		return Decision{By: by, Layer: OfIdentity}, true
	}
	if by := e.denies(who.Boundary); by != nil {
		return Decision{By: by, Layer: OfBoundary}, true
	}
	if by := e.denies(who.Session); by != nil {
		return Decision{By: by, Layer: OfSession}, true
	}
	return Decision{}, false
}

// organisation reports false where one of the organisation's policies does not
// allow the request.
func (e *evaluation) organisation(list []*Policy) (Decision, bool) {
	for _, p := range list {
		if e.allows(p) == nil {
			return Decision{Layer: Organisation}, false
		}
	}
	return Decision{}, true
}

// resourceAlone decides about a caller without policies.
func (e *evaluation) resourceAlone(p *Policy) Decision {
	if by, how := e.grants(p); how != notNamed {
		return Decision{Allowed: true, By: by, Layer: OfResource}
	}
	return Decision{Layer: OfResource}
}

// bounded returns what was granted, unless the caller's boundary or session
// policy does not allow it.
func (e *evaluation) bounded(granted Decision) Decision {
	who := e.request.Principal
	switch {
	case who.Boundary != nil && e.allows(who.Boundary) == nil:
		return Decision{Layer: OfBoundary}
	case who.Session != nil && e.allows(who.Session) == nil:
		return Decision{Layer: OfSession}
	}
	return granted
}

// grants returns the statement of a resource's policy that allows the request
// to whom it names most directly.
func (e *evaluation) grants(p *Policy) (by *Statement, how grant) {
	if p == nil {
		return nil, notNamed
	}
	for i := range p.allows {
		s := &p.allows[i]
		if s.principals == nil {
			continue // no resource's policy: it names nobody
		}
		if named := s.principals.names(e.request); named > how && e.applies(s) {
			by, how = s, named
		}
	}
	return by, how
}

func (e *evaluation) deniedBy(list []*Policy) *Statement {
	for _, p := range list {
		if by := e.denies(p); by != nil {
			return by
		}
	}
	return nil
}

func (e *evaluation) denies(p *Policy) *Statement {
	if p == nil {
		return nil
	}
	for i := range p.denies {
		if s := &p.denies[i]; e.concerns(s) && e.applies(s) {
			return s
		}
	}
	return nil
}

func (e *evaluation) allowedBy(list []*Policy) *Statement {
	for _, p := range list {
		if by := e.allows(p); by != nil {
			return by
		}
	}
	return nil
}

func (e *evaluation) allows(p *Policy) *Statement {
	for i := range p.allows {
		if s := &p.allows[i]; e.concerns(s) && e.applies(s) {
			return s
		}
	}
	return nil
}

// concerns reports whether a statement is about who calls: where it names
// principals, about them; an identity's is about whom it belongs to. NotPrincipal
// spares only those that it names themselves: policies name the account beside
// the user, as AWS asks for, and mean none of the account's other users.
func (e *evaluation) concerns(s *Statement) bool {
	switch {
	case s.principals == nil:
		return true
	case s.notPrincipals:
		return s.principals.names(e.request) != byName
	}
	return s.principals.names(e.request) != notNamed
}

// applies reports whether a statement is about what is asked for.
func (e *evaluation) applies(s *Statement) bool {
	return s.hasAction(e.request.Action) && s.hasResource(&e.resource, e.request) && s.holds(e.request)
}

func (s *Statement) hasAction(action Action) bool {
	for i := range s.actions {
		if s.actions[i].matches(action.folded) {
			return !s.notActions
		}
	}
	return s.notActions
}

// hasResource decides about NotResource with a variable that has no value for
// the careful side: nobody knows what it would have excluded, so a Deny applies
// and an Allow does not.
func (s *Statement) hasResource(a *arn, r *Request) bool {
	if len(s.resources) == 0 {
		return true // a trust policy's
	}
	for i := range s.resources {
		if s.resources[i].matches(a, r) {
			return !s.notResources
		}
	}
	if s.notResources && !s.Deny && s.hasVariables && !s.resolves(r) {
		return false
	}
	return s.notResources
}

// resolves reports whether every variable of the resources has a value.
func (s *Statement) resolves(r *Request) bool {
	for i := range s.resources {
		p := &s.resources[i]
		for j := range p.parts {
			if !p.parts[j].pattern.resolves(r) {
				return false
			}
		}
		if !p.resource.resolves(r) {
			return false
		}
	}
	return true
}

func (p *pattern) resolves(r *Request) bool {
	for i := range p.chunks {
		for j := range p.chunks[i].atoms {
			a := &p.chunks[i].atoms[j]
			if a.kind != substitute {
				continue
			}
			if _, ok := a.variable.value(r); !ok {
				return false
			}
		}
	}
	return true
}

func (s *Statement) holds(r *Request) bool {
	for i := range s.conditions {
		if !s.conditions[i].holds(r) {
			return false
		}
	}
	return true
}
