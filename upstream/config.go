package upstream

import (
	"cmp"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"

	"gatehouse/config"
	"gatehouse/upstream/guard"
	"gatehouse/upstream/target"
)

// Config is one entry of services.
type Config struct {
	config.At
	Name     string   `yaml:"-" key:"true"`
	Targets  []Target `yaml:"targets,required" doc:"where the service runs: HOST:PORT; dns:NAME:PORT for every address of a name; srv:NAME for a service's records; {address: ..., weight: 3} for a greater share"`
	Resolve  Resolve  `yaml:"resolve" doc:"how long what names lead to is used: a duration at most, or {min, max, stale, gone}"`
	Resolver []Server `yaml:"resolver" single:"true" doc:"DNS servers to ask instead of the system's: ADDRESS or ADDRESS:PORT"`
	Balance  Balance  `yaml:"balance" default:"round-robin" doc:"how a request's target is picked: round-robin | least-requests | hash (by the client's address) | {hash: KEY} with KEY client | path | header:NAME | cookie:NAME"`
	Host     string   `yaml:"host" default:"target" doc:"Host sent to the service: target (its own name; the client's goes into X-Forwarded-Host) | preserve (the client's) | a name"`
	Health   *Health  `yaml:"health" doc:"probes that take targets out while they fail; without it every target is used"`
	Protocol string   `yaml:"protocol" default:"http/1.1" enum:"http/1.1|h2|h2c|auto" doc:"what is spoken to the service: http/1.1, h2 (HTTP/2 over TLS), h2c (HTTP/2 without), or auto: what the two agree on over TLS"`
	GRPCWeb  string   `yaml:"grpc-web" default:"translate" enum:"translate|pass" doc:"gRPC-Web calls to a service by HTTP/2: translate to gRPC, or pass as they are"`
	TLS      *TLS     `yaml:"tls" doc:"speak TLS to the service; {} is enough where its certificate is for the target's name and publicly trusted"`
	Timeouts Timeouts `yaml:"timeouts" doc:"how long to wait for the service"`
	Pool     Pool     `yaml:"pool" doc:"connections that are kept for further requests"`
	Sticky   *Sticky  `yaml:"sticky" doc:"clients keep to their target, by a cookie: cookie, or {cookie: NAME, ttl: 1h}"`

	Outliers    *guard.Outliers    `yaml:"outliers" doc:"take targets out for a while whose answers are bad; {} for every default"`
	SlowStart   *guard.SlowStart   `yaml:"slow-start" doc:"let the share of a target that is new, or back, grow: over a duration, or {window, from}"`
	Breaker     *guard.Breaker     `yaml:"breaker" doc:"leave the service alone for a while when most requests fail; {} for every default"`
	Concurrency *guard.Concurrency `yaml:"concurrency" doc:"how many requests may be under way at once, and how many may wait"`
	RetryBudget *guard.RetryBudget `yaml:"retry-budget" doc:"which share of the requests may be tried again: {share, minimum}, or off; every default where the service has health or outliers"`
	Metrics     *Scrape            `yaml:"metrics" doc:"fetch the metrics of each target and keep them: {} for /metrics every 30s"`
	Drain       config.Duration    `yaml:"drain" default:"5m" range:"0s..1d" doc:"how long what is under way to a target that was taken away may take"`
}

// Health is the health section of a service.
type Health struct {
	config.At
	Path      string          `yaml:"path" doc:"path that is fetched by GET; without it a probe connects only"`
	GRPC      *GRPCHealth     `yaml:"grpc" doc:"ask by gRPC's health protocol instead: true, or the name of a service"`
	Interval  config.Duration `yaml:"interval" default:"10s" range:"100ms..1h" doc:"time between two probes of a target"`
	Timeout   config.Duration `yaml:"timeout" default:"2s" range:"10ms..10m" doc:"time that a probe may take"`
	Healthy   int             `yaml:"healthy" default:"2" range:"1..100" doc:"probes passed in a row that bring a target back"`
	Unhealthy int             `yaml:"unhealthy" default:"3" range:"1..100" doc:"probes failed in a row that take a target out"`
	Status    guard.Statuses  `yaml:"status" default:"200-399" doc:"statuses that pass: 200, 200-399, or several by commas"`
	AllDown   string          `yaml:"all-unhealthy" default:"open" enum:"open|closed" doc:"while no target is healthy: open uses them all, closed answers 503"`
}

// TLS is the tls section of a service.
type TLS struct {
	config.At
	ServerName string             `yaml:"server-name" doc:"name that the certificate must be for; default: the target's own"`
	CA         config.File        `yaml:"ca" doc:"certificates of the authorities to trust, PEM; default: the system's"`
	Client     *ClientCertificate `yaml:"client-certificate" doc:"what to show the service: internal (one of the gateway's own authority) or {cert: FILE, key: FILE}"`
}

// ClientCertificate is what the gateway shows to a service.
type ClientCertificate struct {
	config.At
	Internal bool        `yaml:"-"`
	Cert     config.File `yaml:"cert,required" doc:"certificate chain, PEM"`
	Key      config.File `yaml:"key,required" doc:"private key, PEM"`
}

// Timeouts is the timeouts section of a service.
type Timeouts struct {
	config.At
	Connect config.Duration `yaml:"connect" default:"2s" range:"1ms..10m" doc:"to resolve, connect and shake hands"`
	Answer  config.Duration `yaml:"answer" default:"30s" range:"1ms..1d" doc:"from the request's end to the answer's head"`
	Idle    config.Duration `yaml:"idle" default:"60s" range:"1ms..1d" doc:"between two pieces of a body"`
	Stream  config.Duration `yaml:"stream" default:"15m" range:"1ms..7d" doc:"between two pieces of an event stream, or in either direction of a gRPC call, once its answer has begun"`
}

// Pool is the pool section of a service.
type Pool struct {
	config.At
	Idle        int             `yaml:"idle-per-target" default:"256" range:"0..65536" doc:"idle connections kept to each target"`
	IdleTimeout config.Duration `yaml:"idle-timeout" default:"60s" range:"1s..1d" doc:"how long an idle connection is kept"`
	HTTP2       int             `yaml:"http2-connections" default:"4" range:"1..64" doc:"connections by HTTP/2 to each target that requests are spread over, as they become many"`
	Max         int             `yaml:"max-connections" default:"0" range:"0..1048576" doc:"connections to each target at most; 0 for no limit"`
}

// filled returns c with the default of every key that has one and was not
// said; a test holds them and the tags together.
func (c Config) filled() Config {
	c.Resolve = c.Resolve.filled()
	fallback(&c.Drain, target.DefaultDrain)
	c.Host = cmp.Or(c.Host, "target")
	c.Protocol, c.GRPCWeb = cmp.Or(c.Protocol, "http/1.1"), cmp.Or(c.GRPCWeb, "translate")
	fallback(&c.Timeouts.Connect, 2*time.Second)
	fallback(&c.Timeouts.Answer, 30*time.Second)
	fallback(&c.Timeouts.Idle, 60*time.Second)
	fallback(&c.Timeouts.Stream, 15*time.Minute)
	c.Pool.HTTP2 = cmp.Or(c.Pool.HTTP2, 4)
	fallback(&c.Pool.IdleTimeout, 60*time.Second)
	if c.Health != nil {
		h := *c.Health
		fallback(&h.Interval, 10*time.Second)
		fallback(&h.Timeout, 2*time.Second)
		h.Healthy, h.Unhealthy = cmp.Or(h.Healthy, 2), cmp.Or(h.Unhealthy, 3)
		h.AllDown = cmp.Or(h.AllDown, "open")
		if h.Status.IsZero() {
			h.Status = guard.Statuses{{200, 399}}
		}
		c.Health = &h
	}
	return c
}

// guards returns what the service says of all that guards it.
func (c *Config) guards() guard.Settings {
	s := guard.Settings{Outliers: c.Outliers, SlowStart: c.SlowStart, Breaker: c.Breaker, Concurrency: c.Concurrency}
	s.Retries, s.Budgeted = c.RetryBudget.Budget(c.Health != nil || c.Outliers != nil)
	return s
}

func fallback(d *config.Duration, to time.Duration) {
	*d = cmp.Or(*d, config.Duration(to))
}

// Check implements config.Checker.
func (c Config) Check(r *config.Report) {
	if len(c.Targets) == 0 {
		r.Errorf(c.Of("targets"), "a service needs at least one target")
	}
	switch c.Host {
	case "", "target", "preserve":
	default:
		if !validHost(c.Host) {
			r.Errorf(c.Of("host"), "%q is no host name: write target, preserve, or a name", c.Host)
		}
	}
	if h := c.Health; h != nil && h.Path != "" && !validPath(h.Path) {
		r.Errorf(h.Of("path"), "%q is no path: it begins with / and is percent-encoded", h.Path)
	}
	c.checkProtocol(r)
	c.checkGRPCHealth(r)
	if c.TLS != nil {
		c.checkTLS(r)
	}
	c.checkNames(r)
}

func (c Config) checkProtocol(r *config.Report) {
	switch {
	case (c.Protocol == "h2" || c.Protocol == "auto") && c.TLS == nil:
		r.Errorf(c.Of("protocol"), "%s is agreed on over TLS: add tls: {}, or write h2c for HTTP/2 without TLS", c.Protocol)
	case c.Protocol == "h2c" && c.TLS != nil:
		r.Errorf(c.Of("protocol"), "h2c is HTTP/2 without TLS: write h2, or remove tls")
	}
}

// protocol returns what is spoken to the targets.
func (c Config) protocol() target.Protocol {
	switch c.Protocol {
	case "h2", "h2c":
		return target.HTTP2
	case "auto":
		return target.Auto
	}
	return target.HTTP1
}

// translates reports whether gRPC-Web calls become gRPC calls.
func (c Config) translates() bool { return c.GRPCWeb != "pass" }

func (c Config) checkTLS(r *config.Report) {
	if _, err := roots(c.TLS.CA.Content); c.TLS.CA.IsSet() && err != nil {
		r.Errorf(c.TLS.Of("ca"), "%s: %v", c.TLS.CA.Path, err)
	}
	if name := c.TLS.ServerName; name != "" && !validHost(name) {
		r.Errorf(c.TLS.Of("server-name"), "%q is no host name", name)
	}
	if cc := c.TLS.Client; cc != nil && !cc.Internal {
		if _, err := pair(cc); err != nil {
			r.Errorf(cc.Of("cert"), "%s and %s: %v", cc.Cert.Path, cc.Key.Path, err)
		}
	}
}

// Inline returns the Config of a target that a route names by its address,
// http://HOST:PORT or https://HOST:PORT: a service with one target and every
// default.
func Inline(address string, at config.Pos) (Config, error) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.User != nil || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" {
		return Config{}, fmt.Errorf("%q is no address: write http://HOST:PORT", address)
	}
	port, known := map[string]string{"http": "80", "https": "443"}[u.Scheme]
	if !known {
		return Config{}, fmt.Errorf("%q is neither http nor https", address)
	}
	c := Config{At: config.At{Pos: at}, Name: u.Scheme + "://" + strings.ToLower(u.Host)}
	host := net.JoinHostPort(u.Hostname(), cmp.Or(u.Port(), port))
	c.Targets = []Target{{Address: host, Weight: 1, At: at}}
	if err := c.Targets[0].parse(host); err != nil {
		return Config{}, err
	}
	if u.Scheme == "https" {
		c.TLS = &TLS{}
	}
	c.Pool.Idle = defaultIdle
	return c.filled(), nil
}

const defaultIdle = 256

func validPath(p string) bool {
	if p[0] != '/' {
		return false
	}
	for i := range len(p) {
		if p[i] <= ' ' || p[i] >= 0x7f || p[i] == '#' {
			return false
		}
	}
	return true
}

// validHost accepts what may stand in a Host header: a name or an address, and
// a port.
func validHost(s string) bool {
	host := s
	if h, port, err := net.SplitHostPort(s); err == nil {
		if !validPort(port) {
			return false
		}
		host = h
	} else {
		host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	}
	if host == "" {
		return false
	}
	for i := range len(host) {
		c := host[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '.', c == '_', c == ':':
		default:
			return false
		}
	}
	return true
}

func validPort(s string) bool {
	n, err := strconv.Atoi(s)
	return err == nil && 1 <= n && n <= 65535
}
