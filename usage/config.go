package usage

import (
	"fmt"
	"strings"
	"time"

	"gatehouse/config"
	"gatehouse/limit"
)

// Plan is one entry of usage-plans: what each API key of the plan may use.
type Plan struct {
	config.At
	Name     string       `yaml:"-" key:"true"`
	Throttle *Throttle    `yaml:"throttle" doc:"how often each key of the plan may call"`
	Quota    *Quota       `yaml:"quota" doc:"how much each key of the plan may call"`
	APIs     []Deployment `yaml:"apis,required" single:"true" doc:"where keys of the plan are taken: API for all its stages, API/STAGE, or {api: ..., routes: [{route: METHOD PATH, rate: ..., burst: ...}]}"`
}

// Throttle is a rate for each key.
type Throttle struct {
	config.At
	Rate  limit.Rate `yaml:"rate,required" doc:"how often: 10/s, 600/m, 1000/h, 5/d"`
	Burst int        `yaml:"burst" range:"1..1073741824" doc:"requests that may come at once; default: the rate a second, rounded up"`
}

// UnmarshalConfig reads a rate alone, or a section.
func (t *Throttle) UnmarshalConfig(n *config.Node) {
	if n.Kind() == config.Scalar {
		n.Decode(&t.Rate)
		return
	}
	type section Throttle
	n.Decode((*section)(t))
}

// ConfigSchema implements config.Schemer.
func (Throttle) ConfigSchema() *config.Schema {
	type section Throttle
	return &config.Schema{AnyOf: []*config.Schema{limit.Rate{}.ConfigSchema(), config.SchemaOf(section{})}}
}

func (t *Throttle) burst() int {
	if t.Burst > 0 {
		return t.Burst
	}
	return t.Rate.DefaultBurst()
}

// Quota is a number of requests in a period of the calendar, in UTC.
type Quota struct {
	config.At
	Limit int64  `yaml:"limit,required" range:"1..1000000000000000" doc:"requests of each key"`
	Per   Period `yaml:"per,required" enum:"day|week|month" doc:"the period: day, week (from Monday on) or month, in UTC"`
}

// Period is a part of the calendar.
type Period string

// The periods, in UTC. Weeks begin on Monday (ISO 8601).
const (
	Day   Period = "day"
	Week  Period = "week"
	Month Period = "month"
)

// Bounds returns the beginning and the end of the period that a time lies in.
func (p Period) Bounds(at time.Time) (begin, end time.Time) {
	at = at.UTC()
	y, m, d := at.Date()
	switch p {
	case Week:
		begin = time.Date(y, m, d-(int(at.Weekday())+6)%7, 0, 0, 0, 0, time.UTC)
		return begin, begin.AddDate(0, 0, 7)
	case Month:
		begin = time.Date(y, m, 1, 0, 0, 0, 0, time.UTC)
		return begin, begin.AddDate(0, 1, 0)
	}
	begin = time.Date(y, m, d, 0, 0, 0, 0, time.UTC)
	return begin, begin.AddDate(0, 0, 1)
}

// length is the longest that a period lasts.
func (p Period) length() time.Duration {
	switch p {
	case Week:
		return 7 * 24 * time.Hour
	case Month:
		return 31 * 24 * time.Hour
	}
	return 24 * time.Hour
}

// Deployment is where a plan holds.
type Deployment struct {
	config.At
	API    string          `yaml:"api,required" doc:"API for all its stages, or API/STAGE"`
	Routes []RouteThrottle `yaml:"routes" single:"true" doc:"routes with a rate of their own in place of the plan's"`
}

// RouteThrottle is the rate of one route.
type RouteThrottle struct {
	config.At
	Route string     `yaml:"route,required" doc:"METHOD PATH, as the route is written"`
	Rate  limit.Rate `yaml:"rate,required" doc:"how often each key may call it"`
	Burst int        `yaml:"burst" range:"1..1073741824" doc:"requests that may come at once; default: the rate a second, rounded up"`
}

// own returns the throttle that a route has of its own; nil for none.
func (d *Deployment) own(route string) *Throttle {
	for i := range d.Routes {
		if r := &d.Routes[i]; r.Route == route {
			return &Throttle{At: r.At, Rate: r.Rate, Burst: r.Burst}
		}
	}
	return nil
}

// UnmarshalConfig reads a name alone, or a section.
func (d *Deployment) UnmarshalConfig(n *config.Node) {
	if n.Kind() == config.Scalar {
		n.Decode(&d.API)
		return
	}
	type section Deployment
	n.Decode((*section)(d))
}

// ConfigSchema implements config.Schemer.
func (Deployment) ConfigSchema() *config.Schema {
	type section Deployment
	return &config.Schema{AnyOf: []*config.Schema{{Type: "string"}, config.SchemaOf(section{})}}
}

// Names returns the API and the stage that are meant; stage is "" for all.
func (d *Deployment) Names() (api, stage string) {
	api, stage, _ = strings.Cut(d.API, "/")
	return api, stage
}

// Check implements config.Checker.
func (p *Plan) Check(r *config.Report) {
	if p.Throttle == nil && p.Quota == nil && !p.Broken("throttle") && !p.Broken("quota") {
		r.Errorf(p.Pos, "the usage plan %s grants without limits: write throttle, quota or both", p.Name)
	}
	if len(p.Name) > 128 || strings.ContainsFunc(p.Name, func(c rune) bool { return c <= ' ' || c > '~' || c == '"' || c == '\\' }) {
		r.Errorf(p.Pos, "the name of a usage plan is printable ASCII without spaces and quotes")
	}
}

// Requirement says whether a route wants an API key.
type Requirement string

// Required is the Requirement of an API key.
const Required Requirement = "required"

// Source is where the API key of a request is taken from.
type Source string

// The sources.
const (
	Anywhere   Source = ""           // from the authorizer where it says one, or else from the header
	Header     Source = "header"     // from x-api-key alone
	Authorizer Source = "authorizer" // from what the authorizer says alone
)

// Rule is what a route says of API keys, with its place.
type Rule struct {
	At     config.Pos
	Want   Requirement
	Source Source
}

// From returns the rule with keys taken from a source; r itself for anywhere.
func (r *Rule) From(s Source) *Rule {
	if r == nil || s == Anywhere {
		return r
	}
	from := *r
	from.Source = s
	return &from
}

// UnmarshalConfig reads "required" or "none".
func (u *Rule) UnmarshalConfig(n *config.Node) {
	text, ok := n.Text()
	if !ok {
		return
	}
	if text != string(Required) && text != "none" {
		n.Unknown("requirement", text, []string{"none", string(Required)})
		return
	}
	*u = Rule{At: n.Pos(), Want: Requirement(text)}
}

// ConfigSchema implements config.Schemer.
func (Rule) ConfigSchema() *config.Schema {
	return &config.Schema{Type: "string", Enum: []any{"none", string(Required)}}
}

// String says the quota in words.
func (q *Quota) String() string { return fmt.Sprintf("%d per %s", q.Limit, q.Per) }

// Offer is a plan as it holds on one route.
type Offer struct {
	Plan     *Plan
	Throttle *Throttle // nil for none
	Scope    string    // of the throttle's buckets
}

// OffersFor returns the plans whose keys a route of a stage takes.
func OffersFor(plans []*Plan, api, stage, route string) (out []Offer) {
	for _, p := range plans {
		for i := range p.APIs {
			d := &p.APIs[i]
			a, s := d.Names()
			if a != api || s != "" && s != stage {
				continue
			}
			o := Offer{Plan: p, Throttle: p.Throttle, Scope: "plan " + p.Name}
			if own := d.own(route); own != nil {
				o.Throttle, o.Scope = own, "plan "+p.Name+" "+api+"/"+stage+"/"+route
			}
			out = append(out, o)
			break
		}
	}
	return out
}
