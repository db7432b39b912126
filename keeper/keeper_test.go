package keeper_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"gatehouse/keeper"
)

// pool is an entry that notes its end.
type pool struct {
	name    string
	retired *[]string
}

func (p *pool) Retire() { *p.retired = append(*p.retired, p.name) }

// house is a Set with the names of the entries that were opened and retired.
type house struct {
	*keeper.Set[string, *pool]
	opened, retired []string
}

func newHouse() *house { return &house{Set: keeper.NewSet[string, *pool]()} }

// get names entries in a lease.
func (h *house) get(t *testing.T, l *keeper.Lease[string, *pool], names string) {
	t.Helper()
	for name := range strings.FieldsSeq(names) {
		p, err := l.Get(name, func() (*pool, error) {
			h.opened = append(h.opened, name)
			return &pool{name, &h.retired}, nil
		})
		if err != nil || p.name != name {
			t.Errorf("%s: %v, %v", name, p, err)
		}
	}
}

// now describes the set, what was opened and what was retired since the last
// time.
func (h *house) now() string {
	var kept []string
	h.Each(func(k string, p *pool) { kept = append(kept, k) })
	slices.Sort(kept)
	slices.Sort(h.retired)
	s := fmt.Sprint("keeps ", kept, " opened ", h.opened, " retired ", h.retired)
	h.opened, h.retired = nil, nil
	return s
}

func (h *house) expect(t *testing.T, want string) {
	t.Helper()
	if got := h.now(); got != want {
		t.Errorf("%s, not %s", got, want)
	}
}

func TestReloads(t *testing.T) {
	h := newHouse()
	h.expect(t, "keeps [] opened [] retired []")

	l := h.Begin()
	h.get(t, l, "a b a")
	h.expect(t, "keeps [] opened [a b] retired []") // nothing is there before Commit
	l.Commit()
	h.expect(t, "keeps [a b] opened [] retired []")

	l = h.Begin()
	h.get(t, l, "b c b")
	l.Commit()
	h.expect(t, "keeps [b c] opened [c] retired [a]")

	l = h.Begin()
	h.get(t, l, "c d e")
	l.Abort()
	h.expect(t, "keeps [b c] opened [d e] retired [d e]")

	// What an aborted lease opened is opened anew.
	l = h.Begin()
	h.get(t, l, "b c d")
	l.Commit()
	h.expect(t, "keeps [b c d] opened [d] retired []")

	h.Begin().Abort()
	h.expect(t, "keeps [b c d] opened [] retired []")
	h.Close()
	h.expect(t, "keeps [] opened [] retired [b c d]")
	h.Close()
	h.expect(t, "keeps [] opened [] retired []")
}

// A lease ends once: a deferred Abort takes nothing from what was committed.
func TestLeaseEndsOnce(t *testing.T) {
	h := newHouse()
	l := h.Begin()
	h.get(t, l, "a")
	l.Commit()
	l.Abort()
	l.Commit()
	h.expect(t, "keeps [a] opened [a] retired []")
	l = h.Begin()
	h.get(t, l, "b")
	l.Abort()
	l.Abort()
	l.Commit()
	h.expect(t, "keeps [a] opened [b] retired [b]")
	// Nothing that is still done with it reaches the Set.
	h.get(t, l, "c")
	h.expect(t, "keeps [a] opened [c] retired []")
}

func TestOpenFails(t *testing.T) {
	h := newHouse()
	broken := errors.New("broken")
	l := h.Begin()
	h.get(t, l, "a")
	if _, err := l.Get("b", func() (*pool, error) { return nil, broken }); !errors.Is(err, broken) {
		t.Error(err)
	}
	h.get(t, l, "b") // it may be tried again
	l.Commit()
	h.expect(t, "keeps [a b] opened [a b] retired []")
}

// Each shows a state of the Set as a whole, and lets go of it before it calls:
// what it calls may use the Set.
func TestEachConcurrently(t *testing.T) {
	h := newHouse()
	var readers sync.WaitGroup
	stop := make(chan struct{})
	for range 4 {
		readers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				n := 0
				h.Each(func(string, *pool) { n++; h.Set.Each(func(string, *pool) {}) })
				if n != 0 && n != 2 {
					t.Errorf("%d entries", n)
				}
			}
		})
	}
	for i := range 200 {
		l := h.Begin()
		h.get(t, l, fmt.Sprintf("a%d b%d", i%3, i%5))
		l.Commit()
	}
	close(stop)
	readers.Wait()
}
