package upstream

import (
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"

	"gatehouse/balance"
	"gatehouse/config"
)

// Target is one item of targets.
type Target struct {
	Address string     // HOST:PORT; of SRV the records' name
	DNS     bool       // every address of HOST is a target, looked up again and again
	SRV     bool       // every place that the records name is one
	Weight  int        // its share, 1 and up
	At      config.Pos // where it stands
}

// String returns the target as it is written.
func (t Target) String() string {
	switch {
	case t.DNS:
		return "dns:" + t.Address
	case t.SRV:
		return "srv:" + t.Address
	}
	return t.Address
}

// named reports whether the target is a name that is looked up again and again.
func (t Target) named() bool { return t.DNS || t.SRV }

func (t *Target) parse(text string) error {
	if name, srv := strings.CutPrefix(text, "srv:"); srv {
		return t.parseRecords(name)
	}
	address, dns := strings.CutPrefix(text, "dns:")
	host, port, err := net.SplitHostPort(address)
	if err != nil || !validHost(host) || !validPort(port) {
		return fmt.Errorf("%q is no target: write HOST:PORT, dns:NAME:PORT or srv:NAME", text)
	}
	if dns && net.ParseIP(host) != nil {
		return fmt.Errorf("%q is an address, nothing to resolve: write it without the dns prefix", text)
	}
	t.Address, t.DNS = net.JoinHostPort(strings.ToLower(host), port), dns
	return nil
}

// parseRecords reads the name of a service's records, _SERVICE._PROTOCOL.NAME.
func (t *Target) parseRecords(name string) error {
	labels := strings.Split(name, ".")
	if len(labels) < 3 || !strings.HasPrefix(labels[0], "_") || !strings.HasPrefix(labels[1], "_") || !validHost(name) || strings.Contains(name, ":") || slices.Contains(labels, "") {
		return fmt.Errorf("%q names no service's records: write srv:_SERVICE._PROTOCOL.NAME, such as srv:_http._tcp.orders.internal", "srv:"+name)
	}
	t.Address, t.SRV = strings.ToLower(name), true
	return nil
}

// weightedTarget is the form of a target that says its weight.
type weightedTarget struct {
	Address string `yaml:"address,required" doc:"HOST:PORT, dns:NAME:PORT or srv:NAME"`
	Weight  int    `yaml:"weight" default:"1" range:"1..1000" doc:"share of the requests among the service's targets"`
}

// UnmarshalConfig reads HOST:PORT, dns:NAME:PORT, srv:NAME, or the form with a
// weight.
func (t *Target) UnmarshalConfig(n *config.Node) {
	long := weightedTarget{Weight: 1}
	if text, ok := n.Text(); ok {
		long.Address = text
	} else if !n.Decode(&long) {
		return
	}
	t.Weight, t.At = long.Weight, n.Pos()
	if err := t.parse(long.Address); err != nil {
		n.Errorf("%v", err)
	}
}

// ConfigSchema implements config.Schemer.
func (Target) ConfigSchema() *config.Schema {
	return &config.Schema{AnyOf: []*config.Schema{
		{Type: "string", Pattern: "^((dns:)?.+:[0-9]+|srv:_.+[.]_.+[.].+)$", Examples: []any{"10.0.1.10:8080", "dns:orders.internal:8080", "srv:_http._tcp.orders.internal"}},
		config.SchemaOf(weightedTarget{}),
	}}
}

// Balance is how a service's targets are picked.
type Balance struct {
	Method balance.Method
	Key    hashKey
	Name   string // of the header or cookie
	Bound  float64
}

// hashKey is what Hash hashes.
type hashKey uint8

const (
	byClient hashKey = iota
	byPath
	byHeader
	byCookie
)

func (b *Balance) parse(text string) error {
	switch text {
	case "round-robin":
		b.Method = balance.RoundRobin
	case "least-requests":
		b.Method = balance.LeastRequests
	case "hash":
		b.Method, b.Key = balance.Hash, byClient
	default:
		return fmt.Errorf("%q is no way to balance: write round-robin, least-requests, hash, or {hash: KEY}", text)
	}
	return nil
}

func (b *Balance) parseKey(text string) error {
	b.Method = balance.Hash
	kind, name, named := strings.Cut(text, ":")
	usable := name != "" && !strings.ContainsAny(name, " \t\r\n\"(),/:;<=>?@[\\]{}")
	switch {
	case kind == "client" && !named:
		b.Key = byClient
	case kind == "path" && !named:
		b.Key = byPath
	case kind == "header" && usable && !strings.EqualFold(name, "host"): // Host is no field of a request's
		b.Key, b.Name = byHeader, http.CanonicalHeaderKey(name)
	case kind == "cookie" && usable:
		b.Key, b.Name = byCookie, name
	default:
		return fmt.Errorf("%q is nothing to hash: write client, path, header:NAME or cookie:NAME", text)
	}
	return nil
}

// UnmarshalConfig reads a method's name, or {hash: KEY, bound: 1.25}.
func (b *Balance) UnmarshalConfig(n *config.Node) {
	if text, ok := n.Text(); ok {
		if err := b.parse(text); err != nil {
			n.Errorf("%v", err)
		}
		return
	}
	var long struct {
		Hash  string  `yaml:"hash,required"`
		Bound float64 `yaml:"bound" default:"0"`
	}
	if !n.Decode(&long) {
		return
	}
	if long.Bound != 0 && (long.Bound < 1 || long.Bound > 100) {
		n.Errorf("bound is how far a target's load may be above the average: from 1 to 100, such as 1.25")
	}
	b.Bound = long.Bound
	if err := b.parseKey(long.Hash); err != nil {
		n.Errorf("%v", err)
	}
}

// ConfigSchema implements config.Schemer.
func (Balance) ConfigSchema() *config.Schema {
	return &config.Schema{Default: "round-robin", AnyOf: []*config.Schema{
		{Type: "string", Enum: []any{"round-robin", "least-requests", "hash"}},
		{
			Type: "object",
			Properties: map[string]*config.Schema{
				"hash":  {Type: "string", Pattern: "^(client|path|header:.+|cookie:.+)$", Description: "what the same target is picked for"},
				"bound": {Type: "number", Description: "how far a target's load may be above the average before its keys go to the next one"},
			},
			Required:             []string{"hash"},
			AdditionalProperties: false,
		},
	}}
}

// UnmarshalConfig reads internal, or {cert: FILE, key: FILE}.
func (c *ClientCertificate) UnmarshalConfig(n *config.Node) {
	if text, ok := n.Text(); ok {
		c.At = config.At{Pos: n.Pos()}
		c.Internal = text == "internal"
		if !c.Internal {
			n.Errorf("%q is no client certificate: write internal, or {cert: FILE, key: FILE}", text)
		}
		return
	}
	type plain ClientCertificate
	n.Decode((*plain)(c))
}

// ConfigSchema implements config.Schemer.
func (ClientCertificate) ConfigSchema() *config.Schema {
	type plain ClientCertificate
	return &config.Schema{AnyOf: []*config.Schema{{Type: "string", Enum: []any{"internal"}}, config.SchemaOf(plain{})}}
}
