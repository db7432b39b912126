package custom

import (
	"errors"
	"net/http"
	"strings"

	"gatehouse/auth/place"
	"gatehouse/config"
	"gatehouse/exchange"
)

// The places of sources.
const (
	inHeader   = "header"
	inQuery    = "query"
	inCookie   = "cookie"
	inVariable = "stageVariables"
	inContext  = "context"
)

// Source is one thing that tells callers apart.
type Source struct {
	Place string
	Name  string // a header's in net/http's spelling
}

var errSource = errors.New("is no source of an identity: write header.NAME, query.NAME, cookie.NAME, stageVariables.NAME, or context.NAME of " + strings.Join(contextNames(), ", "))

// UnmarshalText reads PLACE.NAME, and API Gateway's spellings of it.
func (s *Source) UnmarshalText(text []byte) error {
	said := strings.TrimPrefix(string(text), "$")
	for _, prefix := range []string{"method.request.", "request."} {
		said = strings.TrimPrefix(said, prefix)
	}
	if rest, ok := strings.CutPrefix(said, "querystring."); ok {
		said = "query." + rest
	}
	where, name, _ := strings.Cut(said, ".")
	switch where {
	case inHeader, inQuery, inCookie:
		f := place.From{}
		if err := f.UnmarshalText([]byte(said)); err != nil {
			return errSource
		}
		name = f.Name
	case inVariable:
		if name == "" {
			return errSource
		}
	case inContext:
		if _, ok := contextValue(name, nil); !ok {
			return errSource
		}
	default:
		return errSource
	}
	*s = Source{where, name}
	return nil
}

// MarshalText writes what UnmarshalText reads.
func (s Source) MarshalText() ([]byte, error) { return []byte(s.Place + "." + s.Name), nil }

// ConfigSchema implements config.Schemer.
func (Source) ConfigSchema() *config.Schema {
	return &config.Schema{Type: "string", Examples: []any{"header.Authorization", "query.token", "context.routeKey"}}
}

// isCredential reports a source that the client fills.
func (s Source) isCredential() bool {
	return s.Place == inHeader || s.Place == inQuery || s.Place == inCookie
}

// from is the place of a credential.
func (s Source) from() *place.From { return &place.From{Place: s.Place, Name: s.Name} }

var errSeveral = errors.New("the request carries several values in one source of the identity")

// find returns the source's value in a request; "" where it has none.
func (s Source) find(x *exchange.Exchange, r *http.Request) (string, error) {
	switch s.Place {
	case inHeader:
		values := r.Header[s.Name]
		if len(values) > 1 {
			return "", errSeveral
		}
		if len(values) == 0 {
			return "", nil
		}
		return values[0], nil
	case inQuery, inCookie:
		value, _, err := s.from().Find(r, x.Path.Query)
		return value, err
	case inVariable:
		return x.Variables[s.Name], nil
	}
	value, _ := contextValue(s.Name, x)
	return value, nil
}

func contextNames() []string {
	return []string{"apiId", "domainName", "httpMethod", "identity.sourceIp", "path", "routeKey", "stage"}
}

// contextValue returns a variable of a request; x may be nil to ask whether there
// is one of the name.
func contextValue(name string, x *exchange.Exchange) (string, bool) {
	if x == nil {
		x = &exchange.Exchange{}
	}
	switch name {
	case "apiId":
		return x.API, true
	case "domainName":
		return x.Host, true
	case "httpMethod":
		return x.Method, true
	case "identity.sourceIp":
		return x.Client.String(), true
	case "path":
		return x.Path.Canonical(), true
	case "routeKey", "resourcePath":
		return x.Route, true
	case "stage":
		return x.Stage, true
	}
	return "", false
}
