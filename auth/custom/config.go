package custom

import (
	"crypto/x509"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"gatehouse/config"
)

// Config is how callers are known by a program behind an URL, or by a function.
type Config struct {
	config.At
	URL      string      `yaml:"url,required" doc:"where the program is asked, by POST: https, or http on this machine"`
	Insecure bool        `yaml:"insecure" doc:"lets the program be asked by http on another machine: whoever is between can read credentials and say yes"`
	CA       config.File `yaml:"ca" doc:"certificates of the authorities that the program's server is known by, PEM; default: the system's"`
	Asking   `yaml:",inline"`

	Function string `yaml:"-"` // in place of URL: the name of a function of the gateway's
}

// Asking is how a program is asked, whatever it is behind.
type Asking struct {
	Type     string          `yaml:"type" default:"request" enum:"token|request" doc:"what the program is told: one token, or the request's head"`
	Format   string          `yaml:"format" default:"2.0" enum:"1.0|2.0" doc:"API Gateway's format of what it is told; a token's is 1.0"`
	Identity []Source        `yaml:"identity" single:"true" doc:"what tells callers apart, all of which must be there, or else nobody is asked: header.NAME, query.NAME, cookie.NAME, stageVariables.NAME, context.routeKey and the like; default: header.Authorization"`
	Match    Pattern         `yaml:"match" doc:"a regular expression that a token matches as a whole, or else nobody is asked (identityValidationExpression)"`
	TTL      config.Duration `yaml:"ttl" default:"5m" range:"0s..1h" doc:"how long an answer is remembered for the same identity; 0s for not at all"`
	Timeout  config.Duration `yaml:"timeout" default:"3s" range:"100ms..30s" doc:"how long the program may take"`
}

// Check implements config.Checker.
func (c *Config) Check(r *config.Report) {
	c.checkURL(r)
	if c.CA.IsSet() && c.roots() == nil {
		r.Errorf(c.Of("ca"), "%s has no certificate in PEM", c.CA.Path)
	}
	c.CheckAsking(r)
}

// CheckAsking is the part of Check that holds for functions too.
func (c *Config) CheckAsking(r *config.Report) {
	sources := c.sources()
	switch {
	case c.Type == "token" && (len(sources) != 1 || sources[0].Place != inHeader):
		r.Errorf(c.Of("identity"), "a token is in one header: write identity: header.NAME, or type: request")
	case c.Match.expr != nil && c.Type != "token":
		r.Errorf(c.Of("match"), "match is for type: token")
	case c.TTL > 0 && !slices.ContainsFunc(sources, Source.isCredential):
		r.Errorf(c.Of("identity"), "what is remembered is remembered for an identity: name at least one header, cookie or query parameter, or write ttl: 0s")
	}
}

func (c *Config) checkURL(r *config.Report) {
	u, err := url.Parse(c.URL)
	switch {
	case err != nil || u.Hostname() == "" || u.User != nil || u.Fragment != "" || u.Scheme != "https" && u.Scheme != "http":
		r.Errorf(c.Of("url"), "this is no URL to ask at: write https://HOST/PATH")
	case u.Scheme == "http" && !isLoopback(u.Hostname()) && !c.Insecure:
		r.Errorf(c.Of("url"), "credentials would go there in plain text: write https, or insecure: true where the way there is safe")
	case u.Scheme == "http" && c.CA.IsSet():
		r.Errorf(c.Of("ca"), "ca is for https")
	}
}

func isLoopback(host string) bool {
	return host == "localhost" || host == "127.0.0.1" || host == "::1"
}

func (c *Config) roots() *x509.CertPool {
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(c.CA.Content) {
		return nil
	}
	return pool
}

// issuer is who vouches for callers: the program, by its URL without the query,
// which may hold a key.
func (c *Config) issuer() string {
	if c.Function != "" {
		return "function:" + c.Function
	}
	u, err := url.Parse(c.URL)
	if err != nil {
		return ""
	}
	return u.Scheme + "://" + u.Host + strings.ReplaceAll(u.EscapedPath(), "|", "%7C")
}

// sources returns what tells callers apart.
func (c *Config) sources() []Source {
	if c.Identity == nil {
		return []Source{{inHeader, "Authorization"}}
	}
	return c.Identity
}

// Headers returns the names of the headers that tell callers apart.
func (c *Config) Headers() (names []string) {
	for _, s := range c.sources() {
		if s.Place == inHeader {
			names = append(names, s.Name)
		}
	}
	return names
}

// QueryParameters returns the names of the query parameters that tell callers
// apart.
func (c *Config) QueryParameters() (names []string) {
	for _, s := range c.sources() {
		if s.Place == inQuery {
			names = append(names, s.Name)
		}
	}
	return names
}

// Hides reports whether o is never asked where c stands before it.
func (c *Config) Hides(o *Config) bool {
	return !slices.ContainsFunc(c.sources(), func(s Source) bool { return !slices.Contains(o.sources(), s) })
}

// Pattern is a regular expression (RE2) for a whole text.
type Pattern struct {
	text string
	expr *regexp.Regexp
}

// UnmarshalText compiles the expression.
func (p *Pattern) UnmarshalText(text []byte) (err error) {
	p.text = string(text)
	p.expr, err = regexp.Compile(`\A(?:` + p.text + `)\z`)
	return err
}

// MarshalText writes what UnmarshalText reads.
func (p Pattern) MarshalText() ([]byte, error) { return []byte(p.text), nil }

// ConfigSchema implements config.Schemer.
func (Pattern) ConfigSchema() *config.Schema {
	return &config.Schema{Type: "string", Examples: []any{"Bearer [A-Za-z0-9._-]+"}}
}
