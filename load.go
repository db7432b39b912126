package gatehouse

import (
	"regexp"
	"time"

	"gatehouse/config"
	"gatehouse/edge"
)

// Load reads and checks the configuration at path. The error is a
// *config.Errors with everything that is wrong. The Config is never nil: it
// knows which files to watch even where it cannot be used.
func Load(path string) (*Config, error) {
	cfg := &Config{}
	sources, err := config.Load(path, cfg, loadOptions())
	return cfg.checked(sources, err)
}

// LoadText is Load for a configuration that is no file; name stands for it in
// messages, and its folder is where relative paths start.
func LoadText(name string, text []byte) (*Config, error) {
	cfg := &Config{}
	sources, err := config.LoadBytes(name, text, cfg, loadOptions())
	return cfg.checked(sources, err)
}

func loadOptions() config.Options {
	return config.Options{IncludeKeys: []string{"apis", "services", "functions"}, Planned: planned()}
}

// checked adds to what each section has found of itself what can be wrong
// between them, as far as they could be read.
func (cfg *Config) checked(sources *config.Sources, err error) (*Config, error) {
	cfg.sources = sources
	var report config.Report
	if all := config.AsErrors(err); all != nil {
		for _, p := range all.Problems() {
			report.Add(p)
		}
	}
	if !cfg.Pos.IsValid() {
		return cfg, err
	}
	cfg.checkNames(&report)
	cfg.adoptAuthorizers(&report)
	cfg.adoptPolicies(&report)
	cfg.checks = newChecks(&report)
	cfg.checkListeners(compile(cfg, &report), &report)
	err = config.NewErrors(&report, sources)
	cfg.releaseDefinitions()
	return cfg, err
}

var (
	accountForm = regexp.MustCompile(`^[0-9]{12}$`)
	regionForm  = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)
)

// checkNames holds what stands in ARNs to the forms that their readers know.
func (cfg *Config) checkNames(report *config.Report) {
	if !cfg.Broken("account") && !accountForm.MatchString(cfg.Account) {
		report.Errorf(cfg.Of("account"), `an account has 12 digits, such as "123456789012", not %q`, cfg.Account)
	}
	if !cfg.Broken("region") && !regionForm.MatchString(cfg.Region) {
		report.Errorf(cfg.Of("region"), "a region is written in small letters, digits and -, such as eu-central-1, not %q", cfg.Region)
	}
}

func (cfg *Config) checkListeners(d *draft, report *config.Report) {
	switch {
	case cfg.Broken("listen"):
	case len(cfg.Listen) == 0:
		report.Errorf(cfg.Pos, `nothing is listened on: write for example listen: [{address: "127.0.0.1:8443", tls: {certificates: internal}}]`)
	default:
		policies := edge.Compile(cfg.Listen, edge.Compilation{Domains: cfg.domains(), Now: time.Now(), Warn: cfg.warn}, report)
		demand := cfg.demand(policies)
		demand.Check(report)
		d.checkOwned(demand, report)
		d.checkChallenges(report)
		if cfg.ACME != nil && !demand.At.IsValid() && !demand.Broken {
			cfg.warn(cfg.ACME.Pos, "nothing is obtained by acme: write certificates: acme on a listener with tls")
		}
	}
}

// domains returns every host that an API names.
func (cfg *Config) domains() (out []string) {
	for _, name := range names(cfg.APIs) {
		out = append(out, cfg.APIs[name].domains()...)
	}
	return out
}

// domains returns the API's, and its stages'.
func (a *API) domains() []string {
	out := texts(a.Domains)
	for _, stage := range names(a.Stages) {
		out = append(out, texts(a.Stages[stage].Domains)...)
	}
	return out
}

// clients returns where clients are asked for certificates: on the domains of APIs
// that have authorizers for them.
func (cfg *Config) clients() (out []edge.Clients) {
	for _, name := range names(cfg.APIs) {
		a := cfg.APIs[name]
		asks := edge.Clients{Domains: a.domains()}
		for _, authorizer := range names(a.Authorizers) {
			if c := a.Authorizers[authorizer].MTLS; c != nil {
				authorities, _ := c.Authorities() // which were checked
				asks.Authorities = append(asks.Authorities, authorities...)
			}
		}
		if len(asks.Authorities) > 0 {
			out = append(out, asks)
		}
	}
	return out
}

func texts[T ~string](list []T) []string {
	out := make([]string, len(list))
	for i, t := range list {
		out[i] = string(t)
	}
	return out
}

// Schema returns the JSON Schema of the configuration.
func Schema() []byte { return config.DocumentSchema(Config{}, "Gatehouse") }
