package acme

import (
	"crypto/x509"
	"net"
	"net/url"
	"os/exec"
	"slices"
	"strings"

	"gatehouse/config"
)

// Config is the acme section: which CA certificates come from, and how the
// gateway proves that its names are its own.
type Config struct {
	config.At
	Directory       string           `yaml:"directory" default:"https://acme-v02.api.letsencrypt.org/directory" doc:"URL of the CA's directory; default: Let's Encrypt's"`
	CA              config.File      `yaml:"ca" doc:"certificates of the authorities that the CA's own server is verified by, PEM; default: the system's"`
	Email           string           `yaml:"email" doc:"where the CA can reach you; some CAs want one"`
	Agree           bool             `yaml:"agree" doc:"true: you have read the CA's terms of service and agree to them"`
	ExternalAccount *ExternalAccount `yaml:"external-account" doc:"the account that you have with the CA already, where it wants one"`
	Challenges      []string         `yaml:"challenges" single:"true" enum:"tls-alpn-01|http-01|dns-01" doc:"how a name is proven to be the gateway's; default: tls-alpn-01, http-01 where a listener speaks plain HTTP, dns-01 where there is dns"`
	DNS             *DNS             `yaml:"dns" doc:"what sets records for dns-01, without which there are no wildcard certificates"`
	Key             string           `yaml:"key" default:"ecdsa-p256" enum:"ecdsa-p256|ecdsa-p384|rsa-2048|rsa-4096" doc:"kind of the certificates' private keys"`
	Profile         string           `yaml:"profile" doc:"one of the CA's profiles, such as shortlived; default: the CA's own choice"`
}

// ExternalAccount binds the ACME account to one at the CA (RFC 8555 section
// 7.3.4).
type ExternalAccount struct {
	config.At
	KeyID string        `yaml:"key-id,required" doc:"the key's name, from the CA"`
	HMAC  config.Secret `yaml:"hmac-key,required" doc:"the key itself, from the CA, in base64"`
}

// DNS is how records of dns-01 are set and removed: by a program, or by a
// webhook.
type DNS struct {
	config.At
	Command     Command                  `yaml:"command" doc:"program, with arguments before those it is called with: present or cleanup, the record's name with a final dot, its value"`
	Environment map[string]config.Secret `yaml:"environment" doc:"the program's environment, beside PATH and HOME; nothing else of the gateway's own is passed on"`
	Webhook     string                   `yaml:"webhook" doc:"URL that gets POST {action, domain, name, value}; https, or http on this machine"`
	Token       config.Secret            `yaml:"token" doc:"sent to the webhook as a bearer token"`
	Timeout     config.Duration          `yaml:"timeout" default:"2m" range:"1s..10m" doc:"how long one call may take"`
	Wait        config.Duration          `yaml:"wait" default:"10s" range:"0s..1h" doc:"time between a record that was set and the CA looking for it"`
}

// Command is a program and its first arguments. A program with a slash is a
// path, relative to the file that says it; others are found by PATH.
type Command []string

var (
	_ config.Unmarshaler = (*Command)(nil)
	_ config.Schemer     = Command{}
)

// UnmarshalConfig reads a list of words, or the program alone.
func (c *Command) UnmarshalConfig(n *config.Node) {
	if n.Kind() != config.List {
		c.add(n)
		return
	}
	n.Each(func(_ string, _ config.Pos, item *config.Node) { c.add(item) })
	if len(*c) == 0 {
		n.Errorf("the command names no program")
	}
}

func (c *Command) add(n *config.Node) {
	text, ok := n.Text()
	if !ok {
		n.Errorf("a command is a list of words, such as [./set-txt, --zone, shop.test]")
		return
	}
	if len(*c) == 0 && strings.Contains(text, "/") {
		var path config.Path
		if n.Decode(&path) {
			*c = append(*c, path.Value)
		}
		return
	}
	*c = append(*c, text)
}

// ConfigSchema describes the forms of UnmarshalConfig.
func (Command) ConfigSchema() *config.Schema {
	word := &config.Schema{Type: "string"}
	return &config.Schema{AnyOf: []*config.Schema{word, {Type: "array", Items: word}}}
}

// The challenges.
const (
	HTTP01 = "http-01"
	ALPN01 = "tls-alpn-01"
	DNS01  = "dns-01"
)

// Check adds what is wrong with the section by itself.
func (c *Config) Check(r *config.Report) {
	if err := checkURL(c.Directory, false); err != "" {
		r.Errorf(c.Of("directory"), "acme.directory is %s: write the URL of the CA's directory, such as https://ca.example.com/acme/directory", err)
	}
	if c.CA.IsSet() && !x509.NewCertPool().AppendCertsFromPEM(c.CA.Content) {
		r.Errorf(c.Of("ca"), "%s holds no certificate in PEM form", c.CA)
	}
	if c.Email != "" && !isEmail(c.Email) {
		r.Errorf(c.Of("email"), "%q is no address such as ops@example.com", c.Email)
	}
	if !c.Agree {
		r.Errorf(c.Of("agree"), "the CA gives no certificate without your consent to its terms of service, which its directory %s names: read them, and write agree: true", c.Directory)
	}
	switch dns := slices.Contains(c.Challenges, DNS01); {
	case dns && c.DNS == nil:
		r.Errorf(c.Of("challenges"), "dns-01 needs dns: {command: [PROGRAM]} or dns: {webhook: URL}, which sets the record")
	case c.DNS != nil && len(c.Challenges) > 0 && !dns:
		r.Errorf(c.Of("dns"), "dns is for dns-01, which acme.challenges does not name")
	}
}

// Check adds what is wrong with the section by itself.
func (d *DNS) Check(r *config.Report) {
	switch {
	case len(d.Command) == 0 && d.Webhook == "":
		r.Errorf(d.Pos, "dns sets no record: write command: [PROGRAM] or webhook: URL")
	case len(d.Command) > 0 && d.Webhook != "":
		r.Errorf(d.Of("webhook"), "dns has a command and a webhook: remove one of them")
	case d.Webhook == "" && d.Token.IsSet():
		r.Errorf(d.Of("token"), "dns.token is the webhook's; what a command needs stands in environment")
	case d.Webhook != "" && len(d.Environment) > 0:
		r.Errorf(d.Of("environment"), "dns.environment is the command's; a webhook takes a token")
	}
	if d.Webhook != "" {
		if err := checkURL(d.Webhook, true); err != "" {
			r.Errorf(d.Of("webhook"), "dns.webhook is %s: write https://HOST/PATH, or http://127.0.0.1:PORT/PATH", err)
		}
	}
	if len(d.Command) > 0 {
		if _, err := exec.LookPath(d.Command[0]); err != nil {
			r.Errorf(d.Of("command"), "the program %s cannot be run: it is missing, or not executable (chmod +x)", d.Command[0])
		}
	}
}

// checkURL says what is wrong with a URL to be asked; "" where nothing is.
func checkURL(text string, local bool) string {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Host == "":
		return "no URL"
	case u.User != nil:
		return "a URL with a user, which would show in logs"
	case u.Scheme == "https":
		return ""
	case u.Scheme != "http":
		return "no https URL"
	case !local || !isLoopback(u.Hostname()):
		return "not https"
	}
	return ""
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

func isEmail(text string) bool {
	name, host, ok := strings.Cut(text, "@")
	return ok && name != "" && strings.Contains(host, ".") && !strings.ContainsAny(text, " :,;<>\"") && !strings.Contains(host, "@")
}
