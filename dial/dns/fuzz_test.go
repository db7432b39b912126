package dns

import (
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// Whatever a server sends, an answer is bounded and holds what was asked for.
func FuzzAnswer(f *testing.F) {
	for _, records := range [][]string{
		{"a.test. 5 IN A 10.0.0.1", "a.test. 5 IN AAAA ::1"},
		{"a.test. 5 IN CNAME b.test.", "b.test. 5 IN CNAME a.test."},
		{"a.test. 5 IN SRV 1 2 80 b.test.", "b.test. 5 IN A 10.0.0.1"},
	} {
		m := new(dns.Msg)
		m.SetQuestion("a.test.", dns.TypeA)
		m.Response = true
		for _, text := range records {
			rr, err := dns.NewRR(text)
			if err != nil {
				f.Fatal(err)
			}
			m.Answer = append(m.Answer, rr)
		}
		wire, err := m.Pack()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(wire)
	}
	f.Fuzz(func(t *testing.T, wire []byte) {
		m := new(dns.Msg)
		_ = m.Unpack(wire) // the rest of what can be read is looked at too
		asked := new(dns.Msg)
		asked.SetQuestion("a.test.", dns.TypeA)
		asked.Id = m.Id
		if !answers(m, asked) || len(m.Question) == 0 {
			return
		}
		got := &found{ttl: longest, negative: longest}
		got.add(m)
		if len(got.addrs) > MaxAddresses || len(got.records) > 0 || got.ttl < 0 || got.ttl > longest || got.negative < 0 {
			t.Errorf("%+v", got)
		}
		for _, a := range got.addrs {
			if !a.IsValid() || a.Is4In6() {
				t.Errorf("%v", a)
			}
		}
	})
}

// Whatever the system's files hold, what is read of them can be used.
func FuzzFiles(f *testing.F) {
	f.Add("search a.test b.test\nnameserver 10.0.0.1\noptions ndots:5 timeout:2 attempts:3\n")
	f.Add("127.0.0.1 localhost # here\n::1 ip6-localhost\n")
	f.Add("hosts: files [NOTFOUND=return] dns\n")
	f.Fuzz(func(t *testing.T, text string) {
		s := parseResolv(strings.NewReader(text))
		if len(s.servers) == 0 || len(s.servers) > maxServers || len(s.domains) > maxDomains || s.attempts < 1 || s.timeout < time.Second || s.ndots < 0 {
			t.Errorf("%+v", s)
		}
		for _, d := range s.domains {
			if !strings.HasSuffix(d, ".") {
				t.Errorf("%q", d)
			}
		}
		for name, addrs := range parseHosts(strings.NewReader(text)) {
			if len(addrs) == 0 || len(addrs) > MaxAddresses || name != strings.ToLower(name) {
				t.Errorf("%q: %v", name, addrs)
			}
		}
		parseOrder(strings.NewReader(text))
	})
}
