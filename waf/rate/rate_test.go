package rate

import (
	"encoding/binary"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func counter(k *Keeper, c Config) *Counter {
	l := k.Begin()
	defer l.Commit()
	return l.Counter(c)
}

func key(i int) []byte { return binary.BigEndian.AppendUint64(nil, uint64(i)) }

func expect(t *testing.T, c *Counter, k string, n int, over bool) {
	t.Helper()
	for range n {
		if got := c.Over([]byte(k)); got != over {
			t.Fatalf("%s: over is %v", k, got)
		}
	}
}

func TestOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := counter(NewKeeper(Options{}), Config{Scope: "edge/flood", Limit: 10, Window: time.Minute})
		expect(t, c, "ann", 10, false)
		expect(t, c, "ann", 1, true)
		expect(t, c, "bob", 10, false)
		time.Sleep(30 * time.Second)
		expect(t, c, "ann", 5, true) // who goes on stays over it
		time.Sleep(50 * time.Second) // the first eleven are gone, the five are not
		expect(t, c, "ann", 5, false)
		expect(t, c, "ann", 1, true)
		time.Sleep(71 * time.Second)
		expect(t, c, "ann", 10, false)
	})
}

// Counts go on over a reload where scope and window are the same, whatever the
// limit; and nowhere else.
func TestReload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := NewKeeper(Options{})
		base := Config{Scope: "edge/flood", Limit: 10, Window: time.Minute}
		expect(t, counter(k, base), "ann", 10, false)
		higher := base
		higher.Limit = 15
		c := counter(k, higher)
		expect(t, c, "ann", 5, false)
		expect(t, c, "ann", 1, true)
		aborted := k.Begin()
		other := base
		other.Window = 2 * time.Minute
		aborted.Counter(other)
		aborted.Abort()
		expect(t, c, "ann", 1, true)
		expect(t, counter(k, other), "ann", 10, false)
		expect(t, counter(k, Config{Scope: "edge/other", Limit: 10, Window: time.Minute}), "ann", 10, false)
		expect(t, counter(k, Config{Scope: "edge/flood", Limit: 10, Window: time.Minute, Addresses: true}), "ann", 10, false)
		// Named again after a configuration without it, a scope begins anew.
		expect(t, counter(k, base), "ann", 10, false)
	})
}

// A full table forgets nobody who counts: those who are known stay over, and
// newcomers share counts, which are never too low.
func TestFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := NewKeeper(Options{Others: shards})
		c := counter(k, Config{Scope: "a", Limit: 10, Window: time.Minute})
		sent := make([]int, 40*shards)
		for range 3 {
			for i := range sent {
				sent[i]++
				if n := c.Add(key(i)); n < uint64(sent[i]) {
					t.Fatalf("key %d has sent %d and counts %d", i, sent[i], n)
				}
			}
		}
		_, usage := k.Usage()
		if usage.Keys != usage.Capacity || usage.Capacity != shards || usage.Shared == 0 || usage.Bytes > shards*largest(1)*slotSize {
			t.Errorf("%+v", usage)
		}
		// As counts end, newcomers find room, with what they had to share.
		time.Sleep(55 * time.Second)
		for i := range sent {
			sent[i]++
			if n := c.Add(key(i)); n < uint64(sent[i]) {
				t.Fatalf("key %d has sent %d and counts %d", i, sent[i], n)
			}
		}
		time.Sleep(3 * time.Minute)
		for i := range 10 {
			if n := c.Add(key(1 << 40 * (i + 1))); n != 1 {
				t.Errorf("a newcomer to a table whose counts are over counts %d", n)
			}
		}
	})
}

// Two million keys, once each, take what the table was given and no more; and the
// other table does not notice.
func TestFlood(t *testing.T) {
	if testing.Short() {
		t.Skip("two million keys")
	}
	const most = 1 << 18
	k := NewKeeper(Options{Addresses: most})
	l := k.Begin()
	strangers := l.Counter(Config{Scope: "ip", Limit: 100, Window: 10 * time.Minute, Addresses: true})
	tenants := l.Counter(Config{Scope: "tenant", Limit: 100, Window: 10 * time.Minute})
	l.Commit()
	tenants.Add(key(1))
	for i := range 2_000_000 {
		strangers.Over(key(i))
	}
	usage, others := k.Usage()
	if usage.Keys > most || usage.Bytes > most*5/4*slotSize+shards*2*slotSize || usage.Shared < 1_500_000 || others.Keys != 1 || others.Shared != 0 {
		t.Errorf("%+v, %+v", usage, others)
	}
	if n := tenants.Add(key(1)); n != 2 {
		t.Errorf("the other table's count is %d", n)
	}
}

// No request is lost between goroutines.
func TestConcurrent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := counter(NewKeeper(Options{}), Config{Scope: "a", Limit: 1000, Window: time.Minute})
		var over atomic.Int64
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				for i := range 1000 {
					if c.Over(key(i % 4)) {
						over.Add(1)
					}
				}
			})
		}
		all.Wait()
		if over.Load() != 4*1000 {
			t.Errorf("%d over", over.Load())
		}
	})
}

func TestNoAllocation(t *testing.T) {
	c := counter(NewKeeper(Options{}), Config{Scope: "a", Limit: 10, Window: 10 * time.Minute})
	k := key(7)
	c.Over(k)
	if n := testing.AllocsPerRun(100, func() { c.Over(k) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkOver(b *testing.B) {
	for _, n := range []int{1, 100_000} {
		b.Run(fmt.Sprintf("keys=%d", n), func(b *testing.B) {
			c := counter(NewKeeper(Options{}), Config{Scope: "a", Limit: 10, Window: time.Minute, Addresses: true})
			keys := make([][]byte, n)
			for i := range keys {
				keys[i] = key(i)
			}
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				c.Over(keys[i%n])
				i++
			}
		})
	}
	b.Run("parallel", func(b *testing.B) {
		c := counter(NewKeeper(Options{}), Config{Scope: "a", Limit: 10, Window: time.Minute, Addresses: true})
		b.ReportAllocs()
		b.RunParallel(func(p *testing.PB) {
			k := key(0)
			for i := uint64(0); p.Next(); i++ {
				binary.BigEndian.PutUint64(k, i%100_000)
				c.Over(k)
			}
		})
	})
}
