package gatehouse

import (
	"gatehouse/api"
	"gatehouse/authorize"
	"gatehouse/config"
	"gatehouse/iam"
	"gatehouse/iam/policy"
)

// compileIAM compiles who there is, and what the APIs' own policies say.
func (d *draft) compileIAM(report *config.Report) {
	cfg := d.config
	d.users = iam.Compile(cfg.IAM, cfg.Account, cfg.Region, nil)
	d.rights = make(map[string]*policy.Policy)
	for _, name := range names(cfg.APIs) {
		if source := cfg.APIs[name].Policy; source != nil {
			d.rights[name] = source.Compile(policy.Scope{Name: "policy of " + name, Filter: "authorize", API: cfg.apiARN(name), Account: cfg.Account})
		}
	}
	if cfg.IAM == nil || cfg.Broken("include") || cfg.Broken("apis") && len(cfg.APIs) == 0 {
		return
	}
	for _, named := range cfg.IAM.APIs() {
		if cfg.APIs[named.Value] == nil {
			report.Unknown(named.At, "API", named.Value, names(cfg.APIs))
		}
	}
}

// apiARN is what begins the ARNs of an API's stages, methods and paths.
func (cfg *Config) apiARN(name string) string {
	return "arn:aws:execute-api:" + cfg.Region + ":" + cfg.Account + ":" + name
}

// rightsOf returns the policies that a route's requests meet; nil where neither
// the API has one nor any authorizer of the route knows users of iam.
func (d *draft) rightsOf(a *API, dep *api.Deployment[Policies], e *endpoint) *authorize.Rights {
	if d.rights[a.Name] == nil && !e.signed(a) {
		return nil
	}
	r := &authorize.Rights{
		At: e.at, ARN: d.config.apiARN(a.Name) + "/" + dep.Stage, Skip: len(dep.Prefix.Segments()), HeadIsGet: e.methods.HeadIsGet(),
		Organisation: d.users.Organisation, Resource: d.rights[a.Name], Account: d.config.Account, Region: d.config.Region,
	}
	if a.Policy != nil {
		r.At = a.Policy.At
	}
	return r
}

// signed reports whether some authorizer of the route knows users of iam.
func (e *endpoint) signed(a *API) bool {
	if e.policies.Authorize == nil {
		return false
	}
	for _, name := range e.policies.Authorize.Any {
		if c := a.Authorizers[name.Value]; c != nil && c.IAM != nil {
			return true
		}
	}
	return false
}

// policyConfigs returns what counts for the rights of a route.
func (e *endpoint) policyConfigs(cfg *Config) (out []any) {
	a := cfg.APIs[e.api]
	if a.Policy != nil {
		out = append(out, a.Policy.Source)
	}
	if e.rights != nil {
		out = append(out, cfg.IAM, cfg.Account, cfg.Region)
	}
	return out
}

// unfilledKeys warns of conditions on what no request here has: a Deny under one
// may never apply.
func (cfg *Config) unfilledKeys() (out []warning) {
	documents := cfg.IAM.Documents()
	for _, name := range names(cfg.APIs) {
		if p := cfg.APIs[name].Policy; p != nil {
			documents = append(documents, p.Document)
		}
	}
	for _, doc := range documents {
		for _, c := range doc.Unfilled() {
			out = append(out, warning{c.At, "no request here has the condition key " + c.Key + ": what it stands under is decided as without one"})
		}
	}
	return out
}
