package acme

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
	"unicode"

	"github.com/mholt/acmez/v3"
	protocol "github.com/mholt/acmez/v3/acme"
)

// hook answers dns-01 by what the operator has: a program or a webhook that
// sets and removes records.
type hook struct {
	config *DNS
	client *http.Client
	log    *slog.Logger
}

var (
	_ acmez.Solver = (*hook)(nil)
	_ acmez.Waiter = (*hook)(nil)
)

func newHook(c *DNS, client *http.Client, log *slog.Logger) *hook {
	bounded := *client
	bounded.Timeout = c.Timeout.D()
	return &hook{c, &bounded, log}
}

// record is one TXT record, and what is to become of it.
type record struct {
	Action string `json:"action"` // "present" or "cleanup"
	Domain string `json:"domain"`
	Name   string `json:"name"` // with a final dot
	Value  string `json:"value"`
}

func recordOf(action string, c protocol.Challenge) record {
	return record{action, c.Identifier.Value, c.DNS01TXTRecordName() + ".", c.DNS01KeyAuthorization()}
}

// Present implements acmez.Solver.
func (h *hook) Present(ctx context.Context, c protocol.Challenge) error {
	return h.call(ctx, recordOf("present", c))
}

// Wait implements acmez.Waiter: it leaves the record time to reach the servers
// that the CA asks.
func (h *hook) Wait(ctx context.Context, _ protocol.Challenge) error {
	timer := time.NewTimer(h.config.Wait.D())
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// CleanUp implements acmez.Solver. The record is removed though the attempt was
// given up meanwhile.
func (h *hook) CleanUp(ctx context.Context, c protocol.Challenge) error {
	err := h.call(context.WithoutCancel(ctx), recordOf("cleanup", c))
	if err != nil {
		h.log.Warn("a record of dns-01 was not removed: remove it by hand", "record", c.DNS01TXTRecordName(), "error", err)
	}
	return err
}

// hookError is a hook that did not do what it was asked for.
type hookError struct{ err error }

func (e *hookError) Error() string { return "the dns hook failed: " + e.err.Error() }
func (e *hookError) Unwrap() error { return e.err }

func (h *hook) call(ctx context.Context, r record) error {
	ctx, cancel := context.WithTimeout(ctx, h.config.Timeout.D())
	defer cancel()
	run := h.run
	if h.config.Webhook != "" {
		run = h.post
	}
	if err := run(ctx, r); err != nil {
		return &hookError{err}
	}
	return nil
}

const maxOutput = 4 << 10

// run calls the program, in its own folder, with an environment of its own, and
// with every process that it starts: where it takes too long, they all end.
func (h *hook) run(ctx context.Context, r record) error {
	words := h.config.Command
	cmd := exec.CommandContext(ctx, words[0], append(append([]string{}, words[1:]...), r.Action, r.Name, r.Value)...)
	if filepath.IsAbs(words[0]) {
		cmd.Dir = filepath.Dir(words[0])
	}
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME")}
	for name, value := range h.config.Environment {
		cmd.Env = append(cmd.Env, name+"="+value.Reveal())
	}
	said := &tail{}
	cmd.Stdout, cmd.Stderr = said, said
	apart(cmd)
	cmd.WaitDelay = time.Second
	err := cmd.Run()
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		err = fmt.Errorf("it took longer than dns.timeout, %v", h.config.Timeout)
	}
	return fmt.Errorf("%s %s: %w%s", filepath.Base(words[0]), r.Action, err, h.quote(said.String()))
}

// quote returns the last line that a program has said, without secrets and
// without what a terminal would obey.
func (h *hook) quote(said string) string {
	lines := strings.Split(strings.TrimSpace(said), "\n")
	line := lines[len(lines)-1]
	for _, secret := range h.config.Environment {
		if secret.IsSet() {
			line = strings.ReplaceAll(line, secret.Reveal(), "...")
		}
	}
	line = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '.'
		}
		return r
	}, line)
	if line == "" {
		return ""
	}
	return ": " + shorten(line, 300)
}

func shorten(text string, most int) string {
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + " ..."
}

// tail keeps the end of what is written to it.
type tail struct{ kept bytes.Buffer }

func (t *tail) Write(p []byte) (int, error) {
	t.kept.Write(p)
	if over := t.kept.Len() - maxOutput; over > 0 {
		t.kept.Next(over)
	}
	return len(p), nil
}

func (t *tail) String() string { return t.kept.String() }

// post tells the webhook.
func (h *hook) post(ctx context.Context, r record) error {
	body, err := json.Marshal(r)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, h.config.Webhook, bytes.NewReader(body))
	if err != nil {
		return errors.New("dns.webhook is no URL")
	}
	req.Header.Set("Content-Type", "application/json")
	if h.config.Token.IsSet() {
		req.Header.Set("Authorization", "Bearer "+h.config.Token.Reveal())
	}
	resp, err := h.client.Do(req)
	var whole *url.Error // its text is the URL's, which may hold a secret
	if errors.As(err, &whole) {
		err = fmt.Errorf("%s: %w", req.URL.Host, whole.Err)
	}
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	_, _ = io.CopyN(io.Discard, resp.Body, maxOutput)
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return fmt.Errorf("%s answered %s to %s", req.URL.Host, resp.Status, r.Action)
	}
	return nil
}
