package gatehouse

import (
	"crypto/sha256"
	"maps"
	"slices"

	"gatehouse/addresses"
	"gatehouse/admin"
	"gatehouse/api"
	"gatehouse/auth"
	"gatehouse/auth/identity"
	"gatehouse/authorize"
	"gatehouse/authorize/cedar"
	"gatehouse/bound"
	"gatehouse/compress"
	"gatehouse/config"
	"gatehouse/cors"
	"gatehouse/edge"
	"gatehouse/edge/acme"
	"gatehouse/exchange"
	"gatehouse/function"
	"gatehouse/function/sandbox"
	"gatehouse/iam"
	"gatehouse/iam/policy"
	"gatehouse/observe"
	"gatehouse/respond"
	"gatehouse/state"
	"gatehouse/throttle"
	"gatehouse/transform"
	"gatehouse/upstream"
	"gatehouse/usage"
	"gatehouse/validate"
	"gatehouse/waf"
	"gatehouse/waf/crawler"
	"gatehouse/waf/geo"
	"gatehouse/websocket"
)

// Config is what the operator wrote: one YAML file and those that it includes.
// The struct of each section lives in the room that uses it.
type Config struct {
	config.At
	Account   string                      `yaml:"account" default:"000000000000" doc:"account number used in ARNs, 12 digits"`
	Region    string                      `yaml:"region" default:"local" doc:"region used in ARNs and signatures"`
	Data      config.Path                 `yaml:"data" default:"./data" doc:"folder of what survives restarts"`
	Include   []config.Include            `yaml:"include" doc:"further files, which may define apis and services"`
	Listen    []edge.Listener             `yaml:"listen" doc:"addresses that clients connect to"`
	ACME      *acme.Config                `yaml:"acme" doc:"the CA that certificates of listeners with certificates: acme come from"`
	Admin     admin.Config                `yaml:"admin" doc:"health, metrics and queries"`
	Log       observe.LogConfig           `yaml:"log" doc:"access log and level"`
	Metrics   observe.MetricsConfig       `yaml:"metrics" doc:"metrics that are kept, and questions about them"`
	Limits    GatewayLimits               `yaml:"limits" doc:"limits of the gateway as a whole"`
	Throttle  []throttle.Config           `yaml:"throttle" single:"true" doc:"limits for every request; all apply"`
	APIs      map[string]*API             `yaml:"apis" doc:"what is exposed"`
	Services  map[string]*upstream.Config `yaml:"services" doc:"what stands behind it"`
	Functions map[string]*function.Config `yaml:"functions" doc:"code that is run where requests come, as AWS Lambda does"`
	Isolation sandbox.Config              `yaml:"isolation" doc:"how well functions are kept apart"`
	Plans     map[string]*usage.Plan      `yaml:"usage-plans" doc:"what API keys may use"`
	State     *state.Config               `yaml:"state" doc:"where what survives restarts is kept"`
	IAM       *iam.Config                 `yaml:"iam" doc:"users, groups and roles, and what they may do"`
	WAF       map[string]*waf.Config      `yaml:"waf" doc:"web ACLs: which requests are blocked before anybody is asked who calls"`
	Groups    map[string]*waf.Group       `yaml:"waf-rule-groups" doc:"rules that several web ACLs share"`
	Geo       geo.Config                  `yaml:"geo" doc:"by what data the countries of addresses are known"`
	Crawlers  crawler.Config              `yaml:"crawlers" doc:"which crawlers web ACLs know, and how they are verified"`

	sources  *config.Sources
	warnings []warning
	checks   *checks
	acls     map[string]*waf.ACL          // compiled once for a configuration
	aclSums  map[string][sha256.Size]byte // of what they mean, by name
}

// GatewayLimits are limits that no route can outgrow.
type GatewayLimits struct {
	Buffers    config.Size     `yaml:"buffers" default:"256MiB" range:"1MiB..1TiB" doc:"memory that all buffered bodies may take together"`
	Encoders   config.Size     `yaml:"encoders" default:"256MiB" range:"0..1TiB" doc:"memory that compressing may take at once: answers that find no room stay plain"`
	Principals int             `yaml:"principals" default:"1048576" range:"1024..1073741824" doc:"buckets of throttles per principal that are kept at once, 40 bytes each; where all are in use, principals that are not among them share one"`
	Processes  int             `yaml:"processes" default:"200" range:"1..100000" doc:"processes of all functions at once; where more are needed, those that are idle the longest end"`
	Shutdown   config.Duration `yaml:"shutdown" default:"30s" range:"0s..1h" doc:"how long accepted requests may take to finish when the gateway stops"`
	TakeOver   config.Duration `yaml:"take-over" default:"10m" range:"0s..24h" doc:"how long accepted requests and tunnels may take to finish in a process that another one has taken over"`
}

// API is one entry of apis.
type API struct {
	api.Config[Policies] `yaml:",inline"`
	Authorizers          map[string]*auth.Config `yaml:"authorizers" doc:"ways of finding out who calls, by name"`
	Cedar                *cedar.Config           `yaml:"cedar" doc:"files with Cedar policies, which permit what callers do: all of the API's routes but those with authorize: none"`
	Policy               *policy.ResourceSource  `yaml:"policy" doc:"the API's resource policy, an IAM policy document, in place or as the path of a file: who may call it, from where; of callers that iam does not know, it alone decides beside the authorizers"`

	adopted map[string]bool // those among Authorizers that a definition says
}

// Policies are what a route, a stage or an API says about filters.
type Policies struct {
	Authorize  *authorize.Config    `yaml:"authorize" doc:"who may call: none, an authorizer's name, or {any: [names], scopes: [scopes]}"`
	Addresses  *addresses.Config    `yaml:"addresses" doc:"from which addresses clients may come: a list, or {allow: ..., deny: ...}"`
	Throttle   []throttle.Config    `yaml:"throttle" single:"true" doc:"limits; all apply"`
	Concurrent *throttle.Concurrent `yaml:"concurrent" doc:"requests that each caller may have under way at once"`
	APIKey     *usage.Rule          `yaml:"api-key" doc:"required: only requests with an API key of a usage plan; none, the default"`
	Compress   *compress.Config     `yaml:"compress" doc:"which answers are compressed: true, false, or how"`
	CORS       *cors.Config         `yaml:"cors" doc:"which web pages may call"`
	WAF        *waf.Reference       `yaml:"waf" doc:"the web ACL that requests are held against, by its name; off takes that of a level above away"`
	Headers    *transform.Headers   `yaml:"headers" doc:"headers to set, add and remove"`
	Identity   *identity.Config     `yaml:"identity" doc:"what services are told of the caller"`
	Validate   *validate.Config     `yaml:"validate" doc:"whether requests are held against what the definition says of them: true, false, or what is checked"`
	WebSocket  *websocket.Config    `yaml:"websocket" doc:"which WebSockets may be opened: true, false, or {origins: [...], max-age: 24h, idle-timeout: 10m, per-principal: 100}"`
	Payload    string               `yaml:"payload" enum:"1.0|2.0" doc:"API Gateway's format of what functions are told: 1.0 (REST APIs) or 2.0 (HTTP APIs); default: what the function says"`
	Timeout    *config.Duration     `yaml:"timeout" range:"1ms..1h" doc:"how long a request may take; default 30s"`
	Retries    *int                 `yaml:"retries" range:"0..5" doc:"further attempts where provably nothing was processed; default 1"`
	Limits     *bound.Config        `yaml:"limits" doc:"limits of a request, and of how many are under way"`
	Canary     *Canary              `yaml:"canary" doc:"a second release that some requests go to: {target: service:next, weight: 10}; off takes that of a level above away"`
	Mirror     *Mirror              `yaml:"mirror" doc:"a service that gets copies of the requests, and whose answers nobody gets: {target: service:shadow, percent: 5}; off takes that of a level above away"`
	Responses  *respond.Config      `yaml:"gateway-responses" doc:"what refusals look like, by API Gateway's types: UNAUTHORIZED, THROTTLED, DEFAULT_4XX"`
	AllowPath  []PathOddity         `yaml:"allow-path" doc:"what a path may hold that servers read in different ways"`
}

// PathOddity is the name of an oddity.
type PathOddity struct{ exchange.Oddity }

// UnmarshalConfig reads the name.
func (o *PathOddity) UnmarshalConfig(n *config.Node) {
	name, _ := n.Text()
	oddity, ok := exchange.ParseOddity(name)
	if !ok {
		n.Unknown("path oddity", name, exchange.OddityNames())
		return
	}
	o.Oddity = oddity
}

// ConfigSchema implements config.Schemer.
func (PathOddity) ConfigSchema() *config.Schema {
	s := &config.Schema{Type: "string"}
	for _, name := range exchange.OddityNames() {
		s.Enum = append(s.Enum, name)
	}
	return s
}

// over returns p with what it leaves open taken from base. Throttles are not
// among it, nor limits on what is under way: those of every level apply, each in its own scope.
func (p Policies) over(base Policies) Policies {
	p.Authorize = p.Authorize.Over(base.Authorize)
	p.Addresses = p.Addresses.Over(base.Addresses)
	if p.APIKey == nil {
		p.APIKey = base.APIKey
	}
	if p.Compress == nil {
		p.Compress = base.Compress
	}
	if p.CORS == nil {
		p.CORS = base.CORS
	}
	if p.WAF == nil {
		p.WAF = base.WAF
	}
	p.Headers = p.Headers.Over(base.Headers)
	if p.Validate == nil {
		p.Validate = base.Validate
	}
	if p.WebSocket == nil {
		p.WebSocket = base.WebSocket
	}
	p.Identity = p.Identity.Over(base.Identity)
	if p.Payload == "" {
		p.Payload = base.Payload
	}
	if p.Timeout == nil {
		p.Timeout = base.Timeout
	}
	if p.Retries == nil {
		p.Retries = base.Retries
	}
	if p.Canary == nil {
		p.Canary = base.Canary
	}
	if p.Mirror == nil {
		p.Mirror = base.Mirror
	}
	p.Limits = p.Limits.Over(base.Limits)
	p.Responses = p.Responses.Over(base.Responses)
	if p.AllowPath == nil {
		p.AllowPath = base.AllowPath
	}
	return p.settled()
}

// settled returns p without the sections that are switched off: below them there
// is nothing to take over.
func (p Policies) settled() Policies {
	if p.CORS != nil && p.CORS.Off {
		p.CORS = nil
	}
	if p.WAF != nil && p.WAF.Name == "" {
		p.WAF = nil
	}
	if p.Canary != nil && p.Canary.Off {
		p.Canary = nil
	}
	if p.Mirror != nil && p.Mirror.Off {
		p.Mirror = nil
	}
	return p
}

func names[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
