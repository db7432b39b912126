package policy

import (
	"strings"

	"gatehouse/config"
)

// Defined is the resource policy of an API that its definition says, as API
// Gateway exports it: the ARNs of API Gateway in it name the API that it is of,
// by the id that it has there. They are read as ours.
func Defined(v *config.Value) *ResourceSource {
	s := &ResourceSource{}
	s.At = v.Pos
	var report config.Report
	root := fromTree(v)
	root.ownResources()
	s.Document = decodeWhole(root, Resource, new(config.Report), &report)
	s.problems = report.Problems()
	return s
}

// ownResources writes, of statements, the ARNs of API Gateway in the short form
// that stands for the policy's own API.
func (v *value) ownResources() {
	for _, e := range v.entries {
		switch e.key {
		case "Statement":
			for _, statement := range append(e.value.items, e.value) {
				statement.ownResources()
			}
		case "Resource", "NotResource":
			for _, resource := range append(e.value.items, e.value) {
				resource.text = ownResource(resource.text)
			}
		}
	}
}

// ownResource cuts arn:PARTITION:execute-api:REGION:ACCOUNT:ID off.
func ownResource(arn string) string {
	parts := strings.SplitN(arn, ":", 6)
	if len(parts) < 6 || parts[0] != "arn" || parts[2] != "execute-api" {
		return arn
	}
	_, rest, ok := strings.Cut(parts[5], "/")
	if !ok {
		return ShortPrefix + "*" // ID alone, or *
	}
	return ShortPrefix + rest
}
