package gatehouse

import (
	"testing"

	"gatehouse/respond"
)

// Every variable that a gateway response may hold is one of the access log's.
func TestVariablesOfResponses(t *testing.T) {
	find := variables("")
	for _, name := range append(respond.Variables(), "authorizer.email", "authorizer.claims.email") {
		if _, ok := find(name); !ok {
			t.Errorf("nobody knows $context.%s", name)
		}
	}
}
