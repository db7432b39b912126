package coraza

import (
	"io"

	"github.com/corazawaf/coraza/v3/debuglog"

	"gatehouse/waf/budget"
)

// Coraza cannot be told to stop. But before every rule, and before every value
// that a rule looks at, it asks its logger whether it debugs: that is where the
// budget is looked at, and what is thrown there ends the evaluation.

// meters is the logger of a rule set: each transaction gets a meter of its own.
type meters struct{ debuglog.Logger }

func (meters) With(...debuglog.ContextField) debuglog.Logger {
	return &meter{Logger: debuglog.Noop(), event: debuglog.Noop().Debug()}
}

// meter is the logger of one transaction. It logs nothing.
type meter struct {
	debuglog.Logger
	event  debuglog.Event
	budget *budget.Budget // nil while nothing is evaluated
	calls  uint
}

// spent is what a meter throws.
type spent struct{}

// every is after how many questions the clock is looked at.
const every = 8

func (m *meter) Debug() debuglog.Event {
	m.calls++
	if m.budget != nil && m.calls%every == 0 && m.budget.Spent() {
		panic(spent{})
	}
	return m.event
}

func (m *meter) With(...debuglog.ContextField) debuglog.Logger { return m }
func (m *meter) WithLevel(debuglog.Level) debuglog.Logger      { return m }
func (m *meter) WithOutput(io.Writer) debuglog.Logger          { return m }
