package config_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"gatehouse/config"
)

func replace(text, dir string) string { return strings.ReplaceAll(text, dir, "DIR") }

func TestExpand(t *testing.T) {
	dir := tree(t, map[string]string{"f": "content\n", "crlf": "content\r\n", "two": "content\n\n", "empty": ""})
	tests := map[string]string{
		"${env:A}":                   "a",
		"x${env:A}y${env:B}z":        "xaybz",
		"${env:EMPTY}":               "",
		"${file:f}":                  "content",
		"${file:crlf}":               "content",
		"${file:two}":                "content\n",
		"${file:empty}":              "",
		"${file:" + dir + "/f}":      "content",
		"$${env:A}":                  "${env:A}",
		"$${anything}":               "${anything}",
		"$$${env:A}":                 "$${env:A}",
		"${stageVariables.x}":        "${stageVariables.x}",
		"${env:A":                    "${env:A",
		"$ $$ {} $x ${} ${env}":      "$ $$ {} $x ${} ${env}",
		"${env:X${env:A}}":           "${env:Xa}",
		"${env:NESTED}":              "${env:A}",
		"${ENV:A} ${ env:A}":         "${ENV:A} ${ env:A}",
		"${stageVariables.${env:A}}": "${stageVariables.a}",
	}
	for text, want := range tests {
		quoted, _ := json.Marshal(text)
		var got struct {
			A string `yaml:"a"`
		}
		_, err := config.LoadBytes(filepath.Join(dir, "gw.yaml"), fmt.Appendf(nil, "a: %s\n", quoted), &got, config.Options{
			LookupEnv: env("A", "a", "B", "b", "EMPTY", "", "NESTED", "${env:A}"),
		})
		if err != nil || got.A != want {
			t.Errorf("%s is %q, not %q (%v)", text, got.A, want, err)
		}
	}
}

// What is expanded is as good as what is written.
func TestExpandTyped(t *testing.T) {
	var got gateway
	load(t, `
limits: {headers: "${env:N}", wait: "${env:N}s", body: "${env:N}MiB", ratio: "0.${env:N}"}
apis: {"a": {public: "${env:T}", nets: ["${env:IP}/8"], extra: ["${env:N}", 5], throttle: "${env:N}/s", client-secret: "${env:S}"}}
`, &got, "N", "7", "T", "true", "IP", "10.0.0.0", "S", "hunter22")
	a := got.APIs["a"]
	if got.Limits.Headers != 7 || got.Limits.Body.String() != "7MiB" || got.Limits.Wait.String() != "7s" || got.Limits.Ratio != 0.7 {
		t.Errorf("%+v", got.Limits)
	}
	if !a.Public || a.Nets[0].String() != "10.0.0.0/8" || fmt.Sprint(a.Extra) != "[7 5]" || a.Throttle[0].Count != 7 || a.Secret.Reveal() != "hunter22" {
		t.Errorf("%+v", a)
	}
}

// No way of failing tells what a reference stands for, nor a literal secret.
func TestErrorsTellNoSecrets(t *testing.T) {
	const text = `
account: {a: "${env:S}"}
data: "${env:S}/\0"
apis:
  a: {nets: "${env:S}", public: "${env:S}", key: "${env:S}", throttle: ["${env:S}", {count: "${env:S}", unit: "${env:S}"}]}
  b: {routes: [{match: x, per: "${env:S}", target: itself}], timeout: "${env:S}", variables: ["${env:S}"], client-secret: [tiger]}
  c: {nets: ["${file:secret}", "${env:S}/99"], timeout: {body: "${env:S}", wait: "${file:secret}", headers: "x${env:S}", ratio: "${env:S}"}}
  d: {client-secret: tiger, client-secret: tiger, secret: lion}
  e: {client-secrets: tiger}
limits: "${env:S}"
log: "${env:S}"
rule: {ip: "${env:S}", any: "${env:S}"}
ports: "${env:S}"
statuses: {5: ["${env:S}"]}
include: ["${env:S}", {files: x, secrets: "${env:S}"}]
`
	dir := tree(t, map[string]string{"secret": "tiger\n", "gw.yaml": text})
	_, err := config.Load(filepath.Join(dir, "gw.yaml"), new(gateway), config.Options{LookupEnv: env("S", "tiger")})
	if err == nil {
		t.Fatal("no error")
	}
	if strings.Contains(err.Error(), "tiger") {
		t.Errorf("it tells a secret:\n%v", err)
	}
	printed, _ := json.Marshal(config.AsErrors(err).Problems())
	if strings.Contains(string(printed), "tiger") {
		t.Errorf("as JSON it tells a secret:\n%s", printed)
	}
	if n := len(config.AsErrors(err).Problems()); n < 25 {
		t.Errorf("only %d problems:\n%v", n, err)
	}
}

func TestSecretNeverPrints(t *testing.T) {
	s := config.NewSecret("tiger")
	printed, _ := json.Marshal(map[string]any{"s": s, "p": &s})
	for _, text := range []string{fmt.Sprint(s), fmt.Sprintf("%v %+v %#v %s %q %x", s, s, s, s, s, s), fmt.Sprintf("%v", struct{ S config.Secret }{s}), string(printed), s.LogValue().String()} {
		if strings.Contains(text, "tiger") || strings.Contains(text, fmt.Sprintf("%x", "tiger")) {
			t.Errorf("it prints: %s", text)
		}
	}
	if !s.IsSet() || (config.Secret{}).IsSet() || s.Reveal() != "tiger" {
		t.Error("it is not what it was")
	}
}

func TestFiles(t *testing.T) {
	dir := tree(t, map[string]string{"sub/f": "content", "l": "-> sub/f"})
	big := filepath.Join(dir, "big")
	write(t, big, "")
	if err := os.Truncate(big, 16<<20+1); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	var got struct {
		F config.File `yaml:"f"`
	}
	for text, want := range map[string]string{
		"f: sub/f":             "",
		"f: ./sub/../sub/f":    "",
		"f: " + dir + "/sub/f": "",
		"f: l":                 "",
		"f: absent":            `f: absent: no such file or directory`,
		"f: sub":               `f: sub: is a folder, not a file`,
		"f: pipe":              `f: pipe: is not a regular file`,
		"f: big":               `f: big: is larger than 16MiB`,
		`f: ""`:                `f: the path is empty`,
		"f: sub/f/g":           `f: sub/f/g: not a directory`,
		`f: "${file:big}"`:     `f: ${file:big}: is larger than 1MiB`,
		`f: "${file:pipe}"`:    `f: ${file:pipe}: is not a regular file`,
	} {
		_, err := config.LoadBytes(filepath.Join(dir, "gw.yaml"), []byte(text), &got, config.Options{})
		switch {
		case want == "" && (err != nil || string(got.F.Content) != "content" || !filepath.IsAbs(got.F.Path)):
			t.Errorf("%s: %v", text, err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("%s: %v", text, err)
		}
	}
}
