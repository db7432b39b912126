package sts

import (
	"encoding/xml"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"gatehouse/config"
	"gatehouse/exchange"
	"gatehouse/iam"
	"gatehouse/iam/policy"
)

// rules are the actions that AssumeRole asks policies about.
type rules struct{ assume, tag, identity policy.Action }

func newRules() rules {
	return rules{policy.NewAction("sts:AssumeRole"), policy.NewAction("sts:TagSession"), policy.NewAction("sts:SetSourceIdentity")}
}

type assumeAnswer struct {
	XMLName xml.Name `xml:"AssumeRoleResponse"`
	Space   string   `xml:"xmlns,attr"`
	Result  struct {
		SourceIdentity  string `xml:",omitempty"`
		AssumedRoleUser struct {
			Arn           string
			AssumedRoleID string `xml:"AssumedRoleId"`
		}
		Credentials struct {
			AccessKeyID     string `xml:"AccessKeyId"`
			SecretAccessKey string
			SessionToken    string
			Expiration      string
		}
		PackedPolicySize int `xml:",omitempty"`
	} `xml:"AssumeRoleResult"`
	metadata
}

// Lifetimes of sessions.
const (
	defaultDuration = time.Hour
	maxChained      = time.Hour // of a session that a session makes
	maxTags         = 50
)

// call is what an AssumeRole says.
type call struct {
	role     *iam.Assumable
	roleARN  string
	name     string
	duration time.Duration
	stated   bool // the duration
	policy   string
	external string
	identity string
	tags     []policy.Tag
}

// assumeRole makes a session of a role, for whom the role trusts.
func (h *Handler) assumeRole(x *exchange.Exchange, caller *iam.Caller, form url.Values) (any, *Fault) {
	c, f := readCall(form)
	if f != nil {
		return nil, f
	}
	if f := h.authorize(x, caller, c); f != nil {
		return nil, f
	}
	if f := h.bound(caller, c); f != nil {
		return nil, f
	}
	session := &iam.Session{
		Account: h.Directory.Account, Role: c.role.Name, Name: c.name, By: caller.Name, Origin: c.identity,
		Issued: x.Start.Unix(), Expires: x.Start.Add(c.duration).Unix(), Policy: c.policy, Tags: c.tags,
	}
	if session.Origin == "" {
		session.Origin = caller.Origin // it goes on through every session
	}
	session.NewCredentials()
	token, err := h.Sealer.Seal(session)
	if err != nil {
		return nil, &Fault{http.StatusBadRequest, "PackedPolicyTooLarge", "The session's policy and tags are too large together.", "policy", ""}
	}
	who := c.role.Principal(h.Directory, c.name)
	answer := assumeAnswer{Space: namespace, metadata: metadata{x.ID}}
	a := &answer.Result
	a.SourceIdentity = session.Origin
	a.AssumedRoleUser.Arn, a.AssumedRoleUser.AssumedRoleID = who.Name, who.UserID
	a.Credentials.AccessKeyID, a.Credentials.SecretAccessKey, a.Credentials.SessionToken = session.AccessKey, session.Secret, token
	a.Credentials.Expiration = time.Unix(session.Expires, 0).UTC().Format(time.RFC3339)
	if c.policy != "" || len(c.tags) > 0 {
		a.PackedPolicySize = 1 + 99*len(token)/iam.MaxToken
	}
	return answer, nil
}

// readCall holds a call's parameters to AWS's forms.
func readCall(form url.Values) (*call, *Fault) {
	c := &call{roleARN: form.Get("RoleArn"), name: form.Get("RoleSessionName"), policy: form.Get("Policy"), external: form.Get("ExternalId"), identity: form.Get("SourceIdentity"), duration: defaultDuration}
	switch {
	case len(c.roleARN) < 20 || len(c.roleARN) > 2048:
		return nil, validation("roleArn", "must be an ARN of 20 to 2048 characters")
	case !iam.IsSessionName(c.name):
		return nil, validation("roleSessionName", "must be 2 to 64 letters, digits and characters of _=,.@-")
	case c.external != "" && !iam.IsExternalID(c.external):
		return nil, validation("externalId", "must be 2 to 1224 letters, digits and characters of _=,.@:/-")
	case c.identity != "" && (!iam.IsSessionName(c.identity) || strings.HasPrefix(c.identity, "aws:")):
		return nil, validation("sourceIdentity", "must be 2 to 64 letters, digits and characters of _=,.@-")
	}
	if text := form.Get("DurationSeconds"); text != "" {
		seconds, err := strconv.Atoi(text)
		if err != nil || seconds < int(iam.MinSession/time.Second) || seconds > int(iam.MaxSession/time.Second) {
			return nil, validation("durationSeconds", "must be 900 to 43200")
		}
		c.duration, c.stated = time.Duration(seconds)*time.Second, true
	}
	for name := range form {
		if strings.HasPrefix(name, "PolicyArns.") || strings.HasPrefix(name, "ProvidedContexts.") || name == "SerialNumber" || name == "TokenCode" {
			return nil, validation(clip(name), "is not supported by this gateway: a session policy goes into Policy")
		}
	}
	if f := c.checkPolicy(); f != nil {
		return nil, f
	}
	return c, c.readTags(form)
}

func validation(what, wrong string) *Fault {
	return &Fault{http.StatusBadRequest, "ValidationError", "1 validation error detected: Value at '" + what + "' failed to satisfy constraint: Member " + wrong, "parameter", ""}
}

func (c *call) checkPolicy() *Fault {
	if c.policy == "" {
		return nil
	}
	var r config.Report
	if policy.ParseJSON("Policy", []byte(c.policy), policy.Identity, policy.SessionLimit, &r) == nil {
		p := r.Problems()[0]
		return &Fault{http.StatusBadRequest, "MalformedPolicyDocument", fmt.Sprintf("%d:%d: %s", p.Pos.Line, p.Pos.Column, p.Message), "policy", ""}
	}
	return nil
}

// readTags reads Tags.member.N.Key and .Value.
func (c *call) readTags(form url.Values) *Fault {
	found := 0
	for name := range form {
		if strings.HasPrefix(name, "Tags.member.") && strings.HasSuffix(name, ".Key") {
			found++
		}
		if strings.HasPrefix(name, "TransitiveTagKeys.") {
			return validation("transitiveTagKeys", "is not supported by this gateway")
		}
	}
	if found > maxTags {
		return validation("tags", "must have length less than or equal to 50")
	}
	seen := make(map[string]bool)
	for i := range found {
		prefix := "Tags.member." + strconv.Itoa(i+1)
		tag := policy.Tag{Key: form.Get(prefix + ".Key"), Value: form.Get(prefix + ".Value")}
		switch folded := strings.ToLower(tag.Key); {
		case !iam.IsTag(tag) || strings.HasPrefix(folded, "aws:"):
			return validation("tags", "must be keys of 1 to 128 and values of at most 256 letters, digits, spaces and characters of _.:/=+-@, and no key begins with aws:")
		case seen[folded]:
			return &Fault{http.StatusBadRequest, "InvalidParameterValue", "Duplicate tag keys found. Please note that Tag keys are case insensitive.", "parameter", ""}
		default:
			seen[folded] = true
		}
		c.tags = append(c.tags, tag)
	}
	return nil
}

// authorize asks the role's trust policy and the caller's own. Who may not is
// told no more than that: not even whether there is such a role.
func (h *Handler) authorize(x *exchange.Exchange, caller *iam.Caller, c *call) *Fault {
	c.role = h.role(c.roleARN)
	if c.role == nil {
		return denied(caller, h.rules.assume, c.roleARN, "there is no such role")
	}
	r := &policy.Request{
		Principal: caller.Principal, Resource: c.role.ARN, Account: h.Directory.Account, Region: h.Directory.Region,
		Time: x.Start, SourceIP: x.Client, ExternalID: c.external, SessionName: c.name, SourceIdentity: c.identity, RequestTags: c.tags,
	}
	if r.Transport = policy.Plain; x.Conn.TLS {
		r.Transport = policy.Secure
	}
	actions := []policy.Action{h.rules.assume}
	if len(c.tags) > 0 {
		actions = append(actions, h.rules.tag)
	}
	if c.identity != "" {
		actions = append(actions, h.rules.identity)
	}
	for _, action := range actions {
		r.Action = action
		d := policy.EvaluateTrust(r, policy.Policies{Organisation: h.Directory.Organisation, Resource: c.role.Trust})
		switch {
		case d.Allowed:
			x.Trail.Add(d.By.Rule, exchange.Allowed, "")
		case d.Explicit():
			return denied(caller, action, c.roleARN, "denied by "+d.By.Policy+" "+d.By.Title())
		case d.Layer == policy.OfResource:
			return denied(caller, action, c.roleARN, "the role's trust policy does not allow it")
		default:
			return denied(caller, action, c.roleARN, d.Layer.String()+" do not allow it")
		}
	}
	return nil
}

// role returns the role of an ARN; nil where there is none.
func (h *Handler) role(arn string) *iam.Assumable {
	name, ok := strings.CutPrefix(arn, "arn:aws:iam::"+h.Directory.Account+":role/")
	if !ok {
		return nil
	}
	return h.Directory.Role(name)
}

func denied(caller *iam.Caller, action policy.Action, arn, detail string) *Fault {
	return &Fault{http.StatusForbidden, "AccessDenied", "User: " + caller.Name + " is not authorized to perform: " + action.String() + " on resource: " + clip(arn), "not-trusted", detail}
}

// bound holds the session's lifetime to what the role and the caller allow. A
// default that is too long is cut; what was asked for is not.
func (h *Handler) bound(caller *iam.Caller, c *call) *Fault {
	most := c.role.MaxSession
	message := "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."
	if caller.IsSession() && most > maxChained {
		most, message = maxChained, "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining"
	}
	switch {
	case c.duration <= most:
	case c.stated:
		return &Fault{http.StatusBadRequest, "ValidationError", message, "parameter", ""}
	default:
		c.duration = most
	}
	return nil
}
