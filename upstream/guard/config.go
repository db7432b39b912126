package guard

import (
	"time"

	"gatehouse/balance"
	"gatehouse/config"
)

// Outliers is the outliers section of a service.
type Outliers struct {
	config.At
	Consecutive int             `yaml:"consecutive" default:"5" range:"0..1000" doc:"failures in a row that take a target out; 0 for none"`
	Failures    Percent         `yaml:"failures" doc:"share of failures within the window that takes a target out, such as 50%; default: none"`
	Window      config.Duration `yaml:"window" default:"10s" range:"1s..10m" doc:"what failures looks back on"`
	Minimum     int             `yaml:"minimum" default:"20" range:"1..1000000" doc:"requests to the target within the window below which failures says nothing"`
	Ejection    config.Duration `yaml:"ejection" default:"30s" range:"100ms..1h" doc:"how long a target is out the first time, and how much longer each further time"`
	Longest     config.Duration `yaml:"max-ejection" default:"5m" range:"100ms..1d" doc:"how long it is out at most"`
	Share       Percent         `yaml:"max-ejected" default:"50%" doc:"share of the targets that may be out at once; one always may, all never"`
	Status      Statuses        `yaml:"status" default:"500-599" doc:"statuses that are failures: 503, 500-599, or several by commas"`
}

// SlowStart is the slow-start section of a service.
type SlowStart struct {
	config.At
	Window config.Duration `yaml:"window,required" range:"1s..1h" doc:"time to the full share"`
	From   Percent         `yaml:"from" default:"10%" doc:"the share to begin with"`
}

// Breaker is the breaker section of a service.
type Breaker struct {
	config.At
	Failures Percent         `yaml:"failures" default:"50%" doc:"share of failures within the window that opens it"`
	Window   config.Duration `yaml:"window" default:"10s" range:"1s..10m" doc:"what failures looks back on"`
	Minimum  int             `yaml:"minimum" default:"20" range:"1..1000000" doc:"requests within the window below which failures says nothing"`
	Open     config.Duration `yaml:"open" default:"5s" range:"100ms..1h" doc:"how long nothing is sent before a trial"`
	Trials   int             `yaml:"trials" default:"1" range:"1..100" doc:"trials that must pass in a row"`
	Status   Statuses        `yaml:"status" default:"502-504" doc:"statuses that are failures, beside connections that fail and answers that do not come"`
}

// Concurrency is the concurrency section of a service.
type Concurrency struct {
	config.At
	PerTarget int             `yaml:"per-target" default:"0" range:"0..1000000" doc:"requests to one target at once; 0 for no limit"`
	Service   int             `yaml:"service" default:"0" range:"0..1000000" doc:"requests to all targets together; 0 for no limit"`
	Queue     int             `yaml:"queue" default:"0" range:"0..100000" doc:"requests that may wait for room; 0 refuses them at once"`
	Timeout   config.Duration `yaml:"queue-timeout" default:"1s" range:"1ms..10m" doc:"how long a request may wait"`
}

// RetryBudget is the retry-budget section of a service.
type RetryBudget struct {
	config.At
	Off     bool    `yaml:"-"`
	Share   Percent `yaml:"share" default:"20%" doc:"retries as a share of the requests of ten seconds"`
	Minimum int     `yaml:"minimum" default:"3" range:"0..1000000" doc:"retries a second that are always allowed"`
}

// UnmarshalConfig reads a duration, or {window, from}.
func (s *SlowStart) UnmarshalConfig(n *config.Node) {
	type plain SlowStart
	if _, ok := n.Text(); !ok {
		n.Decode((*plain)(s))
		return
	}
	s.At, s.From = config.At{Pos: n.Pos()}, 0.1
	if n.Decode(&s.Window) && (s.Window < config.Duration(time.Second) || s.Window > config.Duration(time.Hour)) {
		n.Errorf("a target's share grows for 1s to 1h")
	}
}

// ConfigSchema implements config.Schemer.
func (SlowStart) ConfigSchema() *config.Schema {
	type plain SlowStart
	return &config.Schema{AnyOf: []*config.Schema{config.SchemaOf(config.Duration(0)), config.SchemaOf(plain{})}}
}

// UnmarshalConfig reads off, or {share, minimum}.
func (b *RetryBudget) UnmarshalConfig(n *config.Node) {
	if text, ok := n.Text(); ok {
		b.At, b.Off = config.At{Pos: n.Pos()}, true
		if text != "off" {
			n.Errorf("%q is no budget: write off, or {share: 20%%, minimum: 3}", text)
		}
		return
	}
	type plain RetryBudget
	n.Decode((*plain)(b))
}

// ConfigSchema implements config.Schemer.
func (RetryBudget) ConfigSchema() *config.Schema {
	type plain RetryBudget
	return &config.Schema{AnyOf: []*config.Schema{{Type: "string", Enum: []any{"off"}}, config.SchemaOf(plain{})}}
}

// options returns what is to be taken out; nil without the section.
func (o *Outliers) options() *balance.OutlierOptions {
	if o == nil {
		return nil
	}
	return &balance.OutlierOptions{
		Consecutive: o.Consecutive, Ratio: float64(o.Failures), Window: o.Window.D(), Minimum: o.Minimum,
		Ejection: o.Ejection.D(), Longest: o.Longest.D(), Share: float64(o.Share),
	}
}

func (b *Breaker) options() *balance.BreakerOptions {
	if b == nil {
		return nil
	}
	return &balance.BreakerOptions{Ratio: float64(b.Failures), Window: b.Window.D(), Minimum: b.Minimum, Open: b.Open.D(), Trials: b.Trials}
}

func (q *Concurrency) options() balance.GateOptions {
	if q == nil {
		return balance.GateOptions{}
	}
	return balance.GateOptions{Limit: q.Service, Line: q.Queue, Timeout: q.Timeout.D()}
}

// Ramp returns how a share grows; nil has the full one at once.
func (s *SlowStart) Ramp() balance.Ramp {
	if s == nil {
		return balance.Ramp{}
	}
	return balance.Ramp{Window: s.Window.D(), From: float64(s.From)}
}

// Check implements config.Checker.
func (o Outliers) Check(r *config.Report) {
	if o.Consecutive == 0 && o.Failures == 0 {
		r.Errorf(o.Of("consecutive"), "outliers takes nothing out: say consecutive or failures")
	}
}

// Check implements config.Checker.
func (q Concurrency) Check(r *config.Report) {
	if q.PerTarget == 0 && q.Service == 0 {
		r.Errorf(q.Of("concurrency"), "concurrency limits nothing: say per-target or service")
	}
}

// Budget returns how many retries there may be, and whether that is bounded. A
// service that says nothing has the default budget where something takes targets
// out that fail: elsewhere every second request may need a retry, for as long as
// one of two targets is down.
func (b *RetryBudget) Budget(others bool) (o balance.BudgetOptions, on bool) {
	switch {
	case b == nil:
		return balance.BudgetOptions{Share: 0.2, Floor: 3}, others
	case b.Off:
		return o, false
	default:
		return balance.BudgetOptions{Share: float64(b.Share), Floor: float64(b.Minimum)}, true
	}
}
