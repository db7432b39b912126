package rate

import (
	"math"
	"math/rand/v2"
	"testing"
)

// What a window counts lies between what came within the window without one of its
// parts and what came within the window and one more: of random arrivals.
func TestWindowAgainstLog(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for range 200 {
		var w window
		var log []float64 // in parts
		now := r.Float64() * 20
		w.at = uint32(now)
		for range 300 {
			switch r.IntN(20) {
			case 0:
				now += r.Float64() * 9
			case 1, 2, 3:
				now += r.Float64()
			default:
				now += r.Float64() / 50
			}
			log = append(log, now)
			got := w.add(moment{uint32(now), 1 - (now - math.Floor(now))})
			var least, most uint64
			for _, at := range log {
				if at > now-parts+1 {
					least++
				}
				if at > now-parts-1 {
					most++
				}
			}
			if got < least || got > most {
				t.Fatalf("at %v: %d, not from %d to %d, of %v", now, got, least, most, log)
			}
		}
	}
}

func TestWindow(t *testing.T) {
	var w window
	for range 60 {
		w.add(moment{10, 0.5})
	}
	for _, tc := range []struct {
		m    moment
		want uint64
	}{
		{moment{10, 0.1}, 60}, {moment{15, 0.01}, 60}, {moment{16, 1}, 60}, {moment{16, 0.5}, 30}, {moment{16, 0.001}, 1}, {moment{17, 1}, 0}, {moment{1 << 30, 1}, 0},
		{moment{9, 0.5}, 60}, // a clock behind
	} {
		if got := w.count(tc.m); got != tc.want {
			t.Errorf("%+v: %d, not %d", tc.m, got, tc.want)
		}
	}
	w.counts[10%(parts+1)] = math.MaxUint32
	if got := w.add(moment{10, 0.5}); got != math.MaxUint32 {
		t.Errorf("counts go round: %d", got)
	}
}
