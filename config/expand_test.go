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
		"${env:A}":              "a",
		"x${env:A}y${env:B}z":   "xaybz",
		"${env:EMPTY}":          "",
		"${file:f}":             "content",
		"${file:crlf}":          "content",
		"${file:two}":           "content\n",
		"${file:empty}":         "",
		"${file:" + dir + "/f}": "content",
		"$${env:A}":             "${env:A}",
		"$${anything}":          "${anything}",
		"$$${env:A}":            "$${env:A}",
		"$$$${env:A}$":          "$$${env:A}$",
		"$ $$ {} $x {$}":        "$ $$ {} $x {$}",
		"${env:NESTED}":         "${env:A}",
		"${env:NESTED}${env:A}": "${env:A}a",
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

// What looks like a reference and is none is an error: as text it would make a
// password of its own name.
func TestNoReference(t *testing.T) {
	for _, text := range []string{
		"${NAME}", "${env:A", "${env:}", "${env}", "${file:}", "${}", "${", "a ${ b", "${ENV:A}", "${ env:A}", "${environment:A}",
		"${env:X${env:A}}", "${stageVariables.x}", "$${x}${x}",
	} {
		for _, key := range []string{"text", "secret", "path", "name", "size"} {
			quoted, _ := json.Marshal(text)
			var got struct {
				Text   string        `yaml:"text"`
				Secret config.Secret `yaml:"secret"`
				Path   config.Path   `yaml:"path"`
				Name   config.Name   `yaml:"name"`
				Size   config.Size   `yaml:"size"`
			}
			_, err := config.LoadBytes("gw.yaml", fmt.Appendf(nil, "%s: %s\n", key, quoted), &got, config.Options{LookupEnv: env("A", "a")})
			if err == nil || len(config.AsErrors(err).Problems()) != 1 || !strings.Contains(err.Error(), "begins no reference") {
				t.Errorf("%s: %s: %+v, %v", key, text, got, err)
			}
		}
	}
}

// In a template the reader's own names stay, and what a reference brings is
// text to it, whatever it holds.
func TestTemplate(t *testing.T) {
	for text, want := range map[string]string{
		"a":                          "a",
		"${env:A}${x}":               "a${x}",
		"${stageVariables.${env:A}}": "${stageVariables.a}",
		"${}${x":                     "${}${x",
		"$${x}":                      "$${x}",
		"$${env:A}":                  "$${env:A}",
		"$$${env:A}":                 "$$${env:A}",
		"${env:NAME}":                "$${client.ip}",
		"${env:TWO}":                 "$$${x}$${y}",
		"${env:DOLLAR}{x}":           "$${x}",
		"${env:DOLLAR}${env:BRACE}":  "$${x}",
		"${env:DOLLAR}$${x}":         "$$${x}",
		"${env:A":                    "",
		"${env:}":                    "",
		"${file:absent}":             "",
	} {
		quoted, _ := json.Marshal(text)
		var got struct {
			Text config.Template `yaml:"text"`
		}
		_, err := config.LoadBytes("gw.yaml", fmt.Appendf(nil, "text: %s\n", quoted), &got, config.Options{
			LookupEnv: env("A", "a", "NAME", "${client.ip}", "TWO", "$${x}${y}", "DOLLAR", "$", "BRACE", "{x}"),
		})
		if got.Text.Text != want || (err == nil) != (want != "") || err == nil && got.Text.At.Column != 7 {
			t.Errorf("%s is %q at %v, not %q (%v)", text, got.Text, got.Text.At, want, err)
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

// A Checker's own words tell no part of what a reference stands for: neither
// escaped, nor shortened, nor a segment of it.
func TestChecksTellNoSecrets(t *testing.T) {
	const value = "/first-part/se\"cond\npart/" + "third-part-third-part-third-part-third-part-third-part-third-part"
	for _, text := range []string{"said: ${env:S}", "said: x${env:S}", "said:\n  - ${env:S}"} {
		_, err := config.LoadBytes("gw.yaml", []byte(text), new(telltale), config.Options{LookupEnv: env("S", value)})
		if err == nil || !strings.Contains(err.Error(), "it was") {
			t.Fatal(err)
		}
		for _, part := range []string{"first", "cond", "third"} {
			if strings.Contains(err.Error(), part) {
				t.Errorf("it tells %s:\n%v", part, err)
			}
		}
	}
}

// telltale complains of all that it was told.
type telltale struct {
	Said []config.Name `yaml:"said" single:"true"`
}

func (c *telltale) Check(r *config.Report) {
	for _, said := range c.Said {
		r.Errorf(said.At, "it was %q, %s", said.Value, said.Value)
		r.Unknown(said.At, "thing", said.Value, nil)
		for part := range strings.SplitSeq(said.Value, "/") {
			r.Errorf(said.At, "it was %q", part)
		}
		r.Errorf(said.At, "it was %q", said.Value[len(said.Value)-66:len(said.Value)-6]+"...")
	}
}

// What a file holds for a terminal to obey is not passed on to it.
func TestErrorsMoveNoCursor(t *testing.T) {
	_, err := config.LoadBytes("gw.yaml", []byte("limits: {wait: \u009b2J, body: \u202e5, \u009bx: 1}\nservices: {a: *\u009b1m, b: !\u009b2m x}\nrule: {ip: \"\\e[2J\"}\n"), new(gateway), config.Options{})
	if err == nil || len(config.AsErrors(err).Problems()) < 5 {
		t.Fatal(err)
	}
	for _, r := range err.Error() {
		if r < ' ' && r != '\n' || r >= 0x7f && r < 0xa0 || r == 0x202e {
			t.Errorf("it holds %U:\n%q", r, err.Error())
		}
	}
}

// A value that its reader hides is hidden as a secret is.
func TestHide(t *testing.T) {
	var got struct {
		A hiding `yaml:"a"`
		B int    `yaml:"b"`
	}
	_, err := config.LoadBytes("gw.yaml", []byte("{a: tiger tiger, b: tiger}\n"), &got, config.Options{})
	const want = `gw.yaml:1:5: a: "(secret)" is wrong
    {a: (secret), b: tiger}
        ^
gw.yaml:1:21: b: wanted a whole number, got tiger
    {a: (secret), b: tiger}
                     ^`
	if err == nil || err.Error() != want {
		t.Errorf("got\n%v\nwant\n%s", err, want)
	}
}

type hiding string

func (h *hiding) UnmarshalConfig(n *config.Node) {
	n.Hide()
	text, _ := n.Text()
	n.Errorf("%q is wrong", text)
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
