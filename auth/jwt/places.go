package jwt

import (
	"errors"
	"net/url"
	"strings"

	"gatehouse/auth/place"
	"gatehouse/config"
)

// From is a place in a request where a token may stand.
type From = place.From

// Origin is a web site whose pages may make changes.
type Origin = place.Origin

// Login is where people log in: a URL, or a path on the host that they called.
type Login string

var errLogin = errors.New("is no address to log in at: write https://HOST/PATH, or /PATH")

// UnmarshalText checks the address.
func (l *Login) UnmarshalText(text []byte) error {
	s := string(text)
	u, err := url.Parse(s)
	path := err == nil && u.Scheme == "" && u.Host == "" && strings.HasPrefix(s, "/")
	absolute := err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Hostname() != ""
	if !path && !absolute || u.Fragment != "" || u.User != nil || strings.Contains(s, `\`) {
		return errLogin
	}
	*l = Login(s)
	return nil
}

// ConfigSchema implements config.Schemer.
func (Login) ConfigSchema() *config.Schema {
	return &config.Schema{Type: "string", Pattern: `^(https?://|/)`, Examples: []any{"https://login.example.com/"}}
}
