package function

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestConfig(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"code/bootstrap": "", "code.zip": "", "code.txt": ""} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	code := "code: " + dir + "/code"
	for _, tc := range []struct{ functions, want string }{
		{"{f: {runtime: provided, " + code + "}}", ""},
		{"{f: {runtime: nodejs, code: " + dir + "/code.zip, handler: src/index.handler}}", ""},
		{"{f: {runtime: http, " + code + ", handler: node server.js, port: 3000}}", ""},
		{"{f: {runtime: ruby, " + code + "}}", "runtime"},
		{"{f: {runtime: provided}}", "code"},
		{"{a.b: {runtime: provided, " + code + "}}", "a function's name has up to 64 letters"},
		{"{f: {runtime: provided, code: " + dir + "/none}}", "there is no code at"},
		{"{f: {runtime: provided, code: " + dir + "/code.txt}}", "neither a folder nor a zip file"},
		{"{f: {runtime: nodejs, " + code + "}}", "FILE.FUNCTION"},
		{"{f: {runtime: nodejs, " + code + ", handler: ../index.handler}}", "within the code"},
		{"{f: {runtime: provided, " + code + ", handler: /bin/sh}}", "within the code"},
		{"{f: {runtime: provided, " + code + ", environment: {AWS_LAMBDA_RUNTIME_API: x}}}", "the gateway's to set"},
		{"{f: {runtime: provided, " + code + ", environment: {1A: x}}}", "no name of a variable"},
		{"{f: {runtime: provided, " + code + ", environment: {A: " + strings.Repeat("x", 5000) + "}}}", "at most 4096"},
		{"{f: {runtime: provided, " + code + ", concurrency: 2, provisioned: 3}}", "needs no more than 2"},
		{"{f: {runtime: python, " + code + ", handler: a.b, concurrent-requests: 2}}", "one invoke at a time"},
		{"{f: {runtime: provided, " + code + ", interpreter: /bin/sh}}", "an interpreter is for"},
		{"{f: {runtime: provided, " + code + ", port: 80}}", "runtime: http"},
		{"{f: {runtime: http, " + code + ", port: 9001}}", "the Runtime API's"},
		{"{f: {runtime: http, " + code + ", payload: \"1.0\"}}", "requests, not events"},
		{"{f: {runtime: provided, " + code + ", timeout: 16m}}", "timeout"},
		{"{f: {runtime: provided, " + code + ", layers: [a, b, c, d, e, f]}}", "at most 5 layers"},
	} {
		_, err := load("functions: " + tc.functions)
		if (err == nil) != (tc.want == "") || err != nil && !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v", tc.functions, err)
		}
	}
}

// A secret is part of what a version is, and of nothing that prints it.
func TestEnvironmentIsSecret(t *testing.T) {
	r := newRig(t)
	a := r.function(t, provided(t, "environment: {KEY: one-secret}"))
	b := r.function(t, provided(t, "environment: {KEY: two-secret}"))
	if a.Version() == b.Version() {
		t.Error("the same version")
	}
	c := a.Config()
	if text := c.Environment["KEY"].String(); strings.Contains(text, "secret)") == false || strings.Contains(text, "one-secret") {
		t.Error(text)
	}
}
