package cedar

import (
	"sync"

	"github.com/cedar-policy/cedar-go"

	"gatehouse/exchange"
)

// maxCallers is how many callers are remembered as policies know them.
const maxCallers = 4096

// recall remembers callers as policies know them: whoever verified a credential
// remembers its Principal, and gives the same one to every request.
type recall struct {
	mu      sync.RWMutex
	callers map[*exchange.Principal]cedar.Entity
}

func newRecall() *recall { return &recall{callers: make(map[*exchange.Principal]cedar.Entity)} }

// of returns what make makes of a caller, or has made. Entities are never changed.
func (r *recall) of(who *exchange.Principal, make func(*exchange.Principal) cedar.Entity) cedar.Entity {
	r.mu.RLock()
	e, ok := r.callers[who]
	r.mu.RUnlock()
	if ok {
		return e
	}
	e = make(who)
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.callers) >= maxCallers {
		for other := range r.callers { // any
			delete(r.callers, other)
			break
		}
	}
	r.callers[who] = e
	return e
}
