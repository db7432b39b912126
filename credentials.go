package gatehouse

import (
	"fmt"
	"strings"

	"gatehouse/api"
	"gatehouse/config"
)

// callerRole stands in a definition's credentials for whoever calls.
const callerRole = "arn:aws:iam::*:user/*"

// gatewayService is whom the trust policies of roles name that APIs assume.
const gatewayService = "apigateway.amazonaws.com"

// checkRole holds the credentials that an integration names against who may use
// them: a role of ours must trust the API, and who passes on the caller's own
// identity must know it by a signature. Credentials of others are of no use here,
// as they are at API Gateway where the integration is an HTTP server.
func (d *draft) checkRole(e *endpoint, a *API, role config.Name, tally *api.Tally) {
	if role.Value == "" || strings.Contains(role.Value, "${") {
		return // nobody, or a variable that was reported
	}
	if role.Value == callerRole {
		d.checkCallerRole(e, a, role.At, tally)
		return
	}
	account, name, ok := roleOf(role.Value)
	switch {
	case !ok:
		tally.Add(role.At, e.name, fmt.Sprintf("the credentials %q are neither a role, arn:aws:iam::ACCOUNT:role/NAME, nor the caller's own, %s", role.Value, callerRole))
	case account != d.config.Account:
		d.foreign = append(d.foreign, warning{role.At, fmt.Sprintf("the role %s is of another account than this gateway's, %s: its credentials are not used", role.Value, d.config.Account)})
	case d.config.Broken("iam"):
	case d.users.Role(name) == nil:
		tally.Add(role.At, e.name, fmt.Sprintf("the integration names the role %s, which there is not: write iam: {roles: {%s: {trust: [api:%s], policies: ...}}}, or remove credentials", name, name, a.Name))
	default:
		on := d.config.apiARN(a.Name) + "/" + e.stage + "/" + e.arnRoute()
		if !d.users.Role(name).Trusts(d.users, gatewayService, on).Allowed {
			tally.Add(role.At, e.name, fmt.Sprintf("the role %s does not trust the API, whose definition names it for its credentials: write trust: [api:%s] in iam.roles.%s, or in its trust policy let %s assume it with aws:SourceArn %s", name, a.Name, name, gatewayService, d.config.apiARN(a.Name)+"/*"))
		}
	}
}

// checkCallerRole reports a route that is to pass on who calls, and lets in callers
// who are not known by a signature.
func (d *draft) checkCallerRole(e *endpoint, a *API, at config.Pos, tally *api.Tally) {
	if p := e.policies.Authorize; p != nil && !p.None && len(p.Any) > 0 {
		for _, name := range p.Any {
			if c := a.Authorizers[name.Value]; c != nil && c.IAM == nil {
				tally.Add(at, e.name, "credentials are the caller's own, and not every caller signs: let the route have authorizers with iam alone, or name a role")
				return
			}
		}
		return
	}
	if e.policies.Authorize != nil {
		tally.Add(at, e.name, "credentials are the caller's own, and the route lets everybody in: authorize by an authorizer with iam, or name a role")
	}
}

// roleOf reads a role's ARN. Of a path before the name, as AWS has it, the name
// alone counts here.
func roleOf(arn string) (account, name string, ok bool) {
	parts := strings.SplitN(arn, ":", 6)
	if len(parts) != 6 || parts[0] != "arn" || parts[2] != "iam" || parts[3] != "" || len(parts[4]) != 12 || strings.Trim(parts[4], "0123456789") != "" {
		return "", "", false
	}
	path, ok := strings.CutPrefix(parts[5], "role/")
	name = path[strings.LastIndexByte(path, '/')+1:]
	return parts[4], name, ok && name != "" && !strings.ContainsAny(path, ":*?")
}

// arnRoute is METHOD/PATH as ARNs have a route: a method for each, * where it takes
// all.
func (e *endpoint) arnRoute() string {
	method, path, _ := strings.Cut(e.name, " ")
	if method == "ANY" {
		method = "*"
	}
	return method + path
}
