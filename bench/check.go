package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// verify asks a proxy what the load will ask it, by an ordinary client, and
// says what is wrong with the answers: nothing is measured that does not do
// its work.
func verify(ctx context.Context, c scenario, l load) error {
	client := clientOf(l)
	defer client.CloseIdleConnections()
	if c.caller != "" {
		return verifyCaller(ctx, client, c, l)
	}
	if c.rules {
		if err := catches(ctx, client, c, l); err != nil {
			return err
		}
	}
	if c.order {
		return passesOrder(ctx, client, c, l)
	}
	if c.secured() {
		if err := refuses(ctx, client, l, c, l.tokens[0]); err != nil {
			return err
		}
	}
	for i := range min(max(len(l.paths), len(l.tokens)), 20) {
		if err := answers(ctx, client, c, urlOf(l, l.paths[i%len(l.paths)]), l.token(i)); err != nil {
			return err
		}
	}
	if c.routes == 0 {
		return nil
	}
	return expectStatus(ctx, client, urlOf(l, "/team0/unknown/orders/42"), "", http.StatusNotFound)
}

// refuses checks that no token and a forged one are refused.
func refuses(ctx context.Context, client *http.Client, l load, c scenario, good string) error {
	forged := []byte(good)
	if last := len(forged) - 10; forged[last] == 'A' {
		forged[last] = 'B'
	} else {
		forged[last] = 'A'
	}
	for _, token := range []string{"", string(forged)} {
		if err := expectStatus(ctx, client, urlOf(l, l.paths[0]), token, http.StatusUnauthorized); err != nil {
			return err
		}
	}
	return nil
}

func answers(ctx context.Context, client *http.Client, c scenario, url, token string) error {
	answer, body, err := get(ctx, client, url, token)
	if err != nil {
		return err
	}
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("GET %s: %s: %s", url, answer.Status, body[:min(len(body), 300)])
	}
	if c.streams > 0 && answer.ProtoMajor != 2 {
		return fmt.Errorf("GET %s: answered in %s", url, answer.Proto)
	}
	if err := checkTLS(c, answer.TLS); err != nil {
		return fmt.Errorf("GET %s: %w", url, err)
	}
	if !bytes.Equal(body, c.body()) {
		return fmt.Errorf("GET %s: not what the backend says: %d bytes", url, len(body))
	}
	return nil
}

// checkTLS holds that everyone encrypts alike.
func checkTLS(c scenario, state *tls.ConnectionState) error {
	switch {
	case !c.tls:
		return nil
	case state == nil:
		return errors.New("answered without TLS")
	case state.Version != tls.VersionTLS13 || state.CipherSuite != tls.TLS_AES_128_GCM_SHA256:
		return fmt.Errorf("answered in %s with %s", tls.VersionName(state.Version), tls.CipherSuiteName(state.CipherSuite))
	case c.handshakes:
		return isFull(*state)
	}
	return nil
}

func expectStatus(ctx context.Context, client *http.Client, url, token string, want int) error {
	answer, _, err := get(ctx, client, url, token)
	if err != nil {
		return err
	}
	if answer.StatusCode != want {
		return fmt.Errorf("GET %s with token %.10q: %s instead of %d", url, token, answer.Status, want)
	}
	return nil
}

func get(ctx context.Context, client *http.Client, url, token string) (*http.Response, []byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, nil, err
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	answer, err := client.Do(request)
	if err != nil {
		return nil, nil, err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	return answer, body, err
}

func urlOf(l load, path string) string {
	if l.tls != nil {
		return "https://" + host + path
	}
	return "http://" + host + path
}

// clientOf returns a client that finds the proxy under every name.
func clientOf(l load) *http.Client {
	transport := &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "tcp", l.address)
		},
		ForceAttemptHTTP2: l.streams > 0,
	}
	if l.tls != nil {
		transport.TLSClientConfig = l.tls.Clone()
	}
	return &http.Client{Transport: transport, Timeout: 10 * time.Second}
}
