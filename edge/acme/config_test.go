package acme

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gatehouse/config"
)

func TestConfig(t *testing.T) {
	dir := t.TempDir()
	for name, mode := range map[string]os.FileMode{"set-txt": 0o700, "no-program": 0o600} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"), mode); err != nil {
			t.Fatal(err)
		}
	}
	for text, says := range map[string]string{
		`agree: true`:                                                           "",
		`agree: true, email: ops@shop.test`:                                     "",
		`agree: true, challenges: http-01`:                                      "",
		`agree: true, dns: {command: ./set-txt}`:                                "",
		`agree: true, dns: {command: [./set-txt, "-v"]}`:                        "",
		`agree: true, dns: {command: [sh, -c, "true"]}`:                         "",
		`agree: true, dns: {webhook: "https://dns.test/txt"}`:                   "",
		`agree: true, dns: {webhook: "http://127.0.0.1:1/"}`:                    "",
		`email: ops@shop.test`:                                                  "agree: true",
		`agree: false`:                                                          "terms of service",
		`agree: true, directory: "http://ca.test/dir"`:                          "not https",
		`agree: true, directory: ca.test`:                                       "no URL",
		`agree: true, directory: "ftp://ca.test/"`:                              "no https URL",
		`agree: true, directory: "https://u:p@ca.test/dir"`:                     "with a user",
		`agree: true, ca: set-txt`:                                              "holds no certificate",
		`agree: true, email: "mailto:ops@shop.test"`:                            "no address",
		`agree: true, challenges: [dns-02]`:                                     "dns-01",
		`agree: true, challenges: [dns-01]`:                                     "dns-01 needs dns",
		`agree: true, challenges: [http-01], dns: {command: ./set-txt}`:         "does not name",
		`agree: true, dns: {}`:                                                  "sets no record",
		`agree: true, dns: {command: []}`:                                       "names no program",
		`agree: true, dns: {command: {a: b}}`:                                   "a list of words",
		`agree: true, dns: {command: ./missing}`:                                "chmod +x",
		`agree: true, dns: {command: ./no-program}`:                             "chmod +x",
		`agree: true, dns: {command: ./set-txt, webhook: "https://dns.test/"}`:  "remove one",
		`agree: true, dns: {command: ./set-txt, token: abc}`:                    "the webhook's",
		`agree: true, dns: {webhook: "https://dns.test/", environment: {A: b}}`: "the command's",
		`agree: true, dns: {webhook: "http://dns.test/"}`:                       "not https",
		`agree: true, dns: {command: ./set-txt, timeout: 1ms}`:                  "1s to 10m",
		`agree: true, external-account: {key-id: a}`:                            "hmac-key",
		`agree: true, key: dsa`:                                                 "ecdsa-p256",
	} {
		var root struct {
			ACME *Config `yaml:"acme"`
		}
		_, err := config.LoadBytes(filepath.Join(dir, "test.yaml"), []byte("acme: {"+text+"}"), &root, config.Options{})
		if (err == nil) != (says == "") || err != nil && !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, want %q", text, err, says)
		}
		if err == nil && root.ACME.DNS != nil && len(root.ACME.DNS.Command) > 0 && strings.Contains(text, "./set-txt") && root.ACME.DNS.Command[0] != filepath.Join(dir, "set-txt") {
			t.Errorf("%s: %v", text, root.ACME.DNS.Command)
		}
	}
}

func TestObtainable(t *testing.T) {
	for domain, want := range map[string]bool{
		"shop.test": true, "*.shop.test": true, "intranet": true,
		"localhost": false, "a.localhost": false, "192.0.2.1": false,
	} {
		if Obtainable(domain) != want {
			t.Errorf("%s: %v", domain, !want)
		}
	}
	got := Narrow([]string{"b.test", "a.shop.test", "*.shop.test", "x.a.shop.test", "b.test", "shop.test", "intranet"})
	if want := []string{"*.shop.test", "b.test", "intranet", "shop.test", "x.a.shop.test"}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

func TestChallenges(t *testing.T) {
	for _, tc := range []struct {
		written []string
		dns     *DNS
		plain   bool
		want    []string
	}{
		{nil, nil, false, []string{ALPN01}},
		{nil, nil, true, []string{ALPN01, HTTP01}},
		{nil, &DNS{}, false, []string{ALPN01, DNS01}},
		{[]string{DNS01}, &DNS{}, true, []string{DNS01}},
	} {
		d := Demand{Config: &Config{Challenges: tc.written, DNS: tc.dns}, Names: []string{"a.test"}, Plain: tc.plain}
		for _, c := range []string{ALPN01, HTTP01, DNS01} {
			if d.Solves(c) != slices.Contains(tc.want, c) {
				t.Errorf("%+v: %s %v", tc, c, d.Solves(c))
			}
		}
	}
	if (&Demand{}).Solves(ALPN01) {
		t.Error("nothing is demanded")
	}
}
