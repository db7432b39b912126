package iam

import (
	"maps"
	"regexp"
	"slices"
	"strings"

	"gatehouse/config"
	"gatehouse/iam/policy"
)

// Config is the iam section.
type Config struct {
	config.At
	Boundaries []policy.IdentitySource `yaml:"boundaries" single:"true" doc:"policies of the organisation: each must allow whatever a user or a role does, and grants nothing"`
	Groups     map[string]*Group       `yaml:"groups" doc:"policies that several users share"`
	Users      map[string]*User        `yaml:"users" doc:"people and programs that sign with access keys"`
	Roles      map[string]*Role        `yaml:"roles" doc:"what can be assumed for a time, by those whom the role trusts"`
}

// Group is a set of policies.
type Group struct {
	config.At
	Name     string                  `yaml:"-" key:"true"`
	Policies []policy.IdentitySource `yaml:"policies" single:"true" doc:"IAM policy documents, in place or as paths of files"`
}

// User signs with access keys of its own.
type User struct {
	config.At
	Name       string                  `yaml:"-" key:"true"`
	Groups     []config.Name           `yaml:"groups" single:"true" doc:"groups whose policies the user has as well"`
	Policies   []policy.IdentitySource `yaml:"policies" single:"true" doc:"IAM policy documents, in place or as paths of files"`
	Boundary   *policy.IdentitySource  `yaml:"boundary" doc:"what the user's policies can allow at most; it grants nothing"`
	Tags       map[string]string       `yaml:"tags" doc:"tags of the user: aws:PrincipalTag/KEY in conditions"`
	AccessKeys []AccessKey             `yaml:"access-keys" single:"true" doc:"keys that the user signs with; two of them let one be replaced"`
}

// AccessKey is what a user signs with.
type AccessKey struct {
	config.At
	ID       string        `yaml:"id,required" doc:"the key's id, such as AKIA...: 16 to 128 capital letters and digits"`
	Secret   config.Secret `yaml:"secret,required" doc:"its secret, at least 30 characters: ${env:NAME} or ${file:PATH}"`
	Disabled bool          `yaml:"disabled" doc:"refuse what is signed with the key"`
}

// Role is what others can become for a time.
type Role struct {
	config.At
	Name       string                  `yaml:"-" key:"true"`
	Trust      Trust                   `yaml:"trust,required" doc:"who may assume the role: names such as user:ci, role:deploy, account:123456789012, function:quote, api:shop; or a trust policy, in place or as the path of a file"`
	ExternalID []string                `yaml:"external-id" single:"true" doc:"an id that who assumes the role must know, one of these"`
	Policies   []policy.IdentitySource `yaml:"policies" single:"true" doc:"IAM policy documents, in place or as paths of files"`
	Boundary   *policy.IdentitySource  `yaml:"boundary" doc:"what the role's policies can allow at most; it grants nothing"`
	Tags       map[string]string       `yaml:"tags" doc:"tags of the role: aws:PrincipalTag/KEY in conditions"`
	MaxSession config.Duration         `yaml:"max-session" default:"1h" range:"15m..12h" doc:"how long a session of the role can last at most"`
}

// Bounds of what a configuration may say, as AWS has them.
const (
	maxPolicies = 20
	maxGroups   = 10
	maxKeys     = 2
	maxTags     = 50
	minSecret   = 30
	maxName     = 64
)

var accessKeyForm = regexp.MustCompile(`^[A-Z0-9]{16,128}$`)

// Check implements config.Checker.
func (c *Config) Check(r *config.Report) {
	checkPolicies(r, c.Of("boundaries"), c.Boundaries)
	for _, name := range sorted(c.Groups) {
		checkPolicies(r, c.Groups[name].Of("policies"), c.Groups[name].Policies)
	}
	ids := make(map[string]string)
	for _, name := range sorted(c.Users) {
		c.checkUser(r, c.Users[name], ids)
	}
	for _, name := range sorted(c.Roles) {
		c.checkRole(r, c.Roles[name])
	}
}

func (c *Config) checkUser(r *config.Report, u *User, ids map[string]string) {
	checkName(r, u.Pos, "user", u.Name)
	checkPolicies(r, u.Of("policies"), u.Policies)
	checkTags(r, u.Of("tags"), u.Tags)
	if len(u.Groups) > maxGroups {
		r.Errorf(u.Of("groups"), "a user is in at most %d groups", maxGroups)
	}
	for _, g := range u.Groups {
		if c.Groups[g.Value] == nil {
			r.Unknown(g.At, "group", g.Value, sorted(c.Groups))
		}
	}
	if len(u.AccessKeys) > maxKeys {
		r.Errorf(u.Of("access-keys"), "a user has at most %d access keys", maxKeys)
	}
	for i := range u.AccessKeys {
		k := &u.AccessKeys[i]
		k.check(r)
		if owner, taken := ids[k.ID]; taken {
			r.Errorf(k.Of("id"), "the user %s has an access key with this id already", owner)
		}
		ids[k.ID] = u.Name
	}
}

func (k *AccessKey) check(r *config.Report) {
	switch {
	case !accessKeyForm.MatchString(k.ID):
		r.Errorf(k.Of("id"), "an access key's id is 16 to 128 capital letters and digits, such as AKIAIOSFODNN7EXAMPLE")
	case strings.HasPrefix(k.ID, sessionPrefix):
		r.Errorf(k.Of("id"), "ids that begin with %s are those of sessions: begin it with AKIA", sessionPrefix)
	}
	if len(k.Secret.Reveal()) < minSecret {
		r.Errorf(k.Of("secret"), "the secret is too short to be safe: use at least %d random characters", minSecret)
	}
}

func (c *Config) checkRole(r *config.Report, role *Role) {
	checkName(r, role.Pos, "role", role.Name)
	checkPolicies(r, role.Of("policies"), role.Policies)
	checkTags(r, role.Of("tags"), role.Tags)
	if len(role.ExternalID) > 0 && len(role.Trust.names) == 0 {
		r.Errorf(role.Of("external-id"), "with a trust policy the id is a condition of that: {StringEquals: {sts:ExternalId: ...}}")
	}
	for _, id := range role.ExternalID {
		if !IsExternalID(id) {
			r.Errorf(role.Of("external-id"), "an external id is 2 to 1224 letters, digits and characters of =,.@:/_+-")
		}
	}
	role.Trust.check(r, c)
}

func checkName(r *config.Report, at config.Pos, what, name string) {
	if len(name) > maxName {
		r.Errorf(at, "the name of a %s has at most %d characters", what, maxName)
	}
}

func checkPolicies(r *config.Report, at config.Pos, list []policy.IdentitySource) {
	if len(list) > maxPolicies {
		r.Errorf(at, "at most %d policies in one place", maxPolicies)
	}
}

func checkTags(r *config.Report, at config.Pos, tags map[string]string) {
	if len(tags) > maxTags {
		r.Errorf(at, "at most %d tags", maxTags)
	}
	folded := make(map[string]string)
	for _, key := range sorted(tags) {
		if twin, again := folded[strings.ToLower(key)]; again {
			r.Errorf(at, "the tags %s and %s differ in case alone, and conditions do not tell them apart", twin, key)
		}
		folded[strings.ToLower(key)] = key
		if len(tags[key]) > maxTagValue {
			r.Errorf(at, "the value of the tag %s has more than %d characters", key, maxTagValue)
		}
	}
}

// APIs returns the APIs that roles trust by name, for whoever knows which there
// are.
func (c *Config) APIs() []config.Name {
	var out []config.Name
	for _, name := range sorted(c.Roles) {
		for _, n := range c.Roles[name].Trust.names {
			if kind, api, _ := strings.Cut(n.Value, ":"); kind == "api" {
				out = append(out, config.Name{Value: api, At: n.At})
			}
		}
	}
	return out
}

func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// Documents returns all documents of a checked section, which may be nil.
func (c *Config) Documents() (out []*policy.Document) {
	if c == nil {
		return nil
	}
	add := func(list []policy.IdentitySource, further ...*policy.IdentitySource) {
		for i := range list {
			out = append(out, list[i].Document)
		}
		for _, s := range further {
			if s != nil {
				out = append(out, s.Document)
			}
		}
	}
	add(c.Boundaries)
	for _, name := range sorted(c.Groups) {
		add(c.Groups[name].Policies)
	}
	for _, name := range sorted(c.Users) {
		add(c.Users[name].Policies, c.Users[name].Boundary)
	}
	for _, name := range sorted(c.Roles) {
		add(c.Roles[name].Policies, c.Roles[name].Boundary)
		if doc := c.Roles[name].Trust.Document; doc != nil {
			out = append(out, doc)
		}
	}
	return out
}
