package dial

import (
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

func listen(t *testing.T, address string) netip.AddrPort {
	t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			c.Close()
		}
	}()
	return l.Addr().(*net.TCPAddr).AddrPort()
}

func try(d *Dialer, address string) error {
	c, err := d.Dial(context.Background(), address)
	if err == nil {
		c.Close()
	}
	return err
}

// Nothing reaches the gateway's own control, however its address is written.
func TestOwn(t *testing.T) {
	bound := listen(t, "127.0.0.1:0")
	_, p, _ := strings.Cut(bound.String(), ":")
	d := New(Options{})
	for _, address := range []string{bound.String(), "localhost:" + p, "[::ffff:127.0.0.1]:" + p, "0.0.0.0:" + p} {
		if err := try(d, address); err != nil {
			t.Errorf("%s: %v before the rule is set", address, err)
		}
	}
	public := d.Public(netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0"))
	d.SetOwn([]netip.AddrPort{bound})
	for _, address := range []string{bound.String(), "localhost:" + p, "[::ffff:127.0.0.1]:" + p, "0.0.0.0:" + p, "[::]:" + p, ":" + p} {
		for _, d := range []*Dialer{d, public} {
			if err := try(d, address); KindOf(err) != Forbidden {
				t.Errorf("%s: %v", address, err)
			}
		}
	}
	other := listen(t, "127.0.0.1:0")
	if err := try(d, other.String()); err != nil {
		t.Errorf("another port: %v", err)
	}
	d.SetOwn(nil)
	if err := try(d, bound.String()); err != nil {
		t.Errorf("once the rule is gone: %v", err)
	}
}

// Bound to every address, the control is reachable at every local one.
func TestOwnWildcard(t *testing.T) {
	d := New(Options{})
	d.own.local = func() ([]netip.Addr, error) {
		return []netip.Addr{netip.MustParseAddr("192.0.2.7"), netip.MustParseAddr("2001:db8::7")}, nil
	}
	for _, wildcard := range []string{"0.0.0.0:9901", "[::]:9901"} {
		d.SetOwn([]netip.AddrPort{netip.MustParseAddrPort(wildcard)})
		for address, want := range map[string]bool{
			"127.0.0.1:9901": true, "127.8.8.8:9901": true, "[::1]:9901": true, "0.0.0.0:9901": true, "[::]:9901": true,
			"192.0.2.7:9901": true, "[::ffff:192.0.2.7]:9901": true, "[2001:db8::7]:9901": true, "[2001:db8::7%eth0]:9901": true,
			"192.0.2.8:9901": false, "192.0.2.7:9902": false, "127.0.0.1:80": false,
		} {
			if err := d.check("tcp4", address); (err != nil) != want {
				t.Errorf("%s, bound to %s: %v", address, wildcard, err)
			}
		}
	}
	d.own.local = func() ([]netip.Addr, error) { return nil, errors.New("no") }
	if d.check("tcp4", "192.0.2.8:9901") == nil {
		t.Error("where nobody knows the local addresses, all might be")
	}
}

func TestInterfaceAddrs(t *testing.T) {
	addrs, err := interfaceAddrs()
	if err != nil || len(addrs) == 0 {
		t.Error(addrs, err)
	}
}

func TestOnlyTCP(t *testing.T) {
	d := New(Options{})
	for _, network := range []string{"udp", "udp4", "unix", "ip"} {
		if d.check(network, "192.0.2.1:80") == nil {
			t.Error(network)
		}
	}
}

func TestPublic(t *testing.T) {
	d := New(Options{}).Public(netip.MustParsePrefix("10.1.0.0/16"), netip.MustParsePrefix("fd00:1::/32"))
	for address, want := range map[string]bool{
		"8.8.8.8": true, "1.1.1.1": true, "2606:4700::1111": true, "2a00:1450::1": true,
		"10.1.2.3": true, "fd00:1::5": true, "::ffff:10.1.2.3": true, // listed
		"64:ff9b::808:808": true, // NAT64 of a public address
		"10.2.0.1":         false, "172.16.0.1": false, "172.31.255.255": false, "192.168.1.1": false,
		"127.0.0.1": false, "127.9.9.9": false, "0.0.0.0": false, "0.1.2.3": false,
		"169.254.169.254": false, "169.254.170.2": false, "169.254.1.1": false, "100.64.0.1": false, "100.100.100.200": false, "168.63.129.16": false,
		"192.0.0.192": false, "192.0.2.1": false, "198.18.0.1": false, "198.51.100.1": false, "203.0.113.1": false, "192.88.99.1": false,
		"224.0.0.1": false, "239.255.255.255": false, "240.0.0.1": false, "255.255.255.255": false,
		"::": false, "::1": false, "fe80::1": false, "fe80::1%eth0": false, "fc00::1": false, "fd00:ec2::254": false, "fec0::1": false, "ff02::1": false,
		"::ffff:127.0.0.1": false, "::ffff:192.168.1.1": false, "::127.0.0.1": false, "::ffff:0:10.0.0.1": false,
		"64:ff9b::7f00:1": false, "64:ff9b::a00:1": false, "64:ff9b::a9fe:a9fe": false, "64:ff9b:1::808:808": false,
		"2002:7f00:1::1": false, "2002:808:808::1": false, "2001:0:1::1": false, "2001:db8::1": false, "100::1": false, "3fff::1": false, "5f00::1": false,
	} {
		host := address
		if strings.Contains(address, ":") {
			host = "[" + address + "]"
		}
		if err := d.check("tcp", host+":443"); (err == nil) != want {
			t.Errorf("%s: %v", address, err)
		}
		if err := New(Options{}).check("tcp", host+":443"); err != nil {
			t.Errorf("%s, written by the operator: %v", address, err)
		}
	}
}

// A name is checked by what it resolves to, at the moment of connecting.
func TestPublicName(t *testing.T) {
	bound := listen(t, "127.0.0.1:0")
	_, p, _ := strings.Cut(bound.String(), ":")
	d := New(Options{})
	err := try(d.Public(), "localhost:"+p)
	if KindOf(err) != Forbidden || !strings.Contains(err.Error(), "loopback") {
		t.Error(err)
	}
	if err := try(d.Public(netip.MustParsePrefix("127.0.0.0/8")), "localhost:"+p); err != nil {
		t.Error(err)
	}
}

func TestKinds(t *testing.T) {
	hang := &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}}
	broken := &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		return nil, errors.New("no name server")
	}}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	dead := l.Addr().String()
	l.Close()
	gone, cancel := context.WithCancel(context.Background())
	cancel()
	short, cancel2 := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel2()
	for name, c := range map[string]struct {
		ctx     context.Context
		d       *Dialer
		address string
		want    Kind
		text    string
	}{
		"refused":      {context.Background(), New(Options{}), dead, Refused, dead + ": connect refused"},
		"cancelled":    {gone, New(Options{}), dead, Cancelled, dead + ": cancelled"},
		"slow names":   {short, New(Options{Resolver: hang}), "x.test:80", Timeout, "x.test:80: name not resolved in time"},
		"own timeout":  {context.Background(), New(Options{Resolver: hang, Timeout: 20 * time.Millisecond}), "x.test:80", Timeout, "x.test:80: name not resolved in time"},
		"broken names": {context.Background(), New(Options{Resolver: broken}), "x.test:80", Resolving, "x.test:80: name not resolved"},
		"a rule":       {context.Background(), New(Options{}).Public(), "127.0.0.1:80", Forbidden, "127.0.0.1:80: refused by rule: 127.0.0.1:80 is a loopback address"},
		"no port":      {context.Background(), New(Options{}), "x.test", Other, "x.test: connect failed: dial tcp: address x.test: missing port in address"},
	} {
		_, err := c.d.Dial(c.ctx, c.address)
		var e *Error
		if !errors.As(err, &e) || e.Kind != c.want || err.Error() != c.text {
			t.Errorf("%s: %v, kind %v", name, err, KindOf(err))
		}
		if e != nil && e.Timeout() != (c.want == Timeout) {
			t.Errorf("%s: Timeout() is %v", name, e.Timeout())
		}
	}
	if KindOf(errors.New("other")) != Other {
		t.Error("an error of somebody else's has a kind")
	}
}

// What this machine lacks is not the other side's fault.
func TestExhausted(t *testing.T) {
	for _, errno := range []syscall.Errno{syscall.EMFILE, syscall.ENFILE, syscall.EADDRNOTAVAIL, syscall.ENOBUFS} {
		err := &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("socket", errno)}
		if kind := kindOf(t.Context(), err); kind != Exhausted || !strings.Contains((&Error{Kind: kind, Err: err}).Why(), errno.Error()) {
			t.Errorf("%v: %v", errno, kind)
		}
	}
}

// Who says how long it may take is not cut short by the default.
func TestContextsDeadlineCounts(t *testing.T) {
	answered := make(chan struct{})
	slow := &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-answered:
			return nil, errors.New("no name server")
		}
	}}
	d := New(Options{Resolver: slow, Timeout: time.Nanosecond})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	time.AfterFunc(20*time.Millisecond, func() { close(answered) })
	if _, err := d.Dial(ctx, "x.test:80"); KindOf(err) != Resolving {
		t.Error(err)
	}
}

// Names lead to no metadata service, and to nothing that is no one machine.
func TestMisleads(t *testing.T) {
	for _, text := range []string{"169.254.169.254", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "fd00:ec2::254", "100.100.100.200", "0.0.0.0", "::", "255.255.255.255", "224.0.0.1", "ff02::1", "169.254.1.1", "fe80::1"} {
		if Misleads(netip.MustParseAddr(text)) == "" {
			t.Errorf("a name may lead to %s", text)
		}
	}
	for _, text := range []string{"127.0.0.1", "::1", "10.0.0.1", "192.168.1.1", "fc00::1", "1.1.1.1", "2606:4700::1111"} {
		if why := Misleads(netip.MustParseAddr(text)); why != "" {
			t.Errorf("no name may lead to %s: %s", text, why)
		}
	}
}

func TestRoutable(t *testing.T) {
	if !Routable(netip.MustParseAddr("127.0.0.1")) {
		t.Error("no way to this machine itself")
	}
}

func TestHTTPClient(t *testing.T) {
	other := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("another host was asked") }))
	defer other.Close()
	mux := http.NewServeMux()
	s := httptest.NewUnstartedServer(mux)
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	defer s.Close()
	plain := httptest.NewServer(mux)
	defer plain.Close()
	mux.HandleFunc("/ok", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, strings.Repeat("x", 100)) })
	mux.HandleFunc("/large", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, strings.Repeat("x", 101)) })
	mux.HandleFunc("/chunks", func(w http.ResponseWriter, _ *http.Request) {
		w.(http.Flusher).Flush()
		_, _ = io.WriteString(w, strings.Repeat("x", 101))
	})
	mux.HandleFunc("/hang", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	mux.Handle("/same", http.RedirectHandler("/ok", http.StatusFound))
	mux.Handle("/other", http.RedirectHandler(other.URL+"/", http.StatusFound))
	mux.Handle("/down", http.RedirectHandler(plain.URL+"/ok", http.StatusFound))
	mux.Handle("/loop", http.RedirectHandler("/loop", http.StatusFound))
	trust := s.Client().Transport.(*http.Transport).TLSClientConfig
	d := New(Options{})
	client := d.HTTPClient(ClientOptions{Limit: 100, TLS: trust})
	hasty := d.HTTPClient(ClientOptions{Timeout: 100 * time.Millisecond, TLS: trust})
	for _, c := range []struct {
		client *http.Client
		url    string
		want   error
		text   string
	}{
		{client, s.URL + "/ok", nil, ""},
		{client, s.URL + "/same", nil, ""},
		{client, s.URL + "/large", ErrTooLarge, ""},
		{client, s.URL + "/chunks", ErrTooLarge, ""},
		{client, s.URL + "/other", ErrRedirect, ""},
		{client, s.URL + "/down", ErrRedirect, ""},
		{client, s.URL + "/loop", nil, "redirects"},
		{hasty, s.URL + "/hang", nil, "exceeded"}, // in one of net/http's two wordings
		{client, plain.URL + "/ok", ErrScheme, ""},
		{d.HTTPClient(ClientOptions{Plain: true}), plain.URL + "/ok", nil, ""},
		{d.HTTPClient(ClientOptions{}), s.URL + "/ok", nil, "certificate"},
		{d.Public().HTTPClient(ClientOptions{TLS: trust}), s.URL + "/ok", nil, "refused by rule"},
	} {
		resp, err := c.client.Get(c.url)
		if err == nil {
			_, err = io.ReadAll(resp.Body)
			resp.Body.Close()
		}
		switch {
		case c.want != nil:
			if !errors.Is(err, c.want) {
				t.Errorf("%s: %v, want %v", c.url, err, c.want)
			}
		case c.text != "":
			if err == nil || !strings.Contains(err.Error(), c.text) {
				t.Errorf("%s: %v, want %s", c.url, err, c.text)
			}
		case err != nil:
			t.Errorf("%s: %v", c.url, err)
		}
	}
}
