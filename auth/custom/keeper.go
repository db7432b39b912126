package custom

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"io"
	"net/http"
	"net/url"

	"gatehouse/auth/recall"
	"gatehouse/config"
	"gatehouse/iam"
	"gatehouse/iam/policy"
	"gatehouse/keeper"
)

// Client returns what asks servers that the roots vouch for, nil for the system's;
// plain lets it speak http. It bounds answers, keeps connections, follows no
// redirect to another host, and is closed by CloseIdleConnections.
type Client func(roots *x509.CertPool, plain bool) *http.Client

// Keeper keeps connections to programs and their answers over reloads.
type Keeper struct {
	client   Client
	programs *keeper.Set[[sha256.Size]byte, *program]
}

// NewKeeper returns a Keeper that has asked nobody yet.
func NewKeeper(client Client) *Keeper {
	return &Keeper{client: client, programs: keeper.NewSet[[sha256.Size]byte, *program]()}
}

// Close closes the connections.
func (k *Keeper) Close() { k.programs.Close() }

// Begin starts a lease.
func (k *Keeper) Begin() *Lease { return &Lease{client: k.client, programs: k.programs.Begin()} }

// Lease is one configuration's hold on programs. It is not safe for concurrent
// use; the Authorizers that it gives are.
type Lease struct {
	client   Client
	programs *keeper.Lease[[sha256.Size]byte, *program]
	invoker  Invoker
}

// Functions says who asks functions. It is called before the first Authorizer.
func (l *Lease) Functions(i Invoker) { l.invoker = i }

// Commit makes the lease's programs those that are kept.
func (l *Lease) Commit() { l.programs.Commit() }

// Abort gives up what the lease opened.
func (l *Lease) Abort() { l.programs.Abort() }

// remembered is how many answers of one program are remembered.
const remembered = 1 << 16

// program is what is asked, and what it has answered.
type program struct {
	caller  caller
	answers *recall.Cache[*outcome]
	printer recall.Printer
	close   func()
}

// Retire closes what is idle; a call that is under way may finish.
func (p *program) Retire() { p.close() }

// Authorizer returns the Authorizer of a checked configuration, for an API of an
// account and region. It waits for nobody.
func (l *Lease) Authorizer(c *Config, api, account, region string) (*Authorizer, error) {
	// Answers hold for one API: policies name it, and yes and no mean it.
	digest := config.Digest([]any{c, api, account, region, c.CA.Content})
	p, err := l.programs.Get(digest, func() (*program, error) {
		if c.Function != "" {
			return &program{close: func() {}, answers: recall.New[*outcome](remembered), printer: recall.NewPrinter()}, nil
		}
		client := l.client(c.roots(), true)
		return &program{
			caller: &behindURL{c.URL, client}, close: client.CloseIdleConnections,
			answers: recall.New[*outcome](remembered), printer: recall.NewPrinter(),
		}, nil
	})
	if err != nil {
		return nil, err
	}
	caller := p.caller
	if c.Function != "" { // of this configuration, which may have another version of it
		caller = &function{l.invoker, c.Function}
	}
	return &Authorizer{
		program: p, caller: caller, sources: c.sources(), issuer: c.issuer(), format: c.Format, token: c.Type == "token", match: c.Match,
		timeout: c.Timeout.D(), ttl: c.TTL.D(), account: account, region: region, action: policy.NewAction(iam.Invoke),
	}, nil
}

// function is a program that is a function of the gateway's.
type function struct {
	invoker Invoker
	name    string
}

func (f *function) call(ctx context.Context, event []byte) (int, []byte, error) {
	answer, err := f.invoker.Invoke(ctx, f.name, event)
	switch {
	case err != nil && errors.Is(err, ErrUnauthorized):
		return http.StatusUnauthorized, nil, nil
	case err != nil:
		return 0, nil, err
	case len(answer) > maxAnswer:
		return 0, nil, errors.New("the function's answer is too long")
	}
	return http.StatusOK, answer, nil
}

// behindURL is a program behind an URL.
type behindURL struct {
	url    string
	client *http.Client
}

func (b *behindURL) call(ctx context.Context, event []byte) (int, []byte, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, b.url, bytes.NewReader(event))
	if err != nil {
		return 0, nil, errors.New("the program cannot be asked")
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "application/json")
	resp, err := b.client.Do(r)
	if err != nil {
		return 0, nil, withoutURL(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	switch {
	case err != nil:
		return 0, nil, withoutURL(err)
	case len(body) > maxAnswer:
		return 0, nil, errors.New("the program's answer is too long")
	}
	return resp.StatusCode, body, nil
}

// withoutURL is an error of a client without the URL, whose query may be a secret.
func withoutURL(err error) error {
	var of *url.Error
	if errors.As(err, &of) {
		return errors.New("the program cannot be asked: " + of.Err.Error())
	}
	return err
}
