package gatehouse

import (
	"context"
	"fmt"
	"net/http"

	"gatehouse/api"
	"gatehouse/auth"
	"gatehouse/config"
	"gatehouse/event"
	"gatehouse/exchange"
	"gatehouse/function"
	"gatehouse/function/sandbox"
)

// launcher opens what keeps functions apart, with the first of them that there is.
func (k *keepers) launcher(isolation sandbox.Config) (function.Launcher, error) {
	s, level, err := sandbox.New(isolation, k.log)
	if err != nil {
		return nil, err
	}
	k.log.Info("functions are kept apart", "level", level.String())
	k.sandbox.Store(s)
	return function.Isolated(s), nil
}

// place is where the configuration's functions are, in ARNs.
func (cfg *Config) place() function.Place {
	return function.Place{Account: cfg.Account, Region: cfg.Region}
}

// checkFunction reports a function that nobody knows.
func (d *draft) checkFunction(to api.Destination, report *config.Report) {
	cfg := d.config
	unread := cfg.Broken("include") || cfg.Broken("functions") && len(cfg.Functions) == 0
	switch {
	case cfg.Functions[to.Name] == nil && !unread && d.strange[to.Name]: // a definition may name it often
	case cfg.Functions[to.Name] == nil && !unread:
		d.strange[to.Name] = true
		report.Unknown(to.At, "function", to.Name, names(cfg.Functions))
	case to.Alias != "" && to.Alias != "$LATEST":
		report.Errorf(to.At, "this version has no aliases of functions: write function:%s", to.Name)
	}
}

// checkAuthorizers reports authorizers that are functions that nobody knows.
func (d *draft) checkAuthorizers(a *API, report *config.Report) {
	for _, name := range names(a.Authorizers) {
		if f := a.Authorizers[name].Function; f.Value != "" {
			d.checkFunction(api.Destination{Name: f.Value, At: f.At}, report)
		}
	}
}

// leaseFunctions leases every function of the configuration.
func (b *binder) leaseFunctions() error {
	b.functions = make(map[string]*function.Function)
	for _, name := range names(b.draft.config.Functions) {
		f, err := b.leases.functions.Function(b.draft.config.Functions[name], b.draft.config.place())
		if err != nil {
			return err
		}
		b.functions[name] = f
	}
	return nil
}

// function returns what answers an endpoint by a function.
func (b *binder) function(e *endpoint, to api.Destination) (http.Handler, error) {
	f := b.functions[to.Name]
	if f == nil {
		return nil, fmt.Errorf("%s: no function %s", to.At, to.Name)
	}
	payload := e.policies.Payload
	if payload == "" {
		payload = b.draft.config.Functions[to.Name].Payload
	}
	form := event.Two
	if payload == "1.0" && f.Config().Runtime != function.HTTP {
		form = event.One
	}
	return function.New(function.Route{
		Function: f, Form: form, Binary: e.binary, Account: b.draft.config.Account,
		Rule: &exchange.Rule{Filter: "function", Name: to.Name + " " + f.Version(), At: to.At},
	}), nil
}

// invoker asks functions that are authorizers.
type invoker map[string]*function.Function

// Invoke implements auth.Invoker.
func (i invoker) Invoke(ctx context.Context, name string, event []byte) ([]byte, error) {
	f := i[name]
	if f == nil {
		return nil, fmt.Errorf("no function %s", name)
	}
	until, _ := ctx.Deadline()
	r := f.Invoke(function.Invoke{ID: function.NewID(), Event: event, Until: until})
	defer r.Free()
	if r.Outcome == function.Failed && r.Message == "Unauthorized" {
		return nil, auth.ErrUnauthorized
	}
	if r.Outcome != function.Answered {
		return nil, fmt.Errorf("the function %s: %s", name, r.Detail)
	}
	answer, err := r.All(1 << 20)
	if err != nil {
		return nil, fmt.Errorf("the function %s: %w", name, err)
	}
	return answer, nil
}
