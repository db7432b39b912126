package limit

import (
	"fmt"
	"net/netip"
	"runtime"
	"testing"
	"testing/synctest"
	"time"
)

// A full table never forgets a bucket that is not full, and newcomers share
// one bucket.
func TestFullTable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLimit(0.1, 2, Options{Names: 2 * shards})
		var known []Key
		shared := 0
		for i := range 20 * shards {
			k := l.Name(fmt.Sprint("caller ", i))
			r := l.Take(k)
			switch {
			case r.Shared:
				shared++
			case r.OK:
				known = append(known, k)
			}
		}
		_, usage := l.keeper.Usage()
		if usage.Buckets != len(known) || usage.Buckets > usage.Capacity || usage.Capacity != 2*shards || usage.Shared != uint64(shared) {
			t.Errorf("%+v, with %d known and %d shared", usage, len(known), shared)
		}
		for _, k := range known {
			if r := take(t, l, k, true); r.Shared || r.Remaining != 0 {
				t.Fatalf("a known bucket was forgotten: %+v", r)
			}
			take(t, l, k, false)
		}
		// What newcomers share has the limit's burst once, not each.
		admitted := 0
		time.Sleep(10 * time.Second) // one token
		for i := range 10 * shards {
			if r := l.Take(l.Name(fmt.Sprint("newcomer ", i))); r.OK && r.Shared {
				admitted++
			}
		}
		if admitted != 1 {
			t.Errorf("%d newcomers were admitted, want 1", admitted)
		}
		// When buckets are full again, newcomers take their places.
		time.Sleep(time.Minute)
		for i := range 10 {
			r := take(t, l, l.Name(fmt.Sprint("late ", i)), true)
			if r.Shared || r.Remaining != 1 {
				t.Fatalf("a newcomer found no place: %+v", r)
			}
		}
	})
}

// A shared token goes back to where it came from.
func TestGiveToShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLimit(0.1, 1, Options{Names: 1})
		var newcomer Key
		var r Result
		for i := 0; !r.Shared; i++ {
			newcomer = l.Name(fmt.Sprint(i))
			r = l.Take(newcomer)
		}
		if !r.OK {
			t.Fatal("the shared bucket begins full")
		}
		take(t, l, newcomer, false)
		l.Give(newcomer, r)
		take(t, l, newcomer, true)
	})
}

// Two million addresses, each once: the table takes what it was given and no
// more, and customers, whose buckets stand in the other table, do not notice.
func TestFloodOfStrangers(t *testing.T) {
	if testing.Short() {
		t.Skip("two million addresses")
	}
	const most = 1 << 19
	keeper := NewKeeper(Options{SlowAddresses: most})
	lease := keeper.Begin()
	strangers, customers := lease.Limit("ip", PerSecond(0.01), 5), lease.Limit("principal", PerSecond(0.01), 5)
	customer := customers.Name("jwt:https://login.test|ann")
	take(t, customers, customer, true)
	before := heap()
	var address [16]byte
	copy(address[:], "\x20\x01\x0d\xb8")
	admitted := 0
	for i := range 2_000_000 {
		address[4], address[5], address[6], address[7] = byte(i>>24), byte(i>>16), byte(i>>8), byte(i)
		if strangers.Take(strangers.Address(netip.AddrFrom16(address))).OK {
			admitted++
		}
	}
	grown := heap() - before
	_, names := keeper.Usage()
	usage := keeper.SlowUsage()
	t.Logf("%d admitted; table %+v; heap grew by %d MB; names %+v", admitted, usage, grown>>20, names)
	if usage.Buckets > most || usage.Bytes > 48*most || grown > 48*most {
		t.Errorf("the table outgrew its bound: %+v, heap %d", usage, grown)
	}
	if admitted > most+6 {
		t.Errorf("%d admitted of %d that are known: newcomers were granted buckets of their own", admitted, usage.Buckets)
	}
	if r := take(t, customers, customer, true); r.Shared || r.Remaining != 3 || names.Buckets != 1 {
		t.Errorf("the customer's bucket was touched: %+v", r)
	}
	newcomer := customers.Name("jwt:https://login.test|bob")
	if r := take(t, customers, newcomer, true); r.Shared {
		t.Errorf("a customer found no place: %+v", r)
	}
}

// Ever new addresses at a slow limit, a few a second: newcomers at other limits
// do not notice.
func TestTrickleAtASlowLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lease := NewKeeper(Options{Addresses: 4 * shards, SlowAddresses: 4 * shards}).Begin()
		var daily Rate
		if err := daily.UnmarshalText([]byte("5/d")); err != nil {
			t.Fatal(err)
		}
		slow, fast := lease.Limit("sign-up ip", daily, 5), lease.Limit("gateway ip", PerSecond(100), 200)
		for i := range 16 * shards {
			a := netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
			slow.Take(slow.Address(a))
			fast.Take(fast.Address(a))
			time.Sleep(33 * time.Millisecond)
		}
		if r := slow.Take(slow.Address(netip.MustParseAddr("192.0.2.1"))); !r.Shared {
			t.Error("the table of slow limits is not full")
		}
		if r := take(t, fast, fast.Address(netip.MustParseAddr("192.0.2.1")), true); r.Shared || r.Remaining != 199 {
			t.Errorf("a newcomer at a fast limit pays for the slow one: %+v", r)
		}
	})
}

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
