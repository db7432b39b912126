package config

import (
	"encoding/json"
	"log/slog"
	"slices"
	"strings"

	"gatehouse/config/tree"
)

// Secret is a value that never prints: not in logs, errors, plans or JSON.
type Secret struct{ value string }

// NewSecret wraps value.
func NewSecret(value string) Secret { return Secret{value} }

// Reveal returns the value itself, for the one place that needs it.
func (s Secret) Reveal() string { return s.value }

// IsSet reports whether there is a value.
func (s Secret) IsSet() bool { return s.value != "" }

const redacted = tree.Hidden

func (s Secret) String() string               { return redacted }
func (s Secret) GoString() string             { return redacted }
func (s Secret) LogValue() slog.Value         { return slog.StringValue(redacted) }
func (s Secret) MarshalJSON() ([]byte, error) { return json.Marshal(redacted) }

// secretNames are what names of secrets usually end in, whatever takes them.
func secretNames() []string {
	return []string{"authorization", "auth", "cookie", "token", "secret", "password", "passwd", "api-key", "apikey", "signature"}
}

// IsSecretName reports whether what goes by a name, a header's for example, is
// likely to be a secret.
func IsSecretName(name string) bool {
	name = strings.ToLower(strings.ReplaceAll(name, "_", "-"))
	return slices.ContainsFunc(secretNames(), func(word string) bool { return strings.Contains(name, word) })
}

// Name is a reference to something named elsewhere in the configuration, with
// the place that says it.
type Name struct {
	Value string
	At    Pos
}

func (n Name) String() string { return n.Value }

// Template is a text in which ${NAME} stands for what its reader knows and $${
// for ${ itself, with the place that says it. See Node.Template.
type Template struct {
	Text string
	At   Pos
}

func (t Template) String() string { return t.Text }

// Path is a path that Gatehouse writes to or listens on. Relative paths are
// relative to the file that says them; the decoder makes Value absolute.
type Path struct {
	Value string
	At    Pos
}

func (p Path) String() string { return p.Value }

// File is a file that the configuration names and whose content is therefore
// configuration too: it is read when the configuration is loaded, and a change
// of it is a reload. Relative paths are relative to the file that says them.
type File struct {
	Path    string
	Content []byte
	At      Pos
}

// IsSet reports whether a file was named.
func (f File) IsSet() bool { return f.Path != "" }

// String returns the path alone: the content may be a private key.
func (f File) String() string { return f.Path }
