package balance

import (
	"sync"
	"time"
)

// BudgetOptions bound retries.
type BudgetOptions struct {
	Share float64 // of the requests, from 0 up
	Floor float64 // retries a second that are always allowed
}

// budgetSpan is over how long a Budget counts: what was not spent within it is
// gone.
const budgetSpan = 10 * time.Second

// budgetStep is how often it counts anew.
const budgetStep = 100 * time.Millisecond

// Budget bounds retries to a share of the requests, so that they cannot
// multiply an outage. Requests are counted elsewhere: a request that needs no
// retry costs nothing here. It is safe for concurrent use.
type Budget struct {
	mu      sync.Mutex
	options BudgetOptions
	at      time.Time // of the last count
	seen    uint64    // attempts by then
	made    uint64    // retries since
	tokens  float64   // retries that may follow
	rate    float64   // requests a second
	denied  uint64
}

// NewBudget returns a Budget that begins now.
func NewBudget(o BudgetOptions) *Budget {
	return &Budget{options: o, at: time.Now(), tokens: o.Floor * budgetSpan.Seconds()}
}

// Set makes o the options; what was saved stays.
func (b *Budget) Set(o BudgetOptions) {
	b.mu.Lock()
	b.options = o
	b.mu.Unlock()
}

// Take takes one retry, where one is left. Attempts is how often a request was
// sent by now, retries included; where it is less than the last time, counting
// begins anew.
func (b *Budget) Take(attempts uint64) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	if passed := now.Sub(b.at); passed >= budgetStep {
		b.count(attempts, passed.Seconds())
		b.at = now
	}
	if b.tokens < 1 {
		b.denied++
		return false
	}
	b.tokens--
	b.made++
	return true
}

// count adds what the requests since the last count allow, and drops what is
// older than the span.
func (b *Budget) count(attempts uint64, seconds float64) {
	new := 0.0
	if attempts > b.seen+b.made {
		new = float64(attempts - b.seen - b.made)
	}
	b.seen, b.made = attempts, 0
	weight := min(seconds/budgetSpan.Seconds(), 1)
	b.rate += (new/seconds - b.rate) * weight
	most := (b.options.Floor + b.options.Share*b.rate) * budgetSpan.Seconds()
	b.tokens = min(b.tokens+b.options.Floor*seconds+b.options.Share*new, most)
}

// Denied returns how many retries were not made.
func (b *Budget) Denied() uint64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.denied
}
