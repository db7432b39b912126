package exchange

import "io"

// Through puts a reader between the client and everybody who reads the body,
// such as one that verifies it while it passes: wrap gets what the client sends.
// Declared is the length of what comes out; -1 where it is not known. Limits
// count that. It reports false, and does nothing, where the body has been read.
func (b *Body) Through(declared int64, wrap func(io.ReadCloser) io.ReadCloser) bool {
	if b.begun {
		return false
	}
	if b.src != nil {
		b.src = wrap(b.src)
	}
	b.declared = declared
	return true
}

// Reserve counts n further bytes of memory that somebody holds for this body
// towards the gateway's budget, until the request ends; ErrBodyBudget where
// there is no room.
func (b *Body) Reserve(n int64) error {
	if !b.budget.take(n) {
		return ErrBodyBudget
	}
	b.held += n
	return nil
}

// BodyFault is the error of a body that whoever verifies it refuses while it is
// read. BodyRefusal tells the client so.
type BodyFault struct {
	Status  int
	Type    string // x-amzn-errortype; "" for the usual one of Status
	Message string // "" for the usual one of Status
	Reason  string
	Detail  string // for log and trail
}

func (f *BodyFault) Error() string { return f.Detail }
