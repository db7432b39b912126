package acme

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"github.com/mholt/acmez/v3"
	protocol "github.com/mholt/acmez/v3/acme"

	"gatehouse/exchange"
)

// Protocol is what a CA negotiates by ALPN to see a name's challenge over TLS
// (RFC 8737). Nothing is spoken on the connection afterwards.
const Protocol = acmez.ACMETLS1Protocol

// Path is where a CA asks over HTTP; one segment follows (RFC 8555 section 8.3).
const Path = "/.well-known/acme-challenge/"

// book is what CAs are to be told while they ask.
type book struct {
	mu     sync.RWMutex
	tokens map[token]string       // over HTTP: key authorizations
	certs  map[string]*tls.Config // over TLS, by name
}

// token is a CA's question about a name.
type token struct{ name, token string }

func newBook() *book {
	return &book{tokens: make(map[token]string), certs: make(map[string]*tls.Config)}
}

// overHTTP answers http-01.
type overHTTP struct{ *book }

// Present implements acmez.Solver.
func (b overHTTP) Present(_ context.Context, c protocol.Challenge) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.tokens[token{c.Identifier.Value, c.Token}] = c.KeyAuthorization
	return nil
}

// CleanUp implements acmez.Solver.
func (b overHTTP) CleanUp(_ context.Context, c protocol.Challenge) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.tokens, token{c.Identifier.Value, c.Token})
	return nil
}

// overTLS answers tls-alpn-01.
type overTLS struct{ *book }

// Present implements acmez.Solver.
func (b overTLS) Present(_ context.Context, c protocol.Challenge) error {
	cert, err := acmez.TLSALPN01ChallengeCert(c)
	if err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.certs[c.Identifier.Value] = &tls.Config{
		MinVersion: tls.VersionTLS12, NextProtos: []string{Protocol}, Certificates: []tls.Certificate{*cert}, SessionTicketsDisabled: true,
	}
	return nil
}

// CleanUp implements acmez.Solver.
func (b overTLS) CleanUp(_ context.Context, c protocol.Challenge) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.certs, c.Identifier.Value)
	return nil
}

// asks reports whether a client wants nothing but to see a challenge.
func asks(hello *tls.ClientHelloInfo) bool {
	return len(hello.SupportedProtos) == 1 && hello.SupportedProtos[0] == Protocol
}

// challenge is Keeper.Challenge.
func (b *book) challenge(hello *tls.ClientHelloInfo) (*tls.Config, error) {
	if !asks(hello) {
		return nil, nil
	}
	b.mu.RLock()
	defer b.mu.RUnlock()
	if c := b.certs[strings.ToLower(hello.ServerName)]; c != nil {
		return c, nil
	}
	return nil, fmt.Errorf("acme: no challenge is under way for %q", hello.ServerName)
}

// handler is Keeper.Handler.
func (b *book) handler(rule *exchange.Rule) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		x := exchange.From(r)
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			exchange.Refuse(w, r, exchange.Refusal{Status: http.StatusMethodNotAllowed, Rule: rule, Reason: "no-method", Header: http.Header{"Allow": {"GET, HEAD"}}})
			return
		}
		asked := token{x.Host, x.Path.Segments[len(x.Path.Segments)-1]}
		b.mu.RLock()
		text, known := b.tokens[asked]
		b.mu.RUnlock()
		if !known {
			exchange.Refuse(w, r, exchange.Refusal{Status: http.StatusNotFound, Rule: rule, Reason: "no-challenge", Detail: "no CA was told to ask for this"})
			return
		}
		x.Trail.Add(rule, exchange.Answered, "")
		h := w.Header()
		h.Set("Content-Type", "application/octet-stream")
		h.Set("Content-Length", strconv.Itoa(len(text)))
		w.WriteHeader(http.StatusOK)
		if r.Method == http.MethodGet {
			_, _ = w.Write([]byte(text))
		}
	})
}
