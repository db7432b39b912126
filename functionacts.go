package gatehouse

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"gatehouse/function"
)

// FunctionInfo is what is told of one function.
type FunctionInfo struct {
	Name        string         `json:"name"`
	Runtime     string         `json:"runtime"`
	Version     string         `json:"version"` // the first digits of the hash of code and configuration
	Description string         `json:"description,omitempty"`
	Memory      int64          `json:"memory"` // bytes
	Timeout     string         `json:"timeout"`
	Now         function.Stats `json:"now"`
}

func (g *Gateway) listFunctions() []FunctionInfo {
	fs := g.current.Load().functions
	out := []FunctionInfo{}
	for _, name := range names(fs) {
		c := fs[name].Config()
		out = append(out, FunctionInfo{
			Name: name, Runtime: c.Runtime, Version: fs[name].Version(), Description: c.Description, Memory: int64(c.Memory), Timeout: c.Timeout.String(), Now: fs[name].Stats(),
		})
	}
	return out
}

// Invocation is one invoke by command.
type Invocation struct {
	Name  string          `json:"name"`
	Event json.RawMessage `json:"event"`
}

// Invoked is what came of it.
type Invoked struct {
	Outcome  string          `json:"outcome"`          // answered, function-error, function-timeout ...
	Answer   json.RawMessage `json:"answer,omitempty"` // where it is JSON
	Text     string          `json:"text,omitempty"`   // where it is not
	Detail   string          `json:"detail,omitempty"` // why there is none
	Instance string          `json:"instance,omitempty"`
	Cold     bool            `json:"cold"`
	InitMS   float64         `json:"initMs,omitempty"`
	QueueMS  float64         `json:"queueMs"`
	Millis   float64         `json:"durationMs"`
}

// maxInvoked is how large the answer to a command may be.
const maxInvoked = 6 << 20

func (g *Gateway) invokeFunction(_ context.Context, in Invocation) (any, error) {
	f := g.current.Load().functions[in.Name]
	if f == nil {
		return nil, fmt.Errorf("there is no function %q", in.Name)
	}
	if len(in.Event) == 0 {
		return nil, errors.New("an invoke without an event")
	}
	r := f.Invoke(function.Invoke{ID: function.NewID(), Event: in.Event})
	defer r.Free()
	out := Invoked{
		Outcome: r.Outcome.String(), Detail: r.Detail, Instance: r.Instance, Cold: r.Cold,
		InitMS: float64(r.Init) / 1e6, QueueMS: float64(r.Queued) / 1e6, Millis: float64(r.Duration) / 1e6,
	}
	answer, err := r.All(maxInvoked)
	if err != nil {
		return nil, err
	}
	if json.Valid(answer) {
		out.Answer = answer
	} else {
		out.Text = string(answer)
	}
	return out, nil
}
