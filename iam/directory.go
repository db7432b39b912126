package iam

import (
	"crypto/sha256"
	"encoding/base32"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"gatehouse/config"
	"gatehouse/exchange"
	"gatehouse/iam/policy"
)

// Invoke is the action of calling an API.
const Invoke = "execute-api:Invoke"

// Caller is a user, or a role's session.
type Caller struct {
	*policy.Principal
	Known *exchange.Principal // as requests carry it
}

// Assumable is a role that may be assumed.
type Assumable struct {
	Name       string
	ARN        string
	ID         string
	Trust      *policy.Policy
	MaxSession time.Duration

	identity []*policy.Policy
	boundary *policy.Policy
	tags     []policy.Tag
}

// Key is an access key of a user.
type Key struct {
	Secret string
	Caller *Caller
}

// Keys is a store of access keys beside those of the configuration. Requests
// call it: it waits for nobody.
type Keys interface {
	// AccessKey returns the secret of a key that is in force, and the name of
	// its user.
	AccessKey(id string) (secret, user string, ok bool)
}

// Directory is who there is and what they may do. It is immutable and safe for
// concurrent use.
type Directory struct {
	Account      string
	Region       string
	Organisation []*policy.Policy

	invoke policy.Action
	users  map[string]*Caller
	roles  map[string]*Assumable
	keys   map[string]*Key
	store  Keys
}

// Compile compiles a checked section; c may be nil, and store too. It is pure.
func Compile(c *Config, account, region string, store Keys) *Directory {
	d := &Directory{
		Account: account, Region: region, invoke: policy.NewAction(Invoke), store: store,
		users: make(map[string]*Caller), roles: make(map[string]*Assumable), keys: make(map[string]*Key),
	}
	if c == nil {
		return d
	}
	d.Organisation = d.policies(c.Boundaries, "iam.boundaries")
	for _, name := range sorted(c.Users) {
		d.addUser(c, c.Users[name])
	}
	for _, name := range sorted(c.Roles) {
		d.addRole(c.Roles[name])
	}
	return d
}

// With returns the directory with a store of access keys beside its own.
func (d *Directory) With(store Keys) *Directory {
	with := *d
	with.store = store
	return &with
}

// policies compiles the policies of one place.
func (d *Directory) policies(list []policy.IdentitySource, place string) (out []*policy.Policy) {
	for i := range list {
		if p := list[i].Compile(d.scope(fmt.Sprintf("%s #%d", place, i+1))); p != nil {
			out = append(out, p)
		}
	}
	return out
}

func (d *Directory) scope(name string) policy.Scope {
	return policy.Scope{Name: name, Filter: "authorize"}
}

func (d *Directory) addUser(c *Config, u *User) {
	p := &policy.Principal{
		Name: d.arn("iam", "user/"+u.Name), Account: d.Account, UserName: u.Name, UserID: d.id("AIDA", "user/"+u.Name),
		Tags: tagList(u.Tags), Identity: d.policies(u.Policies, "policy of user "+u.Name),
	}
	for _, g := range u.Groups {
		if group := c.Groups[g.Value]; group != nil {
			p.Identity = append(p.Identity, d.policies(group.Policies, "policy of group "+group.Name)...)
		}
	}
	if u.Boundary != nil {
		p.Boundary = u.Boundary.Compile(d.scope("boundary of user " + u.Name))
	}
	caller := d.caller(p, "user/"+u.Name)
	d.users[u.Name] = caller
	for _, k := range u.AccessKeys {
		if !k.Disabled {
			d.keys[k.ID] = &Key{Secret: k.Secret.Reveal(), Caller: caller}
		}
	}
}

func (d *Directory) addRole(r *Role) {
	role := &Assumable{
		Name: r.Name, ARN: d.arn("iam", "role/"+r.Name), ID: d.id("AROA", "role/"+r.Name), MaxSession: r.MaxSession.D(),
		identity: d.policies(r.Policies, "policy of role "+r.Name), tags: tagList(r.Tags),
	}
	if r.Boundary != nil {
		role.boundary = r.Boundary.Compile(d.scope("boundary of role " + r.Name))
	}
	if doc := r.Trust.document(r.ExternalID, d.Account, d.Region); doc != nil {
		scope := d.scope(r.Trust.Source.Name("trust of role " + r.Name))
		scope.Filter = "sts"
		role.Trust = policy.Compile(doc, scope)
	}
	d.roles[r.Name] = role
}

// caller completes a principal with what requests carry of it.
func (d *Directory) caller(p *policy.Principal, subject string) *Caller {
	known := exchange.NewPrincipal("iam", p.Account, subject)
	known.Rights = p.For(d.invoke)
	known.Claims = map[string]any{"arn": p.Name, "account": p.Account, "userid": p.UserID}
	if p.UserName != "" {
		known.Claims["username"] = p.UserName
	}
	for _, tag := range p.Tags {
		known.Claims["tag/"+tag.Key] = tag.Value
	}
	return &Caller{p, known}
}

func (d *Directory) arn(service, resource string) string {
	return "arn:aws:" + service + "::" + d.Account + ":" + resource
}

// id returns the unique id of a user or role: the same at every start, and
// another for another name.
func (d *Directory) id(prefix, resource string) string {
	sum := sha256.Sum256([]byte(d.Account + ":" + resource))
	return prefix + base32.StdEncoding.EncodeToString(sum[:])[:17]
}

func tagList(tags map[string]string) (out []policy.Tag) {
	for _, key := range sorted(tags) {
		out = append(out, policy.Tag{Key: key, Value: tags[key]})
	}
	return out
}

// User returns a user by name; nil where there is none.
func (d *Directory) User(name string) *Caller { return d.users[name] }

// Role returns a role by name; nil where there is none.
func (d *Directory) Role(name string) *Assumable { return d.roles[name] }

// Key returns an access key that is in force.
func (d *Directory) Key(id string) (Key, bool) {
	if k := d.keys[id]; k != nil {
		return *k, true
	}
	if d.store == nil {
		return Key{}, false
	}
	secret, user, ok := d.store.AccessKey(id)
	caller := d.users[user]
	return Key{Secret: secret, Caller: caller}, ok && caller != nil
}

// The errors of Session.
var (
	ErrNoRole  = errors.New("the session's role is gone")
	ErrAccount = errors.New("the session is of another account")
)

// Session returns who calls with a session's credentials: a role that is there
// still, with its policies as they are now.
func (d *Directory) Session(s *Session) (*Caller, error) {
	role := d.roles[s.Role]
	switch {
	case s.Account != d.Account:
		return nil, ErrAccount
	case role == nil:
		return nil, ErrNoRole
	}
	p := role.principal(d, s.Name)
	p.Issued, p.Origin = time.Unix(s.Issued, 0).UTC(), s.Origin
	p.Tags = mergeTags(s.Tags, role.tags)
	if s.Policy != "" {
		var r config.Report
		doc := policy.ParseJSON("session policy", []byte(s.Policy), policy.Identity, policy.SessionLimit, &r)
		if doc == nil {
			return nil, config.NewErrors(&r, nil)
		}
		p.Session = policy.Compile(doc, d.scope("session policy"))
	}
	caller := d.caller(p, "assumed-role/"+role.Name+"/"+s.Name)
	caller.Known.Claims["assumed-by"] = s.By
	caller.Known.Claims["exp"] = json.Number(strconv.FormatInt(s.Expires, 10)) // as tokens say it
	return caller, nil
}

// Trusts decides whether a service of AWS's, such as apigateway.amazonaws.com,
// may assume the role on behalf of what has an ARN.
func (r *Assumable) Trusts(d *Directory, service, on string) policy.Decision {
	return policy.EvaluateTrust(&policy.Request{Service: service, SourceARN: on, Action: policy.NewAction("sts:AssumeRole"), Resource: r.ARN, Account: d.Account, Region: d.Region}, policy.Policies{Resource: r.Trust})
}

// Principal returns who a session of the role with a name would be.
func (r *Assumable) Principal(d *Directory, session string) *policy.Principal {
	return r.principal(d, session)
}

func (r *Assumable) principal(d *Directory, session string) *policy.Principal {
	return &policy.Principal{
		Name: d.arn("sts", "assumed-role/"+r.Name+"/"+session), Role: r.ARN, Account: d.Account, UserID: r.ID + ":" + session,
		Tags: r.tags, Identity: r.identity, Boundary: r.boundary,
	}
}

// mergeTags returns the tags of a session, and those of its role that it does
// not say itself.
func mergeTags(own, role []policy.Tag) []policy.Tag {
	out := own[:len(own):len(own)]
	for _, tag := range role {
		said := false
		for _, o := range own {
			said = said || strings.EqualFold(o.Key, tag.Key)
		}
		if !said {
			out = append(out, tag)
		}
	}
	return out
}
