package policy

import (
	"path/filepath"

	"gatehouse/config"
)

// Source is a document as a configuration says it: in place, or by the path of
// a file in JSON or YAML.
type Source struct {
	At       config.Pos
	File     config.File // unset for a document in place
	Document *Document   // nil where something is wrong with it

	problems []config.Problem
}

// IdentitySource is a Source of users, groups, roles and boundaries.
type IdentitySource struct{ Source }

// ResourceSource is the Source of an API's policy.
type ResourceSource struct{ Source }

var (
	_ config.Unmarshaler = (*IdentitySource)(nil)
	_ config.Unmarshaler = (*ResourceSource)(nil)
	_ config.Checker     = (*IdentitySource)(nil)
	_ config.Checker     = (*ResourceSource)(nil)
	_ config.Schemer     = IdentitySource{}
	_ config.Schemer     = ResourceSource{}
)

// UnmarshalConfig reads a path or a document.
func (s *IdentitySource) UnmarshalConfig(n *config.Node) { s.Read(n, Identity) }

// UnmarshalConfig reads a path or a document.
func (s *ResourceSource) UnmarshalConfig(n *config.Node) { s.Read(n, Resource) }

// Read reads a path or a document for a use.
func (s *Source) Read(n *config.Node, use Use) {
	s.At = n.Pos()
	var report config.Report
	switch n.Kind() {
	case config.Scalar:
		if !n.Decode(&s.File) {
			return
		}
		s.Document = Parse(s.File.Path, s.File.Content, use, &report)
	case config.Map:
		s.Document = decodeWhole(fromNode(n), use, new(config.Report), &report)
	default:
		n.Errorf("a policy is a document, or the path of a file that holds one")
	}
	s.problems = report.Problems()
}

// Check implements config.Checker: it tells what is wrong with the document,
// each problem with its place in the file that says it.
func (s *Source) Check(r *config.Report) {
	for _, p := range s.problems {
		r.Add(p)
	}
}

// Name returns how people call the policy: by its file's name, by its Id, or as
// fallback says.
func (s *Source) Name(fallback string) string {
	switch {
	case s.File.IsSet():
		return filepath.Base(s.File.Path)
	case s.Document != nil && s.Document.ID != "":
		return s.Document.ID
	}
	return fallback
}

// Compile compiles the document; nil where there is none.
func (s *Source) Compile(scope Scope) *Policy {
	if s == nil || s.Document == nil {
		return nil
	}
	scope.Name = s.Name(scope.Name)
	return Compile(s.Document, scope)
}
