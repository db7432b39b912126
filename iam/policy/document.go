package policy

import (
	"gatehouse/config"
)

// Use is what a document is for: it decides which elements it must have.
type Use uint8

const (
	// Identity documents belong to users, groups and roles. Boundaries and
	// session policies have their form.
	Identity Use = iota
	// Resource documents belong to an API.
	Resource
	// Trust documents say who may assume a role.
	Trust
)

// The versions of the policy language. Without one a document has the older,
// in which ${ is text.
const (
	Version2012 = "2012-10-17"
	Version2008 = "2008-10-17"
)

// Document is a policy as it was written, without what is wrong in it.
type Document struct {
	At         config.Pos
	Version    string
	ID         string
	Statements []Element
}

// Element is one statement as it was written. Of each pair, such as Actions and
// NotActions, one is set.
type Element struct {
	At            config.Pos
	Sid           string
	Deny          bool
	Principals    *Principals
	NotPrincipals *Principals
	Actions       []string
	NotActions    []string
	Resources     []string
	NotResources  []string
	Conditions    []Condition
}

// Principals are whom a statement speaks of.
type Principals struct {
	Any      bool     // "*"
	AWS      []string // ARNs and account numbers
	Services []string // "lambda.amazonaws.com"
	Others   []string // federated and canonical ones, whom the gateway never meets
}

// Condition is one key under one operator.
type Condition struct {
	At       config.Pos
	Operator string
	Key      string
	Values   []string
}

// limit is how many characters a document may have, white space apart: as
// many as AWS lets it, so that what runs here runs there.
func (u Use) limit() int {
	switch u {
	case Resource:
		return 8192
	case Trust:
		return 4096
	}
	return 10240
}

// SessionLimit is how many characters a session policy may have.
const SessionLimit = 2048

func (u Use) String() string {
	switch u {
	case Resource:
		return "the policy of an API"
	case Trust:
		return "a trust policy"
	}
	return "a policy of users, groups and roles"
}

// Parse reads the document in a file, JSON or YAML. What is wrong is added to r,
// each problem with its place in the file; the Document is nil then.
func Parse(name string, data []byte, use Use, r *config.Report) *Document {
	var own config.Report
	if len(data) > maxText {
		r.Errorf(config.Pos{File: name, Line: 1, Column: 1}, "the file has more than %v: policy documents are small", config.Size(maxText))
		return nil
	}
	root := parseFile(name, data, &own)
	return decodeWhole(root, use, &own, r)
}

// maxText is how many bytes a document may have with its white space.
const maxText = 256 << 10

// ParseJSON is Parse for a document that is JSON and has at most limit
// characters, white space apart.
func ParseJSON(name string, data []byte, use Use, limit int, r *config.Report) *Document {
	var own config.Report
	if len(data) > maxText {
		data = nil // no JSON, and no work
	}
	root := parseJSON(name, data, &own)
	if root != nil && root.size() > limit {
		own.Errorf(root.at, "the policy has more than %d characters", limit)
	}
	return decodeWhole(root, use, &own, r)
}

func decodeWhole(root *value, use Use, own, r *config.Report) *Document {
	var doc *Document
	if root != nil {
		doc = decode(root, use, own)
	}
	for _, p := range own.Problems() {
		r.Add(p)
	}
	if len(own.Problems()) > 0 {
		return nil
	}
	return doc
}

// Unfilled returns the conditions whose key no request can have here.
func (d *Document) Unfilled() (out []Condition) {
	if d == nil {
		return nil
	}
	for i := range d.Statements {
		for _, c := range d.Statements[i].Conditions {
			if !IsFilled(c.Key) {
				out = append(out, c)
			}
		}
	}
	return out
}
