package main

import (
	"debug/buildinfo"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// peer is a proxy that can be measured.
type peer struct {
	name     string
	program  string            // where it lies; empty where it is missing
	files    map[string]string // template: the name of the file that it becomes
	argv     func(s site) []string
	env      func(s site) []string
	stdout   bool     // its access log is its standard output
	version  []string // the arguments that make it tell its version
	module   string   // a file it needs for the secured cases
	firewall string   // one it needs for those of rules
	lacks    func(c scenario) string
}

// findPeers returns the peers that the options ask for and this machine has.
func findPeers(o options) ([]peer, error) {
	all := []peer{gatehousePeer(o), nginxPeer(), haproxyPeer(), caddyPeer(o)}
	chosen, err := choose(o.proxies, all, func(p peer) string { return p.name })
	if err != nil {
		return nil, err
	}
	var found []peer
	for _, p := range chosen {
		if p.program == "" {
			fmt.Fprintf(os.Stderr, "bench: %s is not here and is left out\n", p.name)
			continue
		}
		found = append(found, p)
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("none of the proxies is here")
	}
	return found, nil
}

// locate finds a program by path, in PATH, or where only root's PATH looks.
// It returns "" where it is not.
func locate(name string) string {
	for _, candidate := range []string{name, "/usr/sbin/" + filepath.Base(name)} {
		if path, err := exec.LookPath(candidate); err == nil {
			if path, err = filepath.Abs(path); err == nil {
				return path
			}
		}
	}
	return ""
}

// versionLine returns what the program says its version is, or what Go wrote
// into it.
func (p peer) versionLine() string {
	if info, err := buildinfo.ReadFile(p.program); err == nil && info.Main.Version != "" && info.Main.Version != "(devel)" {
		return fmt.Sprintf("%s, built with %s", info.Main.Version, info.GoVersion)
	}
	out, err := exec.Command(p.program, p.version...).CombinedOutput()
	if err != nil {
		return "unknown version"
	}
	line, _, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
	return line
}

func nothingLacks(scenario) string { return "" }

func gatehousePeer(o options) peer {
	return peer{
		name:    "gatehouse",
		program: locate(o.gatehouse),
		files:   map[string]string{"gatehouse.yaml.tmpl": "gatehouse.yaml", "gatehouse.cedar.tmpl": "bench.cedar"},
		argv:    func(s site) []string { return []string{"run", "-c", filepath.Join(s.Dir, "gatehouse.yaml")} },
		env:     func(site) []string { return []string{"GOMAXPROCS=1"} },
		version: []string{"version"},
		lacks:   nothingLacks,
	}
}

func nginxPeer() peer {
	return peer{
		name:    "nginx",
		program: locate("nginx"),
		files:   map[string]string{"nginx.conf.tmpl": "nginx.conf", "nginx.jwt.js.tmpl": "jwt.js", "modsecurity.conf.tmpl": "modsecurity.conf"},
		argv: func(s site) []string {
			return []string{"-p", s.Dir, "-c", filepath.Join(s.Dir, "nginx.conf"), "-e", filepath.Join(s.Dir, "error.log")}
		},
		env:      func(site) []string { return nil },
		version:  []string{"-v"},
		module:   "/usr/lib/nginx/modules/ngx_http_js_module.so",
		firewall: "/usr/lib/nginx/modules/ngx_http_modsecurity_module.so",
		lacks:    nothingLacks,
	}
}

func haproxyPeer() peer {
	return peer{
		name:    "haproxy",
		program: locate("haproxy"),
		files:   map[string]string{"haproxy.cfg.tmpl": "haproxy.cfg", "haproxy.map.tmpl": "routes.map"},
		argv:    func(s site) []string { return []string{"-db", "-f", filepath.Join(s.Dir, "haproxy.cfg")} },
		env:     func(site) []string { return nil },
		stdout:  true,
		version: []string{"-v"},
		lacks: func(c scenario) string {
			if c.rules {
				return "it comes without such rules"
			}
			return ""
		},
	}
}

func caddyPeer(o options) peer {
	return peer{
		name:    "caddy",
		program: locate(o.caddy),
		files:   map[string]string{"Caddyfile.tmpl": "Caddyfile"},
		argv: func(s site) []string {
			return []string{"run", "--config", filepath.Join(s.Dir, "Caddyfile"), "--adapter", "caddyfile"}
		},
		env: func(s site) []string {
			return []string{"GOMAXPROCS=1", "XDG_DATA_HOME=" + s.Dir, "XDG_CONFIG_HOME=" + s.Dir}
		},
		version: []string{"version"},
		lacks: func(c scenario) string {
			switch {
			case c.secured():
				return "it comes without JWT and rate limits"
			case c.routes > 0:
				return "it walks its routes one by one"
			case c.rules:
				return "it comes without such rules"
			}
			return ""
		},
	}
}

// cannot says why a peer is left out of a case; empty where it is not.
func (p peer) cannot(c scenario) string {
	if reason := p.lacks(c); reason != "" {
		return reason
	}
	var needs string
	switch {
	case c.secured():
		needs = p.module
	case c.rules:
		needs = p.firewall
	}
	if needs == "" {
		return ""
	}
	if _, err := os.Stat(needs); err != nil {
		return needs + " is missing"
	}
	return ""
}
