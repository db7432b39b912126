package exchange

import "gatehouse/config"

// Position is a place in the configuration.
type Position = config.Pos

// Decision is what a filter did with a request.
type Decision uint8

const (
	Passed   Decision = iota // looked and had nothing against it
	Allowed                  // said yes on the strength of something: a token, a rule
	Denied                   // refused
	Answered                 // answered itself without refusing: a preflight, a mock, a redirect
	Changed                  // changed the request or the answer
	Counted                  // would have refused, but only counts
	Failed                   // could not do its work
)

var decisions = [...]string{"passed", "allowed", "denied", "answered", "changed", "counted", "failed"}

func (d Decision) String() string { return decisions[d] }

// Rule is one rule of a filter as configured. It is made when the
// configuration is compiled, never changes, and is what trails point to.
type Rule struct {
	Filter string   // the filter's room: "throttle"
	Name   string   // the rule's own name, or what it says: "10/s per principal"
	At     Position // the line of configuration
}

// Step is one decision on a request's path.
type Step struct {
	Rule     *Rule
	Decision Decision
	Detail   string // what was found; never a credential
}

// Steps is how many steps a trail holds. Further ones are counted only.
const Steps = 24

// Trail is what every filter decided about one request, in order.
type Trail struct {
	steps   []Step // of at most Steps; its memory is used again with the Exchange
	dropped uint16
}

// Add notes a decision. Details that are made for one request cost an
// allocation: keep them for refusals and rarities.
func (t *Trail) Add(rule *Rule, d Decision, detail string) {
	if len(t.steps) == Steps {
		t.dropped++
		return
	}
	if t.steps == nil {
		t.steps = make([]Step, 0, Steps)
	}
	t.steps = append(t.steps, Step{Rule: rule, Decision: d, Detail: detail})
}

// Steps returns the decisions so far; the slice is the trail's own.
func (t *Trail) Steps() []Step { return t.steps }

// Dropped returns how many decisions found no place.
func (t *Trail) Dropped() int { return int(t.dropped) }
