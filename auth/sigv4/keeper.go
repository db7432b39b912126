package sigv4

import (
	"net/http"

	"gatehouse/auth/scheme"
	"gatehouse/exchange"
	"gatehouse/iam"
)

// ExecuteAPI is the service that calls of an API are signed for.
const ExecuteAPI = "execute-api"

// Keeper keeps over reloads what signatures are verified with: derived keys and
// opened sessions. It is safe for concurrent use.
type Keeper struct {
	cache  *cache
	sealer *iam.Sealer
}

// NewKeeper returns a Keeper for sessions that a Sealer has sealed.
func NewKeeper(sealer *iam.Sealer) *Keeper { return &Keeper{newCache(), sealer} }

// Verifier returns what verifies requests that are signed for a service, by a
// directory. Body is the largest body that is held to be compared with its hash.
func (k *Keeper) Verifier(d *iam.Directory, service string, body int64) *Verifier {
	k.cache.use(d)
	return &Verifier{directory: d, sealer: k.sealer, cache: k.cache, service: service, body: body}
}

// Scheme returns the way of finding out who calls that a checked configuration
// describes.
func (k *Keeper) Scheme(c *Config, d *iam.Directory) *Scheme {
	v := k.Verifier(d, ExecuteAPI, int64(c.Body))
	v.unsigned = c.UnsignedPayload == "tls"
	return &Scheme{v}
}

// Scheme finds out who calls by the signature. It is a scheme.Scheme.
type Scheme struct{ verifier *Verifier }

var _ scheme.Scheme = (*Scheme)(nil)

// Authenticate implements scheme.Scheme.
func (s *Scheme) Authenticate(x *exchange.Exchange, r *http.Request) scheme.Verdict {
	if formOf(r, x.Path.Query) == unsigned {
		return scheme.Verdict{}
	}
	caller, f := s.verifier.Verify(x, r)
	if f != nil {
		return scheme.Verdict{Found: true, Status: Status, Type: f.Type, Message: f.Message, Reason: f.Reason, Detail: f.Detail, Body: f.Body}
	}
	return scheme.Good(caller.Known)
}

// Challenge implements scheme.Scheme: AWS has none.
func (s *Scheme) Challenge(string, bool) string { return "" }

// Login implements scheme.Scheme.
func (s *Scheme) Login() string { return "" }

// QueryParameters implements scheme.Scheme.
func (s *Scheme) QueryParameters() []string {
	return []string{"X-Amz-Signature", "X-Amz-Security-Token", "X-Amz-Credential"}
}
