package upstream

import (
	"encoding/json"
	"net"
	"slices"
	"testing"

	"gatehouse/dial"
	"gatehouse/test/dnstest"
	"gatehouse/upstream/target"
)

// TestKnownToTheNext: a keeper in another process begins with where names led and
// which targets were sick, though nobody can be asked; and finds out by itself
// what has changed.
func TestKnownToTheNext(t *testing.T) {
	dns := dnstest.New(t, "orders.test. 5 IN A 127.0.0.1", "_http._tcp.orders.test. 5 IN SRV 3 7 80 orders.test.")
	b := newBackend(t, always(okAnswer))
	_, port, _ := net.SplitHostPort(b.address())
	closed := newBackend(t, always(okAnswer))
	dead := closed.address()
	closed.Close()
	config := func() (named, records, probed Config) {
		named, records, probed = asks(service("dns:orders.test:"+port), dns), asks(service("srv:_http._tcp.orders.test"), dns), service(dead)
		named.Name, records.Name, probed.Name = "named", "records", "probed"
		probed.Health = &Health{Interval: ms(20), Timeout: ms(500), Healthy: 1, Unhealthy: 1}
		return named, records, probed
	}
	bindAll := func(k *Keeper) (named, records, probed *Service) {
		t.Helper()
		a, b, c := config()
		l := k.Begin()
		var all []*Service
		for _, cfg := range []Config{a, b, c} {
			s, err := l.Service(cfg)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, s)
		}
		l.Commit()
		return all[0], all[1], all[2]
	}

	k := newTestKeeper(t)
	named, records, probed := bindAll(k)
	at, recordAt := "127.0.0.1:"+port, "127.0.0.1:80"
	eventually(t, "names and health are not found out", func() bool {
		return slices.Equal(targetsOf(named), []string{at}) && slices.Equal(targetsOf(records), []string{recordAt}) && !probed.current().health[0].Usable()
	})
	text, err := json.Marshal(k.Known())
	if err != nil {
		t.Fatal(err)
	}
	var known Known
	if err := json.Unmarshal(text, &known); err != nil {
		t.Fatal(err)
	}

	dns.Fail(2)
	next := NewKeeper(Options{Dialer: dial.New(dial.Options{}), Log: quietLog(), Known: known})
	t.Cleanup(next.Close)
	named, records, probed = bindAll(next)
	if !slices.Equal(targetsOf(named), []string{at}) || !slices.Equal(targetsOf(records), []string{recordAt}) {
		t.Errorf("of %s it knows %v and %v", text, targetsOf(named), targetsOf(records))
	}
	if places := records.groups[0].Members().Places; len(places) != 1 || places[0] != (target.Place{Priority: 3, Weight: 7}) {
		t.Errorf("places %+v", places)
	}
	if probed.current().health[0].Usable() {
		t.Errorf("of %s it does not know what was sick", text)
	}
	f := newFront(t, New(Route{Service: named}))
	if resp, _, err := get(t, f.URL+"/"); err != nil || resp.StatusCode != 200 {
		t.Error(resp, err)
	}
	dns.Fail(0)
	dns.Set(t, "orders.test. 5 IN A 127.0.0.2")
	eventually(t, "what was known stays for good", func() bool { return slices.Equal(targetsOf(named), []string{"127.0.0.2:" + port}) })

	// What is known misleads nobody, and is for the first configuration alone.
	known.Names = []target.Name{{Target: "orders.test:" + port, Servers: known.Names[0].Servers, Leads: []target.Lead{{Address: "169.254.169.254:80"}, {Address: "nonsense"}}}}
	dns.Fail(2)
	third := NewKeeper(Options{Dialer: dial.New(dial.Options{}), Log: quietLog(), Known: known})
	t.Cleanup(third.Close)
	named, _, _ = bindAll(third)
	if got := targetsOf(named); len(got) != 0 {
		t.Errorf("it leads to %v", got)
	}
	if k := third.options.Known; k.Names != nil || k.Sick != nil {
		t.Errorf("it keeps %+v", k)
	}
}
