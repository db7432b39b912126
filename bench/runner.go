package main

import (
	"cmp"
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"
)

// settle is how long a load runs before it is measured.
const settle = 500 * time.Millisecond

// bench is one run.
type bench struct {
	options options
	peers   []peer
	dir     string
	keys    *keyring
	backend *service
	serial  int // of the folders made so far
}

// caseResult is what was measured in one case.
type caseResult struct {
	Case    string  `json:"case"`
	Title   string  `json:"title"`
	Most    float64 `json:"at_most,omitempty"` // the ratio to nginx that Gatehouse means to stay below
	Columns []entry `json:"proxies"`
}

// entry is one proxy in one case: a sample a round.
type entry struct {
	Proxy   string   `json:"proxy"`
	Logs    bool     `json:"logs"`
	Samples []sample `json:"samples"`
	Note    string   `json:"note,omitempty"` // why there are none, or what went wrong
}

// contender is a peer that runs, set up for a case.
type contender struct {
	*entry
	process *process
	used    func() (usage, error)
	site    site
	load    load
}

func newBench(o options, peers []peer) (*bench, error) {
	dir, err := os.MkdirTemp("", "gatehouse-bench-")
	if err != nil {
		return nil, err
	}
	b := &bench{options: o, peers: peers, dir: dir}
	if b.keys, err = newKeyring(dir); err == nil {
		b.backend, err = spawnBackend()
	}
	if err != nil {
		b.close()
		return nil, err
	}
	return b, nil
}

func (b *bench) close() {
	if b.backend != nil {
		b.backend.close()
	}
	if b.options.keep {
		fmt.Fprintln(os.Stderr, "bench: configurations and logs are kept in", b.dir)
		return
	}
	os.RemoveAll(b.dir)
}

// discard removes a proxy's folder, logs and all, unless it is to be kept.
func (b *bench) discard(s site) {
	if !b.options.keep {
		os.RemoveAll(s.Dir)
	}
}

// runAll runs the cases in turn; a cancelled run keeps what it has.
func (b *bench) runAll(ctx context.Context, chosen []scenario) []caseResult {
	var results []caseResult
	for _, c := range chosen {
		if ctx.Err() != nil {
			break
		}
		fmt.Fprintf(os.Stderr, "bench: %s: %s\n", c.name, c.title)
		var result caseResult
		switch {
		case c.start:
			result = b.runStarts(ctx, c)
		case c.idle > 0:
			result = b.runIdle(ctx, c)
		case c.paced:
			result = b.runPaced(ctx, c)
		case c.callers:
			result = b.runCallers(ctx, c)
		default:
			result = b.runCase(ctx, c)
		}
		if ctx.Err() == nil {
			results = append(results, result)
		}
	}
	return results
}

// runCase measures one proxy after the other, round by round, so that whatever
// disturbs the machine disturbs them all.
func (b *bench) runCase(ctx context.Context, c scenario) caseResult {
	return b.contest(ctx, c, func(round int, running []*contender) {
		for _, r := range running {
			b.round(ctx, round, r)
		}
	})
}

// contest starts every proxy and has them measured in rounds.
func (b *bench) contest(ctx context.Context, c scenario, measured func(round int, running []*contender)) caseResult {
	return b.contestOf(ctx, c, b.lineUp(c), measured)
}

// contestOf is contest of those in a field.
func (b *bench) contestOf(ctx context.Context, c scenario, field []candidate, measured func(round int, running []*contender)) caseResult {
	result := caseResult{Case: c.name, Title: c.title, Most: c.most}
	var running []*contender
	defer func() {
		for _, r := range running {
			r.process.stop()
			b.discard(r.site)
		}
	}()
	for i := range field {
		r, err := b.start(ctx, field[i].peer, field[i].scenario, &field[i].entry)
		if err != nil {
			field[i].entry.note(err)
			continue
		}
		running = append(running, r)
	}
	for round := range b.options.rounds {
		measured(round, running)
	}
	for i := range field {
		result.Columns = append(result.Columns, field[i].entry)
	}
	return result
}

// candidate is a peer that is to run in a case.
type candidate struct {
	peer     peer
	scenario scenario
	entry    entry
}

// lineUp lists who takes part. In the secured cases, and those of rules, nginx
// runs a second time, bare: what the promise of the design is held against.
func (b *bench) lineUp(c scenario) []candidate {
	var field []candidate
	for _, p := range b.peers {
		if reason := p.cannot(c); reason != "" {
			fmt.Fprintf(os.Stderr, "bench: %s: without %s: %s\n", c.name, p.name, reason)
		} else {
			field = append(field, candidate{p, c, entry{Proxy: p.name, Logs: c.logsFor(p)}})
		}
		if p.name == "nginx" && (c.secured() || c.rules) {
			bare := c
			bare.algorithm, bare.rules, bare.logs = "", false, logNone
			field = append(field, candidate{p, bare, entry{Proxy: bareNginx}})
		}
	}
	return field
}

// bareNginx is the row of the nginx that only proxies.
const bareNginx = "nginx, bare"

// start brings a proxy up and checks its answers.
func (b *bench) start(ctx context.Context, p peer, c scenario, e *entry) (*contender, error) {
	s, err := b.siteFor(p, c)
	if err != nil {
		return nil, err
	}
	r := &contender{entry: e, site: s}
	if r.load, err = b.loadFor(c, s); err != nil {
		return nil, err
	}
	stdout := ""
	if p.stdout {
		stdout = s.Log
	}
	r.process, err = launch(b.options, s.Dir, stdout, p.env(s), append([]string{p.program}, p.argv(s)...))
	if err != nil {
		return nil, err
	}
	r.used = func() (usage, error) { return b.usageOf(r.process) }
	if err = r.process.waitAccepting(ctx, s.Address); err == nil {
		err = b.introduce(ctx, p, c, r)
	}
	if err == nil {
		err = verify(ctx, c, r.load)
	}
	if err != nil {
		err = fmt.Errorf("%w\n%s", err, r.process.said())
		r.process.stop()
		return nil, err
	}
	return r, nil
}

// round takes one sample.
func (b *bench) round(ctx context.Context, round int, r *contender) {
	if ctx.Err() != nil {
		return
	}
	logged := sizeOf(r.site.Log)
	s, err := measure(ctx, r.load, settle, b.options.length(), r.used)
	if err == nil && r.site.Log != "" {
		err = logWritten(ctx, r.site.Log, logged)
	}
	if err != nil && ctx.Err() == nil {
		r.entry.note(err)
	}
	if s.Requests == 0 || ctx.Err() != nil {
		return
	}
	s.Round = round
	r.Samples = append(r.Samples, s)
	fmt.Fprintf(os.Stderr, "bench:   round %d: %-12s %7.1f us/request %8.0f requests/s %7.2f ms p99\n",
		round+1, r.Proxy, cpuMicros(s), s.PerSecond, p99Millis(s))
}

// usageOf is what a proxy, its core, and the load have used up.
func (b *bench) usageOf(p *process) (usage, error) {
	u, err := p.usage()
	if err != nil {
		return u, err
	}
	load, err := b.loadUsage()
	u.load = load.load
	return u, err
}

// loadUsage is what clients and backend have used up.
func (b *bench) loadUsage() (usage, error) {
	clients, err := usageOf(os.Getpid())
	if err != nil {
		return usage{}, err
	}
	backend, err := usageOf(b.backend.cmd.Process.Pid)
	return usage{load: clients.cpu + backend.cpu}, err
}

func (e *entry) note(err error) {
	fmt.Fprintf(os.Stderr, "bench: %s: %v\n", e.Proxy, err)
	e.Note = err.Error()
}

// flush is how long a proxy may keep lines of its access log in a buffer.
const flush = 3 * time.Second

// logWritten checks that an access log that is on has grown since it had that
// size.
func logWritten(ctx context.Context, name string, before int64) error {
	for began := time.Now(); time.Since(began) < flush && ctx.Err() == nil; sleep(ctx, 20*time.Millisecond) {
		if sizeOf(name) > before {
			return nil
		}
	}
	return fmt.Errorf("nothing was written to the access log %s", name)
}

// sizeOf is 0 for a file that is not there.
func sizeOf(name string) int64 {
	info, err := os.Stat(name)
	if err != nil {
		return 0
	}
	return info.Size()
}

// siteFor makes a folder with the peer's configuration for the case.
func (b *bench) siteFor(p peer, c scenario) (site, error) {
	b.serial++
	s := site{
		Dir:     filepath.Join(b.dir, fmt.Sprintf("%02d-%s-%s", b.serial, c.name, p.name)),
		Backend: b.backend.address(), Host: host, TLS: c.tls, HTTP2: c.streams > 0, Big: c.big,
		Cert: b.keys.file("cert.pem"), Key: b.keys.file("key.pem"), Both: b.keys.file("both.pem"),
		Routes: c.routePaths(), Root: os.Geteuid() == 0, Module: p.module, Idle: c.idle, Caller: c.caller,
		Rules: c.rules, Firewall: p.firewall,
	}
	if err := os.MkdirAll(s.Dir, 0o755); err != nil {
		return site{}, err
	}
	if c.logsFor(p) {
		s.Log = filepath.Join(s.Dir, "access.log")
	}
	if c.secured() || c.caller != "" {
		s.Token = &tokenSite{
			Algorithm: cmp.Or(c.algorithm, "HS256"), Issuer: issuer, Audience: audience, Secret: b.keys.secret,
			PublicKey: b.keys.file("public.pem"), KeySet: b.keys.file("jwks.json"),
			PublicDER: b.keys.publicDER,
		}
	}
	var err error
	if s.Address, err = freeAddress(); err != nil {
		return site{}, err
	}
	if s.Admin, err = freeAddress(); err != nil {
		return site{}, err
	}
	_, s.Port, _ = net.SplitHostPort(s.Address)
	return s, p.render(s)
}

func (b *bench) loadFor(c scenario, s site) (load, error) {
	tokens, err := b.keys.tokens(c)
	l := load{
		address: s.Address, connections: c.connections, streams: c.streams,
		paths: c.paths(), tokens: tokens, body: c.body(), handshakes: c.handshakes, order: c.order,
	}
	if c.tls {
		l.tls = &tls.Config{RootCAs: b.keys.pool, ServerName: host, MinVersion: tls.VersionTLS13, NextProtos: []string{"http/1.1"}}
	}
	if c.handshakes {
		l.tls.CurvePreferences = []tls.CurveID{tls.X25519}
	}
	if c.streams > 0 {
		l.tls.NextProtos = []string{"h2"}
	}
	return l, err
}
