package oidc

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"gatehouse/auth/discovery"
	"gatehouse/auth/introspection"
	"gatehouse/auth/recall"
)

// tokens are what the provider's token endpoint answers (RFC 6749 section 5).
type tokens struct {
	ID       string `json:"id_token"`
	Access   string `json:"access_token"`
	Refresh  string `json:"refresh_token"`
	Lifetime int64  `json:"expires_in"`
	Problem  string `json:"error"`
}

const (
	askTimeout = 10 * time.Second
	maxTokens  = 256 << 10
)

// ask asks the token endpoint. An answer with a Problem is the provider's no; an
// error says that there is no answer.
func (a *Authorizer) ask(form url.Values) (*tokens, error) {
	d, err := a.provider.Document()
	if err != nil {
		return nil, err
	}
	client := a.client
	if foreign, _ := discovery.Foreign(a.issuer, d.Token); foreign {
		client = a.foreign
	}
	// Other tabs may wait for the answer: this one's going does not end it.
	ctx, cancel := context.WithTimeout(context.Background(), askTimeout)
	defer cancel()
	if a.key != nil {
		assertion, err := introspection.Assertion(a.key, a.clientID, d.Token)
		if err != nil {
			return nil, err
		}
		form.Set("client_id", a.clientID)
		form.Set("client_assertion_type", introspection.AssertionType)
		form.Set("client_assertion", assertion)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, d.Token, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Accept", "application/json")
	if a.key == nil {
		r.SetBasicAuth(url.QueryEscape(a.clientID), url.QueryEscape(a.secret))
	}
	resp, err := client.Do(r)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxTokens))
	if err != nil {
		return nil, err
	}
	t := &tokens{}
	if resp.StatusCode >= 500 || json.Unmarshal(body, t) != nil {
		return nil, fmt.Errorf("the token endpoint answered %s, and no tokens", resp.Status)
	}
	if resp.StatusCode != http.StatusOK && t.Problem == "" {
		t.Problem = resp.Status
	}
	if t.Problem == "invalid_client" {
		return nil, errors.New("the provider does not know the gateway by its client-id and secret or key (invalid_client)")
	}
	return t, nil
}

// refreshKey tells a session's prolongation from others: tabs that still have the
// cookie before it get the same.
func (a *Authorizer) refreshKey(s *session) recall.Key {
	return a.memory.printer.Print("refresh", s.ID, s.Refresh)
}

// shared is how long a prolonged session is handed to tabs that come with the
// cookie before it: its refresh token may be used once.
const shared = 2 * time.Minute

// pause is how long a provider is left alone that could not be asked.
const pause = 5 * time.Second

// refresh prolongs a session, once for all who ask; nil where the provider says that
// it is over.
func (a *Authorizer) refresh(s *session) (*session, error) {
	key := a.refreshKey(s)
	if err, failing := a.memory.failing.Get(key, time.Now()); failing {
		return nil, err
	}
	return a.memory.refreshed.Do(key, func() (*session, time.Duration, error) {
		t, err := a.ask(url.Values{"grant_type": {"refresh_token"}, "refresh_token": {s.Refresh}})
		switch {
		case err != nil:
			now := time.Now()
			a.memory.failing.Put(key, err, now.Add(pause), now)
			return nil, 0, err
		case t.Problem != "":
			return nil, shared, nil
		}
		now := time.Now()
		next := &session{ID: s.ID, Token: s.Token, Begin: s.Begin, End: s.End}
		if t.Refresh == "" {
			t.Refresh = s.Refresh
		}
		a.carry(next, t, now)
		if t.ID != "" {
			// OpenID Connect Core 1.0 section 12.2: of the same person.
			claims, bad := a.tokens.Claims(t.ID, false, now)
			if bad.Found || claims["sub"] != s.principal.Subject {
				return nil, shared, nil
			}
			next.Token = t.ID
		}
		if !a.fill(next) {
			return nil, shared, nil
		}
		return next, shared, nil
	})
}
