package accesslog

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// lookup returns the field of a variable; nil for a name that does not exist.
func lookup(known map[string]field, name string) *field {
	if f, ok := known[name]; ok {
		return &f
	}
	claim, ok := strings.CutPrefix(name, "authorizer.claims.")
	if !ok {
		claim, ok = strings.CutPrefix(name, "authorizer.")
		ok = ok && claim != "claims" && !strings.Contains(claim, ".") && !misspelt(known, name)
	}
	if !ok || claim == "" {
		return nil
	}
	return &field{text: func(r *Record) string { return claimText(r, claim) }}
}

// misspelt reports whether name is a known one but for its case: it would else
// be taken for a claim that nobody has.
func misspelt(known map[string]field, name string) bool {
	for k := range known {
		if strings.EqualFold(k, name) {
			return true
		}
	}
	return false
}

// claimText prints a claim of the principal: strings as they are, lists and
// objects as JSON.
func claimText(r *Record, claim string) string {
	if r.Principal == nil {
		return ""
	}
	switch v := r.Principal.Claims[claim].(type) {
	case nil:
		return ""
	case string:
		return v
	case json.Number:
		return v.String()
	case bool:
		return strconv.FormatBool(v)
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	case int64:
		return strconv.FormatInt(v, 10)
	default:
		text, err := json.Marshal(v)
		if err != nil {
			return fmt.Sprint(v)
		}
		return string(text)
	}
}
