package exchange

// Principal is who calls. It is immutable and may be shared by any number of
// requests: a verified token's principal is made once.
type Principal struct {
	ID      string         // kind:issuer|subject, unique among all kinds and issuers
	Kind    string         // "jwt", "iam", later "mtls", "key" ...
	Issuer  string         // who vouches for the subject
	Subject string         // who it is, in the issuer's words
	Scopes  []string       // what the credential is good for
	Claims  map[string]any // the credential's own claims
	Rights  Rights         // what it may do by policies of its own; nil for kinds that have none
	// UsageKey is the API key that the authorizer says the caller has
	// (usageIdentifierKey): it takes the place of one in a header. It is never
	// logged.
	UsageKey string
}

// Rights are policies that belong to a principal. The room of the principal's
// kind makes them, and knows them again; to others they have a name alone.
type Rights interface {
	// ARN is the name by which policies speak of the principal.
	ARN() string
}

// NewPrincipal makes a Principal with its ID.
func NewPrincipal(kind, issuer, subject string) *Principal {
	return &Principal{ID: kind + ":" + issuer + "|" + subject, Kind: kind, Issuer: issuer, Subject: subject}
}

// HasScope reports whether scope is among p's scopes; never for a nil p.
func (p *Principal) HasScope(scope string) bool {
	if p == nil {
		return false
	}
	for _, s := range p.Scopes {
		if s == scope {
			return true
		}
	}
	return false
}
