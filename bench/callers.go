package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// open is the row of the route that asks nobody: what the others are held
// against.
const open = "open"

// callers are the ways of knowing and judging callers that are measured. Of
// tokens Gatehouse remembers 65,536: where more are in rotation, each is verified
// anew.
func callers() []string {
	return []string{open, "jwt-remembered", "jwt-fresh", "api-key", "sigv4", "iam-policy", "cedar"}
}

// freshTokens is more than Gatehouse remembers.
const freshTokens = 150_000

// runCallers measures Gatehouse with each way of knowing callers, round by round.
func (b *bench) runCallers(ctx context.Context, c scenario) caseResult {
	var field []candidate
	for _, p := range b.peers {
		if p.name != "gatehouse" {
			continue
		}
		for _, caller := range callers() {
			one := c
			one.caller = caller
			field = append(field, candidate{p, one, entry{Proxy: caller}})
		}
	}
	return b.contestOf(ctx, c, field, func(round int, running []*contender) {
		for _, r := range running {
			b.round(ctx, round, r)
		}
	})
}

// introduce gives the clients what the gateway knows them by.
func (b *bench) introduce(ctx context.Context, p peer, c scenario, r *contender) (err error) {
	l := &r.load
	switch c.caller {
	case "jwt-remembered", "cedar":
		l.lines, err = b.bearers(tokenCount)
	case "jwt-fresh":
		l.lines, err = b.bearers(freshTokens)
	case "api-key":
		l.lines, err = createKey(ctx, p, r.site)
	case "sigv4":
		l.lines, err = b.signed(ctx, l.paths[0])
	}
	return err
}

// bearers are header lines with tokens.
func (b *bench) bearers(n int) ([]string, error) {
	lines := make([]string, n)
	for i := range lines {
		token, err := b.keys.token("HS256", fmt.Sprintf("customer-%03d", i))
		if err != nil {
			return nil, err
		}
		lines[i] = "Authorization: Bearer " + token + "\r\n"
	}
	return lines, nil
}

// createKey has the running gateway make an API key.
func createKey(ctx context.Context, p peer, s site) ([]string, error) {
	cmd := exec.CommandContext(ctx, p.program, "keys", "create", "--plan", "gold", "--name", "bench", "-o", "json", "-c", filepath.Join(s.Dir, "gatehouse.yaml"))
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("gatehouse keys create: %w", err)
	}
	var key struct{ Value string }
	if err := json.Unmarshal(out, &key); err != nil {
		return nil, err
	}
	return []string{"X-Api-Key: " + key.Value + "\r\n"}, nil
}

// signed are header lines of requests for a path that are signed now, and good for
// five minutes.
func (b *bench) signed(ctx context.Context, path string) ([]string, error) {
	const empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	who := aws.Credentials{AccessKeyID: "AKIABENCH00000000000", SecretAccessKey: b.keys.secret}
	var lines []string
	for i := range tokenCount {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+host+path, nil)
		if err != nil {
			return nil, err
		}
		r.Header.Set("X-Bench", fmt.Sprint(i)) // signed, so that no two signatures are the same
		if err := v4.NewSigner().SignHTTP(ctx, who, r, empty, "execute-api", "local", time.Now()); err != nil {
			return nil, err
		}
		var b strings.Builder
		for _, name := range []string{"Authorization", "X-Amz-Date", "X-Bench"} {
			fmt.Fprintf(&b, "%s: %s\r\n", name, r.Header.Get(name))
		}
		lines = append(lines, b.String())
	}
	return lines, nil
}

// verifyCaller checks that who is known is let in, and that others are not where
// the case refuses anybody.
func verifyCaller(ctx context.Context, client *http.Client, c scenario, l load) error {
	for i := range min(max(len(l.lines), 1), 20) {
		if status, err := statusOf(ctx, client, l, l.line(i)); err != nil || status != http.StatusOK {
			return fmt.Errorf("%s: a request that should be let in: %d, %w", c.caller, status, err)
		}
	}
	if len(l.lines) == 0 {
		return nil
	}
	status, err := statusOf(ctx, client, l, "")
	if err != nil || status != http.StatusUnauthorized && status != http.StatusForbidden {
		return fmt.Errorf("%s: a request that should be refused: %d, %w", c.caller, status, err)
	}
	return nil
}

func statusOf(ctx context.Context, client *http.Client, l load, lines string) (int, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, urlOf(l, l.paths[0]), nil)
	if err != nil {
		return 0, err
	}
	r.Host = host
	for line := range strings.SplitSeq(strings.TrimSuffix(lines, "\r\n"), "\r\n") {
		if name, value, ok := strings.Cut(line, ": "); ok {
			r.Header.Set(name, value)
		}
	}
	answer, err := client.Do(r)
	if err != nil {
		return 0, err
	}
	return answer.StatusCode, answer.Body.Close()
}
