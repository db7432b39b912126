package gatehouse

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"gatehouse/config"
	"gatehouse/edge"
	"gatehouse/exchange"
	"gatehouse/http1"
	"gatehouse/waf"
	"gatehouse/waf/crawler"
	"gatehouse/waf/record"
)

// WAFTest is what a web ACL makes of one request.
type WAFTest struct {
	ACL    string         `json:"acl"`
	Passed bool           `json:"passed"` // it would go on to the route
	Status int            `json:"status,omitempty"`
	Reason string         `json:"reason,omitempty"`
	Detail string         `json:"detail,omitempty"`
	Score  int            `json:"anomalyScore"`
	Record *record.Record `json:"record,omitempty"` // nil where the request never came to a rule
}

// TestACL holds one request against a web ACL without a gateway that runs: raw is
// the request as it comes over a connection by HTTP/1.1, and is read as the
// gateway reads one. The ACL is the named one; for "" the one of the route that
// takes the request, or the only one.
func (cfg *Config) TestACL(name string, raw []byte, client netip.Addr) (*WAFTest, error) {
	if name != "" && cfg.WAF[name] == nil {
		return nil, fmt.Errorf("there is no web ACL %s: there are %s", name, strings.Join(names(cfg.WAF), ", "))
	}
	t := &aclTest{cfg: cfg, name: name, client: client, draft: compile(cfg, &config.Report{})}
	c := &script{in: bytes.NewReader(whole(raw))}
	server := &http1.Server{Settings: http1.Settings{Head: 1 << 20, Fields: 1000, HeaderTimeout: time.Minute, IdleTimeout: time.Minute}, Handler: t}
	server.NewConn(c, t).Serve(nil)
	switch {
	case t.err != nil:
		return nil, t.err
	case t.result == nil:
		return nil, errors.New("the file holds no whole request: a request line, headers, an empty line and a body of the declared length")
	}
	return t.result, nil
}

// whole completes a request that was written by hand: lines of the head that end in
// LF, and a body without a length.
func whole(raw []byte) []byte {
	head, body, found := bytes.Cut(raw, []byte("\r\n\r\n"))
	if !found {
		head, body, _ = bytes.Cut(raw, []byte("\n\n"))
		head = bytes.ReplaceAll(bytes.TrimRight(head, "\n"), []byte("\n"), []byte("\r\n"))
		body = bytes.TrimSuffix(body, []byte("\n")) // the end of the file's last line
	}
	lower := bytes.ToLower(head)
	if len(body) > 0 && !bytes.Contains(lower, []byte("\ncontent-length:")) && !bytes.Contains(lower, []byte("\ntransfer-encoding:")) {
		head = append(slices.Clip(head), "\r\nContent-Length: "+strconv.Itoa(len(body))...)
	}
	return slices.Concat(head, []byte("\r\n\r\n"), body)
}

// aclTest serves one request, and is the owner of its connection.
type aclTest struct {
	cfg    *Config
	name   string
	client netip.Addr
	draft  *draft
	lines  bytes.Buffer
	result *WAFTest
	err    error
}

// Append implements waf.Lines.
func (t *aclTest) Append(line []byte) { t.lines.Write(line) }

// ServeHTTP holds the request against the ACL.
func (t *aclTest) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if t.result != nil || t.err != nil {
		return // a second request in the file
	}
	source := netip.AddrPortFrom(t.client, 0)
	x, r := exchange.Begin(w, r, &exchange.Conn{Listener: "test", Peer: source, Source: source, TLS: true}, nil)
	defer x.Finish()
	fault, fine := edge.Check(r)
	if !fine {
		t.refused(fault.Status, fault.Reason, fault.Detail)
		return
	}
	x.Host = edge.Host(r)
	edge.Clean(x, r)
	if err := x.Path.Parse(edge.Target(r)); err != nil {
		t.refused(http.StatusBadRequest, "path", err.Error())
		return
	}
	acl, err := t.acl(x, r)
	if err != nil {
		t.err = err
		return
	}
	t.run(acl, x, r)
}

// acl returns the ACL that counts, and writes down the request's route.
func (t *aclTest) acl(x *exchange.Exchange, r *http.Request) (*waf.ACL, error) {
	snap := &Snapshot{table: t.draft.table, nowhere: t.draft.nowhere}
	e := snap.lookup(x, r).Value
	if e != nil {
		e.describe(x)
	}
	switch {
	case t.name != "":
		return t.cfg.acls[t.name], nil
	case e != nil && e.acl != nil:
		return e.acl, nil
	case len(t.cfg.acls) == 1:
		return t.cfg.acls[names(t.cfg.acls)[0]], nil
	case len(t.cfg.acls) == 0:
		return nil, errors.New("the configuration has no web ACL: write waf: {NAME: {rules: [...]}}")
	}
	return nil, fmt.Errorf("no route with a web ACL takes this request: name one by --acl: %s", strings.Join(names(t.cfg.acls), ", "))
}

func (t *aclTest) run(acl *waf.ACL, x *exchange.Exchange, r *http.Request) {
	passed := false
	bots := crawler.NewKeeper()
	bots.Close() // nobody is asked: whoever claims to be a crawler is one of whom nothing is known
	filter := waf.New(acl, waf.Keepers{
		Counts: waf.NewKeeper().Begin(), Log: t, Always: true,
		Challenge: unproven{}, Crawlers: bots.Checker(t.cfg.Crawlers.Kinds(), nil),
	})
	filter(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { passed = true })).ServeHTTP(&x.Writer, r)
	t.result = &WAFTest{ACL: acl.Name(), Passed: passed}
	if f := x.Refused; f != nil {
		t.result.Status, t.result.Reason, t.result.Detail = f.Status, f.Reason, f.Detail
	}
	rec, err := record.Read(bytes.NewReader(t.lines.Bytes()))
	if err != nil || len(rec) == 0 {
		t.err = fmt.Errorf("the web ACL wrote no record: %w", err)
		return
	}
	t.result.Record = &rec[0]
	for _, g := range rec[0].Groups {
		t.result.Score += g.Score
	}
}

// unproven challenges everybody: one request alone has proven nothing.
type unproven struct{}

func (unproven) Cleared(*exchange.Exchange, *http.Request, string) bool { return false }

func (unproven) Challenge(w http.ResponseWriter, r *http.Request, _ string, rule *exchange.Rule) {
	exchange.Refuse(w, r, exchange.Refusal{Status: http.StatusForbidden, Rule: rule, Reason: "challenge", Kind: exchange.WAFFiltered, Detail: "challenged"})
}

func (t *aclTest) refused(status int, reason, detail string) {
	t.result = &WAFTest{Status: status, Reason: reason, Detail: detail}
}

// Context implements http1.Owner.
func (t *aclTest) Context(c http1.Connection) http1.Context { return exchange.ForConnection(c) }

// Refused implements http1.Owner.
func (t *aclTest) Refused(f http1.Fault) (http.Header, []byte) {
	if t.result == nil && t.err == nil {
		t.refused(f.Status, f.Reason, f.Detail)
	}
	return http.Header{}, nil
}

// Broken implements http1.Owner.
func (t *aclTest) Broken() {}

// SlowBody implements http1.Owner.
func (t *aclTest) SlowBody() {}

// Hijacked implements http1.Owner.
func (t *aclTest) Hijacked() {}

// Panicked implements http1.Owner.
func (t *aclTest) Panicked(cause any) { t.err = fmt.Errorf("the inspection panicked: %v", cause) }

// script is a connection on which everything has been said.
type script struct{ in *bytes.Reader }

func (s *script) Read(p []byte) (int, error)  { return s.in.Read(p) }
func (s *script) Write(p []byte) (int, error) { return io.Discard.Write(p) }
func (*script) Close() error                  { return nil }
func (*script) LocalAddr() net.Addr           { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)} }
func (*script) RemoteAddr() net.Addr          { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)} }
func (*script) SetDeadline(time.Time) error   { return nil }
func (*script) SetReadDeadline(time.Time) error {
	return nil
}
func (*script) SetWriteDeadline(time.Time) error { return nil }
