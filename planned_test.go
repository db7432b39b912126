package gatehouse

import (
	"strings"
	"testing"

	"gatehouse/config"
)

// A planned key is told as such wherever it may stand. One that has become a
// key by now fails here, and leaves the list.
func TestPlannedKeys(t *testing.T) {
	for pattern := range planned() {
		text := "x"
		parts := strings.Split(pattern, ".")
		for i := len(parts) - 1; i >= 0; i-- {
			part := strings.ReplaceAll(parts[i], "*", "some")
			text = "{" + part + ": " + text + "}"
			if part == "listen" || part == "routes" {
				text = strings.Replace(text, ": ", ": [", 1)
				text = text[:len(text)-1] + "]}"
			}
		}
		_, err := LoadText("gatehouse.yaml", []byte(text))
		told := false
		for _, p := range config.AsErrors(err).Problems() {
			told = told || strings.HasSuffix(p.Path, parts[len(parts)-1]) && strings.Contains(p.Message, "this version has no")
		}
		if !told {
			t.Errorf("%s: %v", text, err)
		}
	}
}
