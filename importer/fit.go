package importer

import (
	"bytes"
	"cmp"
)

// Knows reports whether a key stands in a configuration's JSON Schema.
func Knows(schema []byte, key string) bool {
	return bytes.Contains(schema, []byte(`"`+key+`": {`))
}

// Fit returns the result for a version whose configuration has this JSON Schema.
// Where that has no addresses, routes that the source kept to some are closed: to
// leave the rule out would open them.
func (r Result) Fit(schema []byte) Result {
	if r.config == nil || Knows(schema, "addresses") {
		return r
	}
	const key, why = "addresses", "the source let in only some addresses, and this version of Gatehouse cannot tell them apart"
	changed := false
	for _, a := range r.config.APIs {
		rule := a.Keys.take(key)
		for _, route := range a.Routes {
			own := cmp.Or(route.Keys.take(key), rule)
			if own == nil {
				continue
			}
			route.Notes = append(route.Notes, "it was: "+key+": "+flow(own, false))
			route.Access = route.Access.close(why)
			changed = true
		}
	}
	if !changed {
		return r
	}
	return r.config.Result()
}

// close returns an access for nobody, beside what closed it before.
func (a Access) close(why string) Access {
	if a.Closed != "" {
		why = a.Closed + "; " + why
	}
	return Access{Closed: why}
}
