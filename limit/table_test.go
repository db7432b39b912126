package limit

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"
)

// The table against a map that forgets nothing: whatever is taken, given and
// forgotten, every answer is the same.
func TestTableAgainstMap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rng := rand.New(rand.NewPCG(1, 2))
		l := newLimit(5, 4, Options{Names: 64 * shards})
		model := make(map[string]*bucket)
		for i := range 300_000 {
			name := fmt.Sprint(rng.IntN(2000))
			b := model[name]
			if b == nil {
				b = &bucket{level: brim}
				model[name] = b
			}
			if rng.IntN(10) == 0 {
				l.Give(l.Name(name), Result{OK: true})
				b.give(l.keeper.now(), l.refill())
			}
			got, want := l.Take(l.Name(name)), b.take(l.keeper.now(), l.refill())
			if got != want {
				t.Fatalf("step %d, %s: got %+v, want %+v", i, name, got, want)
			}
			time.Sleep(time.Duration(rng.IntN(int(2 * time.Millisecond))))
		}
	})
}

// One shard, driven hard: nothing is lost and nothing doubled when gaps are
// closed.
func TestShardKeepsWhatIsNotFull(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for _, most := range []int{1, 2, 3, 7, 64, 500} {
		s := &shard{}
		f := newRefill(PerSecond(1), 1)
		full := make(map[uint64]uint32) // when each known bucket is full
		for now := int64(0); now < int64(2000*time.Second); now += int64(time.Second) / 5 {
			k := Key{hash: 1 + rng.Uint64()%uint64(3*most)<<54, check: 7}
			i, found := s.find(k)
			if until, known := full[k.hash]; known && int64(until) > now>>tick && !found {
				t.Fatalf("most %d: bucket %x was forgotten before it was full", most, k.hash)
			}
			if !found {
				var room bool
				if i, room = s.insert(k, now, most); !room {
					continue
				}
			}
			b := &s.slots[i]
			if b.hash != k.hash {
				t.Fatalf("most %d: slot %d holds %x, want %x", most, i, b.hash, k.hash)
			}
			r := b.take(now, &f)
			b.full = tickAfter(now, int64(r.Reset)*int64(1+rng.IntN(most)))
			full[k.hash] = b.full
			check(t, s, most)
		}
	}
}

// check holds the shard's count and its probing against its slots.
func check(t *testing.T, s *shard, most int) {
	t.Helper()
	n := 0
	for i := range s.slots {
		e := s.slots[i]
		if e.hash == 0 {
			continue
		}
		n++
		if at, found := s.find(Key{hash: e.hash, check: uint64(e.check)}); !found || at != i {
			t.Fatalf("slot %d is not found where it stands but at %d, %v", i, at, found)
		}
	}
	if n != s.used || n > most {
		t.Fatalf("%d slots are used, the shard counts %d and may have %d", n, s.used, most)
	}
}

func TestTicks(t *testing.T) {
	for _, wait := range []int64{0, 1, 1 << tick, 1<<tick + 1, int64(time.Hour)} {
		s := slot{full: tickAfter(5<<tick+3, wait)}
		if end := 5<<tick + 3 + wait; s.idle(end-1) && wait > 0 || !s.idle(end+1<<tick) {
			t.Errorf("wait %d: full at tick %d", wait, s.full)
		}
	}
	for _, never := range []int64{1<<63 - 1, 1 << 62, 10 * 366 * 24 * int64(time.Hour)} {
		s := slot{full: tickAfter(5, never)}
		if s.idle(1<<63 - 1) {
			t.Errorf("a bucket that takes %d ns is idle at some time", never)
		}
	}
}
