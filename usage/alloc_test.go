//go:build !race

package usage

import (
	"testing"
	"time"
)

// Looking a key up and charging it costs no allocation but for the answer's
// fields.
func TestHotPathCostsNothing(t *testing.T) {
	h := newHouse(t)
	key := create(t, h.Keeper, Wish{Plan: "vast"})
	now := time.Now()
	q := plans()["vast"].Quota
	if n := testing.AllocsPerRun(200, func() {
		if _, p := h.find(key.Value, now); p != "" {
			t.Fatal(p)
		}
		h.take(key.ID, q, now)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
