package acme

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	protocol "github.com/mholt/acmez/v3/acme"

	"gatehouse/config"
)

func challenge() protocol.Challenge {
	return protocol.Challenge{
		Type: DNS01, Token: "tok", KeyAuthorization: "tok.thumb",
		Identifier: protocol.Identifier{Type: "dns", Value: "shop.test"},
	}
}

func program(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "set-txt")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+text+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

func hookFor(d *DNS) *hook {
	if d.Timeout == 0 {
		d.Timeout = config.Duration(20 * time.Second)
	}
	return newHook(d, http.DefaultClient, slog.New(slog.DiscardHandler))
}

// A program gets what is to be done as arguments, runs in its own folder, and
// sees nothing of the gateway's environment.
func TestCommand(t *testing.T) {
	t.Setenv("GATEWAYS_SECRET", "tiger")
	path := program(t, `{ printf '%s\n' "$@"; pwd; env; } >> called`)
	h := hookFor(&DNS{Command: Command{path, "--zone"}, Environment: map[string]config.Secret{"ZONE_TOKEN": config.NewSecret("lion")}})
	c := challenge()
	if err := h.Present(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if err := h.CleanUp(gone, c); err != nil { // the attempt was given up, and the record is removed all the same
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(filepath.Dir(path), "called"))
	if err != nil {
		t.Fatal(err)
	}
	value := c.DNS01KeyAuthorization()
	for _, want := range []string{"--zone\npresent\n_acme-challenge.shop.test.\n" + value + "\n" + filepath.Dir(path), "--zone\ncleanup\n_acme-challenge.shop.test.\n" + value, "ZONE_TOKEN=lion", "PATH=" + os.Getenv("PATH")} {
		if !strings.Contains(string(text), want) {
			t.Errorf("want %q in\n%s", want, text)
		}
	}
	if strings.Contains(string(text), "tiger") {
		t.Errorf("the gateway's environment was passed on:\n%s", text)
	}
}

// What a program says is told, but for its secrets and for what a terminal would
// obey.
func TestCommandThatFails(t *testing.T) {
	h := hookFor(&DNS{
		Command:     Command{program(t, `echo first; printf 'zone \033[31m%s is not ours\n' "$ZONE_TOKEN" >&2; exit 3`)},
		Environment: map[string]config.Secret{"ZONE_TOKEN": config.NewSecret("lion")},
	})
	err := h.Present(t.Context(), challenge())
	if err == nil || err.Error() != "the dns hook failed: set-txt present: exit status 3: zone .[31m... is not ours" {
		t.Error(err)
	}
	a := &authority{config: &Config{}}
	if cure := a.cure(fmt.Errorf("presenting: %w", err)); !strings.Contains(cure, "acme.dns") {
		t.Error(cure)
	}
	h = hookFor(&DNS{Command: Command{program(t, `head -c 100000 /dev/zero | tr '\0' x; exit 1`)}})
	if err := h.Present(t.Context(), challenge()); err == nil || len(err.Error()) > 500 {
		t.Errorf("%d bytes", len(err.Error()))
	}
}

// A program that takes too long ends, with all that it has started.
func TestCommandThatHangs(t *testing.T) {
	path := program(t, `sleep 1000 & echo $! > child; wait`)
	h := hookFor(&DNS{Command: Command{path}, Timeout: config.Duration(500 * time.Millisecond)})
	begun := time.Now()
	err := h.Present(t.Context(), challenge())
	if err == nil || !strings.Contains(err.Error(), "longer than dns.timeout, 500ms") || time.Since(begun) > 10*time.Second {
		t.Errorf("%v after %v", err, time.Since(begun))
	}
	text, err := os.ReadFile(filepath.Join(filepath.Dir(path), "child"))
	if err != nil {
		t.Fatal(err)
	}
	var child int
	fmt.Sscan(string(text), &child)
	for deadline := time.Now().Add(5 * time.Second); alive(child); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("what it has started lives on")
		}
	}
}

// alive reports whether a process runs; one that has ended and waits for its
// parent does not.
func alive(pid int) bool {
	if syscall.Kill(pid, 0) != nil {
		return false
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && !strings.Contains(string(stat), ") Z ")
}

func TestWebhook(t *testing.T) {
	var body, authorization string
	status := http.StatusOK
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, _ := io.ReadAll(r.Body)
		body, authorization = string(text), r.Header.Get("Authorization")
		w.WriteHeader(status)
	}))
	defer server.Close()
	d := &DNS{Webhook: server.URL + "/txt?key=lion", Token: config.NewSecret("tiger")}
	c := challenge()
	if err := hookFor(d).Present(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	if want := `{"action":"present","domain":"shop.test","name":"_acme-challenge.shop.test.","value":"` + c.DNS01KeyAuthorization() + `"}`; body != want || authorization != "Bearer tiger" {
		t.Errorf("got %s %s", body, authorization)
	}
	status = http.StatusForbidden
	err := hookFor(d).Present(t.Context(), c)
	if err == nil || !strings.Contains(err.Error(), "answered 403") || strings.Contains(err.Error(), "lion") {
		t.Error(err)
	}
	server.Close()
	if err = hookFor(d).Present(t.Context(), c); err == nil || strings.Contains(err.Error(), "lion") {
		t.Error(err)
	}
}
