// Package discovery reads what an issuer says of itself (OpenID Connect Discovery
// 1.0, RFC 8414): where its keys are, and its endpoints. The operator wrote the
// issuer; the addresses in its answer are somebody else's word, and go by stricter
// rules.
package discovery

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"gatehouse/auth/recall"
)

// Fetch gets a URL: the body and the header of an answer with status 200, or an
// error. It bounds the body and follows ctx.
type Fetch func(ctx context.Context, url string) ([]byte, http.Header, error)

// Document is what an issuer says of itself. An address is "" where it says none.
type Document struct {
	Issuer        string `json:"issuer"`
	Keys          string `json:"jwks_uri"`
	Authorization string `json:"authorization_endpoint"`
	Token         string `json:"token_endpoint"`
	Introspection string `json:"introspection_endpoint"`
	EndSession    string `json:"end_session_endpoint"`
}

// CheckIssuer returns what keeps an issuer from being asked; "" where nothing does:
// it is a URL, https, or http on this machine.
func CheckIssuer(issuer string) string {
	u, err := url.Parse(issuer)
	if err != nil || u.Hostname() == "" || u.User != nil || u.Fragment != "" || u.RawQuery != "" {
		return "an issuer that is asked for what it says of itself is a URL: https://HOST/PATH"
	}
	if u.Scheme == "https" || u.Scheme == "http" && isLoopback(u.Hostname()) {
		return ""
	}
	return "an issuer is asked over https; http is for 127.0.0.1, ::1 and localhost alone"
}

func isLoopback(host string) bool {
	return host == "localhost" || host == "127.0.0.1" || host == "::1"
}

// URL is where an issuer says it (OpenID Connect Discovery 1.0 section 4).
func URL(issuer string) string {
	return strings.TrimSuffix(issuer, "/") + "/.well-known/openid-configuration"
}

// Parse reads the document of an issuer. It must name the issuer to the letter, and
// its addresses must be ones that Foreign takes.
func Parse(issuer string, body []byte) (*Document, error) {
	d := &Document{}
	if err := json.Unmarshal(body, d); err != nil {
		return nil, errors.New("the issuer's description is no JSON object")
	}
	if d.Issuer != issuer {
		return nil, fmt.Errorf("the description at %s is of another issuer", URL(issuer))
	}
	for name, address := range map[string]string{
		"jwks_uri": d.Keys, "authorization_endpoint": d.Authorization, "token_endpoint": d.Token,
		"introspection_endpoint": d.Introspection, "end_session_endpoint": d.EndSession,
	} {
		if address == "" {
			continue
		}
		if _, err := Foreign(issuer, address); err != nil {
			return nil, fmt.Errorf("%s %w", name, err)
		}
	}
	return d, nil
}

var errAddress = errors.New("is no https URL of another server, nor one of the issuer's own")

// Foreign reports whether an address that an issuer gives is of another server than
// the issuer's own, which the operator wrote. Such a one is https.
func Foreign(issuer, address string) (bool, error) {
	own, err1 := url.Parse(issuer)
	u, err2 := url.Parse(address)
	switch {
	case err1 != nil || err2 != nil || u.Hostname() == "" || u.User != nil || u.Fragment != "":
		return true, errAddress
	case u.Scheme == own.Scheme && strings.EqualFold(u.Host, own.Host):
		return false, nil
	case u.Scheme != "https":
		return true, errAddress
	}
	return true, nil
}

// How long what an issuer says of itself is believed, and how long it is left alone
// after it could not be asked.
const (
	fresh   = time.Hour
	retry   = 5 * time.Second
	timeout = 10 * time.Second
)

// Provider knows an issuer's document, asking when somebody needs it and it is an
// hour old. What came last stays good as long as nothing better comes. It is safe
// for concurrent use, and does nothing in the background.
type Provider struct {
	issuer string
	fetch  Fetch
	last   atomic.Pointer[Document]
	asked  *recall.Cache[*Document]
	failed *recall.Cache[error]
}

// NewProvider returns a Provider that has not asked yet.
func NewProvider(issuer string, fetch Fetch) *Provider {
	return &Provider{issuer: issuer, fetch: fetch, asked: recall.New[*Document](1), failed: recall.New[error](1)}
}

// Document returns the issuer's document. It waits at most 10 s.
func (p *Provider) Document() (*Document, error) {
	var key recall.Key
	if err, ok := p.failed.Get(key, time.Now()); ok && p.last.Load() == nil {
		return nil, err
	}
	d, err := p.asked.Do(key, func() (*Document, time.Duration, error) {
		ctx, cancel := context.WithTimeout(context.Background(), timeout)
		defer cancel()
		d, err := p.get(ctx)
		if last := p.last.Load(); err != nil && last != nil {
			return last, retry, nil
		}
		if err != nil {
			now := time.Now()
			p.failed.Put(key, err, now.Add(retry), now)
			return nil, 0, err
		}
		p.last.Store(d)
		return d, fresh, nil
	})
	return d, err
}

func (p *Provider) get(ctx context.Context) (*Document, error) {
	body, _, err := p.fetch(ctx, URL(p.issuer))
	if err != nil {
		return nil, err
	}
	return Parse(p.issuer, body)
}
