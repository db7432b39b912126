package match

import (
	"strings"

	"gatehouse/config"
)

// Label matches where a rule before has set a label.
type Label struct {
	Key       string
	Namespace bool // any label below the namespace
}

// maxLabel is how long a label may be, as in AWS WAF.
const maxLabel = 1024

// CheckLabel says what is wrong with a label or a namespace; "" where nothing is.
func CheckLabel(s string) string {
	if s == "" || len(s) > maxLabel {
		return "a label has 1 to 1024 letters, digits, _, - and :"
	}
	for i := 0; i < len(s); i++ {
		if c := s[i]; !isWordByte(c) && c != '-' && c != ':' {
			return "a label is made of letters, digits, _, - and :, with : between its parts"
		}
	}
	return ""
}

// label is a part of a label from one ":" to another. Of labels that were set in
// the same context it may be any end; a whole name is looked for as such.
type label struct {
	context   string
	key       string // for a namespace, with ":" at its end
	namespace bool
	whole     bool // with the prefix of a context
}

func (n *Label) compile(c *Compiler, at config.Pos) Matcher {
	if wrong := CheckLabel(n.Key); wrong != "" {
		return c.errorf(at, "%s", wrong)
	}
	return newLabel(c, n.Key, n.Namespace)
}

func newLabel(c *Compiler, key string, namespace bool) *label {
	m := &label{context: c.Scope.Context + ":", key: ours(key, c.Scope.Account), namespace: namespace}
	m.whole = strings.HasPrefix(key, "awswaf:") || strings.HasPrefix(key, "gatehouse:")
	if namespace && !strings.HasSuffix(key, ":") {
		m.key += ":"
	}
	return m
}

// ours puts this gateway's account in the place of another one's in a whole label.
func ours(key, account string) string {
	parts := strings.SplitN(key, ":", 4)
	if len(parts) < 4 || parts[0] != "awswaf" || parts[2] != "webacl" && parts[2] != "rulegroup" {
		return key
	}
	parts[1] = account
	return strings.Join(parts, ":")
}

func (m *label) Match(r *Request) bool {
	for _, l := range r.X.Labels {
		if m.matches(l) {
			r.Found = Finding{Text: l, What: "label"}
			return true
		}
	}
	return false
}

func (m *label) matches(l string) bool {
	if m.whole {
		return l == m.key || m.namespace && strings.HasPrefix(l, m.key)
	}
	own, ok := strings.CutPrefix(l, m.context)
	switch {
	case !ok:
		return false
	case m.namespace:
		return strings.HasPrefix(own, m.key) || strings.Contains(own, ":"+m.key)
	}
	return own == m.key || strings.HasSuffix(own, ":"+m.key)
}
