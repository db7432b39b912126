package gatehouse

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

	"gatehouse/auth/identity"
	"gatehouse/auth/oidc"
	"gatehouse/config"
	"gatehouse/exchange"
	"gatehouse/throttle"
)

// doors are the paths below a stage's under which its authorizers themselves
// answer, in front of its routes: where people come back from a login, and log out.
type doors struct{ all []door }

type door struct {
	segments []string
	endpoint *endpoint
}

// takes returns what answers a request, whose path is read; nil for a route.
func (d *doors) takes(x *exchange.Exchange) *endpoint {
	if d == nil || x.Path.Oddities != 0 || x.Skip > len(x.Path.Segments) {
		return nil
	}
	for i := range d.all {
		if slices.Equal(x.Path.Segments[x.Skip:], d.all[i].segments) {
			return d.all[i].endpoint
		}
	}
	return nil
}

// logins returns the API's authorizers that have doors, by name.
func (a *API) logins() (out []string) {
	for _, name := range names(a.Authorizers) {
		if a.Authorizers[name].OIDC != nil {
			out = append(out, name)
		}
	}
	return out
}

// doors gives the doors of a stage their chain: no caller is known there, and
// strangers pay by address. A stage is told by its default endpoint.
func (b *binder) doors(e *endpoint, l *leases) *doors {
	a := b.draft.config.APIs[e.api]
	d := &doors{}
	for _, name := range a.logins() {
		c := a.Authorizers[name]
		for _, action := range oidc.Actions() {
			own := *e
			own.name, own.at, own.missing = "ANY "+c.OIDC.Path+"/"+action, c.OIDC.Pos, ""
			own.rule = &exchange.Rule{Filter: "auth", Name: name + " (oidc)", At: c.OIDC.Pos}
			own.throttle = throttle.PerCaller(e.throttle)
			own.policies.Authorize, own.policies.CORS, own.policies.Headers = nil, nil, nil
			own.body = maxDoorBody
			own.counts = l.observe.Route(e.api, e.stage, own.name)
			own.path(parts{target: b.known[e.api][name].Door()}, l)
			d.all = append(d.all, door{slices.Concat(c.OIDC.Segments(), []string{action}), &own})
		}
	}
	if token := e.identityToken(); token != nil && token.JWKS != "" {
		own := *e
		own.name, own.at, own.missing = "GET "+token.JWKS, token.Pos, ""
		own.rule = &exchange.Rule{Filter: "identity", Name: "jwks", At: token.Pos}
		own.throttle = throttle.PerCaller(e.throttle)
		own.policies.Authorize, own.policies.Headers, own.policies.Identity = nil, nil, nil
		own.counts = l.observe.Route(e.api, e.stage, own.name)
		own.path(parts{target: keySet(l.identity)}, l)
		d.all = append(d.all, door{strings.Split(strings.Trim(token.JWKS, "/"), "/"), &own})
	}
	if len(d.all) == 0 {
		return nil
	}
	return d
}

// identityToken is the token by which the endpoint's service is told who calls; nil
// for none.
func (e *endpoint) identityToken() *identity.Token {
	if e.policies.Identity == nil {
		return nil
	}
	return e.policies.Identity.Token
}

// keySet answers with the public parts of the keys.
func keySet(keys *identity.Keys) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		set := keys.JWKS()
		h := w.Header()
		h.Set("Content-Type", "application/jwk-set+json")
		h.Set("Cache-Control", "public, max-age=300")
		h.Set("Content-Length", strconv.Itoa(len(set)))
		_, _ = w.Write(set)
	})
}

// maxDoorBody is how many bytes a body may have at a door.
const maxDoorBody = 64 << 10

// checkDoors reports routes that would never be asked, since an authorizer owns
// their path.
func (d *draft) checkDoors(report *config.Report) {
	for _, e := range d.endpoints {
		if e.name == "" {
			continue
		}
		a := d.config.APIs[e.api]
		for _, name := range a.logins() {
			path := a.Authorizers[name].OIDC.Path + "/"
			rest, below := strings.CutPrefix(e.shape, path)
			if below && slices.Contains(oidc.Actions(), rest) {
				report.Errorf(e.at, "the path %s%s is the authorizer %s's own: people come back there from their login. Remove this route, or give oidc another path", path, rest, name)
			}
		}
	}
	for _, api := range names(d.config.APIs) {
		a := d.config.APIs[api]
		paths := make(map[string]string)
		for _, name := range a.logins() {
			c := a.Authorizers[name].OIDC
			if other := paths[c.Path]; other != "" {
				report.Errorf(c.Of("path"), "the authorizers %s and %s have one path: give one of them another", other, name)
			}
			paths[c.Path] = name
		}
	}
}
