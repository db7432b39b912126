package api

import (
	"net/url"
	"strconv"
	"strings"

	"gatehouse/api/openapi"
	"gatehouse/config"
)

// Kind is what kind of thing answers a route.
type Kind string

// The kinds of targets.
const (
	Service  Kind = "service"
	Function Kind = "function"
	Inline   Kind = "inline" // http://HOST:PORT
	Mock     Kind = "mock"
	Redirect Kind = "redirect"
)

// Destination is one thing that answers.
type Destination struct {
	Kind   Kind
	Name   string        // the service or function; the URL of an inline target or redirect
	Alias  string        // of a function
	Status int           // of a mock
	Mock   *openapi.Mock // what a mock of a definition answers; nil for Status and {}
	Weight int           // share of the requests among the target's destinations
	At     config.Pos
}

// Shares reports whether the destination can share a route with others by
// weight: a mock and a redirect cannot.
func (d Destination) Shares() bool { return d.Kind != Mock && d.Kind != Redirect }

// Target is what answers a route: one destination, or several by weight. Those
// that name stage variables are not among the destinations until In has put in
// their values.
type Target struct {
	Destinations []Destination
	At           config.Pos

	written []written // beside Destinations, those that name variables
}

// Said reports whether the target says anything.
func (t Target) Said() bool { return len(t.Destinations)+len(t.written) > 0 }

const targetForms = "write service:NAME, function:NAME, http://HOST:PORT, mock, mock:STATUS, redirect:URL, or weights such as {service:a: 90, service:b: 10}"

// UnmarshalConfig reads the short form and the weighted one.
func (t *Target) UnmarshalConfig(n *config.Node) {
	t.At = n.Pos()
	switch n.Kind() {
	case config.Scalar:
		text, ok := n.Template()
		if strings.Contains(text, "@") {
			n.Hide() // a password, perhaps, which an address has no place for
		}
		if ok {
			t.add(n, text, 1)
		}
	case config.Map:
		t.weighted(n)
	default:
		n.Errorf("a target is missing: %s", targetForms)
	}
}

func (t *Target) weighted(n *config.Node) {
	entries, total := 0, 0
	n.Each(func(key string, at config.Pos, value *config.Node) {
		entries++
		if key == "service" || key == "function" || key == "http" || key == "https" {
			value.Errorf("the target is cut at its first colon: write it in quotes, {\"%s:NAME\": 90}", key)
			return
		}
		var share int
		if !value.Decode(&share) {
			return
		}
		if share < 0 || share > maxWeight {
			value.Errorf("a weight is from 0 to %d, not %d", maxWeight, share)
			return
		}
		t.add(value, key, share)
	})
	for _, d := range t.Destinations {
		total += d.Weight
		if !d.Shares() {
			n.Errorf("only services, functions and addresses can share a route by weight")
			return
		}
	}
	for _, w := range t.written {
		total += w.weight
	}
	switch {
	case entries == 0:
		n.Errorf("a target is missing: %s", targetForms)
	case total == 0 && len(t.Destinations)+len(t.written) == entries:
		n.Errorf("at least one weight must be above 0")
	}
}

// maxWeight is the largest weight of a destination.
const maxWeight = 1_000_000

func (t *Target) add(n *config.Node, text string, weight int) {
	named := false
	plain, err := expand(text, func(string) (string, bool) {
		named = true
		return "x", true
	})
	if err != nil {
		n.Errorf("%v", err)
		return
	}
	d, problem := parseDestination(plain)
	if problem != "" {
		n.Errorf("%s", problem)
		return
	}
	if named {
		t.written = append(t.written, written{text, weight, n.Pos()})
		return
	}
	d.Weight, d.At = weight, n.Pos()
	t.Destinations = append(t.Destinations, d)
}

func parseDestination(text string) (Destination, string) {
	kind, rest, _ := strings.Cut(text, ":")
	switch kind {
	case "service":
		return named(Service, rest)
	case "function":
		name, alias, _ := strings.Cut(rest, ":")
		d, problem := named(Function, name)
		d.Alias = alias
		return d, problem
	case "http", "https":
		return inline(text)
	case "mock":
		return mock(rest)
	case "redirect":
		return redirect(rest)
	}
	return Destination{}, "unknown target " + strconv.Quote(text) + ": " + targetForms
}

func named(kind Kind, name string) (Destination, string) {
	if name == "" {
		return Destination{}, "a " + string(kind) + " without a name: " + targetForms
	}
	return Destination{Kind: kind, Name: name}, ""
}

func inline(text string) (Destination, string) {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Hostname() == "" {
		return Destination{}, strconv.Quote(text) + " is no address: write http://HOST:PORT"
	}
	if u.User != nil {
		return Destination{}, "an address holds no user and no password: set authorization under headers.request"
	}
	if u.RawQuery != "" || u.Fragment != "" || (u.Path != "" && u.Path != "/") {
		return Destination{}, strconv.Quote(text) + " says more than an address: write http://HOST:PORT, and the path under rewrite"
	}
	return Destination{Kind: Inline, Name: u.Scheme + "://" + strings.ToLower(u.Host)}, ""
}

func mock(status string) (Destination, string) {
	d := Destination{Kind: Mock, Status: 200}
	if status == "" {
		return d, ""
	}
	n, err := strconv.Atoi(status)
	if err != nil || n < 200 || n > 599 {
		return d, "a mock's status is a number from 200 to 599, not " + strconv.Quote(status)
	}
	d.Status = n
	return d, ""
}

func redirect(to string) (Destination, string) {
	u, err := url.Parse(to)
	if err != nil || to == "" || (u.Scheme != "" && u.Scheme != "http" && u.Scheme != "https") || strings.ContainsAny(to, "\r\n\\") {
		return Destination{}, "a redirect goes to an http or https URL, or to a path: redirect:https://www.example.com/"
	}
	return Destination{Kind: Redirect, Name: to}, ""
}

// weight is what stands behind a destination that shares a route.
type weight int

// ConfigSchema implements config.Schemer.
func (weight) ConfigSchema() *config.Schema {
	return &config.Schema{Type: "integer", Minimum: new(0.0), Maximum: new(float64(maxWeight))}
}

// ConfigSchema implements config.Schemer.
func (Target) ConfigSchema() *config.Schema {
	return &config.Schema{AnyOf: []*config.Schema{
		{Type: "string", Pattern: "^(service:|function:|https?://|mock$|mock:|redirect:)", Examples: []any{"service:orders", "http://127.0.0.1:3000", "mock", "redirect:https://www.example.com/"}},
		{
			Type: "object", MinProperties: 1,
			PropertyNames:        &config.Schema{Pattern: "^(service:|function:|https?://)"},
			AdditionalProperties: config.SchemaOf(weight(0)),
		},
	}}
}
