package main

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"gatehouse": func() {
			ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			os.Exit(run(ctx, os.Args[1:]))
		},
	})
}

// TestScripts runs the command as its users do, by the scripts in testdata.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Setup: func(e *testscript.Env) error {
			for _, name := range []string{"PORT", "PORT2", "ADMIN"} {
				port, err := freePort()
				if err != nil {
					return err
				}
				e.Setenv(name, port)
			}
			e.Setenv("XDG_CACHE_HOME", e.WorkDir+"/cache")
			e.Setenv("CSI", "\u009b") // begins a sequence that terminals obey
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"expand": expand,
			"silent": silent,
			"await":  await,
		},
	})
}

// TestEveryCommandExplainsItself with an example.
func TestEveryCommandExplainsItself(t *testing.T) {
	for _, cmd := range append(newRoot().Commands(), newRoot()) {
		if cmd.Short == "" || cmd.Example == "" || cmd.Args == nil && cmd.HasParent() {
			t.Errorf("%s: no description, no example, or any arguments", cmd.CommandPath())
		}
	}
}

func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	return port, err
}

// expand FILE replaces $NAME in a file by the script's variables.
func expand(ts *testscript.TestScript, neg bool, args []string) {
	for _, name := range args {
		text := os.Expand(ts.ReadFile(name), ts.Getenv)
		ts.Check(os.WriteFile(ts.MkAbs(name), []byte(text), 0o600))
	}
}

// silent NAME starts a service that takes requests and never answers, and sets
// the variable NAME to its address.
func silent(ts *testscript.TestScript, neg bool, args []string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	ts.Defer(func() { _ = l.Close() })
	ts.Setenv(args[0], l.Addr().String())
	// Connections wait in the kernel: nobody accepts them.
}

// await URL TEXT waits until the answer of a URL holds the text.
func await(ts *testscript.TestScript, neg bool, args []string) {
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		resp, err := http.Get(args[0])
		ts.Check(err)
		body, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		ts.Check(err)
		if strings.Contains(string(body), args[1]) {
			return
		}
	}
	ts.Fatalf("%s never says %s", args[0], args[1])
}

// TestNobodyReadsTheLog: where standard output leads nowhere any more, requests
// are served as ever.
func TestNobodyReadsTheLog(t *testing.T) {
	port, err := freePort()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "gatehouse.yaml")
	text := "listen: [{address: \"127.0.0.1:" + port + "\"}]\nadmin: {address: off}\napis: {a: {authorize: none, routes: [{match: GET /ping, target: mock}]}}\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	_ = read.Close()
	var said bytes.Buffer
	cmd := exec.Command("gatehouse", "run", "-c", file)
	cmd.Stdout, cmd.Stderr = write, &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_ = write.Close()
	served := 0
	for deadline := time.Now().Add(20 * time.Second); served < 8 && time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if resp, err := http.Get("http://127.0.0.1:" + port + "/ping"); err == nil {
			_ = resp.Body.Close()
			served++
		} else if served > 0 {
			break
		}
	}
	_ = cmd.Process.Signal(syscall.SIGTERM)
	if err := cmd.Wait(); err != nil || served < 8 {
		t.Errorf("it ended with %v after %d requests, and said %s", err, served, &said)
	}
	if !strings.Contains(said.String(), "the access log cannot be written") {
		t.Errorf("it said %s", &said)
	}
}
