package main

import (
	"embed"
	"os"
	"path/filepath"
	"text/template"
)

//go:embed peers/*.tmpl
var templates embed.FS

// site is what a configuration template is filled in with.
type site struct {
	Dir       string // the proxy's own folder
	Address   string // where it listens
	Port      string // of that address
	Admin     string // a second address, where it needs one
	Backend   string
	Host      string
	TLS       bool
	HTTP2     bool
	Big       bool // whether answers are large, for what is tuned to that
	Cert, Key string
	Both      string   // certificate and key in one file
	Log       string   // the access log's file; empty for none
	Routes    []string // the fixed parts of many routes; empty for one route
	Idle      int      // how many connections are to be held; 0 for the usual few
	Caller    string   // how callers are known and judged; "" for what Token says
	Root      bool     // whether we run as root
	Module    string
	Rules     bool       // whether the Core Rule Set looks at requests
	Firewall  string     // a module for that
	Token     *tokenSite // nil where the route is open
}

// tokenSite is what the secured cases need.
type tokenSite struct {
	Algorithm, Issuer, Audience string
	Secret                      string // HS256
	PublicKey                   string // ES256, a PEM file
	PublicDER                   string // the same key in base64
	KeySet                      string // ES256 too, a JWKS file
}

// render writes the peer's configuration into the site's folder.
func (p peer) render(s site) error {
	for from, to := range p.files {
		t, err := template.ParseFS(templates, "peers/"+from)
		if err != nil {
			return err
		}
		f, err := os.Create(filepath.Join(s.Dir, to))
		if err != nil {
			return err
		}
		if err := t.Execute(f, s); err != nil {
			f.Close()
			return err
		}
		if err := f.Close(); err != nil {
			return err
		}
	}
	return nil
}
