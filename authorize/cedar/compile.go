package cedar

import (
	"errors"
	"iter"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"github.com/cedar-policy/cedar-go"
	"github.com/cedar-policy/cedar-go/x/exp/ast"
	"github.com/cedar-policy/cedar-go/x/exp/schema"
	"github.com/cedar-policy/cedar-go/x/exp/schema/validate"

	"gatehouse/config"
	"gatehouse/exchange"
)

// Policies are the Cedar policies of an API, compiled. They are immutable and safe
// for concurrent use.
type Policies struct {
	config  *Config
	list    []policy
	none    *exchange.Rule    // by which what no policy permits is refused
	routes  map[string]*known // by name
	api     cedar.EntityUIDSet
	callers *recall
}

// known is what is known of a route beforehand.
type known struct {
	policies *Policies
	entity   cedar.Entity
	list     []*policy // those that may be about it
	reads    reads     // what these can read
}

type policy struct {
	id     cedar.PolicyID
	policy *cedar.Policy
	reads  reads
	rule   *exchange.Rule
}

// All implements cedar.PolicyIterator.
func (k *known) All() iter.Seq2[cedar.PolicyID, *cedar.Policy] {
	return func(yield func(cedar.PolicyID, *cedar.Policy) bool) {
		for _, one := range k.list {
			if !yield(one.id, one.policy) {
				return
			}
		}
	}
}

// concerns reports whether the policy's scope may hold for an action.
func (p *policy) concerns(action cedar.Entity) bool {
	switch scope := (*ast.Policy)(p.policy.AST()).Action.(type) {
	case ast.ScopeTypeEq:
		return scope.Entity == action.UID
	case ast.ScopeTypeIn:
		return scope.Entity == action.UID || action.Parents.Contains(scope.Entity)
	case ast.ScopeTypeInSet:
		for _, one := range scope.Entities {
			if one == action.UID || action.Parents.Contains(one) {
				return true
			}
		}
		return false
	}
	return true
}

// Compile compiles the policies of a configuration for an API with these routes.
// What is wrong, and what does not fit the schema made of them, is added to the
// report, with its place in the policies' file. It is pure.
func Compile(c *Config, api string, actions []Action, report *config.Report) *Policies {
	p := &Policies{
		config: c, none: &exchange.Rule{Filter: "cedar", Name: "nothing permits it", At: c.Pos}, routes: make(map[string]*known),
		api: cedar.NewEntityUIDSet(cedar.NewEntityUID("API", cedar.String(api))), callers: newRecall(),
	}
	validator := c.validator(actions, report)
	for i := range c.Policies {
		p.read(&c.Policies[i], validator, report)
	}
	for _, a := range actions {
		p.routes[a.Name] = p.about(a)
	}
	return p
}

// about is what is known of a route.
func (p *Policies) about(a Action) *known {
	var in []cedar.EntityUID
	switch {
	case a.Reads:
		in = append(in, cedar.NewEntityUID("Action", "read"))
	case a.Writes:
		in = append(in, cedar.NewEntityUID("Action", "write"))
	}
	k := &known{policies: p, entity: cedar.Entity{UID: cedar.NewEntityUID("Action", cedar.String(a.Name)), Parents: cedar.NewEntityUIDSet(in...)}}
	for i := range p.list {
		if p.list[i].concerns(k.entity) {
			k.list = append(k.list, &p.list[i])
			k.reads |= p.list[i].reads
		}
	}
	return k
}

func (c *Config) validator(actions []Action, report *config.Report) *validate.Validator {
	var s schema.Schema
	err := s.UnmarshalCedar([]byte(c.Schema(actions)))
	if err != nil {
		report.Errorf(c.Pos, "no schema can be made of the API's routes: %v", err)
		return nil
	}
	resolved, err := s.Resolve()
	if err != nil {
		report.Errorf(c.Pos, "no schema can be made of the API's routes: %v", err)
		return nil
	}
	return validate.New(resolved)
}

// read adds the policies of a file.
func (p *Policies) read(f *config.File, validator *validate.Validator, report *config.Report) {
	list, err := cedar.NewPolicyListFromBytes(f.Path, f.Content)
	if err != nil {
		report.Errorf(placeOf(f, err), "no Cedar policy: %v", strings.TrimPrefix(err.Error(), "parser error: "))
		return
	}
	for i, one := range list {
		at := config.Pos{File: f.Path, Line: one.Position().Line, Column: one.Position().Column}
		name := filepath.Base(f.Path) + " #" + strconv.Itoa(i+1)
		if id := one.Annotations()["id"]; id != "" {
			name = filepath.Base(f.Path) + " " + string(id)
		}
		p.list = append(p.list, policy{cedar.PolicyID(strconv.Itoa(len(p.list))), one, readsOf(one), &exchange.Rule{Filter: "cedar", Name: name, At: at}})
		if validator == nil {
			continue
		}
		if err := validator.Policy(name, (*ast.Policy)(one.AST())); err != nil {
			for _, problem := range parts(err) {
				report.Errorf(at, "the policy does not fit the API: %v", problem)
			}
		}
	}
}

// parts are the errors that one joins.
func parts(err error) []error {
	var joined interface{ Unwrap() []error }
	if errors.As(err, &joined) {
		return joined.Unwrap()
	}
	return []error{err}
}

// placeOf is where the parser found something wrong, by its message.
func placeOf(f *config.File, err error) config.Pos {
	at := config.Pos{File: f.Path, Line: 1, Column: 1}
	if found := regexp.MustCompile(`:(\d+):(\d+)`).FindStringSubmatch(err.Error()); found != nil {
		at.Line, _ = strconv.Atoi(found[1])
		at.Column, _ = strconv.Atoi(found[2])
	}
	return at
}
