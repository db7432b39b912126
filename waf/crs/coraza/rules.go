package coraza

import (
	"io/fs"
	"strings"

	coreruleset "github.com/corazawaf/coraza-coreruleset/v4"
)

// ruleFiles is the embedded rule set as Coraza is to read it. The rules are
// written for an engine in which "^" and "$" are the ends of the value and not
// of a line. Coraza makes them those of lines, but for a build tag; that is
// undone here, pattern by pattern, so that every build reads the rules alike.
type ruleFiles struct{ fs.FS }

func embedded() ruleFiles { return ruleFiles{coreruleset.FS} }

// ReadFile implements fs.ReadFileFS.
func (f ruleFiles) ReadFile(name string) ([]byte, error) {
	data, err := fs.ReadFile(f.FS, name)
	if err != nil || !strings.HasSuffix(name, ".conf") {
		return data, err
	}
	return []byte(singleLine.Replace(string(data))), nil
}

// Glob implements fs.GlobFS.
func (f ruleFiles) Glob(pattern string) ([]string, error) { return fs.Glob(f.FS, pattern) }

// singleLine is safe for concurrent use.
var singleLine = strings.NewReplacer(`"@rx `, `"@rx (?-m)`, `"!@rx `, `"!@rx (?-m)`)
